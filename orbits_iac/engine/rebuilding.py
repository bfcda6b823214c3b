"""Making records again of what is there: for a store that is gone, while what it told of is not.

What always holds:
- nothing is written outside of the store, and no Action, command or wait of a definition is run. Such a step is taken
  as done, with `once` remembered as such; its result is not known, and the definition is given None for it;
- what says by `define_rebuild` how it is read is recorded as it is, as revision 0; any other Resource runs its
  definition, for the children in it;
- where what nobody has marked is adopted too, the same is done with `define_adopt`; what was recorded so stays
  `adopted` until one update has succeeded, and what has a record already is left as it is;
- nothing is brought back where that fails: what was recorded until then stays.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from orbits_iac.engine.above import enter
from orbits_iac.engine.adopting import adopt
from orbits_iac.engine.calls import Call
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import EntryRow, Json
from orbits_iac.steps.hook import is_hook
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import options_of

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.request import Request
    from orbits_iac.engine.run import Run

NOT_RUN = "taken as done: records are made again of what is there, and nothing is run"
UNKNOWN: Json = "null"


def is_left_out(run: "Run", request: "Request") -> bool:
    """Whether a rebuild does not run a step: all but Resources, Workflows, and the engine's own questions.

    What `define_rebuild` reads with is run too, where a class says that by itself. Nothing that is run is undone.
    """
    request.undo = None
    reads = run.rebuilt and request.step is not None and is_hook(type(request.step))
    is_update = request.identity is not None and request.command == "update"
    return request.ask is None and request.begin is None and not (is_update or reads)


def is_unknown(entry: EntryRow, result: Json | None) -> bool:
    """Whether a step was taken as done, with a result that nobody knows."""
    return entry.skipped and result == UNKNOWN


def refuse_to_wait(run: "Run", call: Call) -> None:
    """Raise `Refused` where a definition waits for what does not come while records are made again."""
    if run.approval.rebuild:
        raise Refused(
            f"{call.ref}: the definition waits here, and nothing is run while records are made again. What it did "
            f"before is recorded; `orbits up` goes on from there"
        )


async def rebuild(run: "Run", flow: "RunFlow", resource: Resource[Any]) -> Any:
    """The outputs of what is there; or, of a Resource that only has others in it, those that its definition returns."""
    if run.approval.adopts is not None and run.standing is not None:
        run.rebuilt = True
        return run.standing.outputs
    found = _how_it_is_read(run, resource)
    if found is None:
        cls = type(resource)
        enter("install", flow)
        await resource.define_install()
        run.installed = options_of(cls).get("install_version", 1)
        enter("update", flow)
        return await resource.define_rebuild()
    run.rebuilt = True
    if run.standing is None:
        enter("rebuild", flow)
        await adopt(run, flow, resource, found)
    if run.standing is None:
        execution = run.pages.execution
        marked = "" if run.approval.adopts is not None else " that is marked as its own"
        called = f" and called {run.called}" if run.called else ""
        raise Refused(
            f"{execution.kind} {execution.identity}: nothing is there{marked}{called}, so nothing is recorded; "
            f"`orbits up` makes it"
        )
    return run.standing.outputs


def _how_it_is_read(run: "Run", resource: Resource[Any]) -> "Callable[[], Awaitable[Any]] | None":
    """What tells of a Resource that is there; None for one that only has others in it."""
    cls = type(resource)
    if run.approval.adopts is not None and cls.define_adopt is not Resource.define_adopt:
        return resource.define_adopt
    return None if cls.define_rebuild is Resource.define_rebuild else resource.define_rebuild
