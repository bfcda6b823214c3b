"""Schedules: once over all workers, not piled up, right whatever the clock is set to, and as the code has them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from orbits_iac import Every, Options, Orbits, Resource, Settings
from orbits_iac.dispatch.builds import Builds
from orbits_iac.dispatch.schedules import LATE, Schedules
from orbits_iac.dispatch.worker import Worker
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import ExecutionRow, ScheduleRow, WorkerRow, amended
from orbits_iac.steps.action import action
from orbits_iac.store import sqlite_reads
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore
from orbits_iac.store.sqlite import SqliteStore
from orbits_iac.testing import Clock

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
GATES: list[asyncio.Event] = []


class Hourly(Resource):
    """Looked after every hour."""

    options = Options(schedule=Every(HOUR, jitter=0.2, on_drift="remediate"))
    name: str = "x"

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        pass


class Steady(Hourly):
    """On the hour, to the second."""

    options = Options(schedule=Every(HOUR))


class Nightly(Hourly):
    """At three in the morning in Berlin."""

    options = Options(schedule=Every("0 3 * * *", timezone="Europe/Berlin"))


@action
async def held_up() -> None:
    """Ends when it may."""
    await GATES[0].wait()


class SlowToCycle(Hourly):
    """A cycle that takes as long as it is let."""

    options = Options(schedule=Every(HOUR))

    async def define_cycle(self) -> None:
        await self.do("wait", held_up())


async def cycles(orbits: Orbits) -> list[ExecutionRow]:
    """The cycles that were asked for."""
    return [row for row in await orbits.store.find(ExecutionRow) if row.command == "cycle"]


async def schedule(orbits: Orbits, kind: type[Resource]) -> ScheduleRow:
    """The one schedule of a kind."""
    row = await orbits.store.get(ScheduleRow, kind.__name__, "x")
    assert row is not None
    return row


async def test_an_interval_keeps_its_slots_and_comes_within_its_jitter(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Hourly())
    first = await schedule(orbits, Hourly)
    for number in range(1, 4):
        row = await schedule(orbits, Hourly)
        assert row.slot == pytest.approx(first.slot + (number - 1) * 3600)
        assert row.slot - 0.2 * 3600 <= row.due <= row.slot
        await clock.advance(timedelta(seconds=row.slot - clock.now()))
        assert len(await cycles(orbits)) == number
    assert {row.options for row in await cycles(orbits)} == {'{"on_drift": "remediate", "limited": true}'}


async def test_after_a_downtime_there_is_one_cycle(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Hourly())
    await clock.advance(10 * HOUR)
    assert len(await cycles(orbits)) == 1
    assert clock.now() <= (await schedule(orbits, Hourly)).due <= clock.now() + 3600


async def test_a_busy_record_skips_its_cycle(orbits: Orbits, clock: Clock) -> None:
    GATES[:] = [asyncio.Event()]
    await orbits.run(SlowToCycle())
    clock_settled, clock._settled[:] = clock._settled[:], []  # it would wait for the cycle
    for hours in range(1, 4):
        before = await schedule(orbits, SlowToCycle)
        await clock.advance(HOUR)
        async with asyncio.timeout(60):
            while (await schedule(orbits, SlowToCycle)).version == before.version:
                await orbits.store.changed(0.05)
        assert len(await cycles(orbits)) == 1, hours
    GATES[0].set()
    clock._settled[:] = clock_settled
    await orbits.settled()
    await clock.advance(HOUR)
    assert len(await cycles(orbits)) == 2


async def test_cron_comes_at_its_time_in_its_zone(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Nightly())
    row = await schedule(orbits, Nightly)
    found = datetime.fromtimestamp(row.due, UTC)
    assert found.hour in {1, 2}  # by summer or winter
    assert (found.minute, found.second) == (0, 0)
    assert row.slot == row.due
    await clock.advance(timedelta(days=1))
    assert len(await cycles(orbits)) == 1
    assert (await schedule(orbits, Nightly)).slot > row.slot


@pytest.mark.parametrize("kind", [Steady, Nightly])
async def test_an_hour_ahead_and_back_again_loses_none_and_repeats_none(
    orbits: Orbits, clock: Clock, kind: type[Hourly]
) -> None:
    await orbits.run(kind())
    row = await schedule(orbits, kind)
    await clock.advance(timedelta(seconds=row.slot - clock.now()) - MINUTE)
    await clock.set(HOUR)  # over the slot
    assert len(await cycles(orbits)) == 1
    await clock.set(-HOUR)
    await clock.advance(2 * MINUTE)  # over the slot once more
    assert len(await cycles(orbits)) == 1
    after = await schedule(orbits, kind)
    await clock.advance(timedelta(seconds=after.slot - clock.now()))
    assert len(await cycles(orbits)) == 2


async def test_an_interval_does_not_wait_for_the_hour_that_comes_again(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Steady())
    await clock.advance(10 * MINUTE)
    await clock.set(-HOUR)
    await clock.advance(49 * MINUTE)
    assert await cycles(orbits) == []
    await clock.advance(2 * MINUTE)
    assert len(await cycles(orbits)) == 1
    await clock.advance(58 * MINUTE)
    assert len(await cycles(orbits)) == 1
    await clock.advance(3 * MINUTE)
    assert len(await cycles(orbits)) == 2


async def test_cron_waits_for_its_time_and_does_not_come_again(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Nightly())
    row = await schedule(orbits, Nightly)
    await clock.advance(timedelta(seconds=row.slot - clock.now()))
    await clock.set(-2 * HOUR)
    await clock.advance(3 * HOUR)
    assert len(await cycles(orbits)) == 1
    await clock.advance(24 * HOUR)
    assert len(await cycles(orbits)) == 2


@pytest.mark.parametrize("kind", [Steady, Nightly])
async def test_a_clock_that_was_wrong_by_years_is_forgotten(orbits: Orbits, clock: Clock, kind: type[Hourly]) -> None:
    await clock.set(timedelta(days=4000))
    await orbits.run(kind())
    await clock.set(timedelta(days=-4000))
    await clock.advance(26 * HOUR)
    assert len(await cycles(orbits)) == 1


async def test_a_worker_that_starts_after_the_clock_was_set_back_waits_for_the_interval_at_most(clock: Clock) -> None:
    store, settings = MemoryStore(), _settings()
    async with Orbits(settings, store=store, clock=clock) as orbits:
        await orbits.run(Steady())
    await clock.set(-5 * HOUR)
    async with Orbits(settings, store=store, clock=clock) as orbits:
        clock.tell(orbits.settled)
        await orbits.settled()
        await clock.advance(HOUR)
        assert len(await cycles(orbits)) == 1
        clock._settled.clear()


async def test_one_cycle_over_several_workers(orbits: Orbits, clock: Clock) -> None:
    for number in range(20):
        await orbits.run(Hourly(name=f"record {number}"))
    others = [Worker(orbits.engine, who=f"worker {number}") for number in range(3)]
    for worker in others:
        await worker.start()
        clock.tell(worker.settled)
    await clock.advance(HOUR)
    assert sorted(row.identity or "" for row in await cycles(orbits)) == sorted(f"record {n}" for n in range(20))
    for worker in others:
        await worker.stop()


async def test_a_cycle_and_the_move_of_its_schedule_are_one_write(clock: Clock) -> None:
    """A crash between the two would lose the cycle."""
    store = Counting()
    async with Orbits(_settings(), store=store, clock=clock) as orbits:
        clock.tell(orbits.settled)
        await orbits.run(Steady())
        store.seen.clear()
        await clock.advance(HOUR)
        written = [t for t in store.seen if any(isinstance(row, ScheduleRow) for row in t.put)]
        assert len(written) == 1
        assert any(isinstance(row, ExecutionRow) for row in written[0].put)


class Counting(MemoryStore):
    """A store that keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Transaction] = []

    async def commit(self, transaction: Transaction) -> None:
        self.seen.append(transaction)
        await super().commit(transaction)


