"""What arrives while an execution parks: committed by another process after its holder looked into the inbox.

The holder's store is held up just before it writes the park, for as long as another one, on the same file or database,
needs to write what arrives. Nothing of it is slept through.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from orbits_iac import Event, Orbits, Resource, Settings, Workflow
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.store import open_store
from orbits_iac.store.contract import Transaction

SETTINGS = Settings(
    project="tests",
    store="memory:",
    secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    concurrency=1,  # so that what another process is to end is left for it
)


class Arrived(Event):
    """What is waited for."""

    what: str


class AwaitsArrival(Workflow[str]):
    """Waits for it."""

    async def define(self) -> str:
        return (await self.execution.wait_for("arrival", Arrived)).what


class ArrivingPart(Resource):
    """Ends at once."""

    async def define_update(self) -> None:
        pass


class AwaitsPart(Resource):
    """Waits for its part to end."""

    def identity(self) -> str:
        return "whole"

    async def define_update(self) -> None:
        await self.do("part", ArrivingPart())


class Window:
    """A store that is held up before its next park, while something is done."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.url = url
        self.store = open_store(url)
        self.passed = asyncio.Event()
        self.due: float | None = None  # of the task, as the park has left it
        self._commit = self.store.commit
        self._meanwhile: Callable[[ExecutionId], Awaitable[object]] | None = None
        monkeypatch.setattr(self.store, "commit", self.commit)

    def arm(self, meanwhile: Callable[[ExecutionId], Awaitable[object]]) -> None:
        """Do this in the next window, of whichever execution parks first."""
        self._meanwhile = meanwhile

    async def commit(self, transaction: Transaction) -> None:
        meanwhile, fence = self._meanwhile, transaction.fence
        if transaction.park is None or meanwhile is None or fence is None:
            await self._commit(transaction)
            return
        self._meanwhile = None
        await meanwhile(fence.execution)
        await self._commit(transaction)
        task = await self.store.get(TaskRow, fence.execution)
        self.due = None if task is None else task.due
        self.passed.set()

    @asynccontextmanager
    async def another(self, *, work: bool = False) -> AsyncGenerator[Orbits]:
        """Another process, with a store of its own."""
        async with Orbits(SETTINGS, store=open_store(self.url), work=work, who="another") as made:
            yield made


@pytest.fixture(params=["sqlite", "mongodb"])
def window(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Window:
    url = f"sqlite:{tmp_path / 'state.db'}" if request.param == "sqlite" else request.getfixturevalue("mongodb")
    return Window(url, monkeypatch)


@asynccontextmanager
async def held(window: Window) -> AsyncGenerator[Orbits]:
    """The process whose parks are held up."""
    async with asyncio.timeout(60), Orbits(SETTINGS, store=window.store) as holder:
        yield holder


async def test_a_cancel_is_not_slept_through(window: Window) -> None:
    async def cancel(execution: ExecutionId) -> None:
        async with window.another() as other:
            await other.execution(execution).cancel()

    window.arm(cancel)
    async with held(window) as holder:
        execution = await holder.start(AwaitsArrival())
        assert (await execution.ended()).state is State.CANCELLED
        assert window.due is not None


async def test_an_answer_is_not_slept_through(window: Window) -> None:
    async def answer(execution: ExecutionId) -> None:
        async with window.another() as other:
            await other.execution(execution).answer(Arrived(what="an answer"))

    window.arm(answer)
    async with held(window) as holder:
        assert await holder.run(AwaitsArrival()) == "an answer"
        assert window.due is not None


async def test_an_event_to_all_is_not_slept_through(window: Window) -> None:
    async def emit(_: ExecutionId) -> None:
        async with window.another() as other:
            await other.emit(Arrived(what="an event"))

    window.arm(emit)
    async with held(window) as holder:
        assert await holder.run(AwaitsArrival()) == "an event"
        assert window.due is not None


async def test_a_child_that_ends_elsewhere_is_not_slept_through(window: Window) -> None:
    async def end(execution: ExecutionId) -> None:
        async with window.another(work=True) as other:
            [child] = await other.store.find(ExecutionRow, parent=execution)
            assert (await other.execution(child.id).ended()).state is State.SUCCESS

    window.arm(end)
    async with held(window) as holder:
        assert (await (await holder.start(AwaitsPart())).ended()).state is State.SUCCESS
        assert window.due is not None


async def test_a_wake_without_a_message_is_not_slept_through(window: Window) -> None:
    async def wake(execution: ExecutionId) -> None:
        async with window.another() as other:
            await other.engine.commit(Transaction(), wake=[execution])

    window.arm(wake)
    async with held(window) as holder:
        execution = await holder.start(AwaitsArrival())
        await window.passed.wait()
        assert window.due is not None  # so it is taken up once more, and parks again
        await holder.settled()
        task = await holder.store.get(TaskRow, ExecutionId(execution.id))
        assert task is not None
        assert (task.token, task.due) == (2, None)
        await execution.answer(Arrived(what="later"))
        assert await execution == "later"


async def test_what_is_known_already_lets_it_sleep(window: Window) -> None:
    class Other(Event):
        """What nobody waits for yet."""

    async def nothing(_: ExecutionId) -> None:
        pass

    window.arm(nothing)
    async with held(window) as holder:
        execution = await holder.start(AwaitsArrival())
        await window.passed.wait()
        assert window.due is None
        window.passed.clear()
        window.arm(nothing)
        await execution.answer(Other())
        await window.passed.wait()
        assert window.due is None
        await execution.answer(Arrived(what="it"))
        assert await execution == "it"
