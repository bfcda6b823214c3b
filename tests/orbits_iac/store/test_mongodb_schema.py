"""How a database becomes a store, over a real MongoDB: made, checked, and brought forward while it is in use."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

from pymongo.errors import OperationFailure

from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import TABLES, Child, ReaderRow, RecordRow, amended
from orbits_iac.store import mongodb_gate
from orbits_iac.store.mongodb_client import client_of
from orbits_iac.store.mongodb_gate import Gate
from orbits_iac.store.mongodb_migrations import MIGRATIONS, VERSION, Migration, check_version
from orbits_iac.store.mongodb_rows import documents_of
from orbits_iac.store.mongodb_schema import GATE, INDEXES, Database, prepare
from orbits_iac.store.mongodb_url import parse

SHOWN = "mongodb://tests"


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    """One that is new: the others are stores already."""
    address = parse(mongodb)
    async with client_of(address) as client:
        yield client[f"{address.database}_new"]
        await client.drop_database(f"{address.database}_new")


async def _prepare(database: Database, *, migrations: Sequence[Migration] = ()) -> None:
    """As a version with these migrations does."""
    gate = Gate(database, instance="here", side="here", shown=SHOWN)
    await prepare(database, SHOWN, settled=gate.wait_for_earlier, migrations=migrations)


async def _indexes(database: Database, collection: str) -> dict[str, dict[str, Any]]:
    return {found["name"]: dict(found) async for found in await database[collection].list_indexes()}


async def test_an_empty_database_becomes_a_store_however_many_open_it_at_once(database: Database) -> None:
    await asyncio.gather(*(_prepare(database, migrations=MIGRATIONS) for _ in range(4)))
    assert {*TABLES.values(), "gate", "writer", "piece", "long"} == set(await database.list_collection_names())
    for index in INDEXES:
        made = (await _indexes(database, index.collection))[index.name]
        assert dict(made["key"]) == dict(index.keys)
        assert made.get("partialFilterExpression") == index.only
        assert made.get("expireAfterSeconds") == index.expire
    gate = {"_id": "gate", "version": VERSION, "oldest": VERSION, "next": 1, "open": []}
    assert await database[GATE].find_one() == gate


async def test_what_a_crash_left_unmade_is_made_by_the_next_opener(database: Database) -> None:
    await _prepare(database)
    await database["task"].drop_index("claimed")
    await database.drop_collection("look")
    await database[GATE].update_one({}, {"$set": {"next": 7}})
    await _prepare(database)
    assert "claimed" in await _indexes(database, "task")
    assert "look" in await database.list_collection_names()
    assert (await database[GATE].find_one() or {})["next"] == 7


async def test_what_was_only_for_a_moment_is_forgotten_by_the_server(database: Database) -> None:
    await _prepare(database)
    now = datetime.now(UTC)
    old, new = now - timedelta(days=8), now - timedelta(minutes=5)
    await database["writer"].insert_many([{"_id": "old", "at": old}, {"_id": "new", "at": new}])
    await database["event"].insert_many([{"_id": n, "at": at, "void": True} for n, at in enumerate((old, new))])
    await database["event"].insert_one({"_id": 9, "at": old})  # none of those that will never be
    async with asyncio.timeout(60):
        while await database["writer"].count_documents({}) + await database["event"].count_documents({}) > 4 - 1:
            await database.command("ping")
    assert [found["_id"] async for found in database["writer"].find()] == ["new"]
    assert [found["_id"] async for found in database["event"].find().sort("_id")] == [1, 9]


async def test_indexes_of_the_users_are_left_and_stand_in_for_the_same_of_ours(database: Database) -> None:
    await database["unrelated"].insert_one({})
    await _prepare(database)
    await database["record"].drop_index("by_tenant")
    await database["record"].create_index([("tenant", 1), ("_id", 1)], name="by_hand")
    await database["task"].create_index("kind", name="more")
    await _prepare(database)
    assert set(await _indexes(database, "record")) == {"_id_", "by_hand"}
    assert "more" in await _indexes(database, "task")


async def test_an_index_of_our_name_that_is_another_is_explained(database: Database) -> None:
    await _prepare(database)
    await database["task"].drop_index("free")
    await database["task"].create_index([("free", -1)], name="free")
    with pytest.raises(StoreError) as raised:
        await _prepare(database)
    assert str(raised.value) == (
        "the index free of the collection task of mongodb://tests is not as it has to be (what is due next, and since "
        "when): it has key {'free': -1}, and would need key {'free': 1, '_id': 1}, partialFilterExpression {'free': "
        "{'$exists': True}}. Drop it, with db.task.dropIndex('free'), and start again: it is made anew"
    )


@pytest.mark.parametrize("collection", ["task", "gate"])
async def test_a_database_of_another_program_is_refused_and_left_as_it_is(database: Database, collection: str) -> None:
    await database[collection].insert_one({"_id": "gate", "theirs": 1})
    with pytest.raises(StoreError, match="of another program"):
        await _prepare(database)
    assert await database.list_collection_names() == [collection]
    assert await database[collection].find_one() == {"_id": "gate", "theirs": 1}


async def test_a_collection_that_finds_otherwise_is_refused(database: Database) -> None:
    await _prepare(database)
    await database.drop_collection("entry")
    await database.create_collection("entry", collation={"locale": "en"})
    with pytest.raises(StoreError, match="the collection entry of mongodb://tests was made with collation"):
        await _prepare(database)


class Shades:
    """An invented migration: every look gets a `shade`, two of them a batch."""

    def __init__(self, *, oldest: int) -> None:
        self.batches = 0
        self.crash_after = 99
        self.before_each: Any = None
        self.migration = Migration(version=2, oldest=oldest, why="looks have a shade", batch=self.batch)

    async def batch(self, database: Database) -> bool:
        if self.before_each is not None:
            await self.before_each()
        if self.batches == self.crash_after:
            raise SystemError
        self.batches += 1
        left = await database["look"].find({"shade": None}).limit(2).to_list()
        await database["look"].update_many({"_id": {"$in": [look["_id"] for look in left]}}, {"$set": {"shade": "red"}})
        return bool(left)


async def _write(database: Database, version: int, name: str, **fields: Any) -> None:
    """As a writer of this version does it: through the gate, then the document."""
    passed = await database[GATE].update_one({"_id": GATE, "oldest": {"$lte": version}}, {"$inc": {"next": 1}})
    if not passed.matched_count:
        check_version(SHOWN, await database[GATE].find_one() or {}, version)
    await database["look"].insert_one({"_id": name, **fields})


async def test_old_and_new_workers_write_beside_each_other_through_an_upgrade(database: Database) -> None:
    await _prepare(database)
    for number in range(5):
        await _write(database, 1, f"before {number}")
    shades = Shades(oldest=1)
    beside = iter(range(9))

    async def write_beside() -> None:
        await _write(database, 1, f"beside {next(beside)}")
        await _write(database, 2, f"new {next(beside)}", shade="blue")
        if shades.batches == 2:
            shades.before_each = None

    shades.before_each = write_beside
    await _prepare(database, migrations=[shades.migration])
    assert shades.batches > 3
    gate = await database[GATE].find_one() or {}
    assert (gate["version"], gate["oldest"]) == (2, 1)
    assert await database["look"].count_documents({"shade": None}) == 0
    await _prepare(database)  # an old worker is started again
    await _write(database, 1, "after")


async def test_writers_that_an_upgrade_cannot_bear_are_refused_before_its_first_batch(database: Database) -> None:
    await _prepare(database)
    await _write(database, 1, "before")
    shades = Shades(oldest=2)
    refused: list[str] = []

    async def write_beside() -> None:
        with pytest.raises(StoreError) as raised:
            await _write(database, 1, "too late")
        refused.append(str(raised.value))

    shades.before_each = write_beside
    await _prepare(database, migrations=[shades.migration])
    expected = (
        "the store mongodb://tests was brought forward by a later version of Orbits IaC (schema 1, which bears writers "
        "from schema 2 on; this one is 1): upgrade orbits-iac, and start this process again"
    )
    assert set(refused) == {expected}
    with pytest.raises(StoreError, match="bears writers from schema 2 on; this one is 1"):
        await _prepare(database)
    assert [look["shade"] async for look in database["look"].find()] == ["red"]


async def test_a_group_that_passed_the_gate_before_an_upgrade_is_waited_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes has the earlier form: no batch may have passed by before."""
    monkeypatch.setattr(mongodb_gate, "PATIENCE", 0.1)
    await _prepare(database)
    async with database.client.start_session() as session:
        earlier = Gate(database, instance="there", side="there", shown=SHOWN)
        await earlier.reserve(0, session)
        await session.start_transaction()
        await database["look"].insert_one({"_id": "earlier"}, session=session)
        await _prepare(database, migrations=[Shades(oldest=2).migration])
        with pytest.raises(OperationFailure, match="aborted"):
            await session.commit_transaction()
    assert await database["look"].find().to_list() == []


