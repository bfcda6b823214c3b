"""What people do to an execution: pause, resume, cancel, end, set a handle; allowed, or refused with the reason."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from orbits_iac import Action, ExecutionFailed, InProgress, Options, Orbits, Settings, Workflow
from orbits_iac.handles import Execution
from orbits_iac.model.errors import UsageError
from orbits_iac.model.rows import EventRow, ExecutionRow, MessageRow, TaskRow, WorkerRow
from orbits_iac.model.states import State
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock

from .world import WORLD, App, add

SETTINGS = Settings(project="tests", store="memory:")


@pytest.fixture(autouse=True)
def anew() -> None:
    WORLD.clear()


class Gate(Action[str]):
    """Goes on until it is let through."""

    options = Options(idempotent=True, timeout=timedelta(minutes=1))

    async def main(self) -> str:
        WORLD.did("at the gate")
        WORLD.reached.set()
        await asyncio.to_thread(WORLD.gate.wait, 20)
        WORLD.did("through the gate")
        return "through"


class Never(Action[int, str]):
    """Is watched, and never done."""

    def main(self) -> InProgress[str]:
        return InProgress("first", poll=timedelta(milliseconds=1))

    def watch(self, handle: str, /) -> int | InProgress[str]:
        WORLD.did(f"watch {handle}")
        WORLD.reached.set()
        return 7 if handle == "second" else InProgress(handle, poll=timedelta(milliseconds=1))


class Steps(Workflow[list[Any]]):
    """A gate, then a step, then one that is never done by itself."""

    never: bool = False

    async def define(self) -> list[Any]:
        found: list[Any] = [await self.do("gate", Gate())]
        found.append(await self.do("next", add(1, 1)))
        if self.never:
            found.append(await self.do("never", Never()))
        return found


class SleepsAnHour(Workflow):
    """Waits for an hour."""

    async def define(self) -> None:
        await asyncio.sleep(3600)


async def reached() -> None:
    assert await asyncio.to_thread(WORLD.reached.wait, 20)
    WORLD.reached.clear()


async def in_state(execution: Execution[Any], state: State) -> ExecutionRow:
    async with asyncio.timeout(60):
        while (row := await execution.row()).state is not state:  # noqa: ASYNC110 - there is nothing to wait on
            await asyncio.sleep(0.001)
    return row


async def test_paused_what_is_under_way_comes_to_its_outcome_and_nothing_begins(orbits: Orbits) -> None:
    execution = await orbits.start(Steps())
    await reached()
    await execution.pause()
    WORLD.gate.set()
    row = await in_state(execution, State.PAUSED)
    assert row.paused_at is not None
    assert WORLD.log == ["at the gate", "through the gate"]
    await execution.pause()  # again: nothing
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    await execution.resume()
    assert await execution == ["through", 2]
    events = await orbits.store.find(EventRow, root=execution.id)
    assert [event.why for event in events if "pause" in event.why or "resume" in event.why] == [
        "asked to pause",
        "paused",
        "resumed",
    ]


async def test_one_that_is_paused_stays_so_in_another_process(clock: Clock) -> None:
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store, clock=clock) as orbits:
        execution = await orbits.start(SleepsAnHour())
        await orbits.settled()
        await execution.pause()
        await in_state(execution, State.PAUSED)
    await store.open()
    async with Orbits(SETTINGS, store=store, clock=clock) as orbits:
        clock.tell(orbits.settled)
        again = orbits.execution(execution.id)
        await clock.advance(timedelta(hours=2))
        assert (await again.row()).state is State.PAUSED
        await again.resume()
        assert await again is None


async def test_a_pause_that_was_read_outlives_the_process() -> None:
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store) as orbits:
        execution = await orbits.start(Steps())
        await reached()
        await execution.pause()
        async with asyncio.timeout(60):
            while await store.find(MessageRow):  # noqa: ASYNC110 - there is nothing to wait on
                await asyncio.sleep(0.001)
        after = store.copied()  # the process has died, with the gate under way
        WORLD.gate.set()
    for worker in await after.find(WorkerRow):
        await after.release(worker.id, now=0.0)
    async with Orbits(SETTINGS, store=after) as orbits:
        orbits.registry.know(Steps)  # other tests have a class of this name
        again = orbits.execution(execution.id)
        await in_state(again, State.PAUSED)
        await orbits.settled()
        assert (await again.row()).state is State.PAUSED
        assert WORLD.log.count("at the gate") == 1
        await again.resume()
        assert await again == ["through", 2]


async def test_what_is_approved_while_it_is_paused_begins_once_it_is_resumed(orbits: Orbits) -> None:
    class Follows(Workflow[int]):
        async def define(self) -> int:
            first = await self.do("first", add(1, 1))
            return await self.do("second", add(first, 1))

    execution = await orbits.start(Follows(), plan=await orbits.preview(Follows()))
    await in_state(execution, State.PAUSED)
    await execution.pause()
    await orbits.settled()
    since = (await execution.row()).paused_at
    await execution.approve()
    await orbits.settled()
    row = await execution.row()
    assert (row.state, row.paused_at) == (State.PAUSED, since)
    assert "add 2 1" not in WORLD.log
    await execution.resume()
    assert await execution == 3


async def test_a_pause_counts_for_no_time_limit_of_an_action(orbits: Orbits, clock: Clock) -> None:
    class Polled(Action[int, str]):
        options = Options(timeout=timedelta(minutes=10), deadline=timedelta(minutes=20))

        def main(self) -> InProgress[str]:
            return InProgress("x", poll=timedelta(minutes=9))

        def watch(self, handle: str, /) -> int:
            return 1

    class Does(Workflow[int]):
        async def define(self) -> int:
            return await self.do("polled", Polled())

    execution = await orbits.start(Does())
    await orbits.settled()
    await execution.pause()
    await in_state(execution, State.PAUSED)
    await clock.advance(timedelta(hours=2))
    await execution.resume()
    await clock.advance(timedelta(minutes=9))
    assert await execution == 1


async def test_a_pause_reaches_what_it_alone_waits_for(orbits: Orbits) -> None:
    class Outer(Workflow):
        async def define(self) -> None:
            await self.do("app", Held(name="x", first=1, second=2))

    class Held(App):
        async def define_install(self) -> None:
            await self.do("gate", Gate())

    execution = await orbits.start(Outer())
    await reached()
    await execution.pause()
    WORLD.gate.set()
    [child] = await orbits.store.find(ExecutionRow, parent=execution.id)
    await in_state(orbits.execution(child.id), State.PAUSED)
    assert WORLD.things == {}
    await execution.resume()
    await execution
    assert sorted(WORLD.things.values()) == [1, 2]


async def test_one_that_is_paused_can_be_cancelled(orbits: Orbits) -> None:
    execution = await orbits.start(SleepsAnHour())
    await orbits.settled()
    await execution.pause()
    await in_state(execution, State.PAUSED)
    await execution.cancel()
    assert (await execution.ended()).state is State.CANCELLED


@pytest.mark.parametrize("state", [State.SUCCESS, State.ERROR, State.CANCELLED])
@pytest.mark.parametrize("when", ["runs", "waits", "paused"])
async def test_a_person_ends_it(orbits: Orbits, when: str, state: State) -> None:
    execution: Execution[Any] = await (orbits.start(Steps()) if when == "runs" else orbits.start(SleepsAnHour()))
    await (reached() if when == "runs" else orbits.settled())
    if when == "paused":
        await execution.pause()
        await in_state(execution, State.PAUSED)
    result = ["by hand"] if when == "runs" else None
    await execution.end(state, result=result, why="it was done by hand")
    WORLD.gate.set()
    row = await execution.ended()
    assert row.state is state
    if state is State.SUCCESS:
        assert await execution == result
    else:
        assert row.failure is not None
        assert row.failure.message == "it was done by hand"
    await orbits.settled()
    assert "add 1 1" not in WORLD.log
    assert [len(await orbits.store.find(table)) for table in (TaskRow, MessageRow)] == [0, 0]


async def test_a_person_gives_a_step_its_outcome(orbits: Orbits) -> None:
    execution = await orbits.start(Steps(never=True))
    WORLD.gate.set()
    await reached()
    await reached()
    await execution.end(State.SUCCESS, path="never", result=3)
    assert await execution == ["through", 2, 3]


async def test_a_step_that_a_person_ends_as_failed_fails(orbits: Orbits) -> None:
    execution = await orbits.start(Steps())
    await reached()
    await execution.end(State.ERROR, path="gate", why="the gate is broken")
    WORLD.gate.set()
    with pytest.raises(ExecutionFailed, match="gate: Ended: the gate is broken"):
        await execution
    assert "add 1 1" not in WORLD.log


async def test_a_handle_that_a_person_sets_is_watched_next(orbits: Orbits) -> None:
    execution = await orbits.start(Steps(never=True))
    WORLD.gate.set()
    await reached()
    await reached()
    await execution.set_handle("never", "second")
    assert await execution == ["through", 2, 7]
    assert WORLD.log[-1] == "watch second"


async def test_a_record_is_free_again_once_its_command_was_ended(orbits: Orbits) -> None:
    class Held(App):
        async def define_install(self) -> None:
            await self.do("gate", Gate())

    execution = await orbits.start(Held(name="x", first=1, second=2))
    await reached()
    with pytest.raises(UsageError, match="a command cannot be declared a success"):
        await execution.end(State.SUCCESS)
    await execution.end(State.ERROR)
    WORLD.gate.set()
    assert (await execution.ended()).state is State.ERROR
    await orbits.run(Held(name="x", first=1, second=2))
    assert sorted(WORLD.things.values()) == [1, 2]


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda e: e.end(State.SUCCESS, result="no list"), "the result of Steps cannot be that: "),
        (lambda e: e.end(State.REVERTED), "REVERTED is no way to end it: give one of CANCELLED, ERROR, SUCCESS"),
        (lambda e: e.end(State.SUCCESS, path="gate", result=object()), "the result of Gate cannot be that"),
        (lambda e: e.set_handle("gate", 3), "the handle of gate cannot be that"),
        (lambda e: e.set_handle("next", "x"), r"has no step 'next'; it has: gate"),
    ],
)
async def test_what_makes_no_sense_is_refused(orbits: Orbits, ask: Any, message: str) -> None:
    execution = await orbits.start(Steps())
    await reached()
    with pytest.raises(UsageError, match=message):
        await ask(execution)
    WORLD.gate.set()
    assert await execution == ["through", 2]


async def test_a_resume_overtakes_a_pause_that_nobody_has_read(orbits: Orbits) -> None:
    class Outer(Workflow):
        async def define(self) -> None:
            await self.do("app", Held(name="x", first=1, second=2))

    class Held(App):
        async def define_install(self) -> None:
            await self.do("gate", Gate())

    execution = await orbits.start(Outer())
    await reached()
    await execution.pause()
    await execution.resume()
    WORLD.gate.set()
    async with asyncio.timeout(60):
        await execution
    await orbits.settled()
    assert await orbits.store.find(MessageRow) == []


async def test_what_comes_while_it_ends_is_left_by_nobody(orbits: Orbits) -> None:
    WORLD.gate.set()
    for _ in range(20):
        execution = await orbits.start(Steps())
        with contextlib.suppress(UsageError):
            await execution.pause()
            await execution.resume()
        await execution
    await orbits.settled()
    assert await orbits.store.find(MessageRow) == []
