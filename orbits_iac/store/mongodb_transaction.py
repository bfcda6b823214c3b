"""One transaction of MongoDB: its snapshot, its writes, its end. A group is written by one, and a worker is released.

Whatever it raises, nothing was written, unless the answer to its commit was lost and never came.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pymongo import DeleteOne, InsertOne, ReadPreference, ReplaceOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow, MessageRow
from orbits_iac.store import mongodb_pieces as pieces
from orbits_iac.store.mongodb_errors import commit_is_unknown, never_was_committed
from orbits_iac.store.mongodb_gate import Gate
from orbits_iac.store.mongodb_group import Changes, Found, Wanted
from orbits_iac.store.mongodb_pieces import LongDocument
from orbits_iac.store.mongodb_rows import Document, Documents, documents_of
from orbits_iac.store.mongodb_schema import GATE, WRITER

PATIENCE = 15.0
"""Seconds that something is tried again for, while MongoDB has no primary or others are in the way."""

CHANNELS = 2
"""Groups that one side writes at a time: while one waits for the disk, the next is computed."""

_EVENT, _MESSAGE = documents_of(EventRow), documents_of(MessageRow)
_SAFELY = WriteConcern(w="majority", j=True)


class LostError(Exception):
    """What a group had prepared is gone, by a failover or because it took too long: it begins anew."""


def fences(worker: WorkerId | str) -> list[str]:
    """The `writer` documents of a worker: groups of its channels do not conflict, and a release does with each."""
    return [f"{worker}/{channel}" for channel in range(CHANNELS)]


class UnknownCommitError(Exception):
    """Whether a transaction was committed is not known; it may not be sent again."""


class Sending:
    """A transaction that has begun."""

    def __init__(self, database: AsyncDatabase[Document], session: AsyncClientSession) -> None:
        self._database = database
        self.session = session

    async def read(self, gate: Gate, wanted: Wanted, at: int) -> Found:
        """What a group is judged by, in one question, and one more for each table with rows that must be unchanged."""
        standing = {"$project": {"_id": 0, "next": 1, "open": gate.is_open(at)}}
        pipeline: list[Document] = [{"$match": {"_id": GATE}}, standing]
        names: list[tuple[Documents[Any], str]] = []
        for documents, keys, fields in wanted.short():
            name = f"of{len(names)}"
            names.append((documents, name))
            ids = [documents.id(key) for key in keys]
            inner: list[Document] = [{"$match": {"_id": {"$in": ids}}}, {"$project": fields}]
            pipeline.append({"$lookup": {"from": documents.name, "pipeline": inner, "as": name}})
        if wanted.inboxes:
            ranges = [{"_id": _MESSAGE.below({"execution": execution})} for execution in wanted.inboxes]
            messages: list[Document] = [{"$match": {"$or": ranges}}, {"$project": {"_id": 1}}]
            pipeline.append({"$lookup": {"from": _MESSAGE.name, "pipeline": messages, "as": "inboxes"}})
        cursor = await self._database[GATE].aggregate(pipeline, session=self.session)
        read = await cursor.to_list()
        if not read or not read[0]["open"]:
            raise LostError
        rows: dict[Documents[Any], dict[tuple[Any, ...], Document]] = {}
        for documents, name in names:
            rows[documents] = {documents.key(document["_id"]): document for document in read[0][name]}
        for documents, keys in wanted.unchanged.items():  # rows of any length, which do not fit into one answer
            ids = [documents.id(key) for key in keys]
            cursor_of = self._database[documents.name].find({"_id": {"$in": ids}}, session=self.session)
            stored = {documents.key(document["_id"]): document async for document in cursor_of}
            await pieces.fill(self._database, stored.values(), self.session)
            rows[documents] = rows.get(documents, {}) | stored
        inboxes: dict[ExecutionId, set[str]] = {execution: set() for execution in wanted.inboxes}
        for message in read[0].get("inboxes", ()):
            inboxes[message["_id"]["execution"]].add(message["_id"]["id"])
        return Found(rows, {execution: frozenset(ids) for execution, ids in inboxes.items()}, int(read[0]["next"]))

    async def write(self, changes: Changes) -> None:
        """Send the writes of a group, a few commands for each collection."""
        for documents in dict.fromkeys((*changes.put, *changes.gone, *changes.touched, *changes.guarded)):
            guards = list(changes.guarded[documents])
            await self._bulk(documents.name, [InsertOne({"_id": documents.id(key)}) for key in guards])
            await self._bulk(documents.name, _writes(documents, changes, guards))
        long = [row for rows in changes.put.values() for row in rows.values() if isinstance(row, LongDocument)]
        if not await pieces.keep(self._database, long, self.session):
            raise LostError
        if changes.events:
            await self._database[_EVENT.name].insert_many(changes.events, ordered=False, session=self.session)

    async def ring(self, writers: Iterable[str]) -> None:
        """Raise the counters of these writers: who takes a fence from one conflicts, and who waits is woken."""
        raised = {"$inc": {"n": 1}, "$currentDate": {"at": True}}
        await self._bulk(WRITER, [UpdateOne({"_id": writer}, raised, upsert=True) for writer in writers])

    async def commit(self) -> None:
        """Commit, and ask again for an answer that was lost: a transaction is committed once.

        Once it was asked again, only a server's word that it never was committed is believed. Raises
        `UnknownCommitError` if none came.
        """
        loop = asyncio.get_running_loop()
        until, again = loop.time() + PATIENCE, False
        while True:
            try:
                await self.session.commit_transaction()
                return
            except PyMongoError as error:
                if never_was_committed(error) or not (again or commit_is_unknown(error)):
                    raise
                if loop.time() > until:
                    raise UnknownCommitError from error
                again = True
                await asyncio.sleep(0.05)

    async def _bulk(self, collection: str, writes: Sequence[Any]) -> None:
        if writes:
            await self._database[collection].bulk_write(writes, ordered=False, session=self.session)


@asynccontextmanager
async def sending(database: AsyncDatabase[Document], session: AsyncClientSession) -> AsyncGenerator[Sending]:
    """A transaction on a snapshot of its first read; what is not committed at the end is aborted."""
    await session.start_transaction(
        read_concern=ReadConcern("snapshot"), write_concern=_SAFELY, read_preference=ReadPreference.PRIMARY
    )
    try:
        yield Sending(database, session)
    finally:
        if session.in_transaction:
            await session.abort_transaction()


def _writes(
    documents: Documents[Any],
    changes: Changes,
    guards: Sequence[tuple[Any, ...]],
) -> list[Any]:
    new = changes.new[documents]
    puts: list[Any] = []
    for key, row in changes.put[documents].items():
        document = (row.stored or row) if isinstance(row, LongDocument) else row
        puts.append(InsertOne(document) if key in new else ReplaceOne({"_id": row["_id"]}, document, upsert=True))
    return [
        *puts,
        *(UpdateOne({"_id": documents.id(key)}, {"$inc": {"touched": 1}}) for key in changes.touched[documents]),
        *(DeleteOne({"_id": documents.id(key)}) for key in dict.fromkeys((*changes.gone[documents], *guards))),
    ]