async def test_an_upgrade_that_was_broken_off_is_finished_by_the_next_opener(database: Database) -> None:
    await _prepare(database)
    for number in range(9):
        await _write(database, 1, str(number))
    first, second = Shades(oldest=1), Shades(oldest=1)
    first.crash_after = 2
    with pytest.raises(SystemError):
        await _prepare(database, migrations=[first.migration])
    assert await database["look"].count_documents({"shade": None}) == 5
    assert (await database[GATE].find_one() or {})["version"] == 1
    await asyncio.gather(*(_prepare(database, migrations=[second.migration]) for _ in range(3)))
    assert await database["look"].count_documents({"shade": None}) == 0
    assert (await database[GATE].find_one() or {})["version"] == 2


async def test_several_migrations_follow_each_other(database: Database) -> None:
    await _prepare(database)
    done: list[int] = []

    def migration(version: int) -> Migration:
        async def batch(_: Database) -> bool:
            done.append(version)
            return False

        return Migration(version=version, oldest=version - 1, why="a test", batch=batch)

    migrations = [migration(2), migration(3), migration(4)]
    await _prepare(database, migrations=migrations[:1])
    await _prepare(database, migrations=migrations)
    assert done == [2, 3, 4]
    gate = await database[GATE].find_one() or {}
    assert (gate["version"], gate["oldest"]) == (4, 3)


