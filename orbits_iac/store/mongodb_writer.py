"""What one side of a MongoDB store writes: groups of transactions, two at a time, each one transaction of MongoDB.

What is handed in while both channels are busy becomes the next group. Transactions of one execution, and those of none,
never stand in two groups at once, so they are written in the order in which they were handed in. One that is refused is
left out of its group; a write conflict with another process, a failover or a lost reservation begins the group anew, on
a new snapshot, and a group that cannot get through is tried in halves, so that only what conflicts has to wait.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar

import pymongo
from bson.errors import BSONError
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, ConnectionFailure, PyMongoError

from orbits_iac.model.errors import Conflict, Fenced, StoreError, Unreachable
from orbits_iac.model.ids import ExecutionId, WorkerId, new_id
from orbits_iac.model.rows import TaskRow
from orbits_iac.store import mongodb_claims as claims
from orbits_iac.store.lane import Job
from orbits_iac.store.mongodb_claims import Claim, Leaving
from orbits_iac.store.mongodb_errors import failing, may_be_tried_again, store_error
from orbits_iac.store.mongodb_gate import Gate
from orbits_iac.store.mongodb_group import Group, Prepared, Wanted
from orbits_iac.store.mongodb_pieces import send as send_pieces
from orbits_iac.store.mongodb_rows import Document
from orbits_iac.store.mongodb_transaction import (
    CHANNELS,
    PATIENCE,
    LostError,
    Sending,
    UnknownCommitError,
    fences,
    sending,
)

T = TypeVar("T")

MOST, LARGEST = 500, 8 * 1024 * 1024
"""Transactions, and characters, of one group."""

LAST_WORD = 5.0
"""Seconds that a server has to answer when the store is closed: what is not taken back is cancelled by others."""

QUIET_TURNS, LONGEST_LOOK = 4, 0.01
"""Turns of the event loop in which nothing came, and seconds, after which a group begins: those who were just answered
hand in their next within some turns, and a larger group costs less a step."""

_DUPLICATE = 11000
_ERRORS = (LostError, UnknownCommitError, PyMongoError, BSONError, OverflowError, StoreError)


class Writer:
    """Writes what coroutines of one event loop hand in."""

    def __init__(
        self, database: AsyncDatabase[Document], *, instance: str, shown: str, tell: Callable[[], None]
    ) -> None:
        self._database = database
        self._instance = instance
        self._shown = shown
        self._tell = tell
        self._waiting: list[Job[Prepared]] = []
        self._under_way: set[str] = set()  # the turns of the groups under way
        self._free = [Channel(number, self._gate(), database) for number in range(CHANNELS)]
        self._leaving = Channel(0, self._gate(), database)
        self._introduced: set[WorkerId] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._soon = False  # it is about to look for what to write
        self._closed = False
        self.groups = 0

    async def commit(self, work: Prepared) -> None:
        """Have it written; cancelled while it waits, it may be written all the same."""
        self._check_open()
        loop = asyncio.get_running_loop()
        job: Job[Prepared] = Job(work, loop.create_future())
        self._waiting.append(job)
        self._begin_soon()
        await job.future

    async def claim(self, wanted: Claim) -> list[TaskRow]:
        """Take what may be taken."""
        self._check_open()
        with failing(self._shown, "claiming"):
            if wanted.worker not in self._introduced:
                await claims.introduce(self._database, wanted.worker, self._instance)
                self._introduced.add(wanted.worker)
            claimed = await claims.claim(self._database, wanted)
        if claimed:
            self._tell()
        return claimed

    async def release(self, leaving: Leaving) -> list[ExecutionId]:
        """Take from a worker what it holds."""
        self._check_open()

        async def attempt() -> list[ExecutionId]:
            return await self._leaving.release(leaving)

        async def unblock() -> None:
            process = await claims.process_of(self._database, leaving.worker)
            await self._leaving.gate.unblock(at_once=None if process == self._instance else process)

        with failing(self._shown, "releasing a worker"):
            try:
                released = await _persist(attempt, unblock)
                if leaving.counter is not None:  # it is dead, and so is what it has open
                    await unblock()
            except (LostError, UnknownCommitError) as error:
                raise self._error(error) from error
        self._introduced.discard(leaving.worker)
        self._tell()
        return released

    async def close(self) -> None:
        """Finish what was handed in, and leave the gate."""
        self._closed = True
        while self._soon or self._tasks:
            await asyncio.sleep(0) if self._soon else await asyncio.wait(self._tasks)
        closing = [channel.close() for channel in (*self._free, self._leaving)]
        with pymongo.timeout(LAST_WORD):  # each may wait for a server that is gone
            outcomes = await asyncio.gather(*closing, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"the store {self._shown} was closed")

    def _gate(self) -> Gate:
        return Gate(self._database, instance=self._instance, side=new_id(0), shown=self._shown)

    def _begin_soon(self) -> None:
        """Begin as soon as no more is handed in."""
        if self._free and not self._soon:
            self._soon = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._look, 0, 0, loop.time() + LONGEST_LOOK)

    def _look(self, before: int, quiet: int, until: float) -> None:
        """Look again in the next turn of the loop, unless it has been quiet for long enough."""
        loop, waiting = asyncio.get_running_loop(), len(self._waiting)
        quiet = 0 if waiting > before else quiet + 1
        if quiet < QUIET_TURNS and waiting < MOST and not self._closed and loop.time() < until:
            loop.call_soon(self._look, waiting, quiet, until)
        else:
            self._begin()

    def _begin(self) -> None:
        """Let each free channel write a group of what waits."""
        self._soon = False
        while self._free and (jobs := self._next()):
            task = asyncio.get_running_loop().create_task(self._write(self._free.pop(), jobs), name="store writer")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self) -> list[Job[Prepared]]:
        """The jobs of the next group: none whose turn a group under way has, or an earlier one waits for.

        One whose events bring their numbers stands alone: it moves the gate on by itself.
        """
        taken, left, size = list[Job[Prepared]](), list[Job[Prepared]](), 0
        blocked = set(self._under_way)
        for job in self._waiting:
            work = job.work
            full = len(taken) == MOST or size + work.size > LARGEST or work.numbers
            if work.turn in blocked or (taken and (full or taken[0].work.numbers)):
                left.append(job)
                blocked.add(work.turn)
            else:
                taken.append(job)
                size += work.size
        self._waiting = left
        self._under_way |= {job.work.turn for job in taken}
        return taken

    async def _write(self, channel: "Channel", jobs: list[Job[Prepared]]) -> None:
        failed: BaseException | None = None
        try:
            await self._persist(channel, jobs)
        except BaseException as error:
            failed = error
            raise
        finally:
            self._under_way -= {job.work.turn for job in jobs}
            self._free.append(channel)
            self._tell()
            self._answer(jobs, failed)
            if self._waiting:
                self._begin_soon()

    def _answer(self, jobs: Sequence[Job[Prepared]], failed: BaseException | None) -> None:
        for job in jobs:
            if job.future.done():
                continue
            error = job.error
            if failed is not None and error is None:
                error = StoreError(f"the store {self._shown} stopped writing: {failed!r}")
            if error is None:
                job.future.set_result(None)
            else:
                job.future.set_exception(error)

    async def _persist(self, channel: "Channel", jobs: list[Job[Prepared]]) -> None:
        """Write the jobs as one transaction, or in smaller ones; each has its error, or none, at the end."""

        async def attempt() -> None:
            written = await channel.write(jobs)
            self.groups += written  # after the wait: two channels count

        try:
            await _persist(attempt, channel.gate.unblock, tries=3 if len(jobs) > 1 else None)
            return
        except _ERRORS as error:
            if len(jobs) == 1 or isinstance(error, ConnectionFailure | StoreError | UnknownCommitError):
                for job in jobs:
                    job.error = self._error(error)
                return
            halves = 2 if _again(error) else len(jobs)  # an error of one of them: find out whose
        size = -(-len(jobs) // halves)
        for start in range(0, len(jobs), size):
            await self._persist(channel, jobs[start : start + size])

    def _error(self, error: Exception) -> StoreError:
        if isinstance(error, StoreError):
            return error
        if isinstance(error, LostError):
            return Unreachable(f"the store {self._shown} has no primary for long enough to write to")
        if isinstance(error, UnknownCommitError) and isinstance(error.__cause__, PyMongoError):
            error = error.__cause__
        made = store_error(self._shown, error, doing="writing")
        made.__cause__ = error
        return made


class Channel:
    """A way of writing, one transaction at a time.

    Its session is for its transactions alone: whoever finds it in the way may end them, and stops nothing else.
    """

    def __init__(self, number: int, gate: Gate, database: AsyncDatabase[Document]) -> None:
        self.gate = gate
        self._number = number
        self._database = database
        self._session: AsyncClientSession | None = None

    async def write(self, jobs: Sequence[Job[Prepared]]) -> int:
        """Write what is not refused of these; the groups that were written, none or one."""
        works = [job.work for job in jobs]
        brought = bool(works[0].numbers)
        count = 0 if brought else sum(len(work.events) for work in works)
        in_the_way = bool(count)
        with _before_the_transaction():
            await send_pieces(self._database, (row for work in works for _, _, row in work.puts))
        async with self._begun(count) as (at, transaction):
            try:
                found = await transaction.read(self.gate, Wanted(works), at)
                group = Group(found, at=found.next if brought else at)
                if not _judge(group, jobs):
                    return 0
                changes = group.finished()
                await transaction.write(changes)
                if brought:
                    await self.gate.move_on(changes.events[-1]["_id"], transaction.session)
                writers = [fences(worker)[self._number] for worker in changes.holders]
                await transaction.ring(writers or [self.gate.side])
                in_the_way = in_the_way and not changes.events  # from here on it may be written, whatever comes back
                await transaction.commit()
                return 1
            finally:
                if in_the_way:
                    with suppress(PyMongoError):  # the side's next block, or whoever it is in the way of, ends it
                        await self.gate.close_block()

    async def release(self, leaving: Leaving) -> list[ExecutionId]:
        """Take from a worker what it holds."""
        async with self._begun(0) as (_, transaction):
            released = await claims.release(transaction, self._database, leaving)
            await transaction.commit()
            return released

    async def close(self) -> None:
        """Leave the gate, and end the session."""
        try:
            await self.gate.close_block()
        finally:
            await self._end_session()

    @asynccontextmanager
    async def _begun(self, count: int) -> AsyncGenerator[tuple[int, Sending]]:
        """A block of so many numbers, and the transaction that it is for."""
        if self._session is None:
            self._session = self._database.client.start_session()
        try:
            with _before_the_transaction():
                at = await self.gate.reserve(count, self._session)
            async with sending(self._database, self._session) as transaction:
                yield at, transaction
        except (LostError, ConnectionFailure):
            await self._end_session()
            raise

    async def _end_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.end_session()


@contextmanager
def _before_the_transaction() -> Generator[None]:
    """What is sent here may be sent again, whatever came of it: a connection that breaks begins the group anew."""
    try:
        yield
    except ConnectionFailure as error:
        raise LostError from error


def _judge(group: Group, jobs: Sequence[Job[Prepared]]) -> bool:
    """Add the jobs to the group, those that are refused with their error; whether there is anything to write."""
    accepted = False
    for job in jobs:
        job.error = None
        try:
            group.add(job.work)
            accepted = True
        except (Fenced, Conflict, ValueError) as refused:
            job.error = refused
    return accepted


async def _persist(
    attempt: Callable[[], Awaitable[T]], unblock: Callable[[], Awaitable[None]], *, tries: int | None = None
) -> T:
    """Try until it is done or cannot be; at most so many times, and for `PATIENCE` seconds."""
    loop = asyncio.get_running_loop()
    until, tried = loop.time() + PATIENCE, 0
    while True:
        try:
            return await attempt()
        except _ERRORS as error:
            tried += 1
            if not _again(error) or tried == tries or loop.time() > until:
                raise
        with suppress(PyMongoError):  # the next attempt says what is wrong
            await unblock()
        await asyncio.sleep(random.random() * min(0.1, 0.002 * 2**tried))  # noqa: S311 - not to meet the same again


def _again(error: Exception) -> bool:
    """Whether it may be written yet, if it is begun anew."""
    if isinstance(error, LostError) or may_be_tried_again(error):
        return True
    if isinstance(error, BulkWriteError):  # a number or a row that has come to be there since the snapshot
        return any(each.get("code") == _DUPLICATE for each in error.details.get("writeErrors", ()))
    return False
