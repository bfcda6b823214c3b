"""Each kind of inconsistency, planted in a store with a history: found, explained, and repaired or left."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from orbits_iac import Orbits, exporting
from orbits_iac.checking import looking
from orbits_iac.checking.findings import Finding
from orbits_iac.exported import MOVED
from orbits_iac.model.ids import ExecutionId, RecordId, StepKey, WorkerId
from orbits_iac.model.rows import (
    BuildRow,
    EntryRow,
    EventRow,
    ExecutionRow,
    LineRow,
    MessageRow,
    PermitRow,
    ReaderRow,
    RecordRow,
    RevisionRow,
    Row,
    ScheduleRow,
    SubscriberRow,
    TaskRow,
    WaitRow,
    amended,
)
from orbits_iac.model.states import State
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.sqlite import SqliteStore

from .moving import Freed, fill, settings

GONE = ExecutionId("1nonesuch00000000")


class World:
    """A store with a history, and who waits in it."""

    def __init__(self, store: Store, waiting: dict[str, ExecutionId]) -> None:
        self.store = store
        self.waiting = waiting

    async def put(self, *rows: Row) -> None:
        await self.store.commit(Transaction(put=rows))

    async def delete(self, *rows: Row) -> None:
        await self.store.commit(Transaction(delete=rows))

    async def execution(self, name: str) -> ExecutionRow:
        row = await self.store.get(ExecutionRow, self.waiting[name])
        assert row is not None
        return row

    async def task(self, name: str) -> TaskRow:
        row = await self.store.get(TaskRow, self.waiting[name])
        assert row is not None
        return row

    async def ended(self) -> ExecutionRow:
        return (await self.store.find(ExecutionRow, kind="Warehouse", identity="acme"))[0]

    async def child(self) -> ExecutionRow:
        """The one that the depot waits for."""
        return (await self.store.find(ExecutionRow, kind="Gatehouse"))[0]

    async def record(self, kind: str = "Warehouse", identity: str = "acme") -> RecordRow:
        row = await self.store.get(RecordRow, kind, identity)
        assert row is not None
        return row

    async def change(self, row: RecordRow, **fields: object) -> None:
        await self.put(amended(row, version=row.version + 1, **fields))

    async def found(self) -> list[Finding]:
        return (await looking.look_over(self.store))[0]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, ExecutionId]]:
    file, waiting = tmp_path_factory.mktemp("origin") / "state.db", dict[str, ExecutionId]()

    async def make() -> None:
        async with SqliteStore(file) as store:
            waiting.update(await fill(store))

    asyncio.run(make())
    return file, waiting


@pytest.fixture
async def world(
    origin: tuple[Path, dict[str, ExecutionId]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    monkeypatch.setattr(looking, "MOMENT", 0.0)  # nobody writes meanwhile
    file, waiting = origin
    shutil.copy(file, tmp_path / "state.db")
    async with SqliteStore(tmp_path / "state.db") as store:
        yield World(store, waiting)


async def test_what_the_engine_leaves_fits_together(world: World) -> None:
    assert await world.found() == []


async def test_and_so_it_does_while_workers_are_at_it_and_after(world: World) -> None:
    async with asyncio.timeout(60), Orbits(settings(world.store), store=world.store) as orbits:
        assert await world.found() == []
        await orbits.emit(Freed(by="ada"))
        await orbits.execution(world.waiting["depot"])
        assert await world.found() == []
        await orbits.settled()
    await world.store.open()
    assert await world.found() == []


async def no_task(world: World) -> None:
    await world.delete(await world.task("one"))


async def task_left(world: World) -> None:
    row = await world.ended()
    await world.put(TaskRow(id=row.id, kind=row.kind, build=row.build, due=0.0))


async def task_of_nothing(world: World) -> None:
    await world.put(TaskRow(id=GONE, kind="K", build="b", due=0.0))


async def owner_gone(world: World) -> None:
    await world.put(amended(await world.task("one"), owner=WorkerId("nobody"), due=None))


async def message_left(world: World) -> None:
    await world.put(MessageRow(execution=(await world.ended()).id, id="cancel", what="cancel"))


async def message_to_nothing(world: World) -> None:
    await world.put(MessageRow(execution=GONE, id="cancel", what="cancel"))


async def message_unread(world: World) -> None:
    await world.put(MessageRow(execution=world.waiting["one"], id="pause", what="pause", body='{"who": "me"}'))


async def wait_left(world: World) -> None:
    row = await world.ended()
    await world.put(WaitRow(event="Freed", execution=row.id, key=StepKey("k"), root=row.root))


async def permit_left(world: World) -> None:
    row = await world.ended()
    await world.put(PermitRow(name="kind:Warehouse", slot=0, execution=row.id, token=1))
    await world.put(LineRow(name="kind:Warehouse", rank=0, execution=GONE))


async def wait_gone(world: World) -> None:
    await world.delete(*await world.store.find(WaitRow, execution=world.waiting["one"]))


async def subscriber_left(world: World) -> None:
    child, above = await world.child(), await world.ended()
    await world.put(SubscriberRow(execution=child.id, subscriber=above.id, key=StepKey("k")))


async def not_told(world: World) -> None:
    """As if the child's row came from a later backup than the rest: with all that goes with its end."""
    child = await world.child()
    record = await world.record("Gatehouse", "north")
    ended = amended(child, state=State.SUCCESS, ended_at=5.0, result="null")
    event = EventRow(at=5.0, execution=child.id, root=child.root, after=State.SUCCESS)
    task = TaskRow(id=child.id, kind="", build="")
    waits = await world.store.find(WaitRow, execution=child.id)
    queue = amended(record, version=record.version + 1, queue=())
    await world.store.commit(Transaction(put=[ended, queue], delete=[task, *waits], events=[event]))


