"""A MongoDB store as one event loop uses it: a client of the driver, what it reads and writes, and who waits there."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pymongo import AsyncMongoClient, ReadPreference
from pymongo.asynchronous.database import AsyncDatabase

from orbits_iac.model.ids import ExecutionId, WorkerId, new_id
from orbits_iac.model.rows import EventRow, Row
from orbits_iac.store import mongodb_reads as reads
from orbits_iac.store.contract import D, Holding, Journal
from orbits_iac.store.hints import Hints
from orbits_iac.store.mongodb_changes import Changes
from orbits_iac.store.mongodb_claims import Leaving
from orbits_iac.store.mongodb_client import Document, client_of, refuse_unfit
from orbits_iac.store.mongodb_errors import failing
from orbits_iac.store.mongodb_gate import Gate
from orbits_iac.store.mongodb_gets import Gets, Key
from orbits_iac.store.mongodb_pieces import remove_orphans
from orbits_iac.store.mongodb_rows import documents_of
from orbits_iac.store.mongodb_schema import WRITER, prepare
from orbits_iac.store.mongodb_url import Address
from orbits_iac.store.mongodb_writer import LAST_WORD, Writer

R = TypeVar("R", bound=Row)
T = TypeVar("T")

QUESTION = "orbits-store-question"
"""What a task is called that is done with a question, whoever asked it."""


class Side:
    """Everything of a store that belongs to one event loop: the one that it is made in."""

    def __init__(self, address: Address, instance: str, *, client: AsyncMongoClient[Document] | None = None) -> None:
        """`client`: somebody else's, of this loop, which stays open; for tests that open thousands of stores."""
        self.loop = asyncio.get_running_loop()
        self._shown = address.shown
        self._client = client or client_of(address)
        self._keeps = client is not None
        self._database = self._client.get_database(address.database, read_preference=ReadPreference.PRIMARY)
        self._reads = self._client[address.database]  # from where the URL prefers
        hints = Hints()
        self._changes = Changes(self._database[WRITER], hints, address.shown)
        self._gate = Gate(self._database, instance=instance, side=new_id(0), shown=address.shown)
        self.writer = Writer(self._database, instance=instance, shown=address.shown, tell=hints.tell)
        self._asked: set[asyncio.Future[Any]] = set()
        self._gets = Gets(self._get, self._begin)

    async def ask(self, ask: Callable[["Side"], Awaitable[T]]) -> T:
        """What `ask` returns. A caller that is cancelled leaves at once, and the driver goes on to its answer.

        On Python 3.11 it bears no cancellation: one that comes as a message is sent is lost, and one while it looks for
        a server may leave its lock taken, for which all other calls of its client then wait.
        """
        return await asyncio.shield(self._begin(ask(self)))

    def _begin(self, question: Awaitable[T]) -> asyncio.Future[T]:
        asked = asyncio.ensure_future(question)
        if isinstance(asked, asyncio.Task):
            asked.set_name(QUESTION)
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        return asked

    async def prepare(self) -> None:
        """Look whether the server is fit, and make the schema or bring it forward."""
        await refuse_unfit(self._client, self._shown)
        await prepare(self._database, self._shown, settled=self._gate.wait_for_earlier)

    async def drop(self) -> None:
        """Let go of the client: nothing was handed in."""
        if not self._keeps:
            await self._client.close()

    async def close(self) -> None:
        """Finish what was handed in, and let go of the client."""
        try:
            await self._changes.close()
            with failing(self._shown, "closing it"):
                await self.writer.close()
            if self._asked:  # by callers that were cancelled; what then still waits is refused by the driver
                await asyncio.wait(self._asked, timeout=LAST_WORD)
        finally:
            await self.drop()

    async def get(self, table: type[R], key: Sequence[str | int]) -> R | None:
        document = await self._gets.get(table, tuple(key))
        return None if document is None else documents_of(table).row(document)

    async def _get(self, table: type[Row], keys: Sequence[Key]) -> dict[Key, Document]:
        async with self._reading() as database:
            return await reads.get(database, table, keys)

    async def find(
        self,
        table: type[R],
        where: Mapping[str, Any],
        *,
        limit: int | None,
        newest: bool,
        after: Sequence[str | int],
        whole: bool,
    ) -> list[R]:
        async with self._reading() as database:
            return await reads.find(database, table, where, limit=limit, newest=newest, after=after, whole=whole)

    async def clock(self) -> float:
        with failing(self._shown, "asking what time it is"):
            hello = await self._client.admin.command("hello")
        return float(hello["localTime"].timestamp())

    async def count(self, table: type[Row], where: Mapping[str, Any]) -> int:
        async with self._reading() as database:
            return await reads.count(database, table, where)

    async def load(self, execution: ExecutionId) -> Journal | None:
        async with self._reading() as database:
            return await reads.load(database, execution)

    async def holding(self, worker: WorkerId) -> list[Holding]:
        async with self._reading() as database:
            return await reads.holding(database, worker)

    async def due(self, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None) -> list[D]:
        async with self._reading() as database:
            return await reads.due(database, table, now=now, limit=limit, kinds=kinds)

    async def next_due(self) -> float | None:
        async with self._reading() as database:
            return await reads.next_due(database)

    async def tail(self, after: int, *, root: ExecutionId | None, limit: int) -> list[EventRow]:
        async with self._reading() as database:
            return await reads.tail(database, self._gate, after, root=root, limit=limit)

    async def release(self, leaving: Leaving) -> list[ExecutionId]:
        earlier = self._asked - {asyncio.current_task()}
        if earlier:  # a claim by the worker among them, whose caller was cancelled
            await asyncio.wait(earlier)
        return await self.writer.release(leaving)

    async def compact(self) -> int:
        with failing(self._shown, "compacting it"):
            return await remove_orphans(self._database)

    async def changed(self, timeout: float) -> None:
        await self._changes.wait(timeout)

    @asynccontextmanager
    async def _reading(self) -> AsyncGenerator[AsyncDatabase[Document]]:
        """What is read by one question, or several that belong together.

        From another server than the primary it is read as of a time that the primary has said just now: whatever was
        committed before, by whomever, is seen there too.
        """
        with failing(self._shown, "reading"):
            if self._reads.read_preference == ReadPreference.PRIMARY:
                yield self._database
                return
            async with self._client.start_session(causal_consistency=True) as session:
                await self._client.admin.command("ping", session=session)
                async with session.bind(end_session=False):
                    yield self._reads


class Elsewhere:
    """A side in a thread of its own, for callers from other event loops than the one that opened the store.

    A lease is renewed by it however long the first loop is blocked.
    """

    def __init__(self, make: Callable[[], Side]) -> None:
        self._make = make
        self._side: Side | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="orbits-store-elsewhere", daemon=True)
        self._thread.start()

    async def ask(self, ask: Callable[[Side], Awaitable[T]]) -> T:
        """What `ask` returns, run there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._ask(ask), self._loop))

    async def close(self) -> None:
        """Close the side and end the thread."""
        closing = asyncio.run_coroutine_threadsafe(self._close(), self._loop)
        try:
            await asyncio.wrap_future(closing)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _ask(self, ask: Callable[[Side], Awaitable[T]]) -> T:
        if self._side is None:
            self._side = self._make()
        return await ask(self._side)

    async def _close(self) -> None:
        if self._side is not None:
            await self._side.close()
