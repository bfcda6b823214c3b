"""CdkStack: a stack whose template comes from CDK constructs that are made in this process."""

from functools import partial
from typing import TYPE_CHECKING

from typing_extensions import TypeVar

from orbits_cdk.cache import Entry, SynthCache, files_opened
from orbits_cdk.payload import StackPayload
from orbits_cdk.sources import holds_secrets, sources_of
from orbits_cdk.stack import AnyStack
from orbits_cdk.synth import ONE_AT_A_TIME, refuse_secrets, synthesise
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

    def synthesise(self) -> StackPayload:
        """The template, from the cache where nothing that it is made from has changed."""
        place = self._synthesised_for()
        sources = sources_of(self)
        on_disk = sources.settled and not holds_secrets(self)
        kept = partial(_CACHE.get, sources.digest, place, on_disk=on_disk)
        if (payload := kept()) is not None:
            return payload
        with ONE_AT_A_TIME:
            if (payload := kept()) is not None:  # somebody else did it while this one waited
                return payload
            self.execution.progress("synthesising")
            with files_opened() as files:
                payload = synthesise(self, place, result_type(type(self)))
        refuse_secrets(self, payload)
        _CACHE.put(sources.digest, place, Entry(payload=payload, files=files), on_disk=on_disk)
        return payload
