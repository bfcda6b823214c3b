"""Every read and claim of a MongoDB store goes by an index, as the server's profile says: none scans, none sorts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from orbits_iac.model.ids import NOBODYS, ExecutionId, StepKey, WorkerId
from orbits_iac.model.rows import (
    TABLES,
    EntryRow,
    EventRow,
    ExecutionRow,
    MessageRow,
    RecordRow,
    ScheduleRow,
    TaskRow,
    WaitRow,
)
from orbits_iac.store.contract import Fence, Park, Transaction
from orbits_iac.store.mongodb import MongoStore

MANY = 300
WORKER = WorkerId("w")


@pytest.fixture
async def store(mongodb: str) -> AsyncIterator[MongoStore]:
    async with MongoStore(mongodb) as opened:
        await opened.commit(Transaction(put=[row for n in range(MANY) for row in _rows(n)]))
        await opened.commit(Transaction(events=[_event(n) for n in range(MANY)]))
        yield opened
        await opened._opened._database.drop_collection("system.profile")


def _rows(number: int) -> list[Any]:
    e, root = ExecutionId(f"e{number:04}"), ExecutionId(f"e{number % 10:04}")
    of: dict[str, Any] = {"kind": f"K{number % 7}", "build": "b"}
    held = number % 3 == 0
    return [
        ExecutionRow(id=e, root=root, command="c", argument="{}", who="me", digest="d", created_at=1.0, **of),
        EntryRow(execution=root, key=StepKey(f"{number}"), kind="Step"),
        MessageRow(execution=root, id=f"{number}", what="event"),
        WaitRow(event=f"E{number % 5}", execution=e, key=StepKey("k"), root=root),
        TaskRow(id=e, tenant=f"t{number % 4}", priority=number % 2, due=float(number), **of)
        if not held
        else TaskRow(id=e, owner=WorkerId(f"w{number}"), **of),
        RecordRow(kind="K", identity=f"{number:04}", tenant=f"t{number % 10}"),
        ScheduleRow(kind="K", identity=f"{number:04}", due=float(number)),
    ]


def _event(number: int) -> EventRow:
    return EventRow(at=1.0, execution=ExecutionId("e"), root=ExecutionId(f"e{number % 10}"))


async def _profile(store: MongoStore, doing: Awaitable[Any]) -> list[dict[str, Any]]:
    """What the server did for it."""
    database = store._opened._database
    await database.command("profile", 2)
    await doing
    await database.command("profile", 0)
    profile = database.get_collection("system.profile")
    found = await profile.find(
        {"ns": {"$not": {"$regex": "system.profile"}}, "planSummary": {"$exists": True}}
    ).to_list()
    await database.drop_collection("system.profile")
    assert found
    return found


async def _goes_by_an_index(store: MongoStore, doing: Awaitable[Any], *, looks_at: int) -> None:
    for done in await _profile(store, doing):
        assert "COLLSCAN" not in done["planSummary"], done
        assert not done.get("hasSortStage"), done
        assert done.get("docsExamined", 0) <= looks_at, done


async def test_claims_go_by_the_order_of_claims(store: MongoStore) -> None:
    narrowed: list[dict[str, Any]] = [{}, {"without": frozenset({"t1", NOBODYS})}, {"least": 1}, {"only": "e0001"}]
    for narrow in narrowed:
        kinds = frozenset({f"K{n}" for n in range(7)})
        claim = store.claim(WORKER, now=1e6, limit=5, kinds=kinds, builds={"b": "b"}, **narrow)
        await _goes_by_an_index(store, claim, looks_at=24)


async def test_what_is_due_is_found_by_its_time(store: MongoStore) -> None:
    await _goes_by_an_index(store, store.due(TaskRow, now=1e6, limit=5), looks_at=5)
    await _goes_by_an_index(store, store.due(ScheduleRow, now=1e6, limit=5), looks_at=5)
    await _goes_by_an_index(store, store.next_due(), looks_at=2)


async def test_commits_look_at_what_they_name(store: MongoStore) -> None:
    [task] = await store.claim(WORKER, now=1e6, limit=1)
    fence = Fence(execution=task.id, token=task.token)
    step = EntryRow(execution=task.id, key=StepKey("new"), kind="Step")
    work = Transaction(
        fence=fence,
        absent=[step],
        put=[step, MessageRow(execution=task.id, id="m", what="event")],
        wake=[ExecutionId("e0002")],
        events=[_event(1)],
        park=Park(due=None),
    )
    await _goes_by_an_index(store, store.commit(work), looks_at=20)
    await _goes_by_an_index(store, store.release(WorkerId("w3"), now=1.0), looks_at=2)


async def test_reads_of_one_execution_look_at_what_it_has(store: MongoStore) -> None:
    await _goes_by_an_index(store, store.load(ExecutionId("e0003")), looks_at=62)
    await _goes_by_an_index(store, store.holding(WorkerId("w3")), looks_at=32)
    await _goes_by_an_index(store, store.get(ExecutionRow, "e0003"), looks_at=1)


async def test_rows_that_are_asked_for_at_a_time_are_found_by_their_keys(store: MongoStore) -> None:
    async def together() -> None:
        found = await asyncio.gather(*(store.get(RecordRow, "K", f"{number:04}") for number in range(0, MANY, 60)))
        assert [row and row.identity for row in found] == ["0000", "0060", "0120", "0180", "0240"]

    await _goes_by_an_index(store, together(), looks_at=5)


async def test_pages_and_newest_ones_look_at_what_they_show(store: MongoStore) -> None:
    for newest in (False, True):
        for after in ((), ("K", "0150")):
            await _goes_by_an_index(store, store.find(RecordRow, limit=9, newest=newest, after=after), looks_at=9)
    await _goes_by_an_index(store, store.find(EntryRow, execution="e0003", limit=9), looks_at=9)
    await _goes_by_an_index(store, store.find(WaitRow, event="E1", limit=9), looks_at=9)
    await _goes_by_an_index(store, store.tail(200, limit=9), looks_at=10)
    await _goes_by_an_index(store, store.tail(0, root=ExecutionId("e3"), limit=9), looks_at=10)


async def test_rows_are_found_by_an_index_of_each_field_that_they_may_be_found_by(store: MongoStore) -> None:
    chosen: dict[tuple[type, str], str] = {(ExecutionRow, "state"): "sleeping", (TaskRow, "owner"): "w3"}
    for row_type in TABLES:
        for field in row_type.INDEXED:
            if field == "due":  # the order of claims; nobody asks for one time
                continue
            where: dict[str, Any] = {field: chosen.get((row_type, field), "e0003")}
            for newest in (False, True):
                await _goes_by_an_index(store, store.find(row_type, limit=9, newest=newest, **where), looks_at=9)
            await _goes_by_an_index(store, store.count(row_type, **where), looks_at=MANY)