async def not_told_nor_subscribed(world: World) -> None:
    await not_told(world)
    await not_subscribed(world)


async def not_subscribed(world: World) -> None:
    await world.delete(*await world.store.find(SubscriberRow, execution=(await world.child()).id))


async def child_gone(world: World) -> None:
    child = await world.child()
    entries = await world.store.find(EntryRow, execution=child.id)
    waits = await world.store.find(WaitRow, execution=child.id)
    await world.delete(child, TaskRow(id=child.id, kind="", build=""), *entries, *waits)
    await world.delete(*await world.store.find(SubscriberRow, execution=child.id))
    await world.change(await world.record("Gatehouse", "north"), queue=())


async def journal_left(world: World) -> None:
    await world.put(EntryRow(execution=GONE, key=StepKey("k"), kind="K", seq=1))


async def parent_gone(world: World) -> None:
    row = await world.ended()
    await world.put(amended(row, parent=GONE))


async def end_without_time(world: World) -> None:
    await world.put(amended(await world.ended(), ended_at=None))


async def state_otherwise(world: World) -> None:
    await world.put(amended(await world.ended(), state=State.ERROR))


async def build_unknown(world: World) -> None:
    await world.delete(*await world.store.find(BuildRow))


async def not_queued(world: World) -> None:
    await world.change(await world.record("Depot", "north"), queue=())


async def queued_and_ended(world: World) -> None:
    await world.change(await world.record(), queue=((await world.ended()).id, GONE))


async def turn_not_told(world: World) -> None:
    """Somebody took the one before it out of the queue by hand."""
    row = await world.execution("depot")
    waiting = amended(
        row, id=ExecutionId("2later"), root=ExecutionId("2later"), state=State.SLEEPING, started_at=None, digest="x"
    )
    task = amended(await world.task("depot"), id=waiting.id, owner=None, due=None)
    record = await world.record()
    await world.put(amended(waiting, kind="Warehouse", identity="acme"), task)
    await world.change(record, queue=(waiting.id,))


async def revision_gone(world: World) -> None:
    record = await world.record()
    await world.delete(RevisionRow(kind="Warehouse", identity="acme", number=record.revision or 0, argument=""))


async def number_too_low(world: World) -> None:
    await world.change(await world.record(), last_number=1)


async def record_gone(world: World) -> None:
    """A hand edit that left all that was of it."""
    await world.delete(await world.record())


