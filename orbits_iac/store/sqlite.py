"""A store in one SQLite file, for any number of processes of one machine.

One thread writes: what is handed to it meanwhile becomes its next group, one SQLite transaction with one flush to the
disk (WAL, synchronous=FULL). Several processes take turns (`turnstile`). Reads have connections of their own and
never wait for writers.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from orbits_iac.model.errors import Error, StoreError
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, Row, TaskRow
from orbits_iac.store.contract import Journal, Store, Transaction
from orbits_iac.store.hints import Hints
from orbits_iac.store.lane import Job, Lane
from orbits_iac.store.sqlite_file import connect, prepare, store_error, translated
from orbits_iac.store.sqlite_group import Group, Leaving, Wanted, Work, prepared
from orbits_iac.store.tables import check_where, table
from orbits_iac.store.turnstile import Turnstile

R = TypeVar("R", bound=Row)
T = TypeVar("T")

_LOOK_EVERY = 0.03  # seconds between looks at what other processes have committed, while somebody waits
_ENTRIES = f"SELECT {table(EntryRow).selected} FROM entry WHERE execution = ?"  # noqa: S608 - names of the model
_MESSAGES = f"SELECT {table(MessageRow).selected} FROM message WHERE execution = ? ORDER BY id"  # noqa: S608
_TAIL = f"SELECT {table(EventRow).selected} FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2"  # noqa: S608
_TAIL_OF = f"SELECT {table(EventRow).selected} FROM event WHERE root = ?3 AND seq > ?1 ORDER BY seq LIMIT ?2"  # noqa: S608
_NEXT_DUE = """
    WITH RECURSIVE level (priority) AS (
        SELECT max(priority) FROM task WHERE owner IS NULL AND due IS NOT NULL
        UNION ALL
        SELECT (SELECT max(priority) FROM task
                WHERE owner IS NULL AND due IS NOT NULL AND priority < level.priority)
        FROM level WHERE level.priority IS NOT NULL
    )
    SELECT min(due) FROM (
        SELECT (SELECT min(due) FROM task
                WHERE owner IS NULL AND due IS NOT NULL AND priority = level.priority) AS due FROM level
        UNION ALL SELECT min(due) FROM schedule WHERE paused = 0
    )
"""

Read = Callable[[sqlite3.Connection], Any]


class SqliteStore(Store):
    """The rows of one file. Usable from several event loops and threads at once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()
        self._open: _Opened | None = None

    async def open(self) -> None:
        if self._open is None:
            prepare(self._path)
            self._open = _Opened(self._path)

    async def close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await opened.close()

    async def commit(self, transaction: Transaction) -> None:
        work = prepared(transaction)
        await self._opened.writer.do(work)

    async def get(self, table: type[R], *key: str | int) -> R | None:
        return self._opened.at_once(partial(_get, table, key))

    async def find(
        self, table: type[R], *, limit: int | None = None, newest: bool = False, **where: str | int | None
    ) -> list[R]:
        check_where(table, where)
        return await self._opened.read(partial(_find, table, limit, newest, where))

    async def load(self, execution: ExecutionId) -> Journal | None:
        return await self._opened.read(partial(_load, execution))

    async def claim(
        self,
        worker: WorkerId,
        *,
        now: float,
        limit: int,
        kinds: frozenset[str] | None = None,
        builds: frozenset[str] | None = None,
        only: ExecutionId | None = None,
    ) -> list[TaskRow]:
        wanted = Wanted(worker, now, limit, _names(kinds), _names(builds), only)
        claimed: list[TaskRow] = await self._opened.writer.do(wanted)
        return claimed

    async def release(self, worker: WorkerId, *, now: float) -> list[ExecutionId]:
        released: list[ExecutionId] = await self._opened.writer.do(Leaving(worker, now))
        return released

    async def next_due(self) -> float | None:
        return self._opened.at_once(_next_due)

    async def tail(self, after: int, *, root: ExecutionId | None = None, limit: int = 1000) -> list[EventRow]:
        return await self._opened.read(partial(_tail, after, root, limit))

    async def changed(self, timeout: float) -> None:
        opened = self._opened
        await opened.hints.wait(timeout, every=_LOOK_EVERY, look=opened.look)

    @property
    def groups(self) -> int:
        """How many groups were written since it was opened."""
        return self._opened.groups

    @property
    def _opened(self) -> "_Opened":
        if self._open is None:
            raise StoreError(f"the store sqlite:{self._path} is not open")
        return self._open


