"""What a MongoDB database needs to be a store: its collections, its indexes, and the version of its documents.

What always holds: a database is a store if it has the gate, a document that every writer passes (`GATE`). It says the
version of the documents, and the oldest version that may still write beside it, so that old and new workers run
together through an upgrade and one that is too old is refused at its next write. What an opener does here may be done
by several at once, and again after a crash: each step finds out by itself what is left of it.

An index keeps its definition under its name for ever, a changed one gets another name: old and new workers check
theirs. Called by the MongoDB store while it is opened.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import OperationFailure

from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import TABLES, Row, ScheduleRow, TaskRow
from orbits_iac.store.mongodb_client import Document
from orbits_iac.store.mongodb_errors import failing
from orbits_iac.store.mongodb_migrations import MIGRATIONS, Migration, check_version, upgrade, version_of

Database = AsyncDatabase[Document]

GATE = "gate"
"""The collection, and the `_id` of its document: {version, oldest, next, open}."""

WRITER = "writer"
"""A document for each worker and each open store: raised with what they write, so that a watcher of it sees all."""

PIECE = "piece"
"""The pieces of values that are too long for their row's document."""

LONG = "long"
"""A document for each such value: of which row it is, and whether that has it yet."""

COLLECTIONS = (*TABLES.values(), GATE, WRITER, PIECE, LONG)

_NAMESPACE_EXISTS = 48
_WHEN_FREE = {"free": {"$exists": True}}
_WHEN_HELD = {"owner": {"$gt": ""}}  # not by its type: the server does not see that a name is a string


class Index(NamedTuple):
    """An index of ours, and what would be slow without it."""

    collection: str
    name: str
    keys: tuple[tuple[str, int], ...]
    why: str
    only: Document | None = None  # the documents that it holds; None: all
    expire: int | None = None  # seconds after the date in its field, MongoDB deletes the document

    @property
    def options(self) -> Document:
        """As the server tells it."""
        more = {"partialFilterExpression": self.only, "expireAfterSeconds": self.expire}
        return {"key": dict(self.keys), **{name: value for name, value in more.items() if value is not None}}


_CHOSEN: dict[tuple[type[Row], str], tuple[Index, ...]] = {
    (TaskRow, "owner"): (Index("task", "held", (("owner", 1), ("_id", 1)), "what a worker holds", _WHEN_HELD),),
    (TaskRow, "due"): (
        Index("task", "claimed", (("priority", -1), ("free", 1), ("_id", 1)), "the order of claims", _WHEN_FREE),
        Index(
            "task",
            "claimed_of_tenant",
            (("tenant", 1), ("priority", -1), ("free", 1), ("_id", 1)),
            "the order of a tenant's claims, when others had their share",
            _WHEN_FREE,
        ),
        Index("task", "free", (("free", 1), ("_id", 1)), "what is due next, and since when", _WHEN_FREE),
    ),
    (ScheduleRow, "due"): (Index("schedule", "free", (("free", 1), ("_id", 1)), "which schedule is due next"),),
}


def _indexes() -> Iterator[Index]:
    for row_type, collection in TABLES.items():
        for field in row_type.INDEXED:
            chosen = _CHOSEN.get((row_type, field))
            yield from chosen or (
                Index(collection, f"by_{field}", ((field, 1), ("_id", 1)), f"finding a {collection} by its {field}"),
            )


_EXPIRING = (
    # What a writer document is for lasts as long as a group; one that is wanted again is made again.
    Index(WRITER, "expired", (("at", 1),), "forgetting workers and stores that are gone", expire=24 * 3600),
    # By then the transaction that it keeps from being written is long over.
    Index(
        "event", "voided", (("at", 1),), "forgetting numbers that will never be", {"void": True}, expire=7 * 24 * 3600
    ),
)
INDEXES = (*_indexes(), *_EXPIRING)
"""Of a row's key there is none: it is the `_id`, in the order of its fields."""


