"""What is special to the SQLite store: its file, its threads, and other processes on the same file."""

import asyncio
import gc
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import pytest

from orbits_iac.model.errors import Conflict, StoreError
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.rows import EntryRow, MessageRow, RecordRow
from orbits_iac.store import sqlite_connections
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

HEAD = """
import asyncio, os, sys
from orbits_iac.model.errors import Conflict
from orbits_iac.model.rows import EntryRow, MessageRow, RecordRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

path, name = sys.argv[1:]

def say(text):
    os.write(1, f"{text}\\n".encode())

"""


def child(path: Path, name: str, code: str) -> subprocess.Popen[str]:
    """A real process that runs `code` after HEAD."""
    command = [sys.executable, "-c", HEAD + code, str(path), name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def stdout(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def stdin(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdin is not None
    return process.stdin


def entry(key: str, result: str | None = None) -> EntryRow:
    return EntryRow(execution=ExecutionId("e"), key=StepKey(key), kind="K", result=result)


def record(version: int) -> RecordRow:
    return RecordRow(kind="K", identity="i", version=version)


COMMIT_FOR_EVER = """
async def commit_one_after_the_other(store, committer):
    number = 0
    while True:
        key = f"{committer}-{number}"
        await store.commit(Transaction(put=[EntryRow(execution="e", key=key, kind="K", result='"' + "x" * 300 + '"')]))
        say(key)
        number += 1

async def main():
    async with SqliteStore(path) as store:
        await asyncio.gather(*(commit_one_after_the_other(store, committer) for committer in range(8)))

asyncio.run(main())
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 300, 2000])
async def test_what_was_acknowledged_survives_sigkill(path: Path, acknowledged: int) -> None:
    with child(path, "one", COMMIT_FOR_EVER) as process:
        acks = [stdout(process).readline() for _ in range(acknowledged)]
        process.kill()
        acks += stdout(process).readlines()
    assert process.returncode == -9
    said = {ack.strip() for ack in acks if ack.endswith("\n")}
    async with SqliteStore(path) as store:
        stored = {row.key for row in await store.find(EntryRow, execution="e")}
    assert len(said) >= acknowledged
    assert said <= stored


RAISE_THE_COUNTER = """
async def raise_it(store, committer):
    for number in range(50):
        own = MessageRow(execution=name, id=f"{committer}-{number}", what="event")
        while True:
            row = await store.get(RecordRow, "K", "i")
            try:
                raised = RecordRow(kind="K", identity="i", version=row.version + 1 if row else 1)
                await store.commit(Transaction(put=[raised, own]))
            except Conflict:
                continue
            break

async def main():
    async with SqliteStore(path) as store:
        say("ready")
        sys.stdin.readline()
        await asyncio.gather(*(raise_it(store, committer) for committer in range(4)))

asyncio.run(main())
"""


async def test_processes_that_write_at_once_lose_no_update_and_are_never_locked_out(path: Path) -> None:
    """The file does not exist yet: they also make it at once."""
    processes = [child(path, name, RAISE_THE_COUNTER) for name in ("one", "two", "three")]
    try:
        for process in processes:
            assert stdout(process).readline() == "ready\n"
        for process in processes:
            stdin(process).write("go\n")
            stdin(process).flush()
        for process in processes:
            process.communicate(timeout=60)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0, 0, 0]
    async with SqliteStore(path) as store:
        row = await store.get(RecordRow, "K", "i")
        assert row is not None
        assert row.version == 3 * 4 * 50
        for name in ("one", "two", "three"):
            assert len(await store.find(MessageRow, execution=name)) == 200


COMMIT_WHEN_TOLD = """
async def main():
    async with SqliteStore(path) as store:
        say("ready")
        for line in sys.stdin:
            await store.commit(Transaction(put=[MessageRow(execution="e", id=line, what="event")]))
            say("done")

asyncio.run(main())
"""


async def test_commit_of_another_process_ends_a_wait_for_changes(path: Path, store: SqliteStore) -> None:
    with child(path, "other", COMMIT_WHEN_TOLD) as process:
        assert stdout(process).readline() == "ready\n"
        await store.changed(0)
        waiting = asyncio.create_task(store.changed(3600))
        await asyncio.sleep(0)
        assert not waiting.done()
        stdin(process).write("m\n")
        stdin(process).flush()
        async with asyncio.timeout(60):
            await waiting
        process.communicate()


async def test_own_commit_ends_one_wait_and_no_second_one(store: SqliteStore) -> None:
    """Nor is it taken for one of another process afterwards."""
    loop = asyncio.get_running_loop()
    await store.changed(0)
    committing = asyncio.create_task(store.commit(Transaction(put=[entry("k")])))
    async with asyncio.timeout(60):
        await store.changed(3600)
    start = loop.time()
    await store.changed(0.1)
    assert loop.time() - start >= 0.099
    await committing


async def test_wait_for_a_stopped_process_ends_with_what_to_do(path: Path, store: SqliteStore) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        connections = store._open
        connections._writing.execute("PRAGMA busy_timeout = 10")
        results = await asyncio.gather(
            *(store.commit(Transaction(put=[entry(f"k{number}")])) for number in range(3)), return_exceptions=True
        )
        other.execute("ROLLBACK")
    assert len(results) == 3
    for result in results:
        assert isinstance(result, StoreError)
        assert f"sqlite:{path}" in str(result)
        assert "another process" in str(result)
        assert isinstance(result.__cause__, sqlite3.OperationalError)
    await store.commit(Transaction(put=[entry("k")]))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


async def test_store_of_a_later_version_is_refused_and_left_as_it_is(path: Path) -> None:
    async with SqliteStore(path):
        pass
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = contents(path.parent)
    with pytest.raises(StoreError, match=r"store\.db was written by a later version .*schema 99.*upgrade"):
        await SqliteStore(path).open()
    assert contents(path.parent) == before


def make_foreign(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (x)")


async def test_database_of_another_program_is_refused_and_left_as_it_is(path: Path) -> None:
    make_foreign(path)
    before = contents(path.parent)
    with pytest.raises(StoreError, match=r"store\.db is the database of another program: name another file"):
        await SqliteStore(path).open()
    assert contents(path.parent) == before


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("content", [b"hello", b"x" * 5000])
async def test_file_that_is_no_database_is_refused_and_left_as_it_is(path: Path, content: bytes) -> None:
    write(path, content)
    with pytest.raises(StoreError, match=r"store\.db is not a database: name another file"):
        await SqliteStore(path).open()
    assert contents(path.parent) == {"store.db": content}


async def test_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder: name a file in it"):
        await SqliteStore(tmp_path).open()
    assert contents(tmp_path) == {}


async def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "file", b"")
    with pytest.raises(StoreError, match=r"file/store\.db cannot be opened for writing: (File exists|Not a directory)"):
        await SqliteStore(tmp_path / "file" / "store.db").open()


def modes(folder: Path) -> list[int]:
    return [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()]


async def test_file_is_for_its_owner_alone(path: Path, store: SqliteStore) -> None:
    await store.commit(Transaction(put=[record(1)]))
    assert modes(path.parent) == [0o600] * 5  # the database, its log and index, and the two locks


FILES = Path("/proc/self/fd")
COUNTED = FILES.exists()


def files_open(below: Path) -> list[str]:
    gc.collect()
    found = list[str]()
    for number in FILES.iterdir() if COUNTED else ():
        with suppress(FileNotFoundError):  # the one that lists them
            found.append(str(number.readlink()))
    return [name for name in found if name.startswith(str(below))]


@pytest.mark.skipif(not COUNTED, reason="open files are counted in /proc")
async def test_closed_store_leaves_no_thread_and_no_file(path: Path) -> None:
    threads = set(threading.enumerate())
    async with SqliteStore(path) as store:
        await store.commit(Transaction(put=[record(1)]))
        await store.load(ExecutionId("e"))
        assert len(files_open(path)) > 3
        assert len(set(threading.enumerate()) - threads) == 2
    assert set(threading.enumerate()) == threads
    assert files_open(path) == []


async def test_store_that_cannot_be_opened_leaves_no_thread_and_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        raise sqlite3.OperationalError("unable to open database file")

    threads = set(threading.enumerate())
    monkeypatch.setattr(sqlite_connections, "connect", refuse)
    with pytest.raises(StoreError, match="unable to open"):
        await SqliteStore(path).open()
    assert set(threading.enumerate()) == threads
    assert files_open(path) == []


async def test_opening_that_is_cancelled_or_done_twice_leaves_no_thread(path: Path) -> None:
    threads = set(threading.enumerate())
    store = SqliteStore(path)
    opening = asyncio.create_task(store.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert set(threading.enumerate()) == threads
    await asyncio.gather(store.open(), store.open())
    await store.commit(Transaction(put=[record(1)]))
    await store.close()
    assert set(threading.enumerate()) == threads


async def test_row_with_fields_of_a_later_version_is_read(path: Path, store: SqliteStore) -> None:
    await store.commit(Transaction(put=[record(1), entry("k")]))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for name in ("record", "entry"):
            connection.execute(f"UPDATE {name} SET body = CAST(json_insert(body, '$.later', json('[1]')) AS BLOB)")
    assert await store.get(RecordRow, "K", "i") == record(1)
    assert await store.find(EntryRow, execution="e") == [entry("k")]


async def test_row_that_cannot_be_read_back_is_named(path: Path, store: SqliteStore) -> None:
    await store.commit(Transaction(put=[record(1)]))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE record SET body = '{}'")
    with pytest.raises(StoreError, match="record K i cannot be read back"):
        await store.get(RecordRow, "K", "i")


async def test_commits_handed_in_together_are_one_group(store: SqliteStore) -> None:
    before = store.groups
    await asyncio.gather(*(store.commit(Transaction(put=[entry(f"k{number}")])) for number in range(50)))
    assert store.groups - before == 1


async def test_two_stores_on_one_file_in_one_process_take_turns(path: Path, store: SqliteStore) -> None:
    async with SqliteStore(path) as other:
        await asyncio.gather(
            *(each.commit(Transaction(put=[entry(f"k{id(each)}-{n}")])) for n in range(50) for each in (store, other))
        )
        assert len(await other.find(EntryRow, execution="e")) == 100
        results = await asyncio.gather(
            store.commit(Transaction(put=[record(1)])),
            other.commit(Transaction(put=[record(1)])),
            return_exceptions=True,
        )
    assert [type(result) for result in results if result is not None] == [Conflict]