class _Opened:
    """What an open store has: connections, the threads that use them, and who waits for changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.hints = Hints()
        self.groups = 0
        with translated(path):
            self._turnstile = Turnstile(path, patience=30.0)
            self._written = connect(path)
            self._near, self._far = connect(path, read_only=True), connect(path, read_only=True)
        self._version = self._data_version()
        self.writer: Lane[Work] = Lane("orbits-store-writer", self._write, closed=self._closed)
        self.reader: Lane[Read] = Lane("orbits-store-reader", self._read, closed=self._closed)

    async def close(self) -> None:
        await asyncio.gather(self.writer.close(), self.reader.close())
        for connection in (self._near, self._far, self._written):
            connection.close()
        self._turnstile.close()

    def at_once(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """A read of a row or two: less work than handing it to a thread."""
        with translated(self._path):
            return read(self._near)

    async def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """A read of any length, in the reader's thread."""
        result: T = await self.reader.do(read)
        return result

    def look(self) -> None:
        """See whether anybody has committed since the last look."""
        version = self.at_once(lambda _: self._data_version())
        if version != self._version:
            self._version = version
            self.hints.tell()

    def _data_version(self) -> int:
        (version,) = self._near.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _closed(self) -> Exception:
        return StoreError(f"the store sqlite:{self._path} was closed")

    def _read(self, jobs: Sequence[Job[Read]]) -> None:
        for job in jobs:
            try:
                with translated(self._path):
                    job.result = job.work(self._far)
            except Exception as error:  # noqa: BLE001 - it belongs to the job
                job.error = error

    def _write(self, jobs: Sequence[Job[Work]]) -> None:
        """Write the jobs as one group; if SQLite fails it, each alone, so that the error reaches only its owner."""
        try:
            self._write_group(jobs)
        except (sqlite3.Error, OSError) as error:
            if len(jobs) == 1:
                jobs[0].error = store_error(self._path, error)
                jobs[0].error.__cause__ = error
            else:
                for job in jobs:
                    self._write([job])

    def _write_group(self, jobs: Sequence[Job[Work]]) -> None:
        execute = self._written.execute
        with self._turnstile:
            execute("BEGIN IMMEDIATE")
            try:
                group = Group(self._written)
                group.expect(job.work for job in jobs)
                for job in jobs:
                    job.result = job.error = None
                    try:
                        job.result = group.do(job.work)
                    except (Error, ValueError) as error:
                        job.error = error
                group.flush()
                execute("COMMIT")
            except BaseException:
                if self._written.in_transaction:
                    execute("ROLLBACK")
                raise
        self.groups += 1
        self.hints.tell()


def _get(row_type: type[R], key: tuple[str | int, ...], connection: sqlite3.Connection) -> R | None:
    rows = table(row_type)
    values = connection.execute(rows.get, key).fetchone()
    return None if values is None else rows.row(values)


def _find(
    row_type: type[R],
    limit: int | None,
    newest: bool,
    where: dict[str, str | int | None],  # noqa: FBT001
    connection: sqlite3.Connection,
) -> list[R]:
    rows = table(row_type)
    names = tuple(sorted(where))
    values = [*(where[name] for name in names), -1 if limit is None else limit]
    return [rows.row(found) for found in connection.execute(rows.find(names, newest=newest), values).fetchall()]


def _load(execution: ExecutionId, connection: sqlite3.Connection) -> Journal | None:
    connection.execute("BEGIN")
    try:
        row = _get(ExecutionRow, (execution,), connection)
        if row is None:
            return None
        entries = connection.execute(_ENTRIES, (execution,)).fetchall()
        messages = connection.execute(_MESSAGES, (execution,)).fetchall()
        return Journal(
            execution=row,
            task=_get(TaskRow, (execution,), connection),
            entries=[table(EntryRow).row(values) for values in entries],
            messages=[table(MessageRow).row(values) for values in messages],
        )
    finally:
        connection.execute("COMMIT")


def _next_due(connection: sqlite3.Connection) -> float | None:
    (due,) = connection.execute(_NEXT_DUE).fetchone()
    return None if due is None else float(due)


def _tail(after: int, root: ExecutionId | None, limit: int, connection: sqlite3.Connection) -> list[EventRow]:
    if root is None:
        found = connection.execute(_TAIL, (after, limit)).fetchall()
    else:
        found = connection.execute(_TAIL_OF, (after, limit, root)).fetchall()
    return [table(EventRow).row(values) for values in found]


def _names(names: frozenset[str] | None) -> str | None:
    return None if names is None else msgspec.json.encode(sorted(names)).decode()
