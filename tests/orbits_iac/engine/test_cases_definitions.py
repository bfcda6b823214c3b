"""Cases around definitions, time and what is under way that broke other designs, a test each; on held time.

A process that leaves is cut off where it is: what the next one finds is what the store has.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from orbits_iac import Action, Event, ExecutionFailed, InProgress, Options, Orbits, Permanent, Step, Workflow
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.model.states import State
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing.held import HeldClock, HeldLoop, run_held
from orbits_iac.testing.inline import Inline

from .crash import SETTINGS
from .test_edits import Edited
from .world import WORLD, add, blocking


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()
    Edited.body = None


class SetClock(HeldClock):
    """A held clock that a person sets ahead or back."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Kept(MemoryStore):
    """What outlives the processes."""

    async def close(self) -> None:
        """It stays open."""


class Times:
    """A store, and one process after the other that goes on with what is there."""

    def __init__(self, loop: HeldLoop) -> None:
        self.store = Kept()
        self.clock = SetClock(loop)
        self.id = ExecutionId("")

    @contextlib.asynccontextmanager
    async def process(self, *, suspended: int = 1000) -> AsyncGenerator[Orbits]:
        settings = SETTINGS.model_copy(update={"suspended": suspended})
        async with Orbits(settings, store=self.store, clock=self.clock, work=False) as orbits:
            for found in globals().values():
                if isinstance(found, type) and issubclass(found, Step):  # other tests have classes of the same kinds
                    orbits.registry.know(found)
            async with Inline(orbits.engine):
                yield orbits

    async def start(self, orbits: Orbits, step: Any) -> None:
        self.id = (await orbits.start(step)).id

    async def row(self) -> ExecutionRow:
        row = await self.store.get(ExecutionRow, self.id)
        assert row is not None
        return row

    async def lives(self, seconds: float, *, step: Any = None, suspended: int = 1000) -> None:
        """A process that starts `step`, or goes on, and is gone after so many seconds."""
        async with self.process(suspended=suspended) as orbits:
            if step is not None:
                await self.start(orbits, step)
            await asyncio.sleep(seconds)

    async def result(self) -> Any:
        """What comes of it in one more process."""
        async with self.process() as orbits:
            return await orbits.execution(self.id)


def held(test: Callable[[Times], Coroutine[Any, Any, None]]) -> None:
    async def main(loop: HeldLoop) -> None:
        times = Times(loop)
        await times.store.open()
        await test(times)

    run_held(main)


class Takes(Action[str]):
    """Takes so many seconds."""

    options = Options(idempotent=True)
    seconds: float
    name: str

    async def main(self) -> str:
        await asyncio.sleep(self.seconds)
        WORLD.did(self.name)
        return self.name


class Looked(Action[str, str]):
    """Is looked at again after so many seconds, and is done then."""

    options = Options(idempotent=True)
    seconds: float

    def main(self) -> InProgress[str]:
        WORLD.did("looked for")
        return InProgress("x", poll=timedelta(seconds=self.seconds))

    def watch(self, handle: str, /) -> str:
        return "found"


SEEN: list[Any] = []


class Races(Workflow[str]):
    """Takes branches that depend on what had ended by then."""

    async def define(self) -> str:
        fast = asyncio.create_task(self.do("fast", Takes(seconds=1, name="fast")))
        slow = asyncio.create_task(self.do("slow", Takes(seconds=10, name="slow")))
        done, _ = await asyncio.wait([slow, fast], return_when=asyncio.FIRST_COMPLETED)
        try:
            limited = await asyncio.wait_for(asyncio.shield(slow), 3)
        except TimeoutError:
            limited = "over"
        waited, _ = await asyncio.wait([slow], timeout=2)
        SEEN.append((done == {fast}, limited, len(waited)))
        branch = f"{len(done)} {limited} {len(waited)}"
        await self.do("branch", blocking(branch), key=branch)
        await slow
        await asyncio.sleep(3600)
        return branch


def test_first_completed_and_a_time_limit_take_the_same_branch_again_though_more_has_finished_by_then() -> None:
    async def test(times: Times) -> None:
        SEEN.clear()
        await times.lives(20, step=Races())
        assert WORLD.log == ["fast", "blocking 1 over 0", "slow"]
        assert await times.result() == "1 over 0"
        assert SEEN == [(True, "over", 0)] * 2
        assert WORLD.log == ["fast", "blocking 1 over 0", "slow"]

    held(test)


