"""What a process leaves behind that dies in the middle of a group, and how the others get past it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession

from orbits_iac.model.errors import Fenced
from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, MessageRow, TaskRow, WorkerRow
from orbits_iac.store import mongodb_gate, open_store
from orbits_iac.store.contract import Fence, Store, Transaction

Document = dict[str, Any]
WORKER = WorkerId("worker")


@pytest.fixture
async def store(mongodb: str) -> AsyncIterator[Store]:
    async with open_store(mongodb) as opened:
        yield opened


@pytest.fixture
async def client(mongodb: str) -> AsyncIterator["AsyncMongoClient[Document]"]:
    async with AsyncMongoClient[Document](mongodb) as opened:
        yield opened


class Dying:
    """A process that has reserved a block and begun a transaction, and then does nothing any more."""

    def __init__(self, client: "AsyncMongoClient[Document]", *, by: str = "dying") -> None:
        self.database = client.get_default_database()
        self.by = by
        self.entry: Document = {}

    async def reserve(self, session: AsyncClientSession, *, numbers: int) -> int:
        self.entry = {"n": numbers, "side": uuid4().hex, "by": self.by, "session": session.session_id["id"]}
        self.entry["since"] = datetime.now(UTC)
        before = await self.database["gate"].find_one_and_update(
            {"_id": "gate"}, [{"$set": {"next": {"$add": ["$next", numbers]}}}]
        )
        assert before is not None
        self.entry["at"] = before["next"]
        await self.database["gate"].update_one({"_id": "gate"}, {"$push": {"open": self.entry}})
        return int(before["next"])

    async def is_open(self) -> bool:
        found = await self.database["gate"].find_one({"_id": "gate", "open.side": self.entry["side"]})
        return found is not None


async def held(store: Store, name: str) -> Fence:
    await store.commit(Transaction(put=[TaskRow(id=ExecutionId(name), kind="Kind", build="b", due=0.0)]))
    [task] = await store.claim(WORKER, now=1.0, limit=1, only=ExecutionId(name))
    return Fence(execution=task.id, token=task.token)


async def test_takeover_from_a_process_that_stopped_within_a_transaction(
    store: Store, mongodb: str, client: "AsyncMongoClient[Document]"
) -> None:
    """Its transaction holds what it has written for a minute: whoever takes over ends it, and does not wait."""
    async with open_store(mongodb) as other:
        fence = await held(other, "a")
        await other.commit(Transaction(put=[WorkerRow(id=WORKER, build="b", counter=7)]))
        [introduced] = await client.get_default_database()["writer"].find({"_id": f"{WORKER}/0"}).to_list()
        dying = Dying(client, by=introduced["by"])
        async with client.start_session() as session:
            await dying.reserve(session, numbers=2)
            await session.start_transaction()
            await dying.database["writer"].update_one({"_id": f"{WORKER}/0"}, {"$inc": {"n": 1}}, session=session)
            async with asyncio.timeout(60):
                assert await store.release(WORKER, now=2.0, counter=7) == ["a"]
        assert not await dying.is_open()
        with pytest.raises(Fenced):
            await other.commit(
                Transaction(fence=fence, put=[EntryRow(execution=fence.execution, key=StepKey("k"), kind="S")])
            )


async def test_events_behind_the_block_of_a_process_that_died(
    store: Store, client: "AsyncMongoClient[Document]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb_gate, "PATIENCE", 0.2)
    dying, event = Dying(client), EventRow(at=1.0, execution=ExecutionId("a"), root=ExecutionId("a"))
    async with client.start_session() as session:
        number = await dying.reserve(session, numbers=3)
        await session.start_transaction()
        await dying.database["event"].insert_one({"_id": number, "root": "a", "body": "{}"}, session=session)
        await store.commit(Transaction(events=[event]))
        assert await store.tail(0) == []  # the smaller number may come to light yet
        async with asyncio.timeout(60):
            while not (found := await store.tail(0)):
                await store.changed(0.05)
        assert [each.seq for each in found] == [number + 3]
        assert not await dying.is_open()
        with pytest.raises(Exception, match="has been aborted"):
            await session.commit_transaction()
    assert await store.find(EventRow) == found
    assert await store.count(EventRow) == 1
    assert await store.get(EventRow, number) is None


async def test_group_that_waits_for_a_document_of_a_process_that_died(
    store: Store, client: "AsyncMongoClient[Document]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb_gate, "PATIENCE", 0.2)
    dying, row = Dying(client), MessageRow(execution=ExecutionId("a"), id="m", what="event")
    async with client.start_session() as session:
        await dying.reserve(session, numbers=0)
        await session.start_transaction()
        await dying.database["message"].insert_one({"_id": {"execution": "a", "id": "m"}}, session=session)
        async with asyncio.timeout(60):
            await store.commit(Transaction(put=[row]))
    assert await store.find(MessageRow) == [row]


async def test_reservation_that_was_lost_begins_the_group_anew(
    store: Store, client: "AsyncMongoClient[Document]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a failover to a server that had not heard of it yet: its numbers may be given to another."""
    reserve, lost = mongodb_gate.Gate.reserve, list[int]()

    async def lose_the_first(gate: mongodb_gate.Gate, count: int, session: AsyncClientSession) -> int:
        number = await reserve(gate, count, session)
        if not lost:
            lost.append(number)
            await client.get_default_database()["gate"].update_one({}, {"$set": {"open": [], "next": number}})
        return number

    monkeypatch.setattr(mongodb_gate.Gate, "reserve", lose_the_first)
    event = EventRow(at=1.0, execution=ExecutionId("a"), root=ExecutionId("a"))
    await store.commit(Transaction(events=[event]))
    assert [each.seq for each in await store.tail(0)] == lost


async def test_gate_holds_nothing_of_stores_that_were_closed(
    mongodb: str, client: "AsyncMongoClient[Document]"
) -> None:
    event = EventRow(at=1.0, execution=ExecutionId("a"), root=ExecutionId("a"))
    for _ in range(3):
        async with open_store(mongodb) as store:
            await asyncio.gather(*(store.commit(Transaction(events=[event])) for _ in range(4)))
            await asyncio.to_thread(asyncio.run, store.commit(Transaction(events=[event])))
    gate = await client.get_default_database()["gate"].find_one({})
    assert gate is not None
    assert gate["open"] == []


async def test_events_are_read_as_of_the_gate_or_later_whoever_is_the_primary_by_then(
    store: Store, client: "AsyncMongoClient[Document]"
) -> None:
    """A primary that was just elected may know of an older majority than the one before: it has to be waited for."""
    await store.commit(Transaction(events=[EventRow(at=0.0, execution=ExecutionId("x"), root=ExecutionId("x"))]))
    database = client.get_default_database()
    await database.command({"profile": 2})
    try:
        assert len(await store.tail(0)) == 1
    finally:
        await database.command({"profile": 0})
    told = [each async for each in database["system.profile"].find({"op": "query"}, sort=[("ts", 1)])]
    reads = {each["command"]["find"]: each["command"]["readConcern"] for each in told if "find" in each["command"]}
    await database["system.profile"].drop()
    assert {concern["level"] for concern in reads.values()} == {"majority"}
    assert "afterClusterTime" in reads["event"]
    assert "afterClusterTime" not in reads["gate"]
