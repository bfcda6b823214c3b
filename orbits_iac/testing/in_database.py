"""The store of a test that crashes, in MongoDB: one database, in which the rows of a moment are put back.

Making a database, its collections and indexes takes a hundred times as long as one crash point may. So all processes of
a run have the same database, one after the other, and before each what is there is made what was copied: where the two
differ, a document is deleted, inserted or replaced, with the driver alone. Each process opens a store of its own.

The driver stays out of held time: it runs on the loop of a thread, and no time passes while something is asked there.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from orbits_iac.model.errors import UsageError
from orbits_iac.model.rows import TABLES, Row
from orbits_iac.store.contract import Store
from orbits_iac.store.memory import MemoryStore
from orbits_iac.store.mongodb import MongoStore
from orbits_iac.store.mongodb_client import client_of
from orbits_iac.store.mongodb_rows import documents_of
from orbits_iac.store.mongodb_url import parse
from orbits_iac.testing.kept import Kept, standing_still

if TYPE_CHECKING:
    from bson.raw_bson import RawBSONDocument
    from pymongo import AsyncMongoClient

T = TypeVar("T")


class Copied(NamedTuple):
    """A document, undecoded."""

    id: Any
    document: "RawBSONDocument"


GATE = "gate"
"""The collection that a store passes at each write."""

Content = dict[str, dict[Any, Copied]]
"""The documents of a database, by collection and `_id`."""


class Database:
    """A database for one run, between `with` and its end: nothing may be in it, and it is dropped at the end.

    Called, it makes the store of the first process of a scenario.
    """

    def __init__(self, url: str) -> None:
        from bson.raw_bson import RawBSONDocument
        from pymongo import MongoClient

        self.url = url
        address = parse(url)
        self._client: MongoClient[RawBSONDocument] = MongoClient(url, document_class=RawBSONDocument)
        self._database = self._client[address.database]
        self._shown = address.shown
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="orbits-crashes", daemon=True)
        self.client: AsyncMongoClient[dict[str, Any]] | None = None  # of the thread's loop
        self._names: list[str] = []
        self._empty: Content = {}

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            if self._database.list_collection_names():
                raise UsageError(f"{self._shown} holds something: name a database for crash tests alone")
            self.now(self._make())
            self._names = sorted(self._database.list_collection_names())
            self._empty = self.content()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._client.drop_database(self._database.name)
        finally:
            self._end()

    def __call__(self) -> "InDatabase":
        return InDatabase(self, self._empty)

    def now(self, doing: Coroutine[Any, Any, T]) -> T:
        """The result of what is done on the thread's loop; this thread waits for it."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result()

    async def there(self, doing: Coroutine[Any, Any, T]) -> T:
        """The same, for a coroutine on a loop of its own."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(doing, self._loop))

    def content(self) -> Content:
        """What is in the database, in one question."""
        first, *others = self._names
        pipeline: list[dict[str, Any]] = [_told_as(first)]
        pipeline += [{"$unionWith": {"coll": name, "pipeline": [_told_as(name)]}} for name in others]
        found: Content = {name: {} for name in self._names}
        for one in self._database[first].aggregate(pipeline):
            found[one["of"]][_key(one["id"])] = Copied(one["id"], one["is"])
        return found

    def restore(self, wanted: Content) -> None:
        """Let the database hold these documents, and no others. The gate is written last, for a majority, with all."""
        from pymongo import DeleteMany, InsertOne, WriteConcern

        self.now(_answered())  # what a process asked that died then is of its time
        for name, there in sorted(self.content().items(), key=lambda item: item[0] == GATE):
            then, surely = wanted[name], name == GATE
            same = {key for key in then.keys() & there.keys() if then[key].document.raw == there[key].document.raw}
            same = set() if surely else same
            gone = [copied.id for key, copied in there.items() if key not in same]
            writes: list[Any] = [DeleteMany({"_id": {"$in": gone}})] if gone else []
            writes += [InsertOne(copied.document) for key, copied in then.items() if key not in same]
            if writes:
                concern = WriteConcern("majority" if surely else 1)
                self._database.get_collection(name, write_concern=concern).bulk_write(writes)

    async def _make(self) -> None:
        async with MongoStore(self.url):
            pass
        self.client = client_of(parse(self.url))

    def _end(self) -> None:
        if self.client is not None:
            self.now(_answered())
            self.now(self.client.close())
        self._client.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _answered() -> None:
    """Wait until the driver is done with all that was asked, by whomever."""
    from orbits_iac.store.mongodb_side import QUESTION

    asked = [task for task in asyncio.all_tasks() if task.get_name() == QUESTION]
    if asked:
        await asyncio.wait(asked)


class _Reopened(MongoStore):
    """A store of a database that was found to be one when the run began, by a client that all processes have."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.url)
        self._database = database

    async def open(self) -> None:
        from orbits_iac.store.mongodb_side import Side

        self._home = self._home or Side(self._address, self._instance, client=self._database.client)


class InDatabase(Kept):
    """A process's store in that database, which holds what was copied."""

    def __init__(self, database: Database, content: Content) -> None:
        self._database = database
        self._began: Content | None = content
        database.restore(content)
        self.store = _Reopened(database)

    async def ask(self, asked: Coroutine[Any, Any, T]) -> T:
        with standing_still():
            return await self._database.there(asked)

    def copied(self) -> Callable[[], Kept]:
        content = self._database.content()
        return lambda: InDatabase(self._database, content)

    def looked(self) -> Store | None:
        import bson

        content, self._began = self._began or self._database.content(), None
        if content.get("piece"):
            return None  # some rows are not whole in their documents
        found: list[Row] = []
        for table, name in TABLES.items():
            row = documents_of(table).row
            found += [row(bson.decode(copied.document.raw)) for copied in content[name].values()]
        return MemoryStore.of(found)


def _told_as(name: str) -> dict[str, Any]:
    """A stage that says of each document which collection it is of."""
    return {"$project": {"_id": 0, "of": {"$literal": name}, "id": "$_id", "is": "$$ROOT"}}


def _key(id_: Any) -> Any:
    """An `_id` as a key of a dictionary."""
    return id_.raw if hasattr(id_, "raw") else id_
