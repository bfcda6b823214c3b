"""CdkStack: a stack whose template comes from CDK constructs that are made in this process."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from typing_extensions import TypeVar

from orbits_aws.targets import AwsTarget
from orbits_cdk.cache import Entry, SynthCache, files_opened
from orbits_cdk.context import NOTHING, Context, LookedUp, project_context
from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.lookups import look_up
from orbits_cdk.packing import Place
from orbits_cdk.payload import StackPayload
from orbits_cdk.secrecy import refuse_secrets
from orbits_cdk.sources import holds_secrets, sources_of
from orbits_cdk.stack import AnyStack
from orbits_cdk.synth import TURNS, Missing, Wish, synthesise
from orbits_iac import Outputs
from orbits_iac.provider import result_type

if TYPE_CHECKING:
    import aws_cdk as cdk
    from constructs import Construct

O = TypeVar("O", bound=Outputs | None, default=None)

_CACHE = SynthCache()


class CdkStack(AnyStack[O]):
    """A stack of an AWS account: subclass it, with fields for its arguments and a `define_stack` or `make_stack`."""

    def define_stack(self, stack: "cdk.Stack") -> O:
        """Make the constructs in `stack`, and return the outputs: tokens now, the values for whoever awaits them."""
        raise NotImplementedError(f"{type(self).__name__} has no define_stack(), and no make_stack() either")

    def make_stack(self, scope: "Construct", id: str, /) -> "cdk.Stack | None":  # noqa: A002 - what CDK calls it
        """Make a stack of a class that exists, instead of `define_stack`: `return WebStack(scope, id, size=self.size)`.

        A field of the outputs takes the CfnOutput of the same name, `bucket_name` that of `BucketName`.
        """
        return None

    @property
    def environment(self) -> "cdk.Environment":
        """The account and region that this is for: `env=self.environment` for a stack of your own that looks things up.

        Only in `make_stack`; a template that is made with it serves this account and region alone.
        """
        import aws_cdk as cdk

        target = self.execution.target(AwsTarget)
        return cdk.Environment(account=target.account, region=target.region)

    def context_version(self) -> str:
        """What looked-up values are kept under: where it returns another text, they are looked up again."""
        return ""

    def synthesise(self, kept: Context = NOTHING) -> StackPayload:
        """The template, from the cache where nothing that it is made from has changed.

        It is synthesised, what is missing of the account is looked up, and so on until nothing is missing.
        """
        place, known = self._synthesised_for(), kept.of(self.context_version())
        wanted = Wish(place=place, publishes=result_type(type(self)), context=project_context())
        sources = sources_of(self, wanted.context)
        on_disk = sources.settled and not holds_secrets(self)
        cached = partial(_CACHE.get, sources.digest, place, known, on_disk=on_disk)
        files: dict[str, str] = {}
        while True:
            with TURNS.take(place.kind):
                if (payload := cached()) is not None:  # perhaps somebody else made it while this one waited
                    return payload
                self.execution.progress("synthesising")
                with files_opened() as opened:
                    made = synthesise(self, wanted)
                files |= opened
                if isinstance(made, StackPayload):
                    payload = made.model_copy(update={"context": Context(version=known.version, found=wanted.found)})
                    refuse_secrets(self, payload)  # and kept before the next one has its turn, who looks for it
                    _CACHE.put(sources.digest, place, Entry(payload=payload, files=files), on_disk=on_disk)
                    return payload
            wanted = self._with_more(wanted, made, known)

    def _with_more(self, wanted: Wish, missing: Missing, known: Context) -> Wish:
        """The same wish, for its account alone, with what was missing: as it was kept, or looked up now."""
        kept = {each.key: each for each in known.found}
        found: list[LookedUp] = []
        for each in missing.context:
            key = str(each["key"])
            if key in wanted.values:
                raise SynthesisFailed(f"{wanted.place.kind} asks for {key} again although it was given.")
            found.append(kept.get(key) or self._looked_up(key, each, wanted.place))
        return replace(wanted, bound=True, found=(*wanted.found, *found))

    def _looked_up(self, key: str, missing: Mapping[str, Any], place: Place) -> LookedUp:
        value = look_up(self._aws, missing, place)
        found = LookedUp(key=key, provider=str(missing["provider"]), value=value, on=f"{self.execution.now():%Y-%m-%d}")
        self.execution.progress(str(found))
        return found
