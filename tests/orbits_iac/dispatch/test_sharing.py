"""Workers that share a rate know of each other, and of those that are gone; no call waits for the store."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO

import pytest

from orbits_iac import Orbits, Settings, Workflow, action
from orbits_iac.dispatch.sharing import EVERY, UNUSED, Sharing
from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import Row, ShareRow, WorkerRow
from orbits_iac.provider import Shared, current
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore


class Workers:
    """Workers that sweep when they are told to, each with a store of its own on one file."""

    def __init__(self, stores: list[Store]) -> None:
        self.now = 100.0
        self.living = [WorkerRow(id=WorkerId(f"w{n}"), build="b") for n in range(len(stores))]
        self.sharing = [Sharing(store, WorkerId(f"w{n}"), lambda: self.now) for n, store in enumerate(stores)]
        self._stores = stores

    async def sweep(self, times: int = 2) -> None:
        for _ in range(times):
            self.now += EVERY
            await self._stores[0].commit(Transaction(put=self.living))
            for sharing in self.sharing:
                await sharing.sweep(self.living)

    def end(self, number: int) -> tuple[WorkerRow, Sharing]:
        return self.living.pop(number), self.sharing.pop(number)


@pytest.fixture(params=["sqlite:{}/store.db", "mongodb"])
async def workers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Workers]:
    url = request.getfixturevalue("mongodb") if request.param == "mongodb" else request.param.format(tmp_path)
    async with AsyncExitStack() as stack:
        yield Workers([await stack.enter_async_context(open_store(url)) for _ in range(3)])


async def test_each_knows_who_else_keeps_to_a_rate(workers: Workers) -> None:
    one, two, three = workers.sharing
    assert one.shared("a", 6.0) == Shared(workers=1, most=1)
    await workers.sweep()
    assert two.shared("a", 3.0) == Shared(workers=2, most=3, rate=6.0)  # the third might as well
    assert three.shared("a", None) == Shared(workers=2, most=3, rate=6.0)
    await workers.sweep()
    assert one.shared("a", 6.0) == two.shared("a", 3.0)._replace(rate=3.0) == Shared(workers=2, most=2, rate=3.0)
    assert three.shared("b", None) == Shared(workers=1, most=3)


async def test_who_has_died_or_left_does_not_count(workers: Workers) -> None:
    for sharing in workers.sharing:
        sharing.shared("a", 1.0)
    await workers.sweep()
    store = workers.sharing[0]._store
    await store.release(workers.end(2)[0].id, now=0.0)
    _, leaving = workers.end(1)
    await leaving.leave()
    await workers.sweep()
    assert workers.sharing[0].shared("a", 1.0) == Shared()
    assert [row.worker for row in await store.find(ShareRow)] == ["w0"]


async def test_what_is_not_called_any_more_is_not_kept(workers: Workers) -> None:
    one, two, _ = workers.sharing
    one.shared("a", 1.0)
    await workers.sweep()
    workers.now += UNUSED
    await workers.sweep()
    assert two.shared("a", None).rate is None
    assert await one._store.find(ShareRow) == []


class Counted(MemoryStore):
    """Counts what is written, and is gone when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[Row] = []
        self.gone = False

    async def commit(self, transaction: Transaction) -> None:
        if self.gone:
            raise StoreError("the store is gone")
        self.puts += [row for row in transaction.put if isinstance(row, ShareRow)]
        await super().commit(transaction)


async def test_calls_are_not_written_and_a_store_that_is_gone_changes_nothing() -> None:
    async with Counted() as store:
        workers = Workers([store, store])
        one, two = workers.sharing
        for step in range(5):
            for _ in range(100):
                one.shared("a", 10.0 + step / 10)
            two.shared("a", 4.0)
            await workers.sweep()
        assert len(store.puts) == 2
        store.gone = True
        one.shared("new", 1.0)
        with pytest.raises(StoreError):
            await workers.sweep()
        assert one.shared("a", 10.0) == Shared(workers=2, most=2, rate=4.0)
        store.gone = False
        await workers.sweep()
        assert len(store.puts) == 3


SEEN = list[Shared]()


@action(idempotent=True)
def asks_who_shares() -> int:
    """Asks as a client does, from the thread of a hook."""
    execution = current()
    assert execution is not None
    SEEN.append(execution.shared("aws 1 eu sqs", 5.0))
    return SEEN[-1].workers


class AsksAgain(Workflow[int]):
    """Asks until another is there."""

    async def define(self) -> int:
        workers = 1
        while workers == 1:
            workers = await self.do("ask", asks_who_shares(), key=str(len(SEEN)))
            await asyncio.sleep(0.01)
        return workers


OTHER = """
import asyncio, sys
from orbits_iac import Orbits, Settings

async def main():
    async with Orbits(Settings(project="tests", store=sys.argv[1])) as orbits:
        orbits.engine.shared("aws 1 eu sqs", 5.0)
        while orbits.engine.shared("aws 1 eu sqs", 5.0).workers < 2:
            await asyncio.sleep(0.05)
        print("both", flush=True)
        sys.stdin.read()

asyncio.run(main())
"""


def _begun(command: list[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@asynccontextmanager
async def other_worker(url: str) -> AsyncGenerator[IO[str]]:
    """A worker in a process of its own; what it says."""
    process = await asyncio.to_thread(_begun, [sys.executable, "-c", OTHER, url])
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            yield process.stdout
    finally:
        await asyncio.to_thread(process.communicate)


async def test_a_hook_is_told_of_the_workers_of_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orbits_iac.dispatch.sharing.EVERY", 0.0)
    SEEN.clear()
    url = f"sqlite:{tmp_path / 'store.db'}"
    async with Orbits(Settings(project="tests", store=url)) as orbits:
        asking = await orbits.start(AsksAgain())
        async with other_worker(url) as other:
            assert (await asking.ended()).result == "2"
            assert await asyncio.to_thread(other.readline) == "both\n"
    assert SEEN[-1] == Shared(workers=2, most=2, rate=5.0)
