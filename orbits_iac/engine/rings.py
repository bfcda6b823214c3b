"""Rings: executions that wait for each other, so that none of them would ever go on.

An execution waits for the children that it asked for; a command that waits its turn waits for the one that holds its
record. Rings are looked for after the own edge is written, so that of two who close one at the same moment at least
one finds it.
"""

from typing import TYPE_CHECKING

from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EntryRow, ExecutionRow, RecordRow
from orbits_iac.model.states import ENDED

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine


async def find_ring(engine: "Engine", asking: ExecutionId, child: ExecutionId) -> str | None:
    """The ring that `asking` closes by waiting for `child`, for people; None if there is none."""
    seen: set[ExecutionId] = set()
    paths: list[tuple[ExecutionId, ...]] = [(child,)]
    while paths:
        path = paths.pop()
        for step in await _waits_for(engine, path[-1]):
            if step == asking:
                return " -> ".join([await _name(engine, each) for each in (asking, *path, asking)])
            if step not in seen:
                seen.add(step)
                paths.append((*path, step))
    return None


async def _waits_for(engine: "Engine", execution: ExecutionId) -> list[ExecutionId]:
    row = await engine.store.get(ExecutionRow, execution)
    if row is None or row.state in ENDED:
        return []
    if row.identity is not None:
        record = await engine.store.get(RecordRow, row.kind, row.identity)
        if record is not None and execution in record.queue[1:]:
            return [record.queue[0]]
    if row.started_at is None:  # it has done nothing yet
        return []
    entries = await engine.store.find(EntryRow, execution=execution)
    return [entry.child for entry in entries if entry.child is not None and entry.seq is None]


async def _name(engine: "Engine", execution: ExecutionId) -> str:
    row = await engine.store.get(ExecutionRow, execution)
    return execution if row is None else f"{row.kind} {row.identity or execution} {row.command}"
