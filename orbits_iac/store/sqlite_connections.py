"""What an open SQLite store has: connections, the threads that use them, and who waits for changes."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TypeVar

from orbits_iac.model.errors import Conflict, Fenced, StoreError
from orbits_iac.store.hints import Hints
from orbits_iac.store.lane import Job, Lane
from orbits_iac.store.sqlite_file import PATIENCE, connect, identity, prepared, store_error, translated
from orbits_iac.store.sqlite_group import Group, Work
from orbits_iac.store.sqlite_migrations import check_version
from orbits_iac.store.sqlite_reads import data_version
from orbits_iac.store.turnstile import Turnstile

T = TypeVar("T")
Read = Callable[[sqlite3.Connection], object]


class Connections:
    """One connection writes, in its thread; one reads in another; one is for reads too small for a thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.hints = Hints()
        self.groups = 0  # how many were written
        with ExitStack() as opened, translated(path):
            opened.enter_context(prepared(path))
            self._turnstile = opened.enter_context(closing(Turnstile(path, patience=PATIENCE)))
            self._writing = opened.enter_context(closing(connect(path)))
            self._reading = opened.enter_context(closing(connect(path, read_only=True)))
            self._near = opened.enter_context(closing(connect(path, read_only=True)))
            self._version = data_version(self._writing)
            check_version(path, self._writing)
            self._files = identity(path)
            self._opened = opened.pop_all()
        self._near_lock, self._writing_lock = threading.Lock(), threading.Lock()
        self.writer: Lane[Work] = Lane("orbits-store-writer", self._write, closed=self.closed)
        self._reader: Lane[Read] = Lane("orbits-store-reader", self._read, closed=self.closed)

    async def close(self) -> None:
        """Finish what was handed in, then close everything."""
        await asyncio.gather(self.writer.close(), self._reader.close())
        with self._near_lock, self._writing_lock:
            self._opened.close()

    def closed(self) -> StoreError:
        """What is raised for work that comes after closing."""
        return StoreError(f"the store sqlite:{self.path} was closed")

    def at_once(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """A read of a few rows: less work than handing it to a thread."""
        with self._near_lock:
            try:
                return read(self._near)
            except (sqlite3.Error, OSError) as error:  # as `translated` does, which costs a third of such a read
                raise store_error(self.path, error) from error

    async def read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """A read of any length, in the reader's thread."""
        result: T = await self._reader.do(read)
        return result

    def look(self) -> None:
        """See whether another process has committed since the last look. While a group is written, that looks."""
        if self._writing_lock.acquire(blocking=False):
            try:
                with translated(self.path):
                    self._look()
            finally:
                self._writing_lock.release()

    def _look(self) -> None:
        version = data_version(self._writing)
        if version != self._version:
            check_version(self.path, self._writing)
            self._version = version
            self.hints.tell()

    def _read(self, jobs: Sequence[Job[Read]]) -> None:
        for job in jobs:
            try:
                with translated(self.path):
                    job.result = job.work(self._reading)
            except Exception as error:  # noqa: BLE001 - it belongs to the one who asked
                job.error = error

    def _write(self, jobs: Sequence[Job[Work]]) -> None:
        """Write the jobs as one group. If that fails, each alone, so that an error reaches only its owner."""
        failed: Exception | None
        try:
            with self._writing_lock, self._turnstile:
                self._check_file()
                self._writing.execute("BEGIN IMMEDIATE")
                failed = self._write_group(jobs)
        except (sqlite3.Error, OSError, StoreError) as error:  # it is nobody's own: the file cannot be written at all
            self._fail(jobs, error)
            return
        if failed is None:
            self.groups += 1
            self.hints.tell()
        elif len(jobs) == 1:
            self._fail(jobs, failed)
        else:
            for job in jobs:
                self._write([job])

    def _write_group(self, jobs: Sequence[Job[Work]]) -> Exception | None:
        """Commit what the jobs write, or nothing and return why."""
        try:
            self._look()
            group = Group(self._writing)
            group.expect([job.work for job in jobs])
            for job in jobs:
                job.error = None  # of a group that could not be written
                try:
                    job.result = group.do(job.work)
                except (Fenced, Conflict, ValueError) as refused:
                    job.error = refused
            group.flush()
            self._writing.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - the caller hands it to whom it belongs
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            return error
        return None

    def _fail(self, jobs: Sequence[Job[Work]], error: Exception) -> None:
        for job in jobs:
            if isinstance(error, sqlite3.Error | OSError):
                job.error = store_error(self.path, error)
                job.error.__cause__ = error
            else:
                job.error = error

    def _check_file(self) -> None:
        """Another process would make these files anew, and would not see what is written to the old ones."""
        if identity(self.path) != self._files:
            raise StoreError(
                f"the store sqlite:{self.path}, its -wal or its -shm file was removed or replaced while it was in use; "
                f"nothing more is written. Stop every process that uses it, put the file back, and start again"
            )
