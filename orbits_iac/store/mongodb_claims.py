"""Claims in MongoDB, and taking back what a worker holds.

A claim is no transaction: each task is won or not by itself, by an update that finds it as it was read, so that two
workers at the same tasks do not undo each other's claims. A release is one: it conflicts with whatever the worker is
writing at that moment, and one of both begins anew.
"""

from collections.abc import Mapping
from typing import NamedTuple

from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.read_concern import ReadConcern

from orbits_iac.model.ids import NOBODYS, ExecutionId, WorkerId, new_id
from orbits_iac.model.rows import TaskRow, WorkerRow
from orbits_iac.store import rules
from orbits_iac.store.mongodb_rows import Document, documents_of
from orbits_iac.store.mongodb_schema import WRITER
from orbits_iac.store.mongodb_transaction import Sending, fences

_TASK, _WORKER = documents_of(TaskRow), documents_of(WorkerRow)


class Claim(NamedTuple):
    """What a claim asks for."""

    worker: WorkerId
    now: float
    limit: int
    kinds: frozenset[str] | None
    builds: Mapping[str, str] | None
    only: ExecutionId | None
    labels: frozenset[str] | None
    without: frozenset[str]
    least: int | None


class Leaving(NamedTuple):
    """A worker that holds nothing from `now` on, if its row has this counter (None: whichever)."""

    worker: WorkerId
    now: float
    counter: int | None


async def introduce(database: AsyncDatabase[Document], worker: WorkerId, instance: str) -> None:
    """Let the worker's `writer` documents say of which process it is: who takes over ends what that has open."""
    said = {"$set": {"by": instance}, "$inc": {"n": 1}, "$currentDate": {"at": True}}
    await database[WRITER].bulk_write([UpdateOne({"_id": each}, said, upsert=True) for each in fences(worker)])


async def process_of(database: AsyncDatabase[Document], worker: WorkerId) -> str | None:
    """The store, in whichever process, that a worker was introduced by."""
    found = await database[WRITER].find_one({"_id": fences(worker)[0]})
    return None if found is None else found.get("by")


async def claim(database: AsyncDatabase[Document], wanted: Claim) -> list[TaskRow]:
    """Take what may be taken, the next ones for those that others have won; the tasks as they were claimed."""
    taken: list[TaskRow] = []
    while len(taken) < wanted.limit:
        found, won = await _take(database, wanted, wanted.limit - len(taken))
        taken += won
        if len(won) == found:
            break
    return taken


async def _take(database: AsyncDatabase[Document], wanted: Claim, limit: int) -> tuple[int, list[TaskRow]]:
    """Try to take some: how many were there to be taken, and those that were won."""
    tasks = database.get_collection(_TASK.name, read_concern=ReadConcern("local"))
    cursor = tasks.find(_eligible(wanted), limit=limit)
    if wanted.only is None:
        cursor = cursor.sort([("priority", DESCENDING), ("free", ASCENDING), ("_id", ASCENDING)])
    claimed = [rules.claimed(_TASK.row(document), wanted.worker, wanted.builds) async for document in cursor]
    if not claimed:
        return 0, []
    by = new_id(0)
    result = await tasks.bulk_write([_taking(task, by) for task in claimed], ordered=False)
    if result.modified_count == len(claimed):
        return len(claimed), claimed
    won = tasks.find({"_id": {"$in": [task.id for task in claimed]}, "by": by}, projection={"_id": 1})
    ids = {document["_id"] async for document in won}
    return len(claimed), [task for task in claimed if task.id in ids]


async def release(transaction: Sending, database: AsyncDatabase[Document], leaving: Leaving) -> list[ExecutionId]:
    """Take from a worker what it holds; the ids, in order."""
    workers, tasks, session = database[_WORKER.name], database[_TASK.name], transaction.session
    if leaving.counter is not None:
        stored = await workers.find_one({"_id": leaving.worker}, session=session)
        if stored is None or _WORKER.row(stored).counter != leaving.counter:
            return []
    await transaction.ring(fences(leaving.worker))
    await workers.delete_one({"_id": leaving.worker}, session=session)
    held = tasks.find({"owner": leaving.worker}, projection={"_id": 1}, session=session).sort("_id")
    ids = [ExecutionId(document["_id"]) async for document in held]
    if ids:
        freed = {"$set": {"owner": None, "due": leaving.now, "free": leaving.now}, "$inc": {"token": 1}}
        await tasks.update_many({"owner": leaving.worker}, freed, session=session)
    return ids


def _taking(task: TaskRow, by: str) -> UpdateOne:
    """The update that wins a task, if it is as it was found."""
    taken = {"owner": task.owner, "token": task.token, "due": None, "build": task.build, "by": by}
    found = {"_id": task.id, "owner": None, "token": task.token - 1}
    return UpdateOne(found, {"$set": taken, "$unset": {"free": ""}})


def _eligible(wanted: Claim) -> Document:
    query: Document = {"owner": None}
    if wanted.kinds is not None:
        query["kind"] = {"$in": sorted(wanted.kinds)}
    if wanted.builds is not None:
        query["build"] = {"$in": sorted(wanted.builds)}
    if wanted.labels is not None:
        query["needs"] = {"$in": [None, *sorted(wanted.labels)]}
    if wanted.only is not None:
        return {"_id": wanted.only, **query}
    if wanted.without:
        query["tenant"] = {"$nin": [None if tenant == NOBODYS else tenant for tenant in sorted(wanted.without)]}
    if wanted.least is not None:
        query["priority"] = {"$gte": wanted.least}
    if wanted.builds is not None:
        own = [build for build, become in wanted.builds.items() if become == build]
        query["$or"] = [{"own_build": False}, {"build": {"$in": own}}]
    return {"free": {"$lte": wanted.now}, **query}
