"""Events from outside: durable on arrival, taken in order, never lost and never taken twice."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta

import pytest
from pydantic import ConfigDict

from orbits_iac import Event, ExecutionFailed, Orbits, Resource, Workflow, action
from orbits_iac.engine.events import Sent, send
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import EntryRow, EventRow, MessageRow, TaskRow, WaitRow
from orbits_iac.model.states import State
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock

from .crash import SETTINGS
from .world import WORLD, add, blocking


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Approved(Event):
    """Somebody agrees."""

    by: str
    level: int = 1


class Rejected(Event):
    """Somebody does not."""

    by: str


class Asks(Workflow[str]):
    """Waits for an approval, and says whose it is."""

    level: int = 0

    async def define(self) -> str:
        await self.do("before", add(1, 1))
        found = await self.execution.wait_for("approval", Approved, where=lambda a: a.level >= self.level)
        await self.do("after", blocking(found.by))
        return found.by


async def waiting(orbits: Orbits, kind: type[Event] = Approved, count: int = 1) -> None:
    """Return once so many executions wait for this kind."""
    await orbits.settled()
    assert len(await orbits.store.find(WaitRow, event=kind.__name__)) == count


async def left(orbits: Orbits) -> int:
    return sum([len(await orbits.store.find(table)) for table in (WaitRow, MessageRow, TaskRow)])


async def test_an_event_to_all_that_wait_for_its_kind(orbits: Orbits) -> None:
    one, two = await orbits.start(Asks()), await orbits.start(Asks(level=3))
    await waiting(orbits, count=2)
    await orbits.emit(Approved(by="ada"))
    assert await one == "ada"
    await orbits.settled()
    assert await orbits.store.find(MessageRow) == []  # what did not fit, and was sent to all, is dropped
    await orbits.emit(Rejected(by="bob"))
    await orbits.emit(Approved(by="eve", level=3))
    assert await two == "eve"
    assert await left(orbits) == 0


async def test_an_event_to_one_leaves_the_others_waiting(orbits: Orbits) -> None:
    one, two = await orbits.start(Asks()), await orbits.start(Asks())
    await waiting(orbits, count=2)
    await two.answer(Approved(by="ada"))
    assert await two == "ada"
    assert (await one.row()).state is State.EXECUTING
    await orbits.emit(Approved(by="bob"), to=one.id)
    assert await one == "bob"


class AsksLater(Workflow[list[str]]):
    """Does something first, then waits."""

    async def define(self) -> list[str]:
        await asyncio.sleep(3600)
        first = await self.execution.wait_for("one", Approved)
        second = await self.execution.wait_for("two", Approved)
        return [first.by, second.by]


async def test_an_event_that_comes_before_it_is_waited_for_is_kept(orbits: Orbits, clock: Clock) -> None:
    execution = await orbits.start(AsksLater())
    await orbits.settled()
    for by in ("ada", "bob", "eve"):
        await orbits.emit(Approved(by=by), to=execution.id)
    await orbits.settled()
    assert len(await orbits.store.find(MessageRow)) == 3
    (task,) = await orbits.store.find(TaskRow)
    assert task.owner is None  # it sleeps, and does not look at them again and again
    assert task.due is not None
    assert task.due > clock.now() + 3000
    await clock.advance(timedelta(hours=1))
    assert await execution == ["ada", "bob"]
    assert await left(orbits) == 0


class Picks(Workflow[list[str]]):
    """Two waits at once, of which each takes what fits it."""

    async def define(self) -> list[str]:
        high = self.execution.wait_for("high", Approved, where=lambda a: a.level > 5)
        any_ = self.execution.wait_for("any", Approved)
        return [found.by for found in await asyncio.gather(high, any_)]


async def test_two_waits_and_two_events(orbits: Orbits) -> None:
    execution = await orbits.start(Picks())
    await waiting(orbits, count=2)
    await execution.answer(Approved(by="low"))
    await execution.answer(Approved(by="high", level=9))
    assert await execution == ["high", "low"]
    execution = await orbits.start(Picks())
    await waiting(orbits, count=2)
    await execution.answer(Approved(by="first", level=9))  # fits both: it is the one's that was asked for first
    await execution.answer(Approved(by="second"))
    assert await execution == ["first", "second"]


async def test_what_does_not_fit_is_kept_for_a_later_wait(orbits: Orbits) -> None:
    class Descends(Workflow[list[str]]):
        async def define(self) -> list[str]:
            async def level(wanted: int) -> str:
                found = await self.execution.wait_for(f"{wanted}", Approved, where=lambda a: a.level == wanted)
                return found.by

            return [await level(2), await level(1), await level(0)]

    execution = await orbits.start(Descends())
    await waiting(orbits)
    for level in (0, 1, 2):
        await execution.answer(Approved(by=str(level), level=level))
    assert await execution == ["2", "1", "0"]


class AsksForADay(Workflow[str]):
    """Waits for a day at the most, and then for another event."""

    async def define(self) -> str:
        try:
            return (await self.execution.wait_for("approval", Approved, timeout=timedelta(days=1))).by
        except TimeoutError as error:
            await self.do("late", blocking(str(error)))
        return (await self.execution.wait_for("again", Approved)).by


async def test_a_time_limit_is_durable_and_closes_the_wait(orbits: Orbits, clock: Clock) -> None:
    execution = await orbits.start(AsksForADay())
    await waiting(orbits)
    await clock.advance(timedelta(days=1))
    assert WORLD.log == ["blocking approval: no Approved that fits has come within 1 day, 0:00:00"]
    (wait,) = await orbits.store.find(WaitRow)
    assert wait.key == "run/again:Approved:event"
    await orbits.emit(Approved(by="ada"))
    assert await execution == "ada"
    assert await left(orbits) == 0


@contextlib.asynccontextmanager
async def process(store: MemoryStore, clock: Clock, *, work: bool = True) -> AsyncGenerator[Orbits]:
    """Orbits in a process of its own, on a store that outlives it."""
    async with Orbits(SETTINGS, store=store, clock=clock, work=work, who="eve") as orbits:
        yield orbits


async def test_what_came_in_time_wins_over_a_limit_that_is_over_by_now(clock: Clock) -> None:
    store = MemoryStore()
    async with process(store, clock) as orbits:
        execution = await orbits.start(AsksForADay())
        await waiting(orbits)
    async with process(store, clock, work=False) as orbits:
        await orbits.emit(Approved(by="ada"), to=execution.id)
    await clock.advance(timedelta(days=3))
    async with process(store, clock) as orbits:
        assert await orbits.execution(execution.id) == "ada"


async def test_what_came_in_time_wins_over_a_limit_that_is_over_when_it_is_looked_at(
    orbits: Orbits, clock: Clock
) -> None:
    execution = await orbits.start(AsksForADay())
    await waiting(orbits)
    clock._ahead += timedelta(days=2).total_seconds()  # nobody has looked since
    await execution.answer(Approved(by="ada"))
    assert await execution == "ada"
    assert WORLD.log == []


async def test_kept_events_are_found_again_by_another_process(clock: Clock) -> None:
    store = MemoryStore()
    async with process(store, clock) as orbits:
        execution = await orbits.start(AsksLater())
        await orbits.settled()
        await orbits.emit(Approved(by="ada"), to=execution.id)
        await orbits.emit(Approved(by="bob"), to=execution.id)
        await orbits.settled()
    await clock.advance(timedelta(hours=1))
    async with process(store, clock) as orbits:
        assert await orbits.execution(execution.id) == ["ada", "bob"]
        assert await left(orbits) == 0


class Fickle(Workflow[str]):
    """Waits with a condition that cannot be told."""

    async def define(self) -> str:
        try:
            await self.execution.wait_for("odd", Approved, where=lambda a: 1 // a.level > 0)
        except ExecutionFailed as failed:
            return f"{failed.path} {failed.caused_by(ZeroDivisionError)}"
        return ""


async def test_a_condition_that_raises_is_how_the_wait_failed(orbits: Orbits) -> None:
    execution = await orbits.start(Fickle())
    await waiting(orbits)
    await orbits.emit(Approved(by="ada", level=0))
    assert await execution == "('odd',) True"
    assert await left(orbits) == 0


class Races(Workflow[list[str]]):
    """Waits beside other things, below another Workflow and in a task group."""

    async def define(self) -> list[str]:
        found: list[str] = []
        approved = asyncio.ensure_future(self.do("nested", Asks()))
        rejected = asyncio.ensure_future(self.execution.wait_for("rejected", Rejected))
        done, rest = await asyncio.wait([approved, rejected], return_when=asyncio.FIRST_COMPLETED)
        found.append("rejected" if rejected in done else "approved")
        for task in rest:
            task.cancel()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.do("group", Asks()))
                await self.do("fails", raising())
        except* ExecutionFailed:
            found.append("failed")
        return found


@action
async def raising() -> None:
    """Fails."""
    raise ValueError("no")


async def test_a_wait_that_loses_a_race_or_whose_group_fails_is_closed(orbits: Orbits) -> None:
    execution = await orbits.start(Races())
    await waiting(orbits)
    await waiting(orbits, Rejected)
    await orbits.emit(Rejected(by="ada"))
    assert await execution == ["rejected", "failed"]
    assert await left(orbits) == 0
    ended = {entry.key: entry for entry in await orbits.store.find(EntryRow, execution=execution.id)}
    given_up = ended[StepKey("run/nested:Asks:define/approval:Approved:event")]
    assert given_up.failure is not None
    assert given_up.failure.message == "Approved is not waited for any more"


class Gated(Resource):
    """An update that somebody has to agree to."""

    def identity(self) -> str:
        return "gated"

    async def define_update(self) -> None:
        await self.execution.wait_for("approval", Approved)


async def test_a_cancelled_execution_waits_no_more(orbits: Orbits) -> None:
    execution = await orbits.start(Gated())
    await waiting(orbits)
    await execution.answer(Rejected(by="nobody asked"))
    await execution.cancel()
    assert (await execution.ended()).state is State.CANCELLED
    assert await left(orbits) == 0


async def test_an_event_to_what_has_ended_or_never_was_is_refused(orbits: Orbits) -> None:
    execution = await orbits.start(Gated())
    await waiting(orbits)
    await execution.answer(Approved(by="ada"))
    await execution
    with pytest.raises(Refused, match=r"has ended \(SUCCESS\): Approved would reach nobody"):
        await execution.answer(Approved(by="ada"))
    with pytest.raises(UsageError, match="there is no execution 'nope' that Approved could be sent to"):
        await orbits.emit(Approved(by="ada"), to="nope")
    with pytest.raises(UsageError, match="emit takes an Event, and got str"):
        await orbits.emit("Approved")  # type: ignore[arg-type]
    assert await left(orbits) == 0


async def test_an_event_that_no_longer_is_one_is_kept_and_said(orbits: Orbits) -> None:
    execution = await orbits.start(Asks())
    await waiting(orbits)
    await send(orbits.engine, Sent(kind="Approved", value='{"by": 7}'), execution.id, "ada")
    await orbits.settled()
    (said,) = [event for event in await orbits.store.find(EventRow) if "none" in event.why]
    assert said.why == "Approved came, and is none: by: has to be text: put it in quotes"
    assert len(await orbits.store.find(MessageRow)) == 1
    await execution.answer(Approved(by="ada"))
    assert await execution == "ada"
    assert await left(orbits) == 0


async def test_what_is_waited_for_and_who_sent_it_is_recorded(orbits: Orbits) -> None:
    execution = await orbits.start(Asks())
    await waiting(orbits)
    (entry,) = [e for e in await orbits.store.find(EntryRow, execution=execution.id) if e.command == "event"]
    assert (entry.kind, entry.state) == ("Approved", State.IN_PROGRESS)
    assert json.loads(entry.argument or "")["required"] == ["by"]
    outside = Orbits(SETTINGS, store=orbits.store, work=False, who="eve@laptop")
    outside._engine = orbits.engine
    await outside.emit(Approved(by="eve"), to=execution.id)
    await execution
    (said,) = [event for event in await orbits.store.find(EventRow) if event.who == "eve@laptop"]
    assert said.why == "Approved was sent to it by eve@laptop"


class Wrong(Workflow):
    """Waits in a way that it may not."""

    how: str

    async def define(self) -> None:
        match self.how:
            case "twice":
                waits = [self.execution.wait_for("same", Approved) for _ in range(2)]
                await asyncio.gather(*waits)
            case "forgotten":
                self.execution.wait_for("lost", Approved)  # type: ignore[unused-coroutine]
            case "class":
                await self.execution.wait_for("x", Asks)  # type: ignore[type-var]
            case _:
                await self.execution.wait_for("x", Opaque)


class Opaque(Event):
    """Holds what nobody can write down."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    call: Callable[[], None]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("twice", r"same: Approved is waited for twice under the ref 'same' in one run \(.*\); give each wait a ref"),
        ("forgotten", r"wait_for lost \(.*test_events.py, line \d+\): called, and not awaited"),
        ("class", "takes a class of events, and got <class"),
        ("opaque", "Opaque has a field that no JSON can be written for"),
    ],
)
async def test_a_wait_that_cannot_be_is_refused_at_once(orbits: Orbits, how: str, said: str) -> None:
    with pytest.raises(ExecutionFailed, match=said):
        await orbits.run(Wrong(how=how))
    assert await left(orbits) == 0


async def test_events_that_are_sent_at_once_all_arrive(orbits: Orbits) -> None:
    class Collects(Workflow[int]):
        async def define(self) -> int:
            for number in range(20):
                await self.execution.wait_for(f"event {number}", Approved)
            return 20

    execution = await orbits.start(Collects())
    await asyncio.gather(*(execution.answer(Approved(by=str(n))) for n in range(20)))
    assert await execution == 20
