"""Finding a step of an execution by what people call it: its path, or its name where that is unique."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import UNDO, ExecutionId, refs
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.store.contract import Store

_OWN = frozenset({"ask", "timer", "cancel", "supersede"})
_BACK = (f"{UNDO}/", "rollback/")


@dataclass(frozen=True, slots=True)
class Found:
    """A step, the execution whose journal it stands in, and the steps above that lead there from the root."""

    path: tuple[str, ...]
    execution: ExecutionRow
    entry: EntryRow
    above: tuple["Found", ...] = ()


async def steps_of(
    store: Store, execution: ExecutionRow, path: tuple[str, ...] = (), above: tuple[Found, ...] = ()
) -> AsyncIterator[Found]:
    """Every step of an execution and of those below it, in no particular order; not what brought anything back."""
    for entry in await store.find(EntryRow, execution=execution.id):
        if entry.kind in _OWN or (entry.key.startswith(_BACK) and execution.command != "rollback"):
            continue
        found = Found((*path, *refs(entry.key)), execution, entry, above)
        yield found
        child = await store.get(ExecutionRow, entry.child) if entry.child is not None else None
        if child is not None and child.id not in {other.execution.id for other in (*above, found)}:
            async for below in steps_of(store, child, found.path, (*above, found)):
                yield below


async def execution_of(store: Store, execution: str) -> ExecutionRow:
    """The execution with this id; UsageError if there is none."""
    row = await store.get(ExecutionRow, execution)
    if row is None:
        raise UsageError(f"there is no execution {execution!r}: `orbits get` lists the recent ones")
    return row


async def find_step(store: Store, execution: ExecutionId, name: str) -> Found:
    """The step at the path `name` (`deploy.migrate`), else the only one with that ref; UsageError lists them.

    Steps of two kinds under one ref are told apart by `deploy.migrate:Kind`.
    """
    row = await execution_of(store, execution)
    steps = [found async for found in steps_of(store, row)]
    fitting = [found for found in steps if name in _names(found, ".".join(found.path))]
    fitting = fitting or [found for found in steps if found.path and name in _names(found, found.path[-1])]
    if not fitting:
        paths = sorted({".".join(found.path) for found in steps})
        raise UsageError(f"execution {execution} has no step {name!r}; it has: {', '.join(paths) or 'none'}")
    if len({(found.path, found.entry.kind) for found in fitting}) > 1:
        paths = sorted({f"{'.'.join(found.path)}:{found.entry.kind}" for found in fitting})
        raise UsageError(f"{name!r} is the name of several steps: give one of {', '.join(paths)}")
    return max(fitting, key=lambda found: found.entry.started_at or 0.0)  # of several attempts the last


def _names(found: Found, path: str) -> tuple[str, str]:
    return path, f"{path}:{found.entry.kind}"
