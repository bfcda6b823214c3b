"""What one side of a MongoDB store writes: group after group, each one transaction of MongoDB.

What is handed in while a group is on its way becomes the next one. A transaction of the group that is refused is left
out; a write conflict with another process, a failover or a lost reservation begins the group anew, on a new snapshot,
and a group that cannot get through is tried in halves, so that only what conflicts has to wait. Claims are no
transaction: each task is won or not by itself, and what a commit to the same task makes of it is judged by the server.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

from bson.errors import BSONError
from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, DeleteOne, InsertOne, ReplaceOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from orbits_iac.model.errors import Conflict, Fenced, StoreError
from orbits_iac.model.ids import NOBODYS, ExecutionId, WorkerId, new_id
from orbits_iac.model.rows import EventRow, MessageRow, TaskRow, WorkerRow
from orbits_iac.store import rules
from orbits_iac.store.lane import Job
from orbits_iac.store.mongodb_errors import commit_is_unknown, may_be_tried_again, store_error
from orbits_iac.store.mongodb_gate import Gate
from orbits_iac.store.mongodb_group import Changes, Found, Group, Prepared, Wanted
from orbits_iac.store.mongodb_rows import Document, Documents, documents_of
from orbits_iac.store.mongodb_schema import GATE, WRITER

MOST, LARGEST = 500, 8 * 1024 * 1024
"""Transactions, and characters, of one group."""

PATIENCE = 30.0
"""Seconds that a group is tried again for."""

_TASK, _EVENT = documents_of(TaskRow), documents_of(EventRow)
_MESSAGE, _WORKER = documents_of(MessageRow), documents_of(WorkerRow)
_SAFELY = WriteConcern(w="majority", j=True)
_DUPLICATE = 11000


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


Work = Prepared | Claim | Leaving


class _Lost(Exception):
    """The reservation of the group is gone: begin anew."""


class Writer:
    """Writes what coroutines of one event loop hand in, in that order."""

    def __init__(
        self, database: AsyncDatabase[Document], gate: Gate, *, instance: str, shown: str, tell: Callable[[], None]
    ) -> None:
        self._client: AsyncMongoClient[Document] = database.client
        self._database = database
        self._gate = gate
        self._instance = instance
        self._shown = shown
        self._tell = tell
        self._waiting: list[Job[Work]] = []
        self._known: set[WorkerId] = set()  # workers whose `writer` document says that they are of this process
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self.groups = 0

    async def do(self, work: Work) -> Any:
        """Have it written; cancelled while it waits, it may be written all the same."""
        if self._closed:
            raise StoreError(f"the store {self._shown} was closed")
        loop = asyncio.get_running_loop()
        job: Job[Work] = Job(work, loop.create_future())
        self._waiting.append(job)
        if self._running is None:
            self._running = loop.create_task(self._run(), name="store writer")
        return await job.future

    async def close(self) -> None:
        """Finish what was handed in, and leave the gate."""
        self._closed = True
        while self._running is not None:
            await asyncio.wait([self._running])
        await self._gate.close_block()

    async def _run(self) -> None:
        await asyncio.sleep(0)  # what else is handed in by this turn of the loop comes along
        while self._waiting:
            jobs = self._next()
            try:
                await self._write(jobs)
            except BaseException as error:
                self._answer(jobs, StoreError(f"the store {self._shown} stopped writing: {error!r}"))
                raise
            self._answer(jobs)
        self._running = None

    def _next(self) -> list[Job[Work]]:
        """The jobs of the next group: as many transactions as come one after the other, or one claim or release.

        One whose events bring their numbers stands alone: it moves the gate on by itself.
        """
        count, size = 0, 0
        for job in self._waiting:
            if not isinstance(job.work, Prepared) or job.work.numbers or count == MOST:
                break
            if count and size + job.work.size > LARGEST:
                break
            count, size = count + 1, size + job.work.size
        jobs, self._waiting = self._waiting[: count or 1], self._waiting[count or 1 :]
        return jobs

    def _answer(self, jobs: Sequence[Job[Work]], error: BaseException | None = None) -> None:
        self._tell()
        for job in jobs:
            if job.future.done():
                continue
            if error is None and job.error is None:
                job.future.set_result(job.result)
            else:
                job.future.set_exception(job.error or error or StoreError(self._shown))

    async def _write(self, jobs: list[Job[Work]]) -> None:
        work = jobs[0].work
        if isinstance(work, Claim):
            await self._alone(jobs[0], self._claim(work))
        elif isinstance(work, Leaving):
            await self._persist(jobs, lambda _: self._release(jobs[0], work))
        else:
            await self._persist(jobs, self._group)

    async def _alone(self, job: Job[Work], doing: Awaitable[Any]) -> None:
        try:
            job.result = await doing
        except StoreError as error:
            job.error = error
        except (PyMongoError, BSONError) as error:
            job.error = _caused(store_error(self._shown, error, doing="claiming"), error)

    async def _persist(self, jobs: list[Job[Work]], attempt: Callable[[list[Job[Work]]], Awaitable[None]]) -> None:
        """Try the jobs as one transaction until it is written, refused, or cannot be."""
        loop = asyncio.get_running_loop()
        until, tries = loop.time() + PATIENCE, 0
        while True:
            for job in jobs:
                job.error = job.result = None
            try:
                await attempt(jobs)
                return
            except (_Lost, PyMongoError, BSONError, OverflowError, StoreError) as error:
                tries += 1
                if not _again(error) or loop.time() > until:
                    await self._give_up(jobs, attempt, error)
                    return
            await self._gate.unblock(at_once=await self._instance_of(jobs[0].work))
            if tries >= 3 and len(jobs) > 1:
                for half in (jobs[: len(jobs) // 2], jobs[len(jobs) // 2 :]):
                    await self._persist(half, attempt)
                return
            await asyncio.sleep(random.random() * min(0.1, 0.002 * 2**tries))  # noqa: S311 - to meet no other again

    async def _give_up(
        self, jobs: list[Job[Work]], attempt: Callable[[list[Job[Work]]], Awaitable[None]], error: Exception
    ) -> None:
        """Let the error be the jobs' own; if it may be that of one of them, find out whose."""
        if len(jobs) > 1 and not isinstance(error, ConnectionFailure | StoreError | _Lost):
            for job in jobs:
                await self._persist([job], attempt)
            return
        for job in jobs:
            if isinstance(error, StoreError):
                job.error = error
            else:
                job.error = _caused(store_error(self._shown, error, doing="writing"), error)

    async def _group(self, jobs: list[Job[Work]]) -> None:
        works = [job.work for job in jobs if isinstance(job.work, Prepared)]
        brought = works[0].numbers
        count = 0 if brought else sum(len(work.events) for work in works)
        async with self._client.start_session() as session:
            at = await self._gate.reserve(count, session)
            written = False
            try:
                await session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=_SAFELY)
                found = await self._read(session, Wanted(works), at)
                group = Group(found, at=found.next if brought else at)
                accepted = 0
                for job, work in zip(jobs, works, strict=True):
                    try:
                        group.add(work)
                        accepted += 1
                    except (Fenced, Conflict, ValueError) as refused:
                        job.error = refused
                if accepted:
                    changes = group.finished()
                    await self._send(session, changes)
                    if brought:
                        await self._gate.move_on(changes.events[-1]["_id"], session)
                    await self._commit(session)
                    written = bool(changes.events)
                    self.groups += 1
            finally:
                if session.in_transaction:
                    await session.abort_transaction()
                if count and not written:
                    await self._gate.close_block()

    async def _commit(self, session: AsyncClientSession) -> None:
        """Commit, and ask again for an answer that was lost: a transaction is committed once."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while True:
            try:
                await session.commit_transaction()
                return
            except PyMongoError as error:
                if not commit_is_unknown(error) or loop.time() > until:
                    raise
                await asyncio.sleep(0.05)

    async def _read(self, session: AsyncClientSession, wanted: Wanted, at: int) -> Found:
        """What the group is judged by, in one question; begins the transaction's snapshot."""
        standing = {"$project": {"_id": 0, "next": 1, "open": self._gate.is_open(at)}}
        pipeline: list[Document] = [{"$match": {"_id": GATE}}, standing]
        names: list[tuple[Documents[Any], str]] = []
        for documents, keys, fields in (
            *((documents, keys, None) for documents, keys in wanted.whole.items() if keys),
            *((documents, keys, {"_id": 1, "version": 1}) for documents, keys in wanted.versions.items() if keys),
        ):
            name = f"of{len(names)}"
            names.append((documents, name))
            inner: list[Document] = [{"$match": {"_id": {"$in": [documents.id(key) for key in keys]}}}]
            if fields is not None:
                inner.append({"$project": fields})
            pipeline.append({"$lookup": {"from": documents.name, "pipeline": inner, "as": name}})
        if wanted.inboxes:
            ranges = [{"_id": _MESSAGE.below({"execution": execution})} for execution in wanted.inboxes]
            messages: list[Document] = [{"$match": {"$or": ranges}}, {"$project": {"_id": 1}}]
            pipeline.append({"$lookup": {"from": _MESSAGE.name, "pipeline": messages, "as": "inboxes"}})
        cursor = await self._database[GATE].aggregate(pipeline, session=session)
        read = await cursor.to_list()
        if not read or not read[0]["open"]:
            raise _Lost
        rows: dict[Documents[Any], dict[tuple[Any, ...], Document]] = {}
        for documents, name in reversed(names):  # whole ones last: they count
            found = rows.setdefault(documents, {})
            for document in read[0][name]:
                found[documents.key(document["_id"])] = document
        inboxes: dict[ExecutionId, set[str]] = {execution: set() for execution in wanted.inboxes}
        for message in read[0].get("inboxes", ()):
            inboxes[message["_id"]["execution"]].add(message["_id"]["id"])
        return Found(rows, {execution: frozenset(ids) for execution, ids in inboxes.items()}, int(read[0]["next"]))

    async def _send(self, session: AsyncClientSession, changes: Changes) -> None:
        """Send the writes of a group, a few commands for each collection."""
        for documents in dict.fromkeys((*changes.put, *changes.gone, *changes.touched, *changes.guarded)):
            writes: list[Any] = [InsertOne({"_id": documents.id(key)}) for key in changes.guarded[documents]]
            if writes:
                await self._database[documents.name].bulk_write(writes, ordered=False, session=session)
            new = changes.new[documents]
            writes = [
                InsertOne(document) if key in new else ReplaceOne({"_id": document["_id"]}, document, upsert=True)
                for key, document in changes.put[documents].items()
            ]
            writes += [
                UpdateOne({"_id": documents.id(key)}, {"$inc": {"touched": 1}}) for key in changes.touched[documents]
            ]
            writes += [
                DeleteOne({"_id": documents.id(key)})
                for key in dict.fromkeys((*changes.gone[documents], *changes.guarded[documents]))
            ]
            if writes:
                await self._database[documents.name].bulk_write(writes, ordered=False, session=session)
        if changes.events:
            await self._database[_EVENT.name].insert_many(changes.events, ordered=False, session=session)
        await self._ring(session, [str(worker) for worker in changes.holders] or [self._instance])

    async def _ring(self, session: AsyncClientSession, writers: Sequence[str]) -> None:
        """Raise the counters of these writers: who takes a fence from one conflicts, and who waits is woken."""
        raised = {"$inc": {"n": 1}, "$currentDate": {"at": True}}
        writes = [UpdateOne({"_id": writer}, raised, upsert=True) for writer in writers]
        await self._database[WRITER].bulk_write(writes, ordered=False, session=session)

    async def _claim(self, wanted: Claim) -> list[TaskRow]:
        tasks = self._database.get_collection(_TASK.name, read_concern=ReadConcern("local"))
        await self._introduce(wanted.worker)
        query = _eligible(wanted)
        cursor = tasks.find(query, limit=wanted.limit)
        if wanted.only is None:
            cursor = cursor.sort([("priority", DESCENDING), ("free", ASCENDING), ("_id", ASCENDING)])
        found = [_TASK.row(document) async for document in cursor]
        if not found:
            return []
        claim = new_id(0)
        claimed = [rules.claimed(task, wanted.worker, wanted.builds) for task in found]
        writes = [
            UpdateOne(
                {"_id": task.id, "owner": None, "token": task.token - 1},
                {
                    "$set": {"owner": task.owner, "token": task.token, "due": None, "build": task.build, "by": claim},
                    "$unset": {"free": ""},
                },
            )
            for task in claimed
        ]
        result = await tasks.bulk_write(writes, ordered=False)
        if result.modified_count == len(claimed):
            return claimed
        won = tasks.find({"_id": {"$in": [task.id for task in claimed]}, "by": claim}, projection={"_id": 1})
        ids = {document["_id"] async for document in won}
        return [task for task in claimed if task.id in ids]

    async def _introduce(self, worker: WorkerId) -> None:
        """Let the worker's `writer` document say of which process it is: whoever takes over ends what that has open."""
        if worker not in self._known:
            await self._database[WRITER].update_one(
                {"_id": worker}, {"$set": {"by": self._instance}, "$inc": {"n": 1}}, upsert=True
            )
            self._known.add(worker)

    async def _instance_of(self, work: Work) -> str | None:
        if not isinstance(work, Leaving):
            return None
        found = await self._database[WRITER].find_one({"_id": work.worker})
        by = None if found is None else found.get("by")
        return None if by == self._instance else by

    async def _release(self, job: Job[Work], work: Leaving) -> None:
        async with self._client.start_session() as session:
            await self._gate.reserve(0, session)
            try:
                await session.start_transaction(read_concern=ReadConcern("snapshot"), write_concern=_SAFELY)
                job.result = await self._take(session, work)
                await self._commit(session)
            finally:
                if session.in_transaction:
                    await session.abort_transaction()

    async def _take(self, session: AsyncClientSession, work: Leaving) -> list[ExecutionId]:
        workers: AsyncCollection[Document] = self._database[_WORKER.name]
        tasks: AsyncCollection[Document] = self._database[_TASK.name]
        if work.counter is not None:
            stored = await workers.find_one({"_id": work.worker}, session=session)
            if stored is None or _WORKER.row(stored).counter != work.counter:
                return []
        await self._ring(session, [work.worker])
        await workers.delete_one({"_id": work.worker}, session=session)
        held = tasks.find({"owner": work.worker}, projection={"_id": 1}, session=session).sort("_id")
        ids = [ExecutionId(document["_id"]) async for document in held]
        if ids:
            await tasks.update_many(
                {"owner": work.worker},
                {"$set": {"owner": None, "due": work.now, "free": work.now}, "$inc": {"token": 1}},
                session=session,
            )
        return ids


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


def _again(error: Exception) -> bool:
    """Whether the group may be written yet, if it is begun anew."""
    if isinstance(error, _Lost) or may_be_tried_again(error):
        return True
    if isinstance(error, BulkWriteError):  # a number or a row that has come to be there since the snapshot
        return any(each.get("code") == _DUPLICATE for each in error.details.get("writeErrors", ()))
    return False


def _caused(error: StoreError, cause: Exception) -> StoreError:
    error.__cause__ = cause
    return error