class Swallows(Workflow[list[str]]):
    """Would go on as if what it waits for had ended, were it told that it is cut off."""

    how: str

    async def define(self) -> list[str]:
        looked = self.do("looked", Looked(seconds=100))
        sleep = asyncio.sleep(200, "slept")
        match self.how:
            case "gather":
                found = list[Any](await asyncio.gather(looked, sleep, return_exceptions=True))
            case "group":
                try:
                    async with asyncio.TaskGroup() as group:
                        tasks = [group.create_task(looked), group.create_task(sleep)]
                except BaseException:  # noqa: BLE001 - what a test is about
                    return ["went on"]
                found = [task.result() for task in tasks]
            case _:
                tasks = [asyncio.ensure_future(looked), asyncio.ensure_future(sleep)]
                with contextlib.suppress(BaseException):
                    await asyncio.wait(tasks)
                found = [task.result() for task in tasks if task.done() and not task.cancelled()]
        return [str(one) for one in found]


@pytest.mark.parametrize("how", ["gather", "group", "suppress"])
@pytest.mark.parametrize("suspended", [0, 1000], ids=["let go of", "process ends"])
def test_what_is_evicted_in_a_gather_with_return_exceptions_or_a_task_group_does_not_end_in_success(
    how: str, suspended: int
) -> None:
    async def test(times: Times) -> None:
        await times.lives(50, step=Swallows(how=how), suspended=suspended)
        before = await times.row()
        assert (before.state, before.result) == (State.EXECUTING, None)
        [looked] = [one for one in await times.store.find(EntryRow, execution=times.id) if one.kind == "Looked"]
        assert (looked.state, looked.seq) == (State.IN_PROGRESS, None)
        assert await times.result() == ["found", "slept"]
        assert WORLD.log == ["looked for"]

    held(test)


def test_the_do_with_the_undo_was_removed_by_an_edit_and_it_is_undone_all_the_same() -> None:
    async def before(self: Any) -> None:
        await self.do("order", add(1, 1), undo=add(-1, -1))
        await self.do("other", add(2, 2), undo=lambda result: add(-result, 0))
        await self.do("wait", Takes(seconds=100, name="wait"))

    async def after(self: Any) -> None:
        await self.do("wait", Takes(seconds=100, name="wait"))
        raise Permanent("no")

    async def test(times: Times) -> None:
        Edited.body = before
        await times.lives(50, step=Edited())
        Edited.body = after
        with pytest.raises(ExecutionFailed, match="no"):
            await times.result()
        assert (await times.row()).state is State.REVERTED
        assert WORLD.log == ["add 1 1", "add 2 2", "wait", "add -4 0", "add -1 -1"]

    held(test)


class Branches(Workflow[str]):
    """Branches of two steps each, and a step after them."""

    how: str

    async def define(self) -> str:
        if self.how == "gather":
            await asyncio.gather(*(self._branch(name) for name in "ab"), return_exceptions=True)
        else:
            async with asyncio.TaskGroup() as group:
                for name in "ab":
                    group.create_task(self._branch(name))
        return await self.do("after", Takes(seconds=0, name="after"))

    async def _branch(self, name: str) -> None:
        await self.do("first", Takes(seconds=10 if name == "a" else 20, name=f"first {name}"), key=name)
        await self.do("second", Takes(seconds=100, name=f"second {name}"), key=name)


@pytest.mark.parametrize("how", ["gather", "group"])
def test_after_a_cancel_no_step_starts_in_a_task_group_nor_in_a_gather_with_return_exceptions(how: str) -> None:
    async def test(times: Times) -> None:
        async with times.process() as orbits:
            await times.start(orbits, Branches(how=how))
            await asyncio.sleep(15)
            await orbits.execution(times.id).cancel()
            assert (await orbits.execution(times.id).ended()).state is State.CANCELLED
        assert WORLD.log == ["first a"]
        begun = {entry.key: entry.attempt for entry in await times.store.find(EntryRow, execution=times.id)}
        assert sorted(key.split("/")[1] for key in begun if "Takes" in key) == [
            "first:Takes:main:a",
            "first:Takes:main:b",
            "second:Takes:main:a",
        ]

    held(test)


class Sleeps(Workflow[list[float]]):
    """Sleeps for 5 s after a step of 100 s."""

    async def define(self) -> list[float]:
        began = self.execution.now()
        await self.do("step", Looked(seconds=100))
        between = self.execution.now()
        await asyncio.sleep(5)
        return [round((one - began).total_seconds(), 3) for one in (between, self.execution.now())]


@pytest.mark.parametrize("again", [False, True], ids=["live", "on a re-run"])
def test_a_sleep_of_5_s_after_a_step_of_100_s_lasts_5_s(again: bool) -> None:
    async def test(times: Times) -> None:
        began = times.clock.now()
        if again:
            await times.lives(102, step=Sleeps())
            assert (await times.row()).state is State.EXECUTING
            assert await times.result() == [100.0, 105.0]
        else:
            async with times.process() as orbits:
                await times.start(orbits, Sleeps())
                assert await orbits.execution(times.id) == [100.0, 105.0]
        assert times.clock.now() - began == pytest.approx(105, abs=0.5)

    held(test)


