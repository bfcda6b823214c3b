"""Cancelling, at any moment: no step starts after it, what was done is brought back, and it never ends as a success."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import pytest

from orbits_iac import Action, ExecutionFailed, InProgress, Options, Orbits, Resource, Retry, Workflow
from orbits_iac.model.errors import UsageError
from orbits_iac.model.rows import EntryRow, ExecutionRow, MessageRow, SubscriberRow, TaskRow
from orbits_iac.model.states import ENDED, State

from .world import WORLD, App, Outage, Thing, add


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Gate(Action):
    """Waits until it is cancelled."""

    name: str = "gate"

    async def main(self) -> None:
        WORLD.did(f"at {self.name}")
        WORLD.reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            WORLD.did(f"left {self.name}")


class ThreadGate(Action[str]):
    """A plain def that goes on until it is let through: a thread cannot be cancelled."""

    def main(self) -> str:
        WORLD.reached.set()
        WORLD.gate.wait(10)
        WORLD.did("thread ended")
        return "done"


class Watched(Action[int, str]):
    """Is looked at until it is let through."""

    def main(self) -> InProgress[str]:
        return InProgress("handle", poll=timedelta(milliseconds=1))

    def watch(self, handle: str, /) -> int | InProgress[str]:
        WORLD.reached.set()
        if WORLD.gate.is_set():
            WORLD.did("watched to its end")
            return 1
        return InProgress(handle, poll=timedelta(milliseconds=1))


class Retried(Action):
    """Fails, and would be attempted again in an hour."""

    options = Options(retry=Retry(attempts=5, delay=timedelta(hours=1)))

    def main(self) -> None:
        WORLD.did("attempt")
        WORLD.reached.set()
        raise Outage("no answer")


class Swallowing(Workflow[str]):
    """Goes on as if nothing had happened."""

    how: str

    async def define(self) -> str:
        if self.how == "gather":
            await asyncio.gather(self.do("a", Gate(name="a")), self.do("b", Gate(name="b")), return_exceptions=True)
        elif self.how == "group":
            async with asyncio.TaskGroup() as group:
                group.create_task(self.do("a", Gate(name="a")))
                group.create_task(self.do("b", Gate(name="b")))
        else:
            with contextlib.suppress(BaseException):
                await self.do("a", Gate(name="a"))
        return "went on"


class Cleaning(Workflow):
    """Does a step on its way out."""

    async def define(self) -> None:
        try:
            await self.do("gate", Gate())
        finally:
            await self.do("clean", add(7, 7))


class Gated(Resource):
    """A thing, and then something that does not end."""

    name: str
    value: int
    step: str = "gate"
    child: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("thing", Thing(value=self.value))
        if self.child:
            await self.do("child", Gated(name=f"{self.name}'s child", value=self.value, step=self.step))
        elif self.step == "thread":
            await self.do("thread", ThreadGate())
        elif self.step == "watch":
            await self.do("watch", Watched())
        elif self.step == "retry":
            await self.do("retry", Retried())
        elif self.step == "sleep":
            WORLD.reached.set()
            await asyncio.sleep(3600)
        elif self.step == "gate":
            await self.do("gate", Gate())
        await self.do("never", add(1, 1))


async def reached() -> None:
    """Wait until a step says that it is there."""
    async with asyncio.timeout(60):
        await asyncio.to_thread(WORLD.reached.wait, 10)
    WORLD.reached.clear()


async def turned(orbits: Orbits) -> None:
    """Wait until every update under way knows that it is cancelled."""
    async with asyncio.timeout(60):
        while [  # noqa: ASYNC110 - the store has no event for a test
            row for row in await orbits.store.find(ExecutionRow, state=State.EXECUTING) if row.kind == "Gated"
        ]:
            await asyncio.sleep(0)


async def nothing_is_left(orbits: Orbits) -> None:
    """Everything has ended, and nothing is kept for what has."""
    await orbits.settled()
    rows = await orbits.store.find(ExecutionRow)
    assert [row.id for row in rows if row.state not in ENDED] == []
    for table in (TaskRow, MessageRow, SubscriberRow):
        assert await orbits.store.find(table) == [], table


@pytest.mark.parametrize("how", ["gather", "group", "except"])
async def test_a_definition_that_swallows_it_does_not_end_in_success(orbits: Orbits, how: str) -> None:
    execution = await orbits.start(Swallowing(how=how))
    await reached()
    await execution.cancel()
    with pytest.raises(ExecutionFailed):
        await execution
    assert (await execution.row()).state is State.CANCELLED
    await nothing_is_left(orbits)


async def test_steps_still_work_on_the_way_out(orbits: Orbits) -> None:
    execution = await orbits.start(Cleaning())
    await reached()
    await execution.cancel()
    assert (await execution.ended()).state is State.CANCELLED
    assert WORLD.log == ["at gate", "left gate", "add 7 7"]
    await nothing_is_left(orbits)


@pytest.mark.parametrize("child", [False, True], ids=["itself", "child"])
@pytest.mark.parametrize("step", ["gate", "thread", "watch", "retry", "sleep"])
async def test_an_update_goes_back_and_starts_nothing_more(orbits: Orbits, step: str, *, child: bool) -> None:
    await orbits.run(Gated(name="x", value=1, step="none"))
    WORLD.log.clear()
    execution = await orbits.start(Gated(name="x", value=2, step=step, child=child))
    await reached()
    await execution.cancel()
    if step in {"thread", "watch"}:  # they are waited for
        await turned(orbits)
        WORLD.gate.set()
    row = await execution.ended()
    assert (row.state, row.failure and row.failure.error_type) == (State.CANCELLED, "Cancelled")
    assert WORLD.things == {"Thing Gated x/thing": 1}
    assert "add 1 1" not in WORLD.log
    if step in {"thread", "watch"}:
        assert {"thread ended", "watched to its end"} & set(WORLD.log)
    assert (await orbits.record(Gated, "x").row()).queue == ()
    await nothing_is_left(orbits)


async def test_one_that_waits_its_turn_leaves_the_queue_and_never_begins(orbits: Orbits) -> None:
    first = await orbits.start(Gated(name="x", value=1))
    await reached()
    second = await orbits.start(Gated(name="x", value=2))
    third = await orbits.start(Gated(name="x", value=3, step="none"))
    await second.cancel()
    assert (await second.ended()).state is State.CANCELLED
    assert await orbits.store.find(EntryRow, execution=second.id) == []
    assert (await orbits.record(Gated, "x").row()).queue == (first.id, third.id)
    await first.cancel()
    await third
    assert WORLD.things == {"Thing Gated x/thing": 3}
    await nothing_is_left(orbits)


async def test_one_that_waits_its_turn_does_not_begin_because_it_is_resumed(orbits: Orbits) -> None:
    first = await orbits.start(Gated(name="x", value=1))
    await reached()
    second = await orbits.start(Gated(name="x", value=2, step="none"))
    await second.resume()
    for _ in range(50):
        await asyncio.sleep(0)
    assert await orbits.store.find(EntryRow, execution=second.id) == []
    await first.cancel()
    await second
    await nothing_is_left(orbits)


async def test_a_parent_gets_the_outcome_of_a_child_that_was_cancelled(orbits: Orbits) -> None:
    parent = await orbits.start(Gated(name="x", value=1, child=True))
    await reached()
    (child,) = [row for row in await orbits.store.find(ExecutionRow, parent=parent.id) if row.identity == "x's child"]
    await orbits.execution(child.id).cancel()
    row = await parent.ended()
    assert row.state is State.REVERTED
    assert row.failure is not None
    assert (row.failure.path, row.failure.error_type) == (("child",), "Cancelled")
    assert WORLD.things == {}
    await nothing_is_left(orbits)


async def test_a_child_that_others_wait_for_goes_on(orbits: Orbits) -> None:
    class Parent(Resource):
        name: str

        def identity(self) -> str:
            return self.name

        async def define_update(self) -> None:
            await self.do("child", Gated(name="shared", value=1, step="thread"))

    one = await orbits.start(Parent(name="one"))
    await reached()
    two = await orbits.start(Parent(name="two"))
    for _ in range(1000):
        if len(await orbits.store.find(SubscriberRow)) == 2:
            break
        await asyncio.sleep(0)
    await one.cancel()
    assert (await one.ended()).state is State.CANCELLED
    WORLD.gate.set()
    await two
    assert WORLD.things == {"Thing Gated shared/thing": 1}
    await nothing_is_left(orbits)


async def test_a_second_cancel_does_not_disturb_the_way_back(orbits: Orbits) -> None:
    class Slow(App):
        async def define_rollback(self, to: Any) -> Any:
            WORLD.reached.set()
            await self.do("thread", ThreadGate())
            return await super().define_rollback(to)

    await orbits.run(Slow(name="s", first=1, second=2))
    WORLD.failing = {"13"}
    execution = await orbits.start(Slow(name="s", first=5, second=13))
    await reached()
    await execution.cancel()
    WORLD.gate.set()
    assert (await execution.ended()).state is State.REVERTED
    assert WORLD.things["Thing Slow s/one"] == 1
    await nothing_is_left(orbits)


async def test_a_rollback_that_was_cancelled_half_way_says_that_it_was_not_completed(orbits: Orbits) -> None:
    class Stopping(App):
        async def define_rollback(self, to: Any) -> Any:
            await self.do("gate", Gate())
            return to.outputs

    await orbits.run(Stopping(name="s", first=1, second=2))
    await orbits.run(Stopping(name="s", first=2, second=2))
    execution = await orbits.record(Stopping, "s").start("rollback", {})
    await reached()
    await execution.cancel()
    assert (await execution.ended()).state is State.QUARANTINED
    await nothing_is_left(orbits)


async def test_what_has_ended_cannot_be_cancelled_any_more(orbits: Orbits) -> None:
    execution = await orbits.start(add(1, 1))
    await execution
    with pytest.raises(UsageError, match=r"has ended \(SUCCESS\) and cannot be cancelled"):
        await execution.cancel()
    assert (await execution.row()).state is State.SUCCESS
    await nothing_is_left(orbits)


async def test_what_will_not_end_is_named_when_the_grace_is_over(orbits: Orbits) -> None:
    orbits.engine.grace = 0.01
    execution = await orbits.start(Gated(name="x", value=1, step="thread"))
    await reached()
    await execution.cancel()
    row = await execution.ended()
    assert row.state is State.QUARANTINED
    assert row.failure is not None
    assert row.failure.left == ("thread: still under way after 0.01 s",)
    WORLD.gate.set()
    await nothing_is_left(orbits)


class Clings(Workflow):
    """Will not end, whatever it is told, and does steps on its way."""

    async def define(self) -> None:
        while True:
            try:
                await self.do("gate", Gate(name="gate"), key=str(len(WORLD.log)))
            except asyncio.CancelledError:
                WORLD.did("goes on")


async def test_what_clings_is_cancelled_again_after_its_grace_and_then_begins_nothing(orbits: Orbits) -> None:
    orbits.engine.grace = 0.01
    execution = await orbits.start(Clings())
    await reached()
    await execution.cancel()
    async with asyncio.timeout(60):
        row = await execution.ended()
    assert row.state is State.CANCELLED
    assert WORLD.log.count("at gate") == 2  # the second within its grace, none after it


class Hurried(Resource):
    """Does a gate beside a step that was done once before, and gives it up as soon as that one's result is there."""

    number: int

    def identity(self) -> str:
        return "hurried"

    async def define_update(self) -> None:
        known = asyncio.ensure_future(self.do("known", add(1, 1), once=True))
        gate = asyncio.ensure_future(self.do("gate", Gate()))
        await asyncio.wait([known, gate], return_when=asyncio.FIRST_COMPLETED)
        gate.cancel()


async def test_a_step_that_is_given_up_before_its_attempt_could_begin_has_an_outcome(orbits: Orbits) -> None:
    await orbits.run(Hurried(number=1))
    WORLD.log.clear()
    execution = await orbits.start(Hurried(number=2))  # its first step is there at once
    async with asyncio.timeout(60):
        await execution
    assert "at gate" not in WORLD.log
    [gate] = [row for row in await orbits.store.find(EntryRow, execution=execution.id) if "gate" in row.key]
    assert gate.state is State.ERROR
    assert gate.failure is not None
    assert gate.failure.error_type == "Interrupted"
