"""A store in a MongoDB replica set, for any number of workers on any number of machines.

Reads and writes are of what a majority has on its disks. How transactions become MongoDB's is told in `mongodb_group`,
how events get their order in `mongodb_gate`, and how rows stand in `mongodb_rows`.

The driver's client belongs to an event loop. So a store has two sides: that of the loop it was opened in, and, for
whoever calls from elsewhere (the thread that renews a lease), one in a thread of its own.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId, WorkerId, new_id
from orbits_iac.model.rows import EventRow, Row, TaskRow
from orbits_iac.store.contract import D, Holding, Journal, Store, Transaction
from orbits_iac.store.mongodb_url import parse
from orbits_iac.store.tables import check_where

if TYPE_CHECKING:
    from orbits_iac.store.mongodb_side import Elsewhere, Side

R = TypeVar("R", bound=Row)
T = TypeVar("T")


class MongoStore(Store):
    """The rows of one database. Usable from several event loops and threads at once."""

    def __init__(self, url: str) -> None:
        self._address = parse(url)
        self._instance = new_id(0)
        self._home: Side | None = None
        self._elsewhere: Elsewhere | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return self._address.shown

    async def open(self) -> None:
        from orbits_iac.store.mongodb_side import Side

        if self._home is None:
            side = Side(self._address, self._instance)
            try:
                await side.ask(lambda side: side.prepare())
            except BaseException:
                await side.drop()
                raise
            if self._home is None:
                self._home = side
            else:  # somebody else has opened it meanwhile
                await side.close()

    async def close(self) -> None:
        with self._lock:
            home, self._home = self._home, None
            elsewhere, self._elsewhere = self._elsewhere, None
        sides = [side.close() for side in (elsewhere, home) if side is not None]
        for outcome in await asyncio.gather(*sides, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def commit(self, transaction: Transaction) -> None:
        from orbits_iac.store.mongodb_group import prepared

        work = prepared(transaction)
        await self._on(lambda side: side.writer.commit(work))

    async def get(self, table: type[R], *key: str | int) -> R | None:
        return await self._ask(lambda side: side.get(table, key))

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
        return await self._ask(
            lambda side: side.find(table, where, limit=limit, newest=newest, after=after, whole=whole)
        )

    async def clock(self) -> float | None:
        return await self._ask(lambda side: side.clock())

    async def count(self, table: type[Row], **where: str | int | None) -> int:
        check_where(table, where)
        return await self._ask(lambda side: side.count(table, where))

    async def load(self, execution: ExecutionId) -> Journal | None:
        return await self._ask(lambda side: side.load(execution))

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
        from orbits_iac.store.mongodb_claims import Claim

        wanted = Claim(worker, now, limit, kinds, builds, only, labels, without, least)
        return await self._ask(lambda side: side.writer.claim(wanted))

    async def holding(self, worker: WorkerId) -> list[Holding]:
        return await self._ask(lambda side: side.holding(worker))

    async def release(self, worker: WorkerId, *, now: float, counter: int | None = None) -> list[ExecutionId]:
        from orbits_iac.store.mongodb_claims import Leaving

        return await self._ask(lambda side: side.release(Leaving(worker, now, counter)))

    async def due(self, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None = None) -> list[D]:
        return await self._ask(lambda side: side.due(table, now=now, limit=limit, kinds=kinds))

    async def next_due(self) -> float | None:
        return await self._ask(lambda side: side.next_due())

    async def compact(self) -> int:
        return await self._ask(lambda side: side.compact())

    async def tail(self, after: int, *, root: ExecutionId | None = None, limit: int = 1000) -> list[EventRow]:
        return await self._ask(lambda side: side.tail(after, root=root, limit=limit))

    async def changed(self, timeout: float) -> None:
        await self._on(lambda side: side.changed(timeout))

    @property
    def groups(self) -> int:
        """How many groups were written from the loop that opened it."""
        return self._opened.writer.groups

    @property
    def _opened(self) -> "Side":
        if self._home is None:
            raise StoreError(f"the store {self.url} is not open")
        return self._home

    async def _ask(self, ask: "Callable[[Side], Awaitable[T]]") -> T:
        return await self._on(lambda side: side.ask(ask))

    async def _on(self, ask: "Callable[[Side], Awaitable[T]]") -> T:
        home = self._opened
        if home.loop is asyncio.get_running_loop():
            return await ask(home)
        from orbits_iac.store.mongodb_side import Elsewhere, Side

        with self._lock:
            if self._elsewhere is None:
                self._elsewhere = Elsewhere(lambda: Side(self._address, self._instance))
            elsewhere = self._elsewhere
        return await elsewhere.ask(ask)