def _settings() -> Settings:
    return Settings(
        project="tests", store="memory:", secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    )


async def test_what_nobody_here_has_code_for_is_left_and_stands_in_nobodys_way(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Steady())
    strange = [ScheduleRow(kind="Elsewhere", identity=str(n), due=1.0) for n in range(200)]
    await orbits.store.commit(Transaction(put=strange))
    await clock.advance(HOUR)
    assert [row.kind for row in await cycles(orbits)] == ["Steady"]


async def test_a_schedule_goes_when_the_record_is_uninstalled(orbits: Orbits) -> None:
    await orbits.run(Hourly())
    await orbits.record(Hourly, "x").uninstall()
    assert await orbits.store.find(ScheduleRow) == []


async def _restarted(store: Store, clock: Clock, before: ScheduleRow) -> ScheduleRow | None:
    """The row once another process has started on a store that holds `before`."""
    await store.commit(Transaction(put=[before]))
    async with Orbits(_settings(), store=store, clock=clock) as orbits:
        await orbits.settled()
        return await orbits.store.get(ScheduleRow, before.kind, before.identity)


async def test_a_schedule_that_was_changed_in_the_code_is_so_from_the_next_start_on(clock: Clock) -> None:
    store = MemoryStore()
    await store.open()
    timing = Every(timedelta(days=30)).timing
    old = ScheduleRow(kind="Steady", identity="x", due=9e9, slot=9e9, since=1.0, timing=timing, build="old")
    row = await _restarted(store, clock, old)
    assert row is not None
    assert row.timing == Every(HOUR).timing
    assert clock.now() + 3500 < row.due <= clock.now() + 3600


