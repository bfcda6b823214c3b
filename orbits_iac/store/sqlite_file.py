"""A store's file: made, checked and opened. Whatever SQLite raises becomes a `StoreError` that names the file."""

import errno
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from orbits_iac.model.errors import StoreError
from orbits_iac.store import sqlite_migrations
from orbits_iac.store.contract import SCHEMA_VERSION
from orbits_iac.store.turnstile import Turnstile

PATIENCE = 30.0  # seconds that a writer waits for another process

_HEADER = b"SQLite format 3\x00"
_AS_SQLITE = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.EACCES: sqlite3.SQLITE_READONLY,
    errno.EPERM: sqlite3.SQLITE_READONLY,
    errno.EROFS: sqlite3.SQLITE_READONLY,
}
_PRAGMAS = (
    "PRAGMA synchronous = FULL",  # a commit that returned survives a power cut
    "PRAGMA fullfsync = ON",  # on macOS too, where fsync alone does not reach the disk
    "PRAGMA checkpoint_fullfsync = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA journal_size_limit = 67108864",  # bytes that the log keeps of the disk after a checkpoint
)


_used: Counter[tuple[int, int]] = Counter()  # files, by device and inode: how often each is in use in this process
_looking = threading.Lock()


@contextmanager
def prepared(path: Path) -> Generator[None]:
    """Make the file, or bring it to this version, for connections that are made and closed within this context.

    A `StoreError` says what it is if it is no store, or a newer one.
    """
    with _looking:
        file = _looked_at(path)
        _used[file] += 1
    try:
        with translated(path):
            turnstile = Turnstile(path, patience=PATIENCE)
            with closing(turnstile), turnstile, closing(_connect(path)) as connection:
                _make(path, connection)
        yield
    finally:
        with _looking:
            _used[file] -= 1
            if not _used[file]:
                del _used[file]


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to a store that is `prepared`. It may be used in any thread, by one at a time."""
    return _connect(path, *(["PRAGMA query_only = ON"] if read_only else []))


def compact(path: Path) -> int:
    """Write the file anew without the room of what was deleted; the bytes that this gave back."""
    with translated(path), closing(Turnstile(path, patience=PATIENCE)) as turnstile, turnstile:
        before = path.stat().st_size
        with closing(_connect(path)) as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return max(0, before - path.stat().st_size)


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Turn what SQLite and the file system raise into a `StoreError` that names the store."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise store_error(path, error) from error


def store_error(path: Path, error: Exception) -> StoreError:
    """What to say of an error of SQLite or the file system, and what to do about it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF or _AS_SQLITE.get(getattr(error, "errno", None) or 0)
    if isinstance(error, TimeoutError) or code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        hint = f"another process has been writing to it for {PATIENCE:.0f} seconds; see which one is stopped or stuck"
    elif code == sqlite3.SQLITE_FULL:
        hint = "the disk is full; what was committed is safe. Make room and try again"
    elif code == sqlite3.SQLITE_READONLY:
        hint = "the file or its folder cannot be written to; check their permissions"
    elif code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        hint = "the file is damaged or is no database; restore it from a copy, or name another file"
    else:
        hint = "the file could not be read or written"
    return StoreError(f"the store sqlite:{path} cannot be used: {hint} ({str(error) or type(error).__name__})")


def identity(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Which files stand at `path`: the database, its log, and the log's index; None for one that is not there."""
    return tuple(_identity(f"{path}{suffix}") for suffix in ("", "-wal", "-shm"))


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - with every group, and a third of the time of Path.stat
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _looked_at(path: Path) -> tuple[int, int]:
    """Which file it is, made if there is none; a `StoreError` by its first bytes, before SQLite writes beside it.

    One that is in use here was looked at then, and is not opened: to close it would take away the locks that SQLite
    has on it for the whole process, and another process would take the log for nobody's and delete it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise StoreError(f"the store sqlite:{path} is a folder: name a file in it")
        file = _identity(str(path))
        if file is not None and file in _used:
            return file
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            header, found = os.pread(opened, 100, 0), os.fstat(opened)
        finally:
            os.close(opened)
    except OSError as error:
        raise StoreError(f"the store sqlite:{path} cannot be opened for writing: {error.strerror or error}") from error
    if header:
        _check_header(path, header)
    return found.st_dev, found.st_ino


def _check_header(path: Path, header: bytes) -> None:
    if not header.startswith(_HEADER):
        raise StoreError(f"{path} is not a database: name another file as the store, or move this one away")
    version, application = int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big")
    sqlite_migrations.check(path, application, version)


def _make(path: Path, connection: sqlite3.Connection) -> None:
    """What a store needs, whatever stands there: its schema, in this version, and the log."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    if not pages:
        sqlite_migrations.make(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    sqlite_migrations.check(path, application, version)
    if version < SCHEMA_VERSION:
        sqlite_migrations.upgrade(path, connection, version)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StoreError(f"the store sqlite:{path} is on a file system without shared memory: put it on a local disk")


def _connect(path: Path, *more: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    with ExitStack() as opened:
        opened.enter_context(closing(connection))
        for pragma in (*_PRAGMAS, *more):
            connection.execute(pragma)
        sqlite_migrations.know(connection)
        opened.pop_all()
    return connection
