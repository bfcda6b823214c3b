"""Looking a store over, and repairing what can be repaired.

What always holds: what is read while others work may not fit together for a moment; so it is read again, once all has
had time to be written, and only what is found twice counts. A repair is a compare-and-set on the rows that it rests on:
if somebody has gone on with them meanwhile, nothing is written. Called by the command line.
"""

import asyncio
from collections.abc import Sequence

from orbits_iac.checking import executions, records
from orbits_iac.checking.findings import Finding, found_by
from orbits_iac.checking.subjects import read_execution, read_record
from orbits_iac.checking.survey import Survey, survey
from orbits_iac.model.errors import Conflict, Unreadable
from orbits_iac.model.ids import ExecutionId, RecordId
from orbits_iac.model.rows import EventRow, ExecutionRow, WorkerRow, amended
from orbits_iac.model.states import State
from orbits_iac.store.contract import Store

MOMENT = 0.5
"""Seconds after which what others were just writing is written."""


async def look_over(store: Store) -> tuple[list[Finding], Survey]:
    """What does not fit together in a store; and what was read for that."""
    known = await survey(store)
    found: dict[ExecutionId | RecordId, list[Finding]] = {}
    for id_ in sorted(known.executions):
        found[id_] = await _of_execution(store, id_, known.told.get(id_))
    for name in sorted(known.records):
        found[name] = await _of_record(store, name)
    if any(found.values()) and await store.find(WorkerRow, limit=1):
        await asyncio.sleep(MOMENT)
        for about, before in found.items():
            found[about] = await _still(store, about, before)
    return [*_unreadable(known), *(one for some in found.values() for one in some)], known


async def repair(store: Store, found: Finding, *, who: str, at: float) -> bool:
    """Write the repair of a finding, with an event that says so; False if somebody was faster."""
    if found.repair is None:
        return False
    event = EventRow(
        at=at,
        execution=found.repair.execution,
        root=found.repair.root,
        who=who,
        why=f"repaired: {found.about}: {found.what}: {found.repair.how}",
    )
    try:
        await store.commit(amended(found.repair.transaction, events=[event]))
    except Conflict:
        return False
    return True


async def _still(store: Store, about: ExecutionId | RecordId, before: Sequence[Finding]) -> list[Finding]:
    """What is found again of a subject."""
    if not before:
        return []
    if isinstance(about, RecordId):
        now = await _of_record(store, about)
    else:
        now = await _of_execution(store, about, await _told(store, about))
    said = {(one.check, one.what) for one in before}
    return [one for one in now if (one.check, one.what) in said]


async def _told(store: Store, execution: ExecutionId) -> State | None:
    """The last state that an execution's events tell of; None if that cannot be read."""
    last, after = None, 0
    try:
        row = await store.get(ExecutionRow, execution)
        while row is not None and (page := await store.tail(after, root=row.root)):
            after = page[-1].seq
            for event in page:
                if event.execution == execution and event.after is not None and not event.key:
                    last = event.after
    except Unreadable:
        return None
    return last


async def _of_execution(store: Store, id_: ExecutionId, told: State | None) -> list[Finding]:
    try:
        return found_by(executions.CHECKS, await read_execution(store, id_, told), f"execution {id_}")
    except Unreadable:  # it was told of
        return []


async def _of_record(store: Store, name: RecordId) -> list[Finding]:
    try:
        return found_by(records.CHECKS, await read_record(store, name), f"record {name}")
    except Unreadable:
        return []


def _unreadable(known: Survey) -> list[Finding]:
    return [
        Finding(
            check="row that cannot be read",
            about=f"{one.table} {' '.join(str(part) for part in one.key)}",
            what=str(one.__cause__ or one),
            why="Every row is what was written. One that is not was changed by hand, or its file is damaged.",
            todo="bring it back from a backup",
            repair=None,
        )
        for one in known.unreadable
    ]
