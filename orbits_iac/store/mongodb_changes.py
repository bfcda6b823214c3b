"""Being told of what others commit to a MongoDB store: a change stream, open while somebody waits.

Every commit raises a document of the collection `writer`, so a stream of that one collection tells of all of them. It
is read batch by batch, with a pause between two in which more may come: a busy store costs a waiter one look each
`PAUSE` seconds. While nobody waits it is not read, and after `LINGER` seconds it is let go: a worker that has enough to
do costs the server nothing.

What always holds: whoever waits is told too often rather than too seldom. A stream that broke goes on from its resume
token; where that is gone, and where a new stream begins, everybody is told that something may have been committed.
Where no stream can be had there is polling. One side of a store (one event loop) makes one.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import pymongo
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure, PyMongoError

from orbits_iac.store.hints import Hints
from orbits_iac.store.mongodb_client import Document
from orbits_iac.store.mongodb_errors import UNAUTHORIZED, said

log = logging.getLogger(__name__)

PAUSE = 0.005
"""Seconds between two looks for changes."""

LINGER = 5.0
"""Seconds that a stream is kept for whoever waits next."""

POLL = 0.1
"""Seconds after which who waits looks by itself, where there is no stream."""

LONGEST_AWAIT = 5.0
"""Seconds after which the server answers, though nothing came."""

_LAST = 1.0  # seconds that the server has to end a stream
_LONGEST_DELAY = 1.0  # seconds until a stream that broke is tried again
_NEVER = frozenset({UNAUTHORIZED, 40573, 40324})  # not allowed, no replica set, no such stage
_TOKEN_IS_GONE = frozenset({136, 260, 280, 286})  # capped position lost, invalid token, fatal error, history lost


class Changes:
    """Tells `hints` of changes in the collection."""

    def __init__(self, writers: AsyncCollection[Document], hints: Hints, shown: str) -> None:
        self._writers = writers
        self._hints = hints
        self._shown = shown
        self._waiting = 0
        self._wanted = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._polls = False
        self._closing = False
        timeout = writers.database.client.options.pool_options.socket_timeout
        self._await_ms = int(1000 * min(LONGEST_AWAIT, timeout / 2 if timeout else LONGEST_AWAIT))
        self._token: Document | None = None

    async def wait(self, timeout: float) -> None:
        """Return when something may have been committed since this task's last wait, or after `timeout` seconds."""
        if self._polls:
            await self._hints.wait(min(timeout, POLL))
            return
        self._waiting += 1
        self._wanted.set()
        if self._following is None:
            self._following = asyncio.get_running_loop().create_task(self._follow(), name="orbits-store-changes")
        try:
            await self._hints.wait(timeout)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()

    async def close(self) -> None:
        """Let go of the stream."""
        self._closing = True
        following, self._following = self._following, None
        while following is not None and not following.done():
            following.cancel()  # more than once: one that comes together with an answer may be dropped
            await asyncio.wait([following], timeout=0.1)

    async def _follow(self) -> None:
        """Keep a stream open as long as somebody waits, now and then."""
        delay = 0.0
        try:
            while not self._closing:
                try:
                    async with self._writers.database.client.start_session(causal_consistency=False) as session:
                        await self._read(session)
                    return
                except OperationFailure as error:
                    if error.code in _NEVER:
                        self._poll(error)
                        return
                    if error.code in _TOKEN_IS_GONE:
                        log.info("store %s: what happened meanwhile is not told any more; looking for it", self._shown)
                        self._token = None
                    failed: PyMongoError = error
                except PyMongoError as error:
                    failed = error
                if not delay:
                    log.info("store %s: not told of changes for now (%s)", self._shown, said(failed))
                self._hints.tell()  # they look by themselves as often as it is tried
                delay = min(_LONGEST_DELAY, 2 * delay or 0.05)
                await asyncio.sleep(delay)
        finally:
            self._token = None
            if self._following is asyncio.current_task():
                self._following = None

    async def _read(self, session: AsyncClientSession) -> None:
        """Open a stream and tell of what it brings, until nobody has waited for long."""
        database, cursor = self._writers.database, 0
        try:
            answer = await database.command(self._opening(), session=session)
            cursor = self._take(answer["cursor"], "firstBatch")
            while cursor:
                if not await self._is_wanted() or self._closing:
                    return
                more = {"getMore": cursor, "collection": self._writers.name, "maxTimeMS": self._await_ms}
                answer = await database.command(more, session=session)
                cursor = self._take(answer["cursor"], "nextBatch")
                if answer["cursor"]["nextBatch"]:
                    await asyncio.sleep(PAUSE)
            self._token = None  # the collection was dropped
            self._hints.tell()
        finally:
            if cursor:
                kill = {"killCursors": self._writers.name, "cursors": [cursor]}
                # The driver's own limit: on Python 3.11 a call that is cancelled while it looks for a server may leave
                # the driver's lock taken, and all other calls of its client wait for ever.
                with suppress(PyMongoError), pymongo.timeout(_LAST):  # it ends with its session anyhow
                    await database.command(kill, session=session)

    def _opening(self) -> Document:
        after: dict[str, Any] = {} if self._token is None else {"resumeAfter": self._token}
        pipeline = [{"$changeStream": after}, {"$project": {"_id": 1}}]
        return {"aggregate": self._writers.name, "pipeline": pipeline, "cursor": {}}

    def _take(self, cursor: Document, batch: str) -> int:
        """Tell of what came, if anything; the cursor's number, 0 for one that has ended."""
        begun = self._token is None  # from here on nothing is missed; what came before is not told
        if cursor[batch] or begun:
            self._hints.tell()
        self._token = cursor.get("postBatchResumeToken") or self._token
        return int(cursor["id"])

    async def _is_wanted(self) -> bool:
        """Whether somebody waits, now or soon."""
        if not self._wanted.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await self._wanted.wait()
        return self._wanted.is_set()

    def _poll(self, error: OperationFailure) -> None:
        self._polls = True
        log.warning(
            "store %s: no change stream can be had (%s), so changes are looked for every %s seconds. Allow the user "
            "changeStream and find on the database, as the role readWrite does, to have them at once",
            self._shown,
            said(error),
            POLL,
        )
        self._hints.tell()
