"""Files of earlier versions. `data/` has the schema of version 1 and the rows that its engine wrote into a store."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import (
    TABLES,
    Child,
    DataKeyRow,
    EventRow,
    ExecutionRow,
    ImportRow,
    LineRow,
    PermitRow,
    ReaderRow,
    RecordRow,
    ShareRow,
    TaskRow,
    WaitRow,
    amended,
)
from orbits_iac.store import sqlite_migrations
from orbits_iac.store.contract import SCHEMA_VERSION, Transaction
from orbits_iac.store.sqlite import SqliteStore

DATA = Path(__file__).with_name("data")
# Tables that version 1 had not.
SINCE = {WaitRow: 2, DataKeyRow: 2, ImportRow: 3, PermitRow: 3, LineRow: 3, ShareRow: 3, ReaderRow: 4}
NOTHING = Transaction(wake=[ExecutionId("none")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that version 1 has left."""
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DATA / "schema-1.sql").read_text(encoding="utf-8"))
        connection.executescript((DATA / "rows-1.sql").read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"PRAGMA application_id = {sqlite_migrations.APPLICATION_ID}; PRAGMA user_version = 1")
    return path


def recorded(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What version 1 reads in the file, a table each."""
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = dict[str, list[dict[str, Any]]]()
        for row_type, table in TABLES.items():
            if row_type in SINCE:
                continue
            rows = [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]
            found[table] = [{**json.loads(row["body"]), **_given(row)} if "body" in row else row for row in rows]
    return found


def _given(row: dict[str, Any]) -> dict[str, Any]:
    return {"seq": row["seq"]} if "seq" in row else {}


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


async def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """What is read of the file now, brought forward."""
    async with SqliteStore(path) as store:
        return {
            table: [json.loads(msgspec.json.encode(asdict(row))) for row in await store.find(row_type)]
            for row_type, table in TABLES.items()
            if row_type not in SINCE
        }


def matches(now: dict[str, list[dict[str, Any]]], before: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether every row is there, with every value that it had."""
    return all(
        len(now[table]) == len(rows) and all(any(_has(found, row) for found in now[table]) for row in rows)
        for table, rows in before.items()
    )


def _has(now: Any, before: Any) -> bool:
    """Whether a value is there as it was; an object may have got fields since."""
    if isinstance(before, dict) and isinstance(now, dict):
        return all(name in now and _has(now[name], value) for name, value in before.items())
    if isinstance(before, list) and isinstance(now, list):
        return len(now) == len(before) and all(map(_has, now, before))
    return bool(now == before)


async def test_every_row_of_version_1_is_read(path: Path) -> None:
    before = recorded(path)
    assert all(before.values())
    assert matches(await read(path), before)
    assert version(path) == SCHEMA_VERSION
    assert matches(await read(path), before)


async def test_who_read_a_record_before_version_4_has_a_row_of_its_own_then(path: Path) -> None:
    """Who does it as well stays among its users, and so does whoever is not known to have read it."""
    child = Child(ref="net", kind="Net", identity="a b", owned=False, revision=1)
    users = ("Fleet f", "Shop one", "Shop of two", "Both c", "direct", "Old o")
    records = [
        RecordRow(kind="Net", identity="a b", version=7, users=users),
        RecordRow(kind="Shop", identity="one", uses=("Net a b",)),
        RecordRow(kind="Shop", identity="of two", uses=("Net other", "Net a b")),
        RecordRow(kind="Both", identity="c", uses=("Net a b",), children=(child,)),
        RecordRow(kind="Old", identity="o", version=3),
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        for row in records:
            values = (row.kind, row.identity, row.version, msgspec.json.encode(row))
            connection.execute("INSERT INTO record (kind, identity, version, body) VALUES (?, ?, ?, ?)", values)
    async with SqliteStore(path) as store:
        found = await store.get(RecordRow, "Net", "a b")
        left = ("Fleet f", "Both c", "direct", "Old o")
        assert found == amended(records[0], version=8, users=left, has_readers=True)
        assert [await store.get(RecordRow, row.kind, row.identity) for row in records[1:]] == records[1:]
        rows = await store.find(ReaderRow)
        assert [(row.kind, row.identity, row.reader) for row in rows] == [
            ("Net", "a b", "Shop of two"),
            ("Net", "a b", "Shop one"),
        ]
        await store.commit(Transaction(put=[amended(found, version=9)]))


def columns(path: Path) -> dict[str, Any]:
    """Tables with their columns, and indexes with theirs."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'").fetchall()
        what = {"table": "table_xinfo", "index": "index_xinfo"}
        return {
            name: connection.execute(f"PRAGMA {what[kind]}({name})").fetchall() for kind, name in names if kind in what
        }


async def test_file_brought_forward_is_as_one_made_now(path: Path, tmp_path: Path) -> None:
    """What fails here: schema.sql was changed, and the newest file in migrations/ was not."""
    for each in (path, tmp_path / "new.db"):
        async with SqliteStore(each):
            pass
    assert columns(path) == columns(tmp_path / "new.db")


async def test_copy_of_the_earlier_file_is_left_beside_it(path: Path) -> None:
    before = recorded(path)
    async with SqliteStore(path):
        pass
    copy = path.with_name("store.db-schema1")
    assert version(copy) == 1
    assert recorded(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o600


async def test_crash_at_any_statement_leaves_the_earlier_version_or_all_of_the_later(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files are copied before each statement: that is what would be left."""
    before, left = recorded(path), list[Path]()

    def copied(statement: str) -> None:
        folder = tmp_path / f"crash{len(left)}"
        folder.mkdir()
        for file in path.parent.iterdir():
            if file.is_file():
                shutil.copy(file, folder)
        left.append(folder / path.name)

    know: Callable[[sqlite3.Connection], None] = sqlite_migrations.know

    def traced(connection: sqlite3.Connection) -> None:
        know(connection)
        connection.set_trace_callback(copied)

    with monkeypatch.context() as patched:
        patched.setattr(sqlite_migrations, "know", traced)
        async with SqliteStore(path):
            pass
    versions = [version(each) for each in left]
    assert versions == sorted(versions)
    assert versions.count(1) > 10
    assert recorded(left[versions.count(1) - 1]) == before
    for each in left:
        assert matches(await read(each), before)


@pytest.fixture
def late(path: Path) -> sqlite3.Connection:
    """A connection of a process of version 1, which does not know that the file was brought forward meanwhile."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("SELECT * FROM record").fetchall()
    return connection


WRITTEN_BY_VERSION_1 = {
    "record": """
        INSERT INTO record ("kind", "identity", "tenant", "version", "body") VALUES (?1, ?1, NULL, 2, ?1)
        ON CONFLICT ("kind", "identity") DO UPDATE SET "version" = excluded."version", "body" = excluded."body"
    """,
    "task": """
        INSERT INTO task ("id", "kind", "build", "priority", "token") VALUES (?1, ?1, ?1, 0, 2)
        ON CONFLICT ("id") DO UPDATE SET "token" = excluded."token"
    """,
    "event": """INSERT INTO event ("execution", "root", "body") VALUES (?1, ?1, ?1)""",
}


@pytest.mark.parametrize("statement", WRITTEN_BY_VERSION_1.values(), ids=WRITTEN_BY_VERSION_1)
async def test_process_of_version_1_cannot_write_any_more(path: Path, late: sqlite3.Connection, statement: str) -> None:
    """It would drop what it does not know of a record, take up what it cannot run, and change states."""
    with closing(late):
        late.execute("BEGIN IMMEDIATE")
        late.execute(statement, ("x",))
        late.execute("ROLLBACK")
        async with SqliteStore(path) as store:
            with pytest.raises(sqlite3.OperationalError, match=r"upgraded, start this process again|no column named"):
                late.execute(statement, ("x",))
            await store.commit(
                Transaction(
                    put=[
                        RecordRow(kind="K", identity="i"),
                        TaskRow(id=ExecutionId("t"), kind="K", build="b"),
                    ],
                    events=[EventRow(at=1.0, execution=ExecutionId("t"), root=ExecutionId("t"))],
                )
            )


async def test_process_whose_file_a_later_version_brings_forward_writes_nothing_more(path: Path) -> None:
    async with SqliteStore(path) as store, SqliteStore(path) as idle:
        with closing(sqlite3.connect(path)) as later:
            later.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        for _ in range(2):
            with pytest.raises(StoreError, match="written by a later version"):
                await store.commit(NOTHING)
        with pytest.raises(StoreError, match="written by a later version"):
            await idle.changed(5)
        assert await store.find(ExecutionRow)
