"""Code that is edited while an execution is under way: what was done stays done, what is new is done."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

from orbits_iac import Action, ExecutionFailed, InProgress, Options, Orbits, Retry, Settings, Workflow, action
from orbits_iac.model.rows import EntryRow, ExecutionRow, amended
from orbits_iac.model.states import State
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

from .crash import SETTINGS
from .world import WORLD, Outage, add, blocking


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()
    Edited.body = None


class Edited(Workflow[Any]):
    """A definition that a test gives, and gives anew."""

    body: ClassVar[Callable[[Any], Awaitable[Any]] | None] = None

    async def define(self) -> Any:
        assert Edited.body is not None
        return await Edited.body(self)


class Stop(Action):
    """Where the process goes away: goes on when the gate is open."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        WORLD.reached.set()
        while not WORLD.gate.is_set():  # noqa: ASYNC110 - it is set by another thread
            await asyncio.sleep(0.001)


async def edited(
    before: Callable[[Any], Awaitable[Any]],
    after: Callable[[Any], Awaitable[Any]],
    *,
    settings: Settings = SETTINGS,
    store: MemoryStore | None = None,
) -> tuple[Any, list[EntryRow]]:
    """What comes of a definition that is `before` until its process ends, and `after` from then on."""
    store = store or MemoryStore()
    Edited.body = before
    async with Orbits(settings, store=store) as first:
        execution = await first.start(Edited())
        await asyncio.to_thread(WORLD.reached.wait, 10)
        for _ in range(20):
            await asyncio.sleep(0.001)
    WORLD.gate.set()
    Edited.body = after
    async with Orbits(settings, store=store) as second, asyncio.timeout(60):
        second.registry.know(Edited)
        again = second.execution(execution.id)
        row = await again.ended()
        entries = await store.find(EntryRow, execution=execution.id)
        return (row.failure if row.state is not State.SUCCESS else await again), entries


async def test_a_list_that_gets_a_new_beginning() -> None:
    async def before(self: Any) -> Any:
        results = [await self.do("item", blocking(item), key=item) for item in "ab"]
        await self.do("stop", Stop())
        return results

    async def after(self: Any) -> Any:
        results = [await self.do("item", blocking(item), key=item) for item in "zab"]
        await self.do("stop", Stop())
        return results

    assert (await edited(before, after))[0] == ["Z", "A", "B"]
    assert WORLD.log == ["blocking a", "blocking b", "blocking z"]


async def test_steps_that_are_removed_moved_and_added() -> None:
    async def before(self: Any) -> Any:
        await self.do("one", add(1, 1))
        await self.do("two", add(2, 2))
        await self.do("three", add(3, 3))
        await self.do("stop", Stop())

    async def after(self: Any) -> Any:
        results = [await self.do("three", add(3, 3)), await self.do("new", add(9, 9)), await self.do("one", add(1, 1))]
        await self.do("stop", Stop())
        return results

    assert (await edited(before, after))[0] == [6, 18, 2]
    assert WORLD.log == ["add 1 1", "add 2 2", "add 3 3", "add 9 9"]


async def test_an_argument_that_changed_leaves_the_finished_step_finished() -> None:
    async def before(self: Any) -> Any:
        await self.do("one", add(1, 1))
        await self.do("stop", Stop())

    async def after(self: Any) -> Any:
        result = await self.do("one", add(1, 5))
        await self.do("stop", Stop())
        return result

    assert (await edited(before, after))[0] == 2
    assert WORLD.log == ["add 1 1"]


async def test_a_sleep_that_became_longer_is_slept() -> None:
    async def before(self: Any) -> Any:
        await asyncio.sleep(0.001)
        await self.do("stop", Stop())

    async def after(self: Any) -> Any:
        began = self.execution.now()
        await asyncio.sleep(0.3)
        slept = (self.execution.now() - began).total_seconds()
        await self.do("stop", Stop())
        return slept

    assert (await edited(before, after))[0] >= 0.3


