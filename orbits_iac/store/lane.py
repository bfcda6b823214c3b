"""A thread that does what coroutines of any event loop hand to it, several jobs at a time.

What is handed in during one turn of an event loop comes as one batch, and is answered in one wake of that loop.
Called by the SQLite store, once for reading and once for writing.
"""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

R = TypeVar("R")
T = TypeVar("T")


class Job(Generic[T]):
    """Something to do, and what came of it: a result or an error."""

    __slots__ = ("error", "future", "result", "work")

    def __init__(self, work: T, future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None


class Lane(Generic[T]):
    """Runs `run` on one batch after the other, in a thread of its own, until it is closed.

    `run` sets `result` or `error` of each job; what it raises itself becomes the error of those that have neither.
    """

    def __init__(self, name: str, run: Callable[[Sequence[Job[T]]], None], *, closed: Callable[[], Exception]) -> None:
        self._run = run
        self._closed_error = closed
        self._handed_in: queue.SimpleQueue[list[Job[T]] | None] = queue.SimpleQueue()
        self._turns: dict[asyncio.AbstractEventLoop, list[Job[T]]] = {}
        self._closing = False
        self._ended: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: T) -> Any:
        """Have `work` done; cancelled while it waits, it may be done all the same."""
        loop = asyncio.get_running_loop()
        job = Job(work, loop.create_future())
        turn = self._turns.get(loop)
        if turn is None:
            self._turns[loop] = [job]
            loop.call_soon(self._hand_in, loop)
        else:
            turn.append(job)
        return await job.future

    async def close(self) -> None:
        """Do what was handed in, then end the thread."""
        loop = asyncio.get_running_loop()
        self._hand_in(loop)
        ended: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._closing and not self._thread.is_alive():
                return
            self._ended.add(ended)
            if not self._closing:
                self._closing = True
                self._handed_in.put(None)
        await ended
        self._thread.join()

    def _hand_in(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = self._turns.pop(loop, None)
        if not batch:
            return
        with self._lock:
            if not self._closing:
                self._handed_in.put(batch)
                return
        for job in batch:
            job.error = self._closed_error()
        _answer(batch)

    def _work(self) -> None:
        batch: list[Job[T]] | None = self._handed_in.get()
        while batch is not None:
            then: list[Job[T]] | None = []
            while then is not None and not self._handed_in.empty():
                then = self._handed_in.get()
                batch += then or ()
            self._do(batch)
            is_last = then is None
            batch = then = None  # a large one is not kept until the next one comes
            batch = None if is_last else self._handed_in.get()
        with self._lock:
            for ended in self._ended:
                _from_thread(ended.get_loop(), _finish, [(ended, None, None)])

    def _do(self, batch: list[Job[T]]) -> None:
        try:
            self._run(batch)
        except BaseException as error:  # noqa: BLE001 - a lane that dies would leave its callers waiting for ever
            for job in batch:
                if job.result is None and job.error is None:
                    job.error = error
        loops: dict[asyncio.AbstractEventLoop, list[Any]] = {}
        for job in batch:
            loops.setdefault(job.future.get_loop(), []).append((job.future, job.result, job.error))
        for loop, outcomes in loops.items():
            _from_thread(loop, _finish, outcomes)


async def run_once(name: str, work: Callable[[], R]) -> R:
    """The result of `work`, which may block, from a thread that has ended when this returns."""

    def run(jobs: Sequence[Job[Callable[[], R]]]) -> None:
        for job in jobs:
            job.result = job.work()

    lane = Lane(name, run, closed=RuntimeError)
    try:
        result: R = await lane.do(work)
    finally:
        await lane.close()
    return result


def _answer(batch: list[Job[T]]) -> None:
    _finish([(job.future, job.result, job.error) for job in batch])


def _from_thread(loop: asyncio.AbstractEventLoop, call: Callable[[list[Any]], None], outcomes: list[Any]) -> None:
    try:
        loop.call_soon_threadsafe(call, outcomes)
    except RuntimeError:  # the loop was closed; nobody waits any more
        return


def _finish(outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
