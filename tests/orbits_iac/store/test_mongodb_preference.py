"""Reads from a secondary see whatever was committed before, by whomever; a real one that follows a real primary."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from pymongo import MongoClient

from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, TaskRow
from orbits_iac.store.contract import Fence, Transaction
from orbits_iac.store.mongodb import MongoStore
from tests.servers.replica_set import ReplicaSet

E = ExecutionId("e")


@pytest.fixture(scope="module")
def two() -> Iterator[ReplicaSet]:
    with ReplicaSet(2) as started:
        started.secondary()
        yield started


@pytest.fixture
async def stores(two: ReplicaSet) -> AsyncIterator[list[MongoStore]]:
    """One that reads from the secondary, and another one."""
    async with (
        MongoStore(two.url("team", readPreference="secondary")) as here,
        MongoStore(two.url("team")) as there,
    ):
        yield [here, there]


async def test_reads_from_a_secondary_see_what_was_committed_before(stores: list[MongoStore], two: ReplicaSet) -> None:
    secondary = two.secondary()
    client: MongoClient[dict[str, object]]
    with secondary.client() as client:
        client["team"].command("profile", 2)
    here, there = stores
    row = ExecutionRow(
        id=E, root=E, kind="K", command="c", argument="{}", build="b", who="me", digest="d", created_at=1.0
    )
    await there.commit(Transaction(put=[row, TaskRow(id=E, kind="K", build="b", due=0.0)]))
    [task] = await here.claim(WorkerId("w"), now=1.0, limit=1)
    assert await here.get(TaskRow, E) == task
    for number in range(20):
        step = EntryRow(execution=E, key=StepKey(f"{number:02}"), kind="Step")
        event = EventRow(at=1.0, execution=E, root=E, why=f"{number}")
        writer = here if number % 2 else there
        fence = Fence(execution=E, token=task.token)
        await writer.commit(Transaction(fence=fence, put=[step], events=[event]))
        got, found, journal, tail = await asyncio.gather(
            here.get(EntryRow, E, step.key), here.find(EntryRow, newest=True, limit=1), here.load(E), here.tail(number)
        )
        assert got == step
        assert found == [step]
        assert journal is not None
        assert len(journal.entries) == number + 1
        assert [each.why for each in tail] == [f"{number}"]
    with secondary.client() as client:
        client["team"].command("profile", 0)
        profile = client["team"]["system.profile"]
        assert profile.count_documents({"ns": "team.entry"}) >= 40
