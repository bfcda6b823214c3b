"""When a worker looks: whoever commits something rings, and none is missed, whatever the worker does meanwhile."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from orbits_iac.dispatch.bell import Bell
from orbits_iac.model.errors import StoreError
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

LONG = 60.0


class Failing(MemoryStore):
    """A store whose hints fail as often as it is told."""

    failures: list[Exception]

    async def changed(self, timeout: float) -> None:
        if self.failures:
            raise self.failures.pop()
        await super().changed(timeout)


@pytest.fixture
async def store() -> AsyncIterator[Failing]:
    made = Failing()
    made.failures = []
    async with made:
        yield made


async def test_what_is_committed_while_a_worker_looks_rings_afterwards(store: Failing) -> None:
    bell = Bell(store)
    listening = asyncio.create_task(bell.listen(LONG))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        for _ in range(3):
            bell.looking()
            await store.commit(Transaction())
            bell.has_looked()
            await bell.wait(LONG)
        bell.poke()
        await bell.wait(LONG)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_it_listens_on_when_the_store_or_its_hints_fail(store: Failing, caplog: pytest.LogCaptureFixture) -> None:
    store.failures = [ZeroDivisionError("a defect"), StoreError("gone")]
    bell = Bell(store)
    listening = asyncio.create_task(bell.listen(0.001))
    async with asyncio.timeout(60):
        while store.failures:
            await bell.wait(LONG)
        await store.commit(Transaction())
        await bell.wait(LONG)
    assert "this is a defect of Orbits" in caplog.text
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