async def test_several_timers_that_came_due_together_fire_in_their_order() -> None:
    async def body(self: Any) -> Any:
        order: list[int] = []

        async def sleeper(number: int) -> None:
            await asyncio.sleep(0.05 + number * 0.01)
            order.append(number)

        tasks = [asyncio.create_task(sleeper(number)) for number in (2, 0, 1)]
        await self.do("stop", Stop())
        await asyncio.gather(*tasks)
        return order

    assert (await edited(body, body))[0] == [0, 1, 2]


async def test_a_race_takes_the_same_branch_again_though_more_has_ended_since() -> None:
    async def body(self: Any) -> Any:
        slow = asyncio.create_task(self.do("slow", Stop()))
        fast = asyncio.create_task(self.do("fast", add(1, 1)))
        done, pending = await asyncio.wait([slow, fast], return_when=asyncio.FIRST_COMPLETED)
        WORLD.did(f"first {[task is fast for task in done]}")
        await asyncio.gather(*pending)
        return await self.do("after", add(len(done), 0))

    assert (await edited(body, body))[0] == 1
    assert WORLD.log == ["add 1 1", "first [True]", "first [True]", "add 1 0"]


class Answer(BaseModel):
    """A result whose class is edited."""

    text: str = "x"


@action(idempotent=True)
async def answering() -> Answer:
    """An answer."""
    return Answer()


async def test_a_result_that_is_no_longer_accepted_pauses_and_says_why() -> None:
    async def body(self: Any) -> Any:
        answer = await self.do("answer", answering())
        await self.do("stop", Stop())
        return answer.text

    store = MemoryStore()
    Edited.body = body
    async with Orbits(SETTINGS, store=store) as first:
        execution = await first.start(Edited())
        await asyncio.to_thread(WORLD.reached.wait, 10)
    WORLD.gate.set()
    await change_result(store, '{"text": 7}')
    async with Orbits(SETTINGS, store=store) as second:
        second.registry.know(Edited)
        await second.settled()
        again = second.execution(execution.id)
        assert (await again.row()).state is State.PAUSED
        assert any("no longer accepts the result" in event.why for event in await store.tail(0))
        await change_result(store, '{"text": "y"}')
        await again.resume()
        assert await again == "y"


async def change_result(store: MemoryStore, result: str) -> None:
    """As if the class of the answer had been another."""
    await store.open()
    for execution in await store.find(ExecutionRow):
        entries = await store.find(EntryRow, execution=execution.id)
        changed = [amended(entry, result=result) for entry in entries if entry.kind == "answering"]
        await store.commit(Transaction(put=changed))


class Job(Action[int, int]):
    """Watched, with a time limit that is over when its process is back."""

    options = Options(timeout=timedelta(milliseconds=1), retry=Retry(attempts=1))

    def main(self) -> InProgress[int]:
        return InProgress(1, poll=timedelta(seconds=0.01))

    def watch(self, handle: int, /) -> int:
        raise Outage("not to be called")


async def test_the_time_limit_of_an_attempt_counts_from_its_main(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="time limit"):
        await orbits.run(Job())


class Fragile(Action):
    """May not be done twice, and is tried again when it fails."""

    options = Options(retry=Retry(attempts=3, delay=timedelta(0)))

    async def main(self) -> None:
        WORLD.did("fragile")
        WORLD.reached.set()
        await asyncio.Event().wait()


async def test_what_may_not_be_done_twice_is_not_though_it_is_tried_again_when_it_fails() -> None:
    async def body(self: Any) -> Any:
        await self.do("fragile", Fragile())

    at_once = SETTINGS.model_copy(update=dict.fromkeys(("grace", "drain"), timedelta(milliseconds=1)))
    failure, _ = await edited(body, body, settings=at_once)
    assert failure.error_type == "Interrupted"
    assert WORLD.log == ["fragile"]