async def test_who_read_a_record_before_version_2_has_a_row_of_its_own_then(database: Database) -> None:
    """Who does it as well stays among its users, and so does whoever is not known to have read it."""
    await _prepare(database)
    child = Child(ref="net", kind="Net", identity="a b", owned=False, revision=1)
    users = ("Fleet f", "Shop one", "Shop of two", "Both c", "direct", "Old o")
    before = [
        RecordRow(kind="Both", identity="c", uses=("Net a b",), children=(child,)),
        RecordRow(kind="Net", identity="a b", version=7, users=users),
        RecordRow(kind="Old", identity="o", version=3),
        RecordRow(kind="Shop", identity="of two", uses=("Net other", "Net a b")),
        RecordRow(kind="Shop", identity="one", uses=("Net a b", "Net gone")),
    ]
    await database["record"].insert_many([documents_of(RecordRow).document(row) for row in before])
    await asyncio.gather(*(_prepare(database, migrations=MIGRATIONS) for _ in range(3)))
    rows, readers = documents_of(RecordRow).row, documents_of(ReaderRow).row
    left = ("Fleet f", "Both c", "direct", "Old o")
    after = [before[0], amended(before[1], version=8, users=left, has_readers=True), *before[2:]]
    assert [rows(found) async for found in database["record"].find().sort("_id")] == after
    found = [readers(found) async for found in database["reader"].find().sort("_id")]
    assert [(row.identity, row.reader) for row in found] == [("a b", "Shop of two"), ("a b", "Shop one")]


def test_every_field_that_rows_are_found_by_has_an_index() -> None:
    first = {(index.collection, index.keys[0][0]) for index in INDEXES}
    for row_type, collection in TABLES.items():
        for field in row_type.INDEXED:
            assert (collection, field) in first or (collection, "free") in first, (collection, field)
    assert all(index.why for index in INDEXES)
