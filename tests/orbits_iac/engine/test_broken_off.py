"""A store that fails while the process lives: what came of an attempt is written later, and nothing is done twice."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from orbits_iac import Action, ExecutionFailed, InProgress, Options, Orbits, Retry, Settings, Workflow
from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import EntryRow, MessageRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.testing import crash_everywhere

from .world import WORLD, Outage

SETTINGS = Settings(project="tests", store="memory:")


def made(action: Action[Any, Any]) -> None:
    """Something is made that may not be made twice."""
    name = type(action).__name__
    WORLD.did(f"create {name}", action.execution.token)


class Quick(Action[str]):
    """May not be done twice, and takes no time."""

    async def main(self) -> str:
        made(self)
        return "quick"


class Plain(Action[str]):
    """The same in a thread."""

    def main(self) -> str:
        made(self)
        return "plain"


class Slow(Action[str]):
    """Is under way while what came of the others is written."""

    async def main(self) -> str:
        made(self)
        await asyncio.sleep(5)
        return "slow"


class Again(Action[str]):
    """Fails the first time, and knows the second time what it has done."""

    options = Options(retry=Retry(attempts=2, delay=timedelta(seconds=2)))

    async def main(self) -> str:
        if self.execution.token not in WORLD.jobs:
            made(self)
            WORLD.jobs[self.execution.token] = 1
            raise Outage("not now")
        return "again"


class Never(Action[str]):
    """Fails for good."""

    def main(self) -> str:
        made(self)
        raise Outage("never")


class Watched(Action[str, str]):
    """Has begun once `main` returns, and is looked at from then on."""

    async def main(self) -> InProgress[str]:
        made(self)
        return InProgress("handle", poll=timedelta(seconds=1))

    async def watch(self, handle: str, /) -> str:
        return handle


class Cautious(Workflow[list[str]]):
    """Whatever may not be done twice, at once and one after the other."""

    async def define(self) -> list[str]:
        steps: list[Action[Any, Any]] = [Quick(), Plain(), Slow(), Again(), Watched(), Never()]
        found: list[Any] = await asyncio.gather(
            *(self.do("at once", step) for step in steps[:5]), self.do("never", steps[5]), return_exceptions=True
        )
        said = [one.error_type if isinstance(one, ExecutionFailed) else one for one in found]
        return [*said, await self.do("then", Quick()), await self.do("last", Plain())]


@pytest.fixture(autouse=True)
def anew() -> None:
    WORLD.clear()


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_whatever_write_fails_no_step_is_given_up_and_none_is_done_twice(store: Literal["memory", "sqlite"]) -> None:
    """That a process which lives gives none up, the harness knows; those whose process died are counted."""
    report = crash_everywhere(Cautious, world=WORLD, store=store, again=0)
    report.check()
    assert report.interrupted > 0


class Flaky:
    """A store as one process has it, which may be out of its reach for writing."""

    def __init__(self, kept: Store) -> None:
        self.kept = kept
        self.down = False
        self.failed = asyncio.Event()

    async def open(self) -> None:
        """It is open already."""

    async def close(self) -> None:
        """It stays open."""

    async def commit(self, transaction: Transaction) -> None:
        if self.down and transaction.fence is not None:
            self.failed.set()
        await self._reached().commit(transaction)

    async def claim(self, *arguments: Any, **named: Any) -> list[TaskRow]:
        return await self._reached().claim(*arguments, **named)

    def _reached(self) -> Store:
        if self.down:
            raise StoreError("the store is gone")
        return self.kept

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kept, name)


@pytest.fixture(params=["memory", "sqlite"])
async def flaky(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Flaky]:
    url = {"memory": "memory:", "sqlite": f"sqlite:{tmp_path / 'store.db'}"}[request.param]
    async with open_store(url) as store:
        FLAKY.append(Flaky(store))
        yield FLAKY[0]
    FLAKY.clear()


FLAKY: list[Flaky] = []


def on(flaky: Flaky, **options: Any) -> Orbits:
    return Orbits(SETTINGS, store=cast("Store", flaky), **options)


class Gate(Action[str]):
    """May not be done twice, and goes on until it is let through, in a thread."""

    def main(self) -> str:
        WORLD.did("at the gate")
        WORLD.reached.set()
        assert WORLD.gate.wait(20)
        return "through"


class Waits(Action[str]):
    """May not be done twice, and goes on until it is let through, on the event loop."""

    async def main(self) -> str:
        WORLD.did("waiting")
        try:
            while not WORLD.gate.is_set():  # noqa: ASYNC110 - the gate is a thread's
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            WORLD.did("stopped")
            raise
        return "waited"


class Guarded(Workflow[list[str]]):
    """One that ends when the store is gone, and two that are under way then; and one after them."""

    async def define(self) -> list[str]:
        await self.do("before", Quick())
        both = await asyncio.gather(self.do("gate", Gate()), self.do("waits", Waits()), self.do("quick", Quicker()))
        return [*both, await self.do("after", Quick())]


class Quicker(Action[str]):
    """May not be done twice, and ends when the others are under way and the store is gone."""

    async def main(self) -> str:
        assert await asyncio.to_thread(WORLD.reached.wait, 20)
        FLAKY[0].down = True
        WORLD.did("quick")
        return "quick"


RESULT = ["through", "waited", "quick", "quick"]
ONCE = ["at the gate", "create Quick", "create Quick", "quick", "waiting"]


async def broken_off(flaky: Flaky, orbits: Orbits) -> Any:
    """An execution whose store was gone when the first of three ended."""
    execution = await orbits.start(Guarded())
    async with asyncio.timeout(60):
        await flaky.failed.wait()
    flaky.failed.clear()
    return execution


async def test_what_came_while_the_store_was_gone_is_written_when_it_is_back(flaky: Flaky) -> None:
    async with on(flaky) as orbits, asyncio.timeout(60):
        execution = await broken_off(flaky, orbits)
        await flaky.failed.wait()  # it was tried once more, in vain
        task = await flaky.kept.get(TaskRow, execution.id)
        assert task is not None
        assert task.owner == orbits.dispatcher.id
        WORLD.gate.set()
        flaky.failed.clear()
        await flaky.failed.wait()
        flaky.down = False
        assert await execution == RESULT
    assert sorted(WORLD.log) == ONCE


async def test_what_is_under_way_when_the_store_is_back_comes_to_its_outcome(flaky: Flaky) -> None:
    async with on(flaky) as orbits, asyncio.timeout(60):
        execution = await broken_off(flaky, orbits)
        flaky.down = False
        while not await has_ended(flaky, execution.id, "Quicker"):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        WORLD.gate.set()
        assert await execution == RESULT
    assert sorted(WORLD.log) == ONCE


async def entries(flaky: Flaky, execution: str) -> list[EntryRow]:
    return await flaky.kept.find(EntryRow, execution=execution)


async def has_ended(flaky: Flaky, execution: str, kind: str) -> bool:
    return any(entry.seq is not None for entry in await entries(flaky, execution) if entry.kind == kind)


async def test_a_process_that_leaves_waits_for_the_store_with_what_it_alone_knows(flaky: Flaky) -> None:
    async with asyncio.timeout(60):
        async with on(flaky) as orbits:
            execution = await broken_off(flaky, orbits)
            WORLD.gate.set()
            leaving = asyncio.create_task(orbits.dispatcher.stop())
            await flaky.failed.wait()
            flaky.down = False
            await leaving
        found = {entry.kind: entry.state for entry in await entries(flaky, execution.id)}
        assert found == dict.fromkeys(("Quick", "Gate", "Waits", "Quicker"), State.SUCCESS)
        async with on(flaky) as orbits:
            assert await orbits.execution(execution.id) == RESULT
    assert sorted(WORLD.log) == ONCE


async def test_of_a_claim_that_was_lost_nothing_is_kept(flaky: Flaky, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with on(flaky) as orbits, asyncio.timeout(60):
        execution = await broken_off(flaky, orbits)
        await flaky.kept.release(orbits.dispatcher.id, now=0.0)
        async with Orbits(SETTINGS, store=cast("Store", Flaky(flaky.kept))) as other:
            with pytest.raises(ExecutionFailed, match="Interrupted"):
                await other.execution(execution.id)
        flaky.down = False
        while "was taken over by another worker" not in caplog.text:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)
        assert not orbits.engine.knows_more(execution.id)
        WORLD.gate.set()
    assert sorted({*WORLD.log}) == ["at the gate", "create Quick", "quick", "stopped", "waiting"]


async def test_of_one_that_others_may_have_held_meanwhile_nothing_is_kept(flaky: Flaky) -> None:
    async with on(flaky) as orbits, asyncio.timeout(60):
        execution = await broken_off(flaky, orbits)
        await flaky.kept.release(orbits.dispatcher.id, now=0.0)
        flaky.down = False
        WORLD.gate.set()
        with pytest.raises(ExecutionFailed, match="Interrupted"):
            await execution
    assert len(WORLD.log) == len({*WORLD.log})


async def test_one_that_is_paused_keeps_what_came(flaky: Flaky) -> None:
    async with on(flaky) as orbits, asyncio.timeout(60):
        execution = await orbits.start(GateAndAfter())
        assert await asyncio.to_thread(WORLD.reached.wait, 20)
        await execution.pause()
        while await flaky.kept.find(MessageRow):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        flaky.down = True
        WORLD.gate.set()
        await flaky.failed.wait()
        flaky.down = False
        while (await execution.row()).state is not State.PAUSED:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        assert [entry.state for entry in await entries(flaky, execution.id)] == [State.SUCCESS]
        await execution.resume()
        assert await execution == ["through", "quick"]
    assert WORLD.log == ["at the gate", "create Quick"]


class GateAndAfter(Workflow[list[str]]):
    """A gate, and one behind it."""

    async def define(self) -> list[str]:
        return [await self.do("gate", Gate()), await self.do("after", Quick())]


async def test_a_person_who_ends_it_stops_what_is_still_under_way(flaky: Flaky) -> None:
    async with on(flaky) as orbits, asyncio.timeout(60):
        execution = await broken_off(flaky, orbits)
        async with on(Flaky(flaky.kept), work=False) as person:
            await person.execution(execution.id).end(State.ERROR, why="enough")
        flaky.down = False
        while "stopped" not in WORLD.log:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
        assert (await execution.row()).state is State.EXECUTING  # the thread is still at the gate
        WORLD.gate.set()
        row = await execution.ended()
    assert (row.state, row.failure and row.failure.message) == (State.ERROR, "enough")
    assert WORLD.log.count("create Quick") == 1