async def schedule_left(world: World) -> None:
    await world.put(ScheduleRow(kind="Warehouse", identity="nobody", due=0.0))


async def child_without_record(world: World) -> None:
    child = (await world.record()).children[0]
    await world.delete(RecordRow(kind=child.kind, identity=child.identity))


async def child_without_revision(world: World) -> None:
    child = (await world.record()).children[0]
    record = await world.record(child.kind, child.identity)
    assert child.revision == record.revision
    gone = RevisionRow(kind=child.kind, identity=child.identity, number=child.revision or 0, argument="")
    await world.store.commit(Transaction(delete=[gone]))


async def user_gone(world: World) -> None:
    record = await world.record()
    await world.change(record, users=(*record.users, "Nobody at all"))


async def reader_uncounted(world: World) -> None:
    """The record comes from an earlier backup than who reads it."""
    await world.change(await world.record(), has_readers=False)


async def reader_of_nothing(world: World) -> None:
    await world.put(ReaderRow(kind="Warehouse", identity="nobody", reader="Depot north"))


async def reader_gone(world: World) -> None:
    await world.put(ReaderRow(kind="Warehouse", identity="acme", reader="Nobody at all"))


Plant = Callable[[World], Awaitable[None]]
REPAIRED: dict[Plant, str] = {
    no_task: "not ended and without a task",
    task_left: "ended and still with a task",
    task_of_nothing: "ended and still with a task",
    owner_gone: "held by a worker without a row",
    message_left: "message that nobody reads",
    message_to_nothing: "message that nobody reads",
    message_unread: "message without a wake",
    wait_left: "wait of what has ended",
    permit_left: "permit of what has ended",
    wait_gone: "wait without a row",
    subscriber_left: "subscriber that waits no more",
    not_told: "end that was not told",
    not_told_nor_subscribed: "end that was not told",
    not_subscribed: "waiting without a subscription",
    queued_and_ended: "queue with what has ended",
    turn_not_told: "turn that was not told",
    number_too_low: "number above the last",
    schedule_left: "schedule of nothing",
    reader_uncounted: "readers that do not count",
    reader_of_nothing: "readers of nothing",
}
LEFT: dict[Plant, set[str]] = {
    child_gone: {"child that is not there"},
    journal_left: {"entries of nothing"},
    parent_gone: {"nobody above"},
    end_without_time: {"end without a time"},
    state_otherwise: {"events that tell otherwise"},
    build_unknown: {"build that nobody knows"},
    not_queued: {"not in the queue of its record"},
    revision_gone: {"standing revision that is not there"},
    record_gone: {"readers of nothing", "revisions of nothing", "schedule of nothing", "user that is not there"},
    child_without_record: {"child without a record", "revisions of nothing"},
    child_without_revision: {"child without its revision", "standing revision that is not there"},
    user_gone: {"user that is not there"},
    reader_gone: {"user that is not there"},
}


@pytest.mark.parametrize("plant", REPAIRED, ids=lambda plant: plant.__name__)
async def test_what_can_be_repaired_without_a_guess_is_found_and_repaired(world: World, plant: Plant) -> None:
    await plant(world)
    found = await world.found()
    assert {one.check for one in found} == {REPAIRED[plant]}
    before = await world.store.tail(0, limit=10_000)
    for one in found:
        assert one.why.endswith(".")
        assert await looking.repair(world.store, one, who="ada", at=1.0)
    events = (await world.store.tail(0, limit=10_000))[len(before) :]
    assert [(event.who, event.why.startswith("repaired: ")) for event in events] == [("ada", True)] * len(found)
    assert await world.found() == []
    assert not [one for one in found if await looking.repair(world.store, one, who="ada", at=1.0)]  # nor a second time


@pytest.mark.parametrize("plant", LEFT, ids=lambda plant: plant.__name__)
async def test_what_would_be_a_guess_is_found_explained_and_left(world: World, plant: Plant) -> None:
    await plant(world)
    found = await world.found()
    assert {one.check for one in found} == LEFT[plant]
    assert all(one.todo for one in found if one.repair is None)
    left = [one for one in found if not await looking.repair(world.store, one, who="ada", at=1.0)]
    assert {(one.check, one.about) for one in await world.found()} == {(one.check, one.about) for one in left}


