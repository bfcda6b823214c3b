"""A worker that is asked to leave: what may not be done twice is waited for, and nothing more is begun."""

import asyncio
import gc
import sys
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from orbits_iac import Action, Options, Orbits, Resource, Settings, Workflow, action
from orbits_iac.engine.attempting import within_own_limits
from orbits_iac.engine.run import Run
from orbits_iac.model.rows import TaskRow, WorkerRow
from orbits_iac.model.states import State
from orbits_iac.store.memory import MemoryStore

from .crash import SETTINGS, Process

BEGUN, GO_ON = threading.Event(), threading.Event()
DONE: list[str] = []


@action
def pay(amount: int) -> int:
    """Something that must not be done twice, and cannot be interrupted."""
    BEGUN.set()
    GO_ON.wait(20)
    DONE.append(f"paid {amount}")
    return amount


@action
async def thank() -> None:
    """What comes after it."""
    DONE.append("thanked")


class Purchase(Workflow[int]):
    """Pays, and says thank you."""

    async def define(self) -> int:
        amount = await self.do("pay", pay(3))
        await self.do("thank", thank())
        return amount


class Endless(Action):
    """May be begun again, so nobody waits for it."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        BEGUN.set()
        await asyncio.Event().wait()


async def _begun() -> None:
    assert await asyncio.to_thread(BEGUN.wait, 20)


async def test_what_may_not_be_done_twice_is_waited_for_and_kept() -> None:
    for event in (BEGUN, GO_ON):
        event.clear()
    DONE.clear()
    kept = MemoryStore()
    await kept.open()
    async with Orbits(SETTINGS, store=Process(kept, None).as_store()) as first:
        execution = await first.start(Purchase())
        await _begun()
        asyncio.get_running_loop().call_later(0.05, GO_ON.set)
    assert DONE == ["paid 3"]
    async with Orbits(SETTINGS, store=Process(kept, None).as_store()) as second:
        ended = await second.execution(execution.id).ended()
    assert (ended.state, ended.result) == (State.SUCCESS, "3")
    assert DONE == ["paid 3", "thanked"]


async def test_what_may_be_begun_again_is_not_waited_for() -> None:
    BEGUN.clear()
    async with asyncio.timeout(60):
        async with Orbits(Settings(store="memory:")) as orbits:
            await orbits.start(Endless())
            await _begun()


@action(idempotent=True)
def read_slowly() -> str:
    """What may be begun again, in a thread, which nobody can stop."""
    BEGUN.set()
    GO_ON.wait(20)
    DONE.append("read")
    return "read"


class SlowReading(Workflow[str]):
    """Reads, and says thank you."""

    async def define(self) -> str:
        what = await self.do("read", read_slowly())
        await self.do("thank", thank())
        return what


async def test_a_thread_is_waited_for_before_others_may_begin_it_again() -> None:
    for event in (BEGUN, GO_ON):
        event.clear()
    DONE.clear()
    kept = MemoryStore()
    await kept.open()
    async with Orbits(SETTINGS, store=Process(kept, None).as_store()) as first:
        execution = await first.start(SlowReading())
        await _begun()
        leaving = asyncio.create_task(first.dispatcher.drain())
        while not (await kept.find(WorkerRow))[0].draining:  # noqa: ASYNC110 - its lease writes that, in a thread
            await asyncio.sleep(0.001)
        assert [task.owner for task in await kept.find(TaskRow)] == [first.dispatcher.id]
        GO_ON.set()
        assert await leaving == ()
        assert [task.owner for task in await kept.find(TaskRow)] == [None]
    async with Orbits(SETTINGS, store=Process(kept, None).as_store()) as second:
        assert await second.execution(execution.id) == "read"
    assert DONE == ["read", "thanked"]


class Mule(Resource):
    """Goes its own way."""

    def identity(self) -> str:
        return "mule"

    async def define_update(self) -> None:
        """Nothing, here."""


def test_a_definition_that_outlives_the_process_loop_goes_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that swallows that it is cut off is still there when the loop has closed its generators."""
    said: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: said.append(raised.exc_value))
    left: list[Coroutine[Any, Any, None]] = []
    run = cast("Run", SimpleNamespace(pages=SimpleNamespace(execution=SimpleNamespace(parent=None))))

    async def define() -> None:
        async with within_own_limits(run, Mule):
            for _ in range(2):
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(0)

    async def main() -> None:
        left.append(define())
        left[0].send(None)
        left[0].throw(asyncio.CancelledError())

    asyncio.run(main())
    left.clear()
    gc.collect()
    assert said == []
