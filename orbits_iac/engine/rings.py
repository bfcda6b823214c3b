"""Rings: executions that wait for each other, so that none of them would ever go on.

An execution waits for the children that it asked for; a command that waits its turn waits for the one that holds its
record. Rings are looked for after the own edge is written, so that of two who close one at the same moment at least
one finds it.
"""

from typing import TYPE_CHECKING, NamedTuple

from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.rows import EntryRow, ExecutionRow, RecordRow
from orbits_iac.model.states import ENDED

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine


class Waits(NamedTuple):
    """An execution of a ring, and the step in which it waits for the next; None while it waits for its turn."""

    execution: ExecutionId
    key: StepKey | None


class Ring(NamedTuple):
    """Executions each of which waits for the next, and the last for the first."""

    members: tuple[Waits, ...]
    text: str

    def youngest(self) -> Waits:
        """Who fails: the same one, whoever finds the ring."""
        return max((member for member in self.members if member.key is not None), key=lambda member: member.execution)


async def find_ring(engine: "Engine", asking: ExecutionId, key: StepKey, child: ExecutionId) -> Ring | None:
    """The ring that `asking` closes by waiting in its step `key` for `child`; None if there is none."""
    seen: set[ExecutionId] = set()
    paths: list[tuple[tuple[Waits, ...], ExecutionId]] = [((Waits(asking, key),), child)]
    while paths:
        path, last = paths.pop()
        for waiting, following in await _waits_for(engine, last):
            members = (*path, Waits(last, waiting))
            if following == asking:
                names = [await _name(engine, member.execution) for member in (*members, members[0])]
                return Ring(members, " -> ".join(names))
            if following not in seen:
                seen.add(following)
                paths.append((members, following))
    return None


async def _waits_for(engine: "Engine", execution: ExecutionId) -> list[tuple[StepKey | None, ExecutionId]]:
    row = await engine.store.get(ExecutionRow, execution)
    if row is None or row.state in ENDED:
        return []
    if row.identity is not None:
        record = await engine.store.get(RecordRow, row.kind, row.identity)
        if record is not None and execution in record.queue[1:]:
            return [(None, record.queue[0])]
    if row.started_at is None:  # it has done nothing yet
        return []
    entries = await engine.store.find(EntryRow, execution=execution, whole=False)
    return [(entry.key, entry.child) for entry in entries if entry.child is not None and entry.seq is None]


async def _name(engine: "Engine", execution: ExecutionId) -> str:
    row = await engine.store.get(ExecutionRow, execution)
    return execution if row is None else f"{row.kind} {row.identity or execution} {row.command}"
