"""What disks and people do to a store's files: a clear error, and what was confirmed is still there."""

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from orbits_iac import Action, Options, Orbits, Settings, Workflow
from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.rows import EntryRow, RecordRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

HEAD, FRAME_HEAD, PAGE = 32, 24, 4096  # bytes of the log: https://www.sqlite.org/fileformat2.html#the_write_ahead_log


def entry(key: str, result: str | None = None) -> EntryRow:
    return EntryRow(execution=ExecutionId("e"), key=StepKey(key), kind="K", result=result)


def record(version: int) -> RecordRow:
    return RecordRow(kind="K", identity="i", version=version)


def text(length: int) -> str:
    return f'"{"x" * length}"'


async def keys(store: SqliteStore) -> list[str]:
    return [row.key for row in await store.find(EntryRow, execution="e")]


# No room.


async def test_full_disk_reaches_the_one_who_needs_the_room(path: Path, store: SqliteStore) -> None:
    (pages,) = store._open._writing.execute("PRAGMA page_count").fetchone()
    store._open._writing.execute(f"PRAGMA max_page_count = {pages + 20}")
    small = [Transaction(put=[entry(f"k{number}")]) for number in range(10)]
    results = await asyncio.gather(
        *(store.commit(each) for each in small[:5]),
        store.commit(Transaction(put=[entry("large", result=text(1_000_000))])),
        *(store.commit(each) for each in small[5:]),
        return_exceptions=True,
    )
    assert isinstance(results[5], StoreError)
    assert f"sqlite:{path}" in str(results[5])
    assert "the disk is full" in str(results[5])
    assert results[:5] + results[6:] == [None] * 10
    assert await keys(store) == [f"k{number}" for number in range(10)]


async def test_transaction_that_waits_for_a_failed_one_is_judged_anew(store: SqliteStore) -> None:
    """In their group the first would have been written; alone it has no room, and so does not stand in the way."""
    (pages,) = store._open._writing.execute("PRAGMA page_count").fetchone()
    store._open._writing.execute(f"PRAGMA max_page_count = {pages + 20}")
    results = await asyncio.gather(
        store.commit(Transaction(put=[record(1), entry("large", result=text(1_000_000))])),
        store.commit(Transaction(put=[record(1), entry("small")])),
        return_exceptions=True,
    )
    assert isinstance(results[0], StoreError)
    assert results[1] is None
    assert await keys(store) == ["small"]


class Disk:
    """A small disk of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file:
            try:
                while file.write(b"x" * PAGE):
                    pass
            except OSError:
                return

    def make_room(self) -> None:
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run([mount, "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False).returncode
    ):
        pytest.skip("only root may mount a small disk here")
    yield Disk(folder)
    subprocess.run(["umount", folder], check=True)


async def test_what_was_confirmed_before_the_disk_was_full_is_there_and_commits_go_on_with_room(disk: Disk) -> None:
    confirmed = list[str]()
    async with SqliteStore(disk.folder / "store.db") as store:
        disk_is_full: StoreError | None = None
        await store.commit(Transaction(put=[record(1)]))
        disk.fill()
        while disk_is_full is None:
            key = f"k{len(confirmed):03}"
            try:
                await store.commit(Transaction(put=[entry(key, result=text(5000))]))
            except StoreError as error:
                disk_is_full = error
            else:
                confirmed.append(key)
        assert "the disk is full; what was committed is safe. Make room and try again" in str(disk_is_full)
        assert await keys(store) == confirmed
        disk.make_room()
        await store.commit(Transaction(put=[entry("later")]))
    async with SqliteStore(disk.folder / "store.db") as store:
        assert await keys(store) == [*confirmed, "later"]


async def test_store_that_cannot_be_made_for_want_of_room_says_so_and_is_made_later(disk: Disk) -> None:
    disk.fill()
    with pytest.raises(StoreError, match="the disk is full"):
        await SqliteStore(disk.folder / "store.db").open()
    disk.make_room()
    async with SqliteStore(disk.folder / "store.db") as store:
        await store.commit(Transaction(put=[record(1)]))


class Kept(Action[str]):
    """Returns a text of some length; how often is counted."""

    options = Options(idempotent=True)
    number: int

    async def main(self) -> str:
        CALLS.append(self.number)
        if self.number == FILLS and DISKS:
            DISKS.pop().fill()
        return "x" * 20_000


class Keeps(Workflow[int]):
    """So many of them."""

    steps: int

    async def define(self) -> int:
        length = 0
        for number in range(self.steps):
            kept = await self.do("kept", Kept(number=number), key=str(number))
            length += len(kept)
        return length


def of(path: Path, lease: timedelta = timedelta(seconds=10)) -> Settings:
    """A short `lease` for copies: who had it at the time of the copy seems alive."""
    return Settings(
        store=f"sqlite:{path}", lease=lease, secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    )


FILLS = 5
CALLS: list[int] = []
DISKS: list[Disk] = []


class Heard(logging.Handler):
    """Sets an event once a message with these words was logged."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.event = asyncio.Event()
        self._words = words

    def emit(self, record: logging.LogRecord) -> None:
        if self._words in record.getMessage():
            self.event.set()


