"""What people ask of a schedule: it holds against workers that fire it, updates, and a record that is busy."""

import asyncio
from datetime import timedelta

import pytest

from orbits_iac import Every, Options, Orbits, Resource
from orbits_iac.dispatch import schedule_operations
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import ExecutionRow, RecordRow, ScheduleRow, amended
from orbits_iac.steps.action import action
from orbits_iac.store.contract import Transaction
from orbits_iac.testing import Clock

HOUR = timedelta(hours=1)
GATES: list[asyncio.Event] = []


@action
async def held_by_a_test() -> None:
    """Ends when it may."""
    await GATES[0].wait()


class Tended(Resource):
    """Looked after every hour, for as long as it is let."""

    options = Options(schedule=Every(HOUR))
    held: bool = False

    def identity(self) -> str:
        return "x"

    async def define_update(self) -> None:
        """Nothing."""

    async def define_cycle(self) -> None:
        if self.held:
            await self.do("wait", held_by_a_test())


async def of(orbits: Orbits) -> tuple[RecordRow, ScheduleRow]:
    record, row = await orbits.store.get(RecordRow, "Tended", "x"), await orbits.store.get(ScheduleRow, "Tended", "x")
    assert record is not None
    assert row is not None
    return record, row


async def cycles(orbits: Orbits) -> list[ExecutionRow]:
    return [row for row in await orbits.store.find(ExecutionRow) if row.command == "cycle"]


async def test_a_paused_one_does_not_come_however_the_code_changes_and_resumed_comes_at_its_next_slot(
    orbits: Orbits, clock: Clock
) -> None:
    await orbits.run(Tended())
    record, before = await of(orbits)
    await schedule_operations.pause(orbits.engine, record, who="ada", why="busy days")
    with pytest.raises(Refused, match="paused already, by ada"):
        await schedule_operations.pause(orbits.engine, record, who="bob")
    _, row = await of(orbits)
    daily = amended(row, version=row.version + 1, timing=Every("0 3 * * *").timing, build="old")
    await orbits.store.commit(Transaction(put=[daily]))
    await orbits.run(Tended())
    _, row = await of(orbits)
    assert (row.timing, row.paused, row.by, row.why) == (before.timing, True, "ada", "busy days")
    await clock.advance(2.25 * HOUR)
    assert await cycles(orbits) == []
    await schedule_operations.resume(orbits.engine, record, who="bob")
    await orbits.settled()
    assert await cycles(orbits) == []
    _, row = await of(orbits)
    assert row.slot == pytest.approx(before.slot + 2 * HOUR.total_seconds(), abs=60)
    await clock.advance(0.8 * HOUR)
    assert len(await cycles(orbits)) == 1
    with pytest.raises(Refused, match="is not paused"):
        await schedule_operations.resume(orbits.engine, record, who="bob")


async def test_one_that_is_triggered_comes_at_once_and_keeps_its_slot(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Tended())
    record, before = await of(orbits)
    execution = await schedule_operations.trigger(orbits.engine, record, who="ada", why="to be sure")
    await orbits.settled()
    [cycle] = await cycles(orbits)
    assert (cycle.id, cycle.who) == (execution, "ada")
    assert (await of(orbits))[1] == before
    await clock.advance(HOUR)
    assert len(await cycles(orbits)) == 2


async def test_a_busy_record_is_not_triggered(orbits: Orbits) -> None:
    GATES[:] = [asyncio.Event()]
    await orbits.run(Tended(held=True))
    execution = await schedule_operations.trigger(orbits.engine, (await of(orbits))[0], who="ada")
    with pytest.raises(Refused, match=f"Tended x is busy with execution {execution}"):
        await schedule_operations.trigger(orbits.engine, (await of(orbits))[0], who="bob")
    GATES[0].set()
    await orbits.settled()
    assert len(await cycles(orbits)) == 1


async def test_what_does_not_stand_is_not_triggered(orbits: Orbits) -> None:
    await orbits.run(Tended())
    record, _ = await of(orbits)
    await orbits.record(Tended, "x").uninstall()
    with pytest.raises(Refused, match="Tended x has no schedule"):
        await schedule_operations.trigger(orbits.engine, record, who="ada")
