"""Questions whose caller is cancelled, at each turn of the event loop: it leaves, and the driver is done with them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import TaskRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.mongodb import MongoStore

TURNS = range(60)
"""Of the event loop: a question takes some twenty, and then the server's time."""

WORKER = WorkerId("worker")


@pytest.fixture
async def store(mongodb: str) -> AsyncIterator[MongoStore]:
    async with MongoStore(mongodb) as store:
        yield store


async def _cancelled(asking: Awaitable[object], turns: int) -> bool:
    """Cancel it after so many turns; whether it was not done yet."""
    task = asyncio.ensure_future(asking)
    for _ in range(turns):
        await asyncio.sleep(0)
    done = not task.cancel()
    await asyncio.wait([task])
    assert done or task.cancelled(), f"a cancellation after {turns} turns was lost"
    return not done


async def test_no_cancellation_is_lost(store: MongoStore) -> None:
    assert sum([await _cancelled(store.next_due(), turns) for turns in TURNS]) > 10


async def test_what_a_cancelled_claim_takes_is_released_with_its_worker(store: MongoStore) -> None:
    task = TaskRow(id=ExecutionId("task"), kind="Kind", build="b", due=0.0)
    await store.commit(Transaction(put=[task]))
    for turns in TURNS:
        await _cancelled(store.claim(WORKER, now=1.0, limit=1), turns)
        await store.release(WORKER, now=0.0)
        assert await store.find(TaskRow, owner=WORKER) == [], turns


async def test_store_that_is_closed_waits_for_what_was_asked(mongodb: str) -> None:
    for turns in TURNS:
        async with MongoStore(mongodb) as store:
            await _cancelled(store.next_due(), turns)
        assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
