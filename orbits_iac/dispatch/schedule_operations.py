"""What people ask of a record's schedule: to rest, to go on, and to ask for its cycle now.

What always holds: each is one write by compare-and-set, with an event that says who asked for it and why; a worker that
fires the same schedule at that moment comes before or after it, never in between. Called by the command line.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from orbits_iac.dispatch.schedules import cycle_of
from orbits_iac.engine import schedules
from orbits_iac.engine.requests import ask_root, is_beside
from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.happenings import of_schedule
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import RecordRow, ScheduleRow
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine


async def pause(engine: "Engine", record: RecordRow, *, who: str, why: str = "") -> ScheduleRow:
    """Let no cycle of a record come by itself any more; `Refused` if it has no schedule, or is paused already."""

    def paused(row: ScheduleRow, now: float) -> ScheduleRow:
        if row.paused:
            raise Refused(f"the schedule of {row.kind} {row.identity} is paused already, by {row.by}")
        return schedules.paused(row, now=now, by=who, why=why)

    return await _change(engine, record, paused, said="the schedule is paused", who=who, why=why)


async def resume(engine: "Engine", record: RecordRow, *, who: str, why: str = "") -> ScheduleRow:
    """Let the cycles come again, from the next slot on; `Refused` if it has no schedule, or is not paused."""

    def resumed(row: ScheduleRow, now: float) -> ScheduleRow:
        if not row.paused:
            raise Refused(f"the schedule of {row.kind} {row.identity} is not paused")
        return schedules.resumed(row, now=now, by=who, why=why, chance=engine.chance())

    return await _change(engine, record, resumed, said="the schedule goes on", who=who, why=why)


async def trigger(engine: "Engine", record: RecordRow, *, who: str, why: str = "") -> ExecutionId:
    """Ask for a record's cycle now, as its schedule does, paused or not; its next slot stays where it is.

    `Refused` if it has no schedule, if nothing of it stands, or if it is busy.
    """
    row = await _schedule(engine, record)
    asked = await cycle_of(engine, row, who=who, why=f"its schedule was triggered{_reason(why)}")
    if asked is None:
        raise Refused(f"{record.kind} {record.identity} has nothing to look at: nothing of it stands")
    if record.queue and not is_beside(engine, record.kind, "cycle"):
        by = record.queue[0]
        raise Refused(f"{record.kind} {record.identity} is busy with execution {by}; orbits watch {by} shows its end")
    return await ask_root(engine, asked)


async def _change(
    engine: "Engine",
    record: RecordRow,
    changed: Callable[[ScheduleRow, float], ScheduleRow],
    *,
    said: str,
    who: str,
    why: str,
) -> ScheduleRow:
    while True:
        now = engine.clock.now()
        row = changed(await _schedule(engine, record), now)
        event = of_schedule(row.kind, row.identity, at=now, who=who, why=f"{said}{_reason(why)}")
        try:
            await engine.store.commit(Transaction(put=[row], events=[event]))
        except Conflict:  # a worker has just fired it, or an update brought it in line
            continue
        return row


async def _schedule(engine: "Engine", record: RecordRow) -> ScheduleRow:
    row = await engine.store.get(ScheduleRow, record.kind, record.identity)
    if row is None:
        raise Refused(
            f"{record.kind} {record.identity} has no schedule: its class asks for none (Options(schedule=Every(...))), "
            f"or no update of it has succeeded since it does. To look at it now: "
            f"orbits cycle {record.kind} {record.identity}"
        )
    return row


def _reason(why: str) -> str:
    return f": {why}" if why else ""
