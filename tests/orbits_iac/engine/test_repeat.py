"""Repeating: until the result is as it should be, without growing, and from where it was after a crash."""

import asyncio
import gc
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Resource, Retry, Workflow
from orbits_iac.model.errors import UsageError
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, Row, TaskRow
from orbits_iac.model.states import State
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock

from .crash import SETTINGS
from .world import WORLD, Outage, Sum, Thing, ThingState


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Counts(Action[int]):
    """Counts up in the world."""

    options = Options(idempotent=True)
    name: str = "count"

    async def main(self) -> int:
        WORLD.jobs[self.name] += 1
        if WORLD.jobs[self.name] in FAILING:
            raise Outage("no answer")
        return WORLD.jobs[self.name]


FAILING: set[int] = set()


class Polls(Workflow[int]):
    """Counts until it is enough."""

    enough: int
    seconds: float = 0

    async def define(self) -> int:
        every = timedelta(seconds=self.seconds)
        return await self.repeat("poll", Counts(), every=every, until=lambda n: n >= self.enough)


class Inner(Workflow[int]):
    """Two steps with a sleep between them."""

    async def define(self) -> int:
        before = self.execution.now()
        await asyncio.sleep(1e-6)
        assert self.execution.now() > before
        await self.do("one", Counts(name="one"))
        return await self.do("two", Counts(name="two"))


class PollsInner(Workflow[int]):
    """Does a Workflow until it is enough."""

    enough: int

    async def define(self) -> int:
        return await self.repeat("poll", Inner(), every=timedelta(microseconds=1), until=lambda n: n >= self.enough)


class PollsApp(Workflow[int]):
    """Does a Resource until it is enough."""

    enough: int

    async def define(self) -> int:
        found = await self.repeat(
            "app", Adds(enough=self.enough), every=timedelta(microseconds=1), until=lambda found: found.total > 0
        )
        return found.total


class Adds(Resource[Sum]):
    """Says how often it was done, once that is enough."""

    enough: int

    def identity(self) -> str:
        return "adds"

    async def define_update(self) -> Sum:
        count = await self.do("count", Counts(name="app"))
        await self.do("thing", Thing(value=1))
        return Sum(total=count if count >= self.enough else 0)


async def rows(orbits: Orbits) -> dict[str, int]:
    tables: tuple[type[Row], ...] = (EntryRow, EventRow, ExecutionRow, MessageRow, TaskRow)
    counts = {}
    for table in tables:
        if table is EntryRow:
            found: list[Any] = []
            for execution in await orbits.store.find(ExecutionRow):
                found += await orbits.store.find(EntryRow, execution=execution.id)
        else:
            found = list(await orbits.store.find(table))
        counts[table.__name__] = len(found)
    return counts


@pytest.mark.parametrize("make", [Polls, lambda enough: Polls(enough=enough, seconds=1e-6), PollsInner, PollsApp])
async def test_what_is_kept_does_not_grow(make: Any) -> None:
    found = []
    for enough in (5, 60):
        WORLD.clear()
        async with Orbits(SETTINGS, store=MemoryStore()) as orbits:
            assert await orbits.run(make(enough=enough)) == enough
            found.append(await rows(orbits))
    assert found[0] == found[1]


async def test_what_is_in_memory_does_not_grow(orbits: Orbits) -> None:
    seen: list[int] = []

    class Watches(Workflow[int]):
        async def define(self) -> int:
            def until(count: int) -> bool:
                if count in {5, 40}:
                    gc.collect()  # tasks that are done hold each other
                    (run,) = orbits.engine._runs.values()
                    sizes = [len(value) for value in vars(run).values() if isinstance(value, (dict, set, list))]
                    sizes += [len(run.pages.entries), len(run.loop._timers), len(run.loop.tasks())]
                    seen.append(sum(sizes))
                return count == 40

            return await self.repeat("poll", Inner(), every=timedelta(microseconds=1), until=until)

    assert await orbits.run(Watches()) == 40
    assert seen[0] == seen[1]


@pytest.mark.slow
async def test_five_thousand_times_leave_what_five_do() -> None:
    found = []
    for enough in (5, 5000):
        WORLD.clear()
        async with Orbits(SETTINGS, store=MemoryStore()) as orbits:
            assert await orbits.run(Polls(enough=enough, seconds=1e-6)) == enough
            found.append(await rows(orbits))
    assert found[0] == found[1]


async def test_every_counts_from_the_end_of_one_to_the_beginning_of_the_next(orbits: Orbits, clock: Clock) -> None:
    execution = await orbits.start(Polls(enough=3, seconds=3600))
    await orbits.settled()
    assert WORLD.jobs["count"] == 1
    await clock.advance(timedelta(minutes=59))
    assert WORLD.jobs["count"] == 1
    await clock.advance(timedelta(minutes=1))
    assert WORLD.jobs["count"] == 2
    await clock.advance(timedelta(days=30))  # what was missed is not made up for
    assert WORLD.jobs["count"] == 3
    assert await execution == 3


async def test_a_clock_that_goes_back_repeats_nothing_and_loses_nothing(orbits: Orbits, clock: Clock) -> None:
    execution = await orbits.start(Polls(enough=3, seconds=60))
    await orbits.settled()
    await clock.advance(timedelta(hours=-1))
    await clock.advance(timedelta(minutes=30))
    assert WORLD.jobs["count"] == 1
    await clock.advance(timedelta(minutes=31))
    assert WORLD.jobs["count"] == 2
    await clock.advance(timedelta(minutes=1))
    assert await execution == 3


