"""What a MongoDB store reads. Each function is one question; what it reads is on a majority."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, Row, TaskRow
from orbits_iac.store.contract import D, Holding, Journal
from orbits_iac.store.mongodb_gate import Gate
from orbits_iac.store.mongodb_gets import Key
from orbits_iac.store.mongodb_pieces import whole as whole_ones
from orbits_iac.store.mongodb_rows import Document, Documents, documents_of

R = TypeVar("R", bound=Row)
Database = AsyncDatabase[Document]

_EXECUTION, _ENTRY, _MESSAGE = documents_of(ExecutionRow), documents_of(EntryRow), documents_of(MessageRow)


async def get(database: Database, table: type[Row], keys: Sequence[Key]) -> dict[Key, Document]:
    """The documents with these keys, as far as there are any."""
    documents = documents_of(table)
    ids = [documents.id(key) for key in keys]
    query = {"_id": ids[0] if len(ids) == 1 else {"$in": ids}, **documents.real}

    async def read() -> list[Document]:
        return await database[documents.name].find(query).to_list()

    return {documents.key(found["_id"]): found for found in await whole_ones(database, documents.name, read)}


async def find(
    database: Database,
    table: type[R],
    where: Mapping[str, Any],
    *,
    limit: int | None,
    newest: bool,
    after: Sequence[str | int],
    whole: bool,
) -> list[R]:
    """Rows in the order of their keys."""
    if limit == 0:
        return []
    documents = documents_of(table)
    query = documents.query(where, after, newest=newest)
    projection = None if whole else documents.short

    async def read() -> list[Document]:
        cursor = database[documents.name].find(query, projection=projection, limit=limit or 0)
        return await cursor.sort("_id", DESCENDING if newest else ASCENDING).to_list()

    return [documents.row(document) for document in await whole_ones(database, documents.name, read)]


async def count(database: Database, table: type[Row], where: Mapping[str, Any]) -> int:
    """How many rows `find` would find."""
    documents = documents_of(table)
    return await database[documents.name].count_documents(documents.query(where))


async def load(database: Database, execution: ExecutionId) -> Journal | None:
    """All of one execution: one aggregation on a snapshot, which holds for all its collections."""
    snapshot = database.get_collection(_EXECUTION.name, read_concern=ReadConcern("snapshot"))
    pipeline = [{"$match": {"_id": execution}}, *(_joined(each, execution) for each in (_ENTRY, _MESSAGE))]

    async def read() -> list[Document]:
        return await (await snapshot.aggregate(pipeline)).to_list()

    row, entries, messages = None, list[EntryRow](), list[MessageRow]()
    for document in await whole_ones(database, _EXECUTION.name, read):
        table = document.get("in")
        if table == _ENTRY.name:
            entries.append(_ENTRY.row(document))
        elif table == _MESSAGE.name:
            messages.append(_MESSAGE.row(document))
        else:
            row = _EXECUTION.row(document)
    return None if row is None else Journal(execution=row, entries=entries, messages=messages)


def _joined(documents: Documents[Any], execution: ExecutionId) -> Document:
    """The stage that adds what a table has of an execution, each document saying of which table it is."""
    of: list[Document] = [
        {"$match": {"_id": documents.below({"execution": execution})}},
        {"$set": {"in": documents.name}},
    ]
    return {"$unionWith": {"coll": documents.name, "pipeline": of}}


async def holding(database: Database, worker: WorkerId) -> list[Holding]:
    """What a worker holds: one read of its tasks, and one of which executions among them have messages."""
    tasks = await find(database, TaskRow, {"owner": worker}, limit=None, newest=False, after=(), whole=True)
    if not tasks:
        return []
    inboxes = [{"_id": _MESSAGE.below({"execution": task.id})} for task in tasks]  # by ranges: `_id` alone is indexed
    told = set(await database[_MESSAGE.name].distinct("_id.execution", {"$or": inboxes}))
    return [Holding(task=task, told=task.due is not None or task.id in told) for task in tasks]


async def due(database: Database, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None) -> list[D]:
    """What may be claimed or fired by `now`, the earliest first."""
    documents = documents_of(table)
    query: Document = {"free": {"$lte": now}}
    if kinds is not None:
        query["kind" if "kind" not in table.KEY else "_id.kind"] = {"$in": sorted(kinds)}
    cursor = database[documents.name].find(query, limit=limit).sort([("free", ASCENDING), ("_id", ASCENDING)])
    return [documents.row(document) for document in await cursor.to_list()]


async def next_due(database: Database) -> float | None:
    """When the earliest task or schedule may be claimed or fired."""
    earliest: list[Document] = [
        {"$match": {"free": {"$exists": True}}},
        {"$sort": {"free": 1}},
        {"$limit": 1},
        {"$project": {"_id": 0, "free": 1}},
    ]
    cursor = await database["task"].aggregate([*earliest, {"$unionWith": {"coll": "schedule", "pipeline": earliest}}])
    return min((document["free"] for document in await cursor.to_list()), default=None)


async def tail(database: Database, gate: Gate, after: int, *, root: ExecutionId | None, limit: int) -> list[EventRow]:
    """Events above `after`, as far as none with a smaller number can come to light any more."""
    documents = documents_of(EventRow)
    async with database.client.start_session(causal_consistency=True) as session:
        query: Document = {"_id": {"$gt": after, "$lt": await gate.bound(after, session)}, **documents.real}
        # Both indexes have the order: left to choose, the server goes through everybody's events at times.
        more, index = ({}, "_id_") if root is None else ({"root": root}, "by_root")
        cursor = database[documents.name].find({**query, **more}, limit=limit, session=session, hint=index)
        cursor = cursor.sort("_id", ASCENDING)
        return [documents.row(document) for document in await cursor.to_list()]