@pytest.fixture
async def no_room() -> AsyncIterator[asyncio.Event]:
    """Set once an execution is told that there is no room for it."""
    heard, logger = Heard("waits for the store"), logging.getLogger("orbits_iac")
    logger.addHandler(heard)
    CALLS.clear()
    yield heard.event
    logger.removeHandler(heard)
    DISKS.clear()


async def test_execution_goes_on_by_itself_when_there_is_room_again(disk: Disk, no_room: asyncio.Event) -> None:
    DISKS.append(disk)
    async with Orbits(of(disk.folder / "store.db")) as orbits, asyncio.timeout(60):
        execution = await orbits.start(Keeps(steps=12))
        await no_room.wait()
        entries = await orbits.store.find(EntryRow, execution=execution.id)
        assert sum(row.state is State.SUCCESS for row in entries) >= FILLS
        disk.make_room()
        assert await execution == 12 * 20_000
    assert list(range(12)) == CALLS  # also that whose result had no room


LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import EntryRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

async def main():
    async with SqliteStore(sys.argv[1]) as store:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        written = 0
        while True:
            try:
                row = EntryRow(execution="e", key=str(written), kind="K", result='"' + "x" * 5000 + '"')
                await store.commit(Transaction(put=[row]))
            except StoreError as error:
                print(error)
                break
            written += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await store.commit(Transaction(put=[EntryRow(execution="e", key="later", kind="K")]))
        print(written, len(await store.find(EntryRow, execution="e")))

asyncio.run(main())
"""


def limited(path: Path) -> list[str]:
    command = [sys.executable, "-c", LIMITED, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()


async def test_write_that_the_system_refuses_is_told_and_the_next_one_is_done(path: Path) -> None:
    """A limit on the length of files, as an example of what is not a full disk."""
    error, counts = limited(path)
    assert error == f"the store sqlite:{path} cannot be used: the file could not be read or written (disk I/O error)"
    written, found = map(int, counts.split())
    assert found == written + 1
    assert written > 10


# No permission.


@pytest.fixture
def foreign_folder() -> Iterator[Path]:
    """A folder that this process may read and not write, also when it runs as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        os.seteuid(os.getuid())
        folder.chmod(0o700)


def forbid(path: Path, *, file: int, folder: int) -> None:
    """Let others have these permissions, and be one of them."""
    for each in path.parent.iterdir():
        each.chmod(file)
    path.parent.chmod(folder)
    if os.getuid() == 0:
        os.seteuid(65534)


@pytest.mark.parametrize(
    ("file", "folder", "why"),
    [
        (0o444, 0o755, "cannot be opened for writing: Permission denied"),
        (0o444, 0o555, "cannot be opened for writing: Permission denied"),
        (0o666, 0o555, "the file or its folder cannot be written to; check their permissions"),
    ],
    ids=["file", "both", "folder"],
)
async def test_what_may_only_be_read_is_refused(foreign_folder: Path, file: int, folder: int, why: str) -> None:
    path = foreign_folder / "store.db"
    async with SqliteStore(path) as store:
        await store.commit(Transaction(put=[record(1)]))
    forbid(path, file=file, folder=folder)
    with pytest.raises(StoreError, match=rf"store\.db.* {why}"):
        await SqliteStore(path).open()


# A torn log.


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def copied(to: Path, files: dict[str, bytes], log: bytes) -> Path:
    """The files as a crash would leave them, with this log."""
    to.mkdir()
    (to / "store.db").write_bytes(files["store.db"])
    (to / "store.db-wal").write_bytes(log)
    return to / "store.db"


def commits(log: bytes, until: int) -> int:
    """How many commits are whole in the first bytes of a log: their last frame says how large the database is then."""
    ends = range(HEAD, until - FRAME_HEAD - PAGE + 1, FRAME_HEAD + PAGE)
    return sum(int.from_bytes(log[start + 4 : start + 8], "big") > 0 for start in ends)


async def test_torn_log_loses_what_was_torn_and_nothing_before(path: Path, tmp_path: Path) -> None:
    """Cut off at each end of a frame, in its head and in its page."""
    async with SqliteStore(path) as store:
        for number in range(8):
            await store.commit(Transaction(put=[entry(f"k{number:02}")]))
        files = contents(path.parent)
    log, found = files["store.db-wal"], set[int]()
    starts = range(HEAD, len(log) + 1, FRAME_HEAD + PAGE)
    cuts = sorted(
        {0, 5, len(log), *(start + more for start in starts for more in (0, 10, 1000) if start + more <= len(log))}
    )
    for cut in cuts:
        async with SqliteStore(copied(tmp_path / f"cut{cut}", files, log[:cut])) as torn:
            expected = [f"k{number:02}" for number in range(commits(log, cut))]
            assert await keys(torn) == expected
            await torn.commit(Transaction(put=[entry("later")]))
            found.add(len(expected))
    assert found == set(range(9))