async def prepare(
    database: Database,
    shown: str,
    *,
    settled: Callable[[], Awaitable[None]],
    migrations: Sequence[Migration] = MIGRATIONS,
) -> None:
    """Make the database a store, or bring it forward; a `StoreError` for one that is of something else, or later.

    `settled` waits until what has passed the gate before is written.
    """
    version = version_of(migrations)
    with failing(shown, "looking at its schema"):
        gate = await _gate(database, shown, version)
        check_version(shown, gate, version)
        if gate["version"] > version:
            return  # made by a later one, which lets this one write beside it
        there = await _collections(database, shown)
        await asyncio.gather(*(_make(database, name) for name in COLLECTIONS if name not in there))
        await asyncio.gather(*(_index(database, shown, name) for name in sorted({made.collection for made in INDEXES})))
        await upgrade(database[GATE], database, gate, migrations, settled)


async def _gate(database: Database, shown: str, version: int) -> Document:
    """The gate, made if nothing of a store is there: first of all, since it says that the rest is ours."""
    gates = database[GATE]
    gate = await gates.find_one({"_id": GATE})
    if gate is None:
        ours = set(await database.list_collection_names()).intersection(COLLECTIONS)
        gate = await gates.find_one({"_id": GATE})  # another opener may have made it, and them, meanwhile
        if gate is None and ours:
            raise StoreError(
                f"the database of {shown} has collections of another program ({', '.join(sorted(ours))}): name another "
                "database as the store"
            )
    if gate is None:
        made = {"version": version, "oldest": version, "next": 1, "open": []}
        await gates.update_one({"_id": GATE}, {"$setOnInsert": made}, upsert=True)
        gate = await gates.find_one({"_id": GATE}) or {}
    if not all(isinstance(gate.get(name), int) for name in ("version", "oldest", "next")):
        raise StoreError(f"the database of {shown} has a collection {GATE!r} of another program: name another database")
    return gate


async def _collections(database: Database, shown: str) -> set[str]:
    """Which collections of ours are there; one that is no plain collection would not do what is asked of it."""
    names: set[str] = set()
    async for found in await database.list_collections(filter={"name": {"$in": list(COLLECTIONS)}}):
        name = str(found["name"])
        odd = {"capped", "collation", "timeseries", "viewOn", "clusteredIndex"}.intersection(found.get("options", ()))
        if odd:
            raise StoreError(
                f"the collection {name} of {shown} was made with {', '.join(sorted(odd))}, which changes what is found "
                "in it: move what it holds into a plain collection of that name"
            )
        names.add(name)
    return names


async def _make(database: Database, name: str) -> None:
    """By itself, since a transaction that had to make it would hold up the others."""
    try:
        await database.command("create", name)
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise


async def _index(database: Database, shown: str, name: str) -> None:
    """Make the indexes of a collection that are not there; what others have made there stays."""
    collection = database[name]
    there = {str(found["name"]): found async for found in await collection.list_indexes()}
    missing: list[Document] = []
    for index in INDEXES:
        if index.collection != name:
            continue
        standing = there.get(index.name)
        if standing is None:
            if not any(_same(found, index) for found in there.values()):
                missing.append({"name": index.name, **index.options})
        elif not _same(standing, index):
            raise StoreError(
                f"the index {index.name} of the collection {name} of {shown} is not as it has to be ({index.why}): it "
                f"has {_told(standing)}, and would need {_told(index.options)}. Drop it, with "
                f"db.{name}.dropIndex({index.name!r}), and start again: it is made anew"
            )
    if missing:
        await database.command({"createIndexes": name, "indexes": missing})


def _same(found: Mapping[str, Any], index: Index) -> bool:
    return _definition(found) == _definition(index.options)


def _definition(found: Mapping[str, Any]) -> tuple[list[tuple[str, int]], Document]:
    """All of an index that changes what it holds, and in which order."""
    more = {name: value for name, value in found.items() if name not in {"v", "key", "name", "ns", "background"}}
    return [(name, int(way)) for name, way in dict(found["key"]).items()], more


def _told(found: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps(found, default=str))
    return ", ".join(f"{name} {value}" for name, value in plain.items() if name not in {"v", "name"})
