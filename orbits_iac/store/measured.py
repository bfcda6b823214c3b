"""A store as its users see it: around any other, it tells how long each call took and what was raised.

What always holds: every method of the contract goes to the store inside, with what it was given, and what comes back is
that store's. `changed` waits by its nature, and opening and closing happen once: those are not measured.
Put around the store by `Orbits` where somebody measures, and only there.
"""

from collections.abc import Awaitable, Mapping, Sequence
from time import perf_counter
from typing import TypeVar

from orbits_iac.measures import Measures
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow, Row, TaskRow
from orbits_iac.store.contract import D, Holding, Journal, Store, Transaction

R = TypeVar("R", bound=Row)
T = TypeVar("T")


class MeasuredStore(Store):
    """The store `inside`, measured."""

    def __init__(self, inside: Store, measures: Measures) -> None:
        self.inside = inside
        self._told = measures.store_did

    @property
    def url(self) -> str:
        return self.inside.url

    @property
    def groups(self) -> int | None:
        return self.inside.groups

    async def open(self) -> None:
        await self.inside.open()

    async def close(self) -> None:
        await self.inside.close()

    async def commit(self, transaction: Transaction) -> None:
        began = perf_counter()  # as `_timed` does, without a coroutine more in each step
        try:
            await self.inside.commit(transaction)
        except Exception as error:
            self._told("commit", perf_counter() - began, type(error).__name__)
            raise
        self._told("commit", perf_counter() - began, None)

    async def get(self, table: type[R], *key: str | int) -> R | None:
        return await self._timed("get", self.inside.get(table, *key))

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
        found = self.inside.find(table, limit=limit, newest=newest, after=after, whole=whole, **where)
        return await self._timed("find", found)

    async def clock(self) -> float | None:
        return await self._timed("clock", self.inside.clock())

    async def count(self, table: type[Row], **where: str | int | None) -> int:
        return await self._timed("count", self.inside.count(table, **where))

    async def load(self, execution: ExecutionId) -> Journal | None:
        return await self._timed("load", self.inside.load(execution))

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
        claimed = self.inside.claim(
            worker,
            now=now,
            limit=limit,
            kinds=kinds,
            builds=builds,
            only=only,
            labels=labels,
            without=without,
            least=least,
        )
        return await self._timed("claim", claimed)

    async def holding(self, worker: WorkerId) -> list[Holding]:
        return await self._timed("holding", self.inside.holding(worker))

    async def release(self, worker: WorkerId, *, now: float, counter: int | None = None) -> list[ExecutionId]:
        return await self._timed("release", self.inside.release(worker, now=now, counter=counter))

    async def due(self, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None = None) -> list[D]:
        return await self._timed("due", self.inside.due(table, now=now, limit=limit, kinds=kinds))

    async def next_due(self) -> float | None:
        return await self._timed("next_due", self.inside.next_due())

    async def compact(self) -> int:
        return await self._timed("compact", self.inside.compact())

    async def tail(self, after: int, *, root: ExecutionId | None = None, limit: int = 1000) -> list[EventRow]:
        return await self._timed("tail", self.inside.tail(after, root=root, limit=limit))

    async def changed(self, timeout: float) -> None:
        await self.inside.changed(timeout)

    async def _timed(self, operation: str, call: Awaitable[T]) -> T:
        began = perf_counter()
        try:
            answer = await call
        except Exception as error:
            self._told(operation, perf_counter() - began, type(error).__name__)
            raise
        self._told(operation, perf_counter() - began, None)
        return answer
