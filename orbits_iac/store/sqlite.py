"""A store in one SQLite file, for any number of processes of one machine.

One thread writes: what is handed to it meanwhile becomes its next group, one SQLite transaction with one flush to the
disk (WAL, synchronous=FULL). Several processes take turns (`turnstile`). Reads have connections of their own and
never wait for writers; those of up to a hundred rows are done where they are asked for, since a thread costs more
than they do (measured beside a busy writer: 8 against 700 microseconds), longer ones in the reader's thread.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow, Row, TaskRow
from orbits_iac.store import sqlite_reads
from orbits_iac.store.contract import D, Holding, Journal, Store, Transaction
from orbits_iac.store.lane import run_once
from orbits_iac.store.sqlite_claims import Narrowed, Wanted
from orbits_iac.store.sqlite_connections import Connections
from orbits_iac.store.sqlite_file import compact
from orbits_iac.store.sqlite_group import Leaving, prepared
from orbits_iac.store.tables import check_where, is_short, table_of

R = TypeVar("R", bound=Row)
T = TypeVar("T")

_FEW = 100  # rows that are read at once
_LOOK_EVERY = 0.03  # seconds between looks at what other processes have committed, while somebody waits


class SqliteStore(Store):
    """The rows of one file. Usable from several event loops and threads at once."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()
        self._connections: Connections | None = None

    @property
    def url(self) -> str:
        return f"sqlite:{self._path}"

    async def open(self) -> None:
        made: list[Connections] = []
        try:
            if self._connections is None:
                await run_once("orbits-store-opener", lambda: made.append(Connections(self._path)))
            if self._connections is None:
                self._connections = made.pop()
        finally:
            for connections in made:  # it was cancelled, or somebody else has opened it meanwhile
                await connections.close()

    async def close(self) -> None:
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.close()

    async def commit(self, transaction: Transaction) -> None:
        await self._open.writer.do(prepared(transaction))

    async def get(self, table: type[R], *key: str | int) -> R | None:
        rows = table_of(table)
        return self._open.at_once(lambda connection: sqlite_reads.get(connection, rows, key))

    async def find(
        self,
        table: type[R],
        *,
        limit: int | None = None,
        newest: bool = False,
        after: Sequence[str | int] = (),
        whole: bool = True,
        **where: str | int | None,
    ) -> list[R]:
        check_where(table, where, after)
        read = partial(
            sqlite_reads.find,
            rows=table_of(table),
            where=where,
            newest=newest,
            limit=limit,
            after=after,
            whole=whole,
        )
        return await self._read(read, partial(read, most=_FEW) if is_short(table, where) else None)

    async def count(self, table: type[Row], **where: str | int | None) -> int:
        check_where(table, where)
        return await self._open.read(partial(sqlite_reads.count, rows=table_of(table), where=where))

    async def load(self, execution: ExecutionId) -> Journal | None:
        read = partial(sqlite_reads.load, execution=execution)
        return await self._read(read, partial(read, most=_FEW))

    async def claim(  # noqa: PLR0913 - what narrows it, each by its name
        self,
        worker: WorkerId,
        *,
        now: float,
        limit: int,
        kinds: frozenset[str] | None = None,
        builds: Mapping[str, str] | None = None,
        only: ExecutionId | None = None,
        labels: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
        least: int | None = None,
    ) -> list[TaskRow]:
        narrowed = Narrowed(_names(kinds), _names(builds), _names(labels))
        passed = _names(without) if without else None
        wanted = Wanted(worker, now, limit, narrowed, only, builds, passed, least)
        claimed: list[TaskRow] = await self._open.writer.do(wanted)
        return claimed

    async def holding(self, worker: WorkerId) -> list[Holding]:
        read = partial(sqlite_reads.holding, worker=worker)
        return await self._read(read, partial(read, most=_FEW))

    async def release(self, worker: WorkerId, *, now: float, counter: int | None = None) -> list[ExecutionId]:
        released: list[ExecutionId] = await self._open.writer.do(Leaving(worker, now, counter))
        return released

    async def due(self, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None = None) -> list[D]:
        rows, names = table_of(table), _names(kinds)
        read = partial(sqlite_reads.due, rows=rows, now=now, kinds=names, limit=limit)
        return await self._read(read, partial(read, most=_FEW))

    async def next_due(self) -> float | None:
        return self._open.at_once(sqlite_reads.next_due)

    async def compact(self) -> int:
        return await run_once("orbits-store-compacter", partial(compact, self._open.path))

    async def tail(self, after: int, *, root: ExecutionId | None = None, limit: int = 1000) -> list[EventRow]:
        read = partial(sqlite_reads.tail, after=after, root=root, limit=limit)
        return await self._read(read, partial(read, most=_FEW))

    async def changed(self, timeout: float) -> None:
        connections = self._open
        await connections.hints.wait(timeout, every=_LOOK_EVERY, look=connections.look)

    @property
    def groups(self) -> int:
        return self._open.groups

    @property
    def _open(self) -> Connections:
        if self._connections is None:
            raise StoreError(f"the store sqlite:{self._path} is not open")
        return self._connections

    async def _read(
        self, read: Callable[[sqlite3.Connection], T], short: Callable[[sqlite3.Connection], T] | None
    ) -> T:
        if short is not None:
            try:
                return self._open.at_once(short)
            except sqlite_reads.TooMuchError:
                pass
        return await self._open.read(read)


def _names(names: Collection[str] | None) -> str | None:
    return None if names is None else msgspec.json.encode(sorted(names)).decode()
