"""Commands of MongoDB that break, lose their answer, or take long, each in turn: nothing is lost or done twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure

from orbits_iac.model.errors import Conflict, Fenced, StoreError
from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, TaskRow, WorkerRow
from orbits_iac.store import mongodb_transaction
from orbits_iac.store.contract import Fence, Transaction
from orbits_iac.store.mongodb import MongoStore
from tests.servers.databases import _empty as empty
from tests.servers.replica_set import ReplicaSet

COMMANDS = ["aggregate", "insert", "findAndModify", "commitTransaction"]
LOST: dict[str, Any] = {
    "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"}
}  # though it was done
BROKEN: dict[str, Any] = {"closeConnection": True}
WORKER = WorkerId("worker")


@pytest.fixture(scope="module")
def server() -> Iterator[ReplicaSet]:
    """Its commands are made to fail."""
    with ReplicaSet() as started:
        yield started


class Servers:
    """Stores on one database, and a client that lets commands of some of them fail."""

    def __init__(self, server: ReplicaSet, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack

    async def open(self, name: str) -> MongoStore:
        store = MongoStore(self._server.url("answers", appName=name))
        return await self._stack.enter_async_context(store)

    async def fail(self, store: MongoStore, *commands: str, of: str, times: int = 1, **how: Any) -> None:
        """Let the next of these commands fail, of the store with this name alone."""
        data = {"failCommands": commands, "appName": of, **how}
        point: dict[str, Any] = {"configureFailPoint": "failCommand", "mode": {"times": times}, "data": data}
        await store._opened._client.admin.command(point)

    async def heal(self, store: MongoStore) -> None:
        await store._opened._client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


@pytest.fixture
async def servers(server: ReplicaSet) -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        found = Servers(server, stack)
        cleaner = await found.open("cleaner")
        yield found
        await found.heal(cleaner)
    await empty(server.url(), "answers")


def _entry(key: str) -> EntryRow:
    return EntryRow(execution=ExecutionId("e"), key=StepKey(key), kind="Step")


def _event(why: str) -> EventRow:
    return EventRow(at=1.0, execution=ExecutionId("e"), root=ExecutionId("e"), why=why)


async def _held(store: MongoStore) -> Fence:
    row = WorkerRow(id=WORKER, build="b")
    await store.commit(Transaction(put=[row, TaskRow(id=ExecutionId("e"), kind="Kind", build="b", due=0.0)]))
    [task] = await store.claim(WORKER, now=1.0, limit=1)
    return Fence(execution=task.id, token=task.token)


@pytest.mark.parametrize("how", [LOST, BROKEN], ids=["answer lost", "connection broken"])
async def test_commit_whose_answer_is_lost_is_written_once(servers: Servers, how: dict[str, Any]) -> None:
    failing, other = await servers.open("failing"), await servers.open("other")
    await servers.fail(other, "commitTransaction", of="failing", times=2, **how)
    await failing.commit(Transaction(absent=[_entry("k")], put=[_entry("k")], events=[_event("once")]))
    assert await other.find(EntryRow) == [_entry("k")]
    assert [event.why for event in await other.tail(0)] == ["once"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_each_command_of_a_commit_that_breaks_leaves_all_or_nothing(servers: Servers, command: str) -> None:
    failing, other = await servers.open("failing"), await servers.open("other")
    fence = await _held(failing)
    await servers.fail(other, command, of="failing", times=2, **BROKEN)
    work = [Transaction(fence=fence, absent=[_entry(f"{n}")], put=[_entry(f"{n}")]) for n in range(5)]
    done = await asyncio.gather(*(failing.commit(each) for each in work), return_exceptions=True)
    await servers.heal(other)
    keys = {entry.key for entry in await other.find(EntryRow)}
    for n, error in enumerate(done):
        assert error is None or (isinstance(error, StoreError) and not isinstance(error, Fenced | Conflict))
        assert error is not None or f"{n}" in keys
    for n in range(5):  # sent again by whoever was not told, it is there once
        again = await asyncio.gather(failing.commit(work[n]), return_exceptions=True)
        assert isinstance(again[0], Conflict) == (f"{n}" in keys)
    assert len(await other.find(EntryRow)) == 5


@pytest.mark.parametrize("command", ["find", "commitTransaction"])
async def test_each_command_of_a_claim_or_release_that_breaks_gives_no_task_to_two(
    servers: Servers, command: str
) -> None:
    failing, other = await servers.open("failing"), await servers.open("other")
    names = [f"t{number}" for number in range(6)]
    await other.commit(Transaction(put=[TaskRow(id=ExecutionId(n), kind="K", build="b", due=0.0) for n in names]))
    await servers.fail(other, command, of="failing", times=3, **BROKEN)
    claims = await asyncio.gather(
        failing.claim(WORKER, now=1.0, limit=4),
        failing.release(WorkerId("dead"), now=1.0),
        other.claim(WorkerId("other"), now=1.0, limit=4),
        return_exceptions=True,
    )
    await servers.heal(other)
    for claim, worker in ((claims[0], WORKER), (claims[2], WorkerId("other"))):
        if isinstance(claim, list):
            stored = await other.find(TaskRow, owner=worker)
            assert sorted(task.id for task in stored) == sorted(str(getattr(task, "id", task)) for task in claim)
        else:
            assert isinstance(claim, StoreError)


async def test_stale_owners_commit_that_is_under_way_while_it_is_taken_over(servers: Servers) -> None:
    slow, other = await servers.open("slow"), await servers.open("other")
    for number in range(2):
        fence = await _held(slow) if number == 0 else await _again(slow)
        await servers.fail(other, "commitTransaction", of="slow", blockConnection=True, blockTimeMS=200)
        writing = asyncio.ensure_future(slow.commit(Transaction(fence=fence, put=[_entry(f"late {number}")])))
        while not await _is_under_way(other):
            assert not writing.done()
        assert await other.release(WORKER, now=1.0) == ["e"]
        seen = await other.find(EntryRow)
        [outcome] = await asyncio.gather(writing, return_exceptions=True)
        assert await other.find(EntryRow) == seen
        assert (f"late {number}" in {entry.key for entry in seen}) == (outcome is None)
        assert outcome is None or isinstance(outcome, Fenced)


async def _again(store: MongoStore) -> Fence:
    await store.commit(Transaction(put=[WorkerRow(id=WORKER, build="b")]))
    [task] = await store.claim(WORKER, now=1.0, limit=1)
    return Fence(execution=task.id, token=task.token)


async def _is_under_way(store: MongoStore) -> bool:
    """Whether the fail point holds up a commit."""
    status = await store._opened._client.admin.command({"serverStatus": 1})
    return int(status["transactions"]["currentOpen"]) > 0


@pytest.mark.parametrize("answers", [1, 1000])
async def test_a_server_that_knows_of_no_such_transaction_is_not_believed_unless_it_says_that_there_never_was_one(
    servers: Servers, answers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the driver has asked another server for an answer that was lost: sent again, all would be twice."""
    monkeypatch.setattr(mongodb_transaction, "PATIENCE", 0.3)
    commit, asked = AsyncClientSession.commit_transaction, [0]

    async def done_and_denied(session: AsyncClientSession) -> None:
        asked[0] += 1
        await commit(session)
        if asked[0] <= answers:
            raise OperationFailure("no such transaction", code=251)

    store = await servers.open("asking")
    names = [ExecutionId(f"x{number}") for number in range(4)]
    with monkeypatch.context() as patch:
        patch.setattr(AsyncClientSession, "commit_transaction", done_and_denied)
        events = [EventRow(at=0.0, execution=name, root=name) for name in names]
        commits = (store.commit(Transaction(events=[event])) for event in events)
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
    written = [event.execution for event in await store.tail(0) if event.execution in names]
    assert sorted(written) == names
    if answers == 1:
        assert outcomes == [None] * len(names)
    else:
        assert all(isinstance(outcome, StoreError) for outcome in outcomes)
