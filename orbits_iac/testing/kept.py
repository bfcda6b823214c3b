"""The store of a test that crashes: what outlives a process, a copy of it at any moment, and one process's view of it.

A process that dies leaves its store as it is at that moment, and nothing else. So a copy of the store, taken at a
moment, is what the process after a crash at that moment finds; the one that it was taken from simply goes on.
"""

import asyncio
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow, Row, TaskRow
from orbits_iac.store.contract import D, Holding, Journal, Store, Transaction
from orbits_iac.store.memory import MemoryStore
from orbits_iac.store.sqlite import SqliteStore
from orbits_iac.testing.held import HeldLoop

R = TypeVar("R", bound=Row)
T = TypeVar("T")

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


class Kept(ABC):
    """What outlives a process."""

    store: Store

    @abstractmethod
    def copied(self) -> Callable[[], "Kept"]:
        """What makes another one, with the rows that are here now. Called at any moment, from any thread."""

    async def ask(self, asked: Coroutine[Any, Any, T]) -> T:
        """What a call of the store returns."""
        return await asked

    def looked(self) -> Store | None:
        """A copy in memory of all that is here, if reading that takes less than many questions."""
        return None

    def forget(self) -> None:
        """It is not needed any more; its store is closed."""


def standing_still() -> AbstractContextManager[None]:
    """Held time stands, while a thread does something that this loop waits for."""
    loop = asyncio.get_running_loop()
    return loop.outside() if isinstance(loop, HeldLoop) else nullcontext()


class InMemory(Kept):
    """A store in memory."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = self._memory = store or MemoryStore()

    def copied(self) -> Callable[[], Kept]:
        copy = self._memory.copied()
        return lambda: InMemory(copy.copied())


class InFile(Kept):
    """A SQLite file, in memory where the machine has files there."""

    def __init__(self, content: bytes = b"") -> None:
        where = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="orbits-crashes-", dir=where)
        self._file = Path(self._folder.name) / "state.db"
        self._reading: sqlite3.Connection | None = None
        if content:
            self._file.write_bytes(content)
        self.store = SqliteStore(self._file)

    async def ask(self, asked: Coroutine[Any, Any, T]) -> T:
        with standing_still():
            return await asked

    def copied(self) -> Callable[[], Kept]:
        if self._reading is None:
            self._reading = sqlite3.connect(self._file, check_same_thread=False)
        content = self._reading.serialize()
        return lambda: InFile(content)

    def forget(self) -> None:
        if self._reading is not None:
            self._reading.close()
        self._folder.cleanup()


class Seen(Store):
    """A kept store as one process sees it: each write is a moment before it, and one after it without its answer.

    `moment` may raise StoreError: as where the store did not get the write, or its answer was lost, and the process
    lives on.
    """

    def __init__(self, kept: Kept, moment: Callable[[str, str], None], *, most: int) -> None:
        self.writes = 0
        self._kept = kept.store
        self._ask = kept.ask
        self._moment = moment
        self._most = most
        self._turn = asyncio.Lock()

    @property
    def url(self) -> str:
        return self._kept.url

    async def open(self) -> None:
        await self._ask(self._kept.open())

    async def close(self) -> None:
        await self._ask(self._kept.close())

    async def commit(self, transaction: Transaction) -> None:
        what = self._next(transaction)
        async with self._turn:
            self._moment("before", what)
            await self._ask(self._kept.commit(transaction))
            self._moment("after", what)

    async def claim(  # noqa: PLR0913 - what narrows it, each by its name
        self,
        worker: WorkerId,
        *,
        now: float,
        limit: int,
        kinds: frozenset[str] | None = None,
        builds: Any = None,
        only: ExecutionId | None = None,
        labels: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
        least: int | None = None,
    ) -> list[TaskRow]:
        narrowed: dict[str, Any] = {"kinds": kinds, "builds": builds, "only": only, "labels": labels, "least": least}
        async with self._turn:
            taken = await self._ask(self._kept.claim(worker, now=now, limit=limit, without=without, **narrowed))
            if taken:
                self.writes += 1
                self._moment("after", f"write {self.writes}: claim of {', '.join(task.kind for task in taken)}")
        return taken

    async def holding(self, worker: WorkerId) -> list[Holding]:
        return await self._ask(self._kept.holding(worker))

    async def release(self, worker: WorkerId, *, now: float, counter: int | None = None) -> list[ExecutionId]:
        async with self._turn:
            released = await self._ask(self._kept.release(worker, now=now, counter=counter))
            if released:
                self.writes += 1
                self._moment("after", f"write {self.writes}: release of what {worker} held")
        return released

    async def get(self, table: type[R], *key: str | int) -> R | None:
        return await self._ask(self._kept.get(table, *key))

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
        return await self._ask(self._kept.find(table, limit=limit, newest=newest, after=after, whole=whole, **where))

    async def load(self, execution: ExecutionId) -> Journal | None:
        return await self._ask(self._kept.load(execution))

    async def due(self, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None = None) -> list[D]:
        return await self._ask(self._kept.due(table, now=now, limit=limit, kinds=kinds))

    async def next_due(self) -> float | None:
        return await self._ask(self._kept.next_due())

    async def tail(self, after: int, *, root: ExecutionId | None = None, limit: int = 1000) -> list[EventRow]:
        return await self._ask(self._kept.tail(after, root=root, limit=limit))

    async def changed(self, timeout: float) -> None:
        await self._ask(self._kept.changed(timeout))

    async def compact(self) -> int:
        return await self._ask(self._kept.compact())

    def _next(self, transaction: Transaction) -> str:
        self.writes += 1
        if self.writes > self._most:
            raise RunawayError(f"more than {self._most} writes: it goes on and on")
        return f"write {self.writes}: {said(transaction)}"


class RunawayError(Exception):
    """A process writes without end."""


def said(transaction: Transaction) -> str:
    """What a transaction writes, for people."""
    parts: list[str] = []
    for row in transaction.put:
        name = getattr(row, "key", "") or getattr(row, "kind", "") or getattr(row, "id", "")
        words = (type(row).__name__.removesuffix("Row").lower(), name, getattr(row, "state", ""))
        parts.append(" ".join(word for word in words if word))
    parts += ["park"] if transaction.park is not None else []
    return ", ".join(dict.fromkeys(parts)) or "events"