async def test_another_process_goes_on_with_the_count(clock: Clock) -> None:
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store, clock=clock) as orbits:
        execution = await orbits.start(Polls(enough=4, seconds=60))
        clock.tell(orbits.settled)
        await orbits.settled()
        await clock.advance(timedelta(minutes=1))
        await clock.advance(timedelta(minutes=1))
        clock._settled.clear()
    (entry,) = [e for e in await store_entries(store, execution.id) if e.command == "repeat"]
    assert (entry.count, WORLD.jobs["count"]) == (3, 3)
    await clock.advance(timedelta(minutes=1))
    async with Orbits(SETTINGS, store=store, clock=clock) as orbits, asyncio.timeout(60):
        assert await orbits.execution(execution.id) == 4


async def store_entries(store: MemoryStore, execution: str) -> list[EntryRow]:
    async with store:
        return await store.find(EntryRow, execution=execution)


async def test_a_time_that_fails_is_how_it_failed(orbits: Orbits) -> None:
    FAILING.update({3})
    try:
        with pytest.raises(ExecutionFailed) as failed:
            await orbits.run(Polls(enough=5))
    finally:
        FAILING.clear()
    assert (failed.value.path, failed.value.error_type) == (("poll", "2"), "Outage")
    events = [event for event in await orbits.store.find(EventRow) if "/2:" in event.key]
    assert [event.after for event in events] == [State.ERROR]  # of what went well there is none


async def test_attempts_are_those_of_each_time(orbits: Orbits) -> None:
    class Retries(Workflow[int]):
        async def define(self) -> int:
            retry = Retry(attempts=2, delay=timedelta(0))
            return await self.repeat("poll", Counts(), every=timedelta(0), until=lambda n: n > 5, retry=retry)

    FAILING.update({2, 4})
    try:
        assert await orbits.run(Retries()) == 6
    finally:
        FAILING.clear()


class Misled(Workflow[int]):
    """Asks what cannot be said."""

    async def define(self) -> int:
        return await self.repeat("poll", Counts(), every=timedelta(0), until=lambda n: n // 0 > 0)


async def test_a_condition_that_raises_is_how_it_failed(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Misled())
    assert (failed.value.path, failed.value.error_type) == (("poll",), "ZeroDivisionError")
    assert WORLD.jobs["count"] == 1


async def test_a_time_limit_around_it_and_a_cancel_end_it(orbits: Orbits, clock: Clock) -> None:
    class Limited(Workflow[str]):
        async def define(self) -> str:
            try:
                async with asyncio.timeout(3600):
                    await self.repeat("poll", Counts(), every=timedelta(minutes=20), until=lambda _: False)
            except TimeoutError:
                return "late"
            return ""

    execution = await orbits.start(Limited())
    await orbits.settled()
    for _ in range(6):
        await clock.advance(timedelta(minutes=10))
    assert await execution == "late"
    assert WORLD.jobs["count"] == 3
    execution = await orbits.start(Limited())
    await orbits.settled()
    await execution.cancel()
    assert (await execution.ended()).state is State.CANCELLED
    assert await orbits.store.find(TaskRow) == []


async def test_what_a_repeated_resource_is_belongs_to_its_place(orbits: Orbits) -> None:
    class Keeps(Resource[ThingState]):
        def identity(self) -> str:
            return "keeps"

        async def define_update(self) -> ThingState:
            return await self.repeat("thing", Thing(value=7), every=timedelta(0), until=lambda _: done())

    calls = []

    def done() -> bool:
        calls.append(1)
        return len(calls) > 2

    await orbits.run(Keeps())
    assert WORLD.log == ["create Thing Keeps keeps/thing 7"]
    record = await orbits.record(Keeps, "keeps").row()
    assert [child.ref for child in record.children] == ["thing"]


class Signs(Action):
    """Has a secret."""

    key: SecretStr

    async def main(self) -> None:
        raise AssertionError("never run")


async def test_a_ref_that_holds_a_secret_is_refused(orbits: Orbits) -> None:
    class Leaks(Workflow):
        async def define(self) -> None:
            step = Signs(key=SecretStr("correct-horse"))
            await self.repeat("with correct-horse", step, every=timedelta(0), until=lambda _: True)

    with pytest.raises(ExecutionFailed, match="a secret of Signs is part of a ref"):
        await orbits.run(Leaks())


async def test_two_under_one_ref_are_an_error_and_so_is_no_step(orbits: Orbits) -> None:
    class Twice(Workflow[None]):
        async def define(self) -> None:
            for _ in range(2):
                await self.repeat("poll", Counts(), every=timedelta(0), until=lambda _: True)

    with pytest.raises(ExecutionFailed, match=r"poll: Counts is repeated twice under the ref 'poll' in one run \("):
        await orbits.run(Twice())

    class Wrong(Workflow[None]):
        async def define(self) -> None:
            await self.repeat("poll", Counts, every=timedelta(0), until=lambda _: True)  # type: ignore[arg-type]

    with pytest.raises((ExecutionFailed, UsageError), match=r"repeat\('poll', ...\) takes a step, and got"):
        await orbits.run(Wrong())


async def test_a_plan_that_shows_what_is_repeated_shows_each_time(orbits: Orbits) -> None:
    class Keeps(Resource[ThingState]):
        def identity(self) -> str:
            return "planned"

        async def define_update(self) -> ThingState:
            count = await self.repeat("poll", Counts(), every=timedelta(0), until=lambda n: n > 3)
            return await self.do("thing", Thing(value=count))

    plan = await orbits.preview(Keeps())
    execution = await orbits.start(Keeps(), plan=plan)
    await orbits.settled()
    row = await execution.row()
    assert (row.state, WORLD.jobs["count"]) == (State.PAUSED, 4)  # the thing follows from what was not known then
    await execution.approve()
    assert (await execution).value == 4