async def test_a_repair_never_overrides_who_has_gone_on_meanwhile(world: World) -> None:
    for plant in (owner_gone, number_too_low, wait_gone):
        await plant(world)
    found = await world.found()
    assert len(found) == 3
    await world.put(amended(await world.task("one"), owner=WorkerId("another"), token=9))
    await world.change(await world.record(), last_number=2)
    row = await world.execution("one")
    await world.put(amended(row, changed=True))
    before = await world.store.tail(0, limit=10_000)
    assert not [one for one in found if await looking.repair(world.store, one, who="ada", at=1.0)]
    assert (await world.task("one")).owner == "another"
    assert await world.store.tail(0, limit=10_000) == before


async def test_what_was_repaired_goes_on_to_its_end(world: World) -> None:
    for plant in (no_task, not_told):
        await plant(world)
    for one in await world.found():
        assert await looking.repair(world.store, one, who="ada", at=1.0)
    async with asyncio.timeout(60), Orbits(settings(world.store), store=world.store) as orbits:
        await orbits.execution(world.waiting["depot"])
        await orbits.emit(Freed(by="ada"), to=world.waiting["one"])
        assert await orbits.execution(world.waiting["one"]) == "one by ada, 131072"


async def test_and_so_it_is_over_mongodb(world: World, mongodb: str) -> None:
    from pymongo import MongoClient

    async with open_store(mongodb) as store:
        there = World(store, world.waiting)
        for table in MOVED:
            async for row in exporting.rows(world.store, table):
                await store.commit(Transaction(events=[row]) if isinstance(row, EventRow) else Transaction(put=[row]))
        assert await there.found() == []
        for plant in (no_task, not_told_nor_subscribed, turn_not_told, number_too_low):
            await plant(there)
        for one in await there.found():
            assert await looking.repair(store, one, who="ada", at=1.0), one
        assert await there.found() == []
        with MongoClient[dict[str, object]](mongodb) as client:
            client.get_default_database()["revision"].update_one({"_id.number": 2}, {"$set": {"body": "{nonsense"}})
        [found] = await there.found()
        assert (found.check, found.about[:9], found.about[-2:]) == ("row that cannot be read", "revision ", " 2")


@pytest.mark.parametrize(
    ("table", "row_type"),
    [("record", RecordRow), ("entry", EntryRow), ("event", EventRow), ("data_key", None), ("execution", ExecutionRow)],
)
async def test_rows_that_cannot_be_read_are_named_and_the_rest_is_looked_at(
    origin: tuple[Path, dict[str, ExecutionId]], tmp_path: Path, table: str, row_type: type[Row] | None
) -> None:
    shutil.copy(origin[0], tmp_path / "state.db")
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        key = "rowid" if row_type is not None else "name"
        connection.execute(f"UPDATE {table} SET body = '{{nonsense' WHERE {key} = (SELECT max({key}) FROM {table})")
        connection.execute("DELETE FROM wait")
    async with SqliteStore(tmp_path / "state.db") as store:
        found, _ = await looking.look_over(store)
    unreadable = [one for one in found if one.check == "row that cannot be read"]
    assert [one.about.split()[0] for one in unreadable] == [table]
    assert "JSON is malformed" in unreadable[0].what
    assert "wait without a row" in {one.check for one in found}


def test_every_check_says_what_must_hold_and_is_tried_here() -> None:
    from orbits_iac.checking import executions, records

    names = {check.__name__.replace("_", " ") for check in (*executions.CHECKS, *records.CHECKS)}
    tried = {*REPAIRED.values(), *(name for some in LEFT.values() for name in some)}
    assert tried == names
    assert all(check.__doc__ for check in (*executions.CHECKS, *records.CHECKS))


def test_the_record_of_a_user_may_have_spaces_in_its_identity() -> None:
    assert RecordId.named("Shop acme of old") == RecordId("Shop", "acme of old")
