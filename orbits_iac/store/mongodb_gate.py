"""The gate that each group of a MongoDB store passes: one document, which numbers events and says who may write.

Events have to come to light in the order of their numbers, and groups of several processes are written at the same
time. So before its transaction a group reserves a block of numbers here, and its entry stands among the `open` ones.
Whoever reads events stops before an open block that is not written yet. The same step lets no process write whose
schema is older than the database takes (`oldest`).

A reservation outlives no failover that it was lost in: the transaction looks again that it stands. A process that died
with a block open leaves it behind, and its transaction holds what it wrote until MongoDB gives up on it after a minute;
whoever is kept waiting by it for `PATIENCE` seconds, on its own clock, ends that transaction and cancels the block.
An entry goes when its side reserves the next block, when its process is found to be dead, or when it stands in nobody's
way and is of long ago.
"""

import asyncio
import logging
import time
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from bson import Binary
from pymongo import ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.write_concern import WriteConcern

from orbits_iac.model.errors import StoreError
from orbits_iac.store.mongodb_client import Document
from orbits_iac.store.mongodb_migrations import VERSION, check_version
from orbits_iac.store.mongodb_schema import GATE

log = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a block may stand open and unwritten; a group takes milliseconds, and a slow one begins anew."""

_LONG_AGO_MS = 600_000
_LOOK_EVERY = 0.05  # seconds, for groups that were under way when an upgrade began


class Gate:
    """One side's way through the gate; it has at most one block open."""

    def __init__(self, database: AsyncDatabase[Document], *, instance: str, side: str, shown: str) -> None:
        self._gate = database.get_collection(GATE, write_concern=WriteConcern(w=1))  # verified by the transaction
        self._surely = database.get_collection(GATE)
        self._events = database.get_collection("event")
        self._admin = database.client.admin
        self._instance = instance
        self.side = side
        self._shown = shown
        self._waited: dict[tuple[str, int], float] = {}  # since when others' blocks are seen to be in the way

    async def reserve(self, count: int, session: AsyncClientSession) -> int:
        """Open a block of so many numbers for a group of this session; the first of them.

        The side's earlier block is done, and goes. `StoreError` if the database has moved on from this schema.
        """
        entry = {
            "at": "$next",
            "n": count,
            "side": self.side,
            "by": self._instance,
            "session": session.session_id["id"],
            "since": "$$NOW",
        }
        found = await self._gate.find_one_and_update(
            {"_id": GATE, "oldest": {"$lte": VERSION}},
            [{"$set": {"open": {"$concatArrays": [self._others(), [entry]]}, "next": {"$add": ["$next", count]}}}],
            projection={"next": 1},
            return_document=ReturnDocument.BEFORE,
        )
        if found is None:
            await self._refuse()
            raise StoreError(f"the store {self._shown} was dropped while it was open: nothing more is written")
        return int(found["next"])

    async def move_on(self, beyond: int, session: AsyncClientSession) -> None:
        """Give no number up to `beyond` any more, as part of the session's transaction: its events brought theirs."""
        await self._surely.update_one({"_id": GATE}, {"$max": {"next": beyond + 1}}, session=session)

    def _others(self) -> Document:
        """What stays open beside this side's new block. A block of no numbers is in nobody's way, however it ended."""
        recent = {"$gt": ["$$this.since", {"$subtract": ["$$NOW", _LONG_AGO_MS]}]}
        kept = {"$and": [{"$ne": ["$$this.side", self.side]}, {"$or": [{"$gt": ["$$this.n", 0]}, recent]}]}
        return {"$filter": {"input": "$open", "cond": kept}}

    def is_open(self, at: int) -> Document:
        """The expression, over the gate's document, for whether this side's block at this number stands."""
        return {"$in": [{"side": self.side, "at": at}, {"$map": {"input": "$open", "in": _NAMED}}]}

    async def close_block(self) -> None:
        """The side has written nothing with its block: nobody has to wait for it."""
        await self._surely.update_one({"_id": GATE}, {"$pull": {"open": {"side": self.side}}})

    async def bound(self, after: int, session: AsyncClientSession) -> int:
        """Events below this number have all come to light, as far as they ever will, for who reads on in the session.

        The session has to be causally consistent: the majority's view of a primary that has just been elected may be
        older than what was read here, and lack a group whose block was closed.
        """
        gate = await self._read(session)
        if gate is None:
            return 0
        waiting = [entry for entry in gate["open"] if entry["n"] and entry["at"] > after]
        if not waiting:
            return int(gate["next"])
        starts = [entry["at"] for entry in waiting]
        found = self._events.find({"_id": {"$in": starts}}, projection={"_id": 1}, session=session)
        written = {event["_id"] async for event in found}
        unwritten = [entry for entry in waiting if entry["at"] not in written]
        await self._clear(waiting)
        return int(min([gate["next"], *(entry["at"] for entry in unwritten)]))

    async def unblock(self, *, at_once: str | None = None) -> None:
        """End what has stood open and in the way for too long, and all of the process that has died (`at_once`)."""
        gate = await self._read()
        others = [entry for entry in (gate or {"open": []})["open"] if entry["side"] != self.side]
        for entry in [entry for entry in others if entry["by"] == at_once]:
            await self._cancel(entry)
        await self._clear([entry for entry in others if entry["by"] != at_once])

    async def wait_for_earlier(self) -> None:
        """Wait until each group that has passed the gate by now is written, or never will be."""
        earlier = {(entry["side"], entry["at"]) for entry in (await self._read() or {"open": []})["open"]}
        while earlier:
            await self.unblock()
            earlier &= {(entry["side"], entry["at"]) for entry in (await self._read() or {"open": []})["open"]}
            await asyncio.sleep(_LOOK_EVERY if earlier else 0)

    async def _read(self, session: AsyncClientSession | None = None) -> Document | None:
        return await self._surely.find_one({"_id": GATE}, projection={"next": 1, "open": 1}, session=session)

    async def _clear(self, entries: list[Document]) -> None:
        """Cancel those of these blocks that have been in the way for too long."""
        now, before = time.monotonic(), self._waited
        self._waited = {(entry["side"], entry["at"]): now for entry in entries} | {
            key: since for key, since in before.items() if key in {(entry["side"], entry["at"]) for entry in entries}
        }
        for entry in entries:
            if now - self._waited[entry["side"], entry["at"]] > PATIENCE:
                await self._cancel(entry)

    async def _cancel(self, entry: Document) -> None:
        """End the transaction of a block, and let its first number be taken, so that it can never be written."""
        try:
            await self._admin.command("killSessions", [{"id": Binary.from_uuid(UUID(bytes=bytes(entry["session"])))}])
        except OperationFailure as error:  # it ends by itself after a minute
            log.warning("store %s: the transaction of a process that died could not be ended: %s", self._shown, error)
        if entry["n"]:
            with suppress(DuplicateKeyError):  # it was written after all
                await self._events.insert_one({"_id": entry["at"], "void": True, "at": datetime.now(UTC)})
                log.info("store %s: what process %s was writing is cancelled", self._shown, entry["by"])
        await self._surely.update_one({"_id": GATE}, {"$pull": {"open": {"side": entry["side"], "at": entry["at"]}}})

    async def _refuse(self) -> None:
        gate = await self._surely.find_one({"_id": GATE})
        if gate is not None:
            check_version(self._shown, gate)


_NAMED: Document = {"side": "$$this.side", "at": "$$this.at"}
