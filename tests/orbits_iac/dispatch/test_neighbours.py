"""The death of a worker on the same machine: the kernel tells of it, so that nobody has to look for it."""

import asyncio
import sys
from datetime import timedelta

import pytest

from orbits_iac import Orbits, Settings, action
from orbits_iac.dispatch import leases
from orbits_iac.dispatch.leases import this_process
from orbits_iac.dispatch.neighbours import Neighbours
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import TaskRow, WorkerRow, amended
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of the end of other processes")


@action(idempotent=True)
async def left_by_neighbour(what: str) -> str:
    """Returns what it was given."""
    return what


class Kept(MemoryStore):
    """A store of several processes."""

    async def close(self) -> None:
        """It stays open."""


async def process() -> asyncio.subprocess.Process:
    """One that lives until it is killed."""
    return await asyncio.create_subprocess_exec(sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE)


def row_of(name: str, pid: int) -> WorkerRow:
    """The row of a worker in this process of this machine."""
    started = leases._started(pid)
    assert started is not None
    return amended(this_process(WorkerId(name), "b", frozenset()), pid=pid, pid_started=started)


async def test_what_it_held_is_taken_over_at_once_though_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orbits_iac.dispatch.worker.LONGEST_WAIT", 3600.0)
    other, store = await process(), Kept()
    async with Orbits(Settings(store="memory:"), store=store, work=False) as asking:
        execution = ExecutionId((await asking.start(left_by_neighbour("it"))).id)
        await store.commit(Transaction(put=[row_of("other", other.pid)]))
        await store.claim(WorkerId("other"), now=asking.engine.clock.now(), limit=1)
    settings = Settings(store="memory:", lease=timedelta(hours=10))
    async with Orbits(settings, store=store) as orbits, asyncio.timeout(60):
        await orbits.settled()
        task = await store.get(TaskRow, execution)
        assert task is not None
        assert task.owner == "other"
        other.kill()
        assert await orbits.execution(execution) == "it"
    await other.wait()


async def test_only_whose_row_is_there_is_watched_and_each_once() -> None:
    told: list[str] = []
    ended = asyncio.Event()

    def tell() -> None:
        told.append("somebody")
        ended.set()

    others = [await process() for _ in range(2)]
    rows = [row_of(str(other.pid), other.pid) for other in others]
    away = amended(rows[0], id=WorkerId("away"), boot="another machine")
    neighbours = Neighbours(tell)
    neighbours.watch([*rows, away])
    neighbours.watch(rows[:1])
    others[1].kill()
    await others[1].wait()
    others[0].kill()
    await others[0].wait()
    async with asyncio.timeout(60):
        await ended.wait()
    neighbours.watch(rows[:1])
    neighbours.close()
    assert told == ["somebody"]