async def test_a_schedule_that_was_taken_out_of_the_code_goes(clock: Clock) -> None:
    store = MemoryStore()
    await store.open()
    row = ScheduleRow(kind="NoLongerScheduled", identity="x", due=9e9, timing=Every(HOUR).timing)
    assert await _restarted(store, clock, row) is None


class NoLongerScheduled(Resource):
    """Was looked after once."""

    async def define_update(self) -> None:
        pass


async def test_an_update_brings_its_schedule_in_line(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Hourly())
    row = await schedule(orbits, Hourly)
    daily = Every("0 3 * * *").timing
    await orbits.store.commit(Transaction(put=[amended(row, version=row.version + 1, timing=daily, build="old")]))
    await orbits.run(Hourly())
    assert (await schedule(orbits, Hourly)).timing == row.timing


@pytest.mark.parametrize(
    ("every", "said"),
    [
        (Every("0 25 * * *"), "is no cron expression"),
        (Every("0 3 * * *", timezone="Mars/Olympus"), "'Mars/Olympus' is no time zone"),
        (Every(timedelta(0)), "is too short"),
        (Every(60), "has to be a timedelta or a cron expression"),  # type: ignore[arg-type]
        (Every(HOUR, jitter=2), "jitter is 2"),
        (Every(HOUR, on_drift="shout"), "on_drift is 'shout'"),  # type: ignore[arg-type]
    ],
)
def test_a_schedule_that_cannot_be_kept_is_refused_with_its_class(every: Every, said: str) -> None:
    with pytest.raises(TypeError, match=f"Wrong: the schedule of its options is wrong: .*{said}"):

        class Wrong(Resource):  # pyright: ignore[reportUnusedClass] # making it is what is refused
            options = Options(schedule=every)


async def test_what_is_not_due_is_not_looked_at(tmp_path: Path) -> None:
    """SQLite says so itself: an index leads to the rows, and sorts them."""
    async with SqliteStore(tmp_path / "state.db") as store:
        sql = f"EXPLAIN QUERY PLAN {sqlite_reads._DUE[ScheduleRow].format(selected='body')}"
        plan = store._open.at_once(lambda connection: connection.execute(sql, (None, 1.0, 9)).fetchall())
    assert "USING INDEX schedule_due (paused=? AND due<?)" in plan[0][3]
    assert not any("TEMP B-TREE FOR ORDER BY" in line[3] for line in plan)


class Looking(Schedules):
    """Schedules of a worker that only says which it would ask for."""

    async def mine(self, workers: Sequence[WorkerRow]) -> list[str]:
        return [row.identity for row in await self._due(workers)]


async def test_several_workers_share_what_is_due_and_nothing_is_left_when_one_does_not_come() -> None:
    """Each takes its own; who has nothing left takes what another one should have, once that is late."""
    async with Orbits(_settings(), work=False) as orbits:
        timing, now = Every(HOUR).timing, orbits.engine.clock.now()
        rows = [ScheduleRow(kind="Steady", identity=str(n), due=now - n, timing=timing) for n in range(30)]
        await orbits.store.commit(Transaction(put=rows))
        a, b, c = names = [WorkerId(name) for name in ("a", "b", "c")]
        workers = [WorkerRow(id=name, build=orbits.engine.build, kinds=("Steady",)) for name in names]
        builds = Builds(orbits.engine)
        shares = {name: await Looking(orbits.engine, builds, name).mine(workers) for name in names}
        assert sorted(one for share in shares.values() for one in share) == sorted(row.identity for row in rows)
        assert all(shares.values())
        for name in shares[b] + shares[c]:
            [row] = await orbits.store.find(ScheduleRow, kind="Steady", identity=name)
            await orbits.store.commit(Transaction(put=[amended(row, version=2, due=now + 9)]))
        left = await Looking(orbits.engine, builds, b).mine(workers)
        assert left == [one for one in shares[a] if int(one) >= LATE]
        draining = [amended(workers[0], draining=True), *workers[1:]]
        assert set(await Looking(orbits.engine, builds, b).mine(draining)) < set(shares[a])
        assert await Looking(orbits.engine, builds, b).mine([]) == shares[a]
