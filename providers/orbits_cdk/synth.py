"""Synthesis: from a `CdkStack` and its fields to a template, in this process.

jsii is one Node process and not thread-safe: one stack is synthesised at a time. The assembly that CDK writes is read
back, its files are staged, and the folder is removed.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orbits_cdk.assembly import missing_context, read_stack, stack_names
from orbits_cdk.cache import note_opened
from orbits_cdk.context import LookedUp
from orbits_cdk.errors import NodeEnded, SynthesisFailed
from orbits_cdk.node import lost_node
from orbits_cdk.outputs import add_outputs, with_outputs
from orbits_cdk.packing import Place, pack
from orbits_cdk.payload import StackPayload
from orbits_cdk.turns import Turns
from orbits_cdk.watching import Watched, watched

_ASKS_WHERE = "since account/region are not specified at the stack level"
TURNS = Turns()
"""Whose turn it is to synthesise; also taken by whoever looks first whether it has been done meanwhile."""
_LONGEST = 20  # lines of an error that are shown


class Definition(Protocol):
    """What is synthesised: a `CdkStack`."""

    def define_stack(self, stack: Any) -> Any:
        """Make the constructs and return the outputs."""
        ...

    def make_stack(self, scope: Any, id: str, /) -> Any:  # noqa: A002 - what CDK calls it
        """Make the stack itself; None where `define_stack` is to fill one."""
        ...


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is to be synthesised, beside the definition."""

    place: Place
    publishes: Any = None  # the type of the outputs, for a stack that the user's own class makes
    context: Mapping[str, Any] = field(default_factory=dict)  # what the project says
    found: tuple[LookedUp, ...] = ()  # what was looked up in the account
    bound: bool = False  # for this account and region alone: needed where anything is looked up

    @property
    def values(self) -> dict[str, Any]:
        """All of the context."""
        return {**self.context, **{each.key: each.value for each in self.found}}


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What a synthesis has to be told of the account; nothing where it only has to know which account it is for."""

    context: tuple[Mapping[str, Any], ...] = ()


def synthesise(definition: Definition, wish: Wish) -> StackPayload | Missing:
    """The template and outputs of `definition`, or what it misses.

    Raises SynthesisFailed, showing the user's own line.
    """
    with TURNS.take(wish.place.kind), tempfile.TemporaryDirectory(prefix="orbits-synth-") as folder, watched() as seen:
        try:
            return _synthesise(definition, wish, Path(folder))
        except SynthesisFailed as error:
            raise SynthesisFailed("\n".join((str(error), *seen.lines_that_made(str(error))))) from error
        except Exception as error:
            if lost_node(error):
                raise NodeEnded(
                    f"{wish.place.kind} was not synthesised: CDK's Node process ended while it was at it, perhaps out "
                    f"of memory. The next attempt has a new one."
                ) from error
            if not wish.bound and _ASKS_WHERE in str(error):
                return Missing()
            raise SynthesisFailed(_explain(error, wish.place.kind, seen)) from error


def _synthesise(definition: Definition, wish: Wish, folder: Path) -> StackPayload | Missing:
    import aws_cdk as cdk

    place = wish.place
    app = cdk.App(
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
        context=wish.values,
        default_stack_synthesizer=cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False),
        outdir=str(folder),
        tree_metadata=False,
    )
    # The construct's own id is the same for all tenants: names that CDK makes from paths are too.
    own = definition.make_stack(app, place.kind)
    if own is not None:
        made = _assemble(app, own, place)
        return made if isinstance(made, Missing) else with_outputs(made, wish.publishes)
    env = cdk.Environment(account=place.account, region=place.region) if wish.bound else None
    own = cdk.Stack(app, place.kind, stack_name=place.stack_name, env=env)
    outputs, constants = add_outputs(own, definition.define_stack(own))
    made = _assemble(app, own, place)
    if isinstance(made, Missing):
        return made
    return made.model_copy(update={"outputs": outputs, "constants": constants})


def _assemble(app: Any, stack: Any, place: Place) -> StackPayload | Missing:
    folder = Path(app.synth().directory)
    missing = missing_context(folder)
    if missing:
        return Missing(context=tuple(missing))
    names = stack_names(folder)
    if len(names) > 1:
        raise SynthesisFailed(
            f"{place.kind} makes {len(names)} stacks ({', '.join(names)}). Make one in each, and do each as a step of "
            f"its own; values go from one to another as outputs and fields."
        )
    payload = pack(read_stack(folder), place, {})
    if payload.assets:
        note_sources(stack)
    return payload


def note_sources(stack: Any) -> None:
    """Have the cache watch the files and folders that CDK, which reads them itself, took for assets."""
    import aws_cdk as cdk

    for construct in stack.node.find_all():
        if isinstance(construct, cdk.AssetStaging):
            note_opened(construct.source_path)


def _explain(error: Exception, kind: str, seen: Watched) -> str:
    """The error's message without jsii's stack, and the user's lines that led to it."""
    said = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    words = "\n".join(said[:_LONGEST]).strip().removeprefix("Error: ") or type(error).__name__
    if _ASKS_WHERE in words:
        words = "it looks something up: give `env=self.environment` to the stack that make_stack() makes"
    return "\n".join((f"{kind} cannot be synthesised: {words}", *seen.lines_of(error)))