class Go(Event):
    """What is waited for."""


class Waits(Workflow[list[str]]):
    """Two timers, an event that is waited for at most 20 s, and what came first."""

    async def define(self) -> list[str]:
        order: list[str] = []

        async def timer(seconds: float) -> None:
            await asyncio.sleep(seconds)
            order.append(f"timer {seconds:g}")

        async def event() -> None:
            await self.execution.wait_for("go", Go, timeout=timedelta(seconds=20))
            order.append("event")

        await asyncio.gather(timer(10), timer(5), event())
        await self.do("then", blocking(" ".join(order)), key=" ".join(order))
        await asyncio.sleep(10)
        return order


def test_two_timers_and_an_event_came_due_while_no_worker_ran() -> None:
    async def test(times: Times) -> None:
        await times.lives(1, step=Waits())
        async with Orbits(SETTINGS, store=times.store, clock=times.clock, work=False) as outside:
            await outside.emit(Go(), to=times.id)
        await asyncio.sleep(1000)
        await times.lives(5)
        assert await times.result() == ["event", "timer 5", "timer 10"]
        assert WORLD.log == ["blocking event timer 5 timer 10"]

    held(test)


class Order(Action[str, str]):
    """Orders something; its process dies when the service has answered and nobody has heard that yet."""

    options = Options(idempotent=False)

    async def main(self) -> InProgress[str]:
        if WORLD.jobs[self.execution.token] == 0:
            WORLD.did("ordered", self.execution.token)
            WORLD.jobs[self.execution.token] += 1
            await asyncio.sleep(3600)  # the answer is under way
        return InProgress(f"order {self.execution.token}")

    def watch(self, handle: str, /) -> str:
        return handle.partition(" ")[0]


class OrderAgain(Order):
    """May be asked again with the same token."""

    options = Options(idempotent=True)


class OrderLooks(Order):
    """May not be asked again, and can be found by its token."""

    def on_interrupted(self) -> InProgress[str]:
        assert WORLD.jobs[self.execution.token] == 1
        return InProgress(f"order {self.execution.token}")


class Ordering(Workflow[str]):
    kind: str

    async def define(self) -> str:
        kinds: dict[str, type[Order]] = {"again": OrderAgain, "looks": OrderLooks, "neither": Order}
        return await self.do("order", kinds[self.kind]())


@pytest.mark.parametrize("kind", ["again", "looks", "neither"])
def test_a_crash_between_the_services_answer_and_the_durable_handle_orders_nothing_twice(kind: str) -> None:
    async def test(times: Times) -> None:
        await times.lives(10, step=Ordering(kind=kind))
        if kind == "neither":
            with pytest.raises(ExecutionFailed, match="order: Interrupted"):
                await times.result()
        else:
            assert await times.result() == "order"
        assert WORLD.log == ["ordered"]

    held(test)


class Slept(Workflow[list[float]]):
    """Steps and a sleep of two hours between them; what it took by its own account."""

    limit: timedelta

    async def define(self) -> list[float]:
        began = self.execution.now()
        await self.do("before", Takes(seconds=60, name="before"), timeout=self.limit)
        await asyncio.sleep(7200)
        await self.do("after", Takes(seconds=60, name="after"), timeout=self.limit)
        return [round((self.execution.now() - began).total_seconds())]


@pytest.mark.parametrize("when", [30, 600, 7290], ids=["in a step", "in a sleep", "in the last step"])
@pytest.mark.parametrize("hours", [1, -1], ids=["ahead", "back"])
@pytest.mark.parametrize("crash", [False, True], ids=["live", "and a crash"])
def test_the_clock_set_ahead_or_back_an_hour_loses_and_repeats_nothing(when: int, hours: int, crash: bool) -> None:
    async def test(times: Times) -> None:
        async with contextlib.AsyncExitStack() as stack:
            orbits = await stack.enter_async_context(times.process())
            # what the clock was set ahead by in a downtime cannot be told from downtime, which counts
            await times.start(orbits, Slept(limit=timedelta(minutes=90 if crash else 10)))
            await asyncio.sleep(when)
            times.clock.ahead += hours * 3600
            if crash:
                await stack.aclose()
                [took] = await times.result()
            else:
                [took] = await orbits.execution(times.id)
        assert WORLD.log == ["before", "after"]
        assert took >= 7260

    held(test)