async def test_damaged_log_counts_up_to_the_damage(path: Path, tmp_path: Path) -> None:
    async with SqliteStore(path) as store:
        for number in range(8):
            await store.commit(Transaction(put=[entry(f"k{number:02}")]))
        files = contents(path.parent)
    log = bytearray(files["store.db-wal"])
    at = len(log) // 2
    log[at] ^= 0xFF
    async with SqliteStore(copied(tmp_path / "copy", files, bytes(log))) as damaged:
        found = await keys(damaged)
    assert found == [f"k{number:02}" for number in range(commits(bytes(log), at))]
    assert 0 < len(found) < 8


async def test_execution_goes_on_from_the_last_step_that_a_torn_log_has(path: Path, tmp_path: Path) -> None:
    CALLS.clear()
    async with Orbits(of(path)) as orbits:
        execution = await orbits.start(Keeps(steps=6))
        assert await execution == 6 * 20_000
        files = contents(path.parent)
    log = files["store.db-wal"]
    for number, part in enumerate((0.4, 0.8)):
        file = copied(tmp_path / f"torn{number}", files, log[: int(len(log) * part)])
        async with SqliteStore(file) as store:
            entries = await store.find(EntryRow, execution=execution.id)
            done = sum(row.state is State.SUCCESS for row in entries)
        CALLS.clear()
        async with Orbits(of(file, lease=timedelta(seconds=1))) as orbits, asyncio.timeout(60):
            assert await orbits.execution(execution.id) == 6 * 20_000
        assert list(range(done, 6)) == CALLS


# Files taken away.


def replace(path: Path, by: Path) -> None:
    by.replace(path)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
async def test_file_that_is_taken_away_while_in_use_takes_no_more_commits(
    path: Path, store: SqliteStore, suffix: str
) -> None:
    """A process that opens the store then makes it anew, and each would write over what the other has written."""
    await store.commit(Transaction(put=[record(1)]))
    file, moved = path.with_name(f"{path.name}{suffix}"), path.with_name("moved")
    replace(moved, file)
    with pytest.raises(StoreError, match="was removed or replaced while it was in use"):
        await store.commit(Transaction(put=[record(2)]))
    replace(file, moved)
    await store.commit(Transaction(put=[record(2)]))


async def test_file_that_is_replaced_by_another_store_is_not_written_to(path: Path, tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "other.db") as other:
        await other.commit(Transaction(put=[record(1)]))
    async with SqliteStore(path) as store:
        await store.commit(Transaction(put=[entry("k")]))
        replace(path, tmp_path / "other.db")
        with pytest.raises(StoreError, match="was removed or replaced while it was in use"):
            await store.commit(Transaction(put=[entry("k2")]))


async def test_index_of_the_log_is_made_anew_after_a_crash(path: Path, tmp_path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.commit(Transaction(put=[entry("k")]))
        files = contents(path.parent)
    async with SqliteStore(copied(tmp_path / "copy", files, files["store.db-wal"])) as copy:
        assert await keys(copy) == ["k"]


OPEN_AND_CLOSE = """
import asyncio, sys
from orbits_iac.model.rows import EntryRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

async def main():
    async with SqliteStore(sys.argv[1]) as store:
        await store.commit(Transaction(put=[EntryRow(execution="e", key="other", kind="K")]))

asyncio.run(main())
"""


def open_and_close_elsewhere(path: Path) -> None:
    subprocess.run([sys.executable, "-c", OPEN_AND_CLOSE, str(path)], check=True, timeout=60)


async def test_log_in_use_is_not_deleted_by_another_process_that_closes(path: Path, store: SqliteStore) -> None:
    """Closing any open file of a process takes away its locks: a second store that is opened must not do so."""
    await store.commit(Transaction(put=[entry("first")]))
    async with SqliteStore(path) as second:
        await second.commit(Transaction(put=[entry("second")]))
    open_and_close_elsewhere(path)
    await store.commit(Transaction(put=[entry("third")]))
    assert await keys(store) == ["first", "other", "second", "third"]
    async with SqliteStore(path) as again:
        assert await keys(again) == ["first", "other", "second", "third"]


async def test_damaged_file_is_named_with_what_to_do(path: Path) -> None:
    async with SqliteStore(path) as store:
        for number in range(50):
            await store.commit(Transaction(put=[entry(f"k{number}", result=text(500))]))
    damage(path)
    with pytest.raises(StoreError, match=r"store\.db cannot be used: the file is damaged .* restore it from a copy"):
        async with SqliteStore(path) as store:
            await store.find(EntryRow)


def damage(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: 2 * PAGE] + b"\x55" * (len(whole) - 2 * PAGE))
