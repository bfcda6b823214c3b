"""Waking whoever waits for a change, in any event loop and thread of this process.

Every commit is counted. A waiter returns at once if the count went up since its task's last wait, so that a commit
between two waits is not slept through.
"""

import asyncio
import threading
import weakref
from collections.abc import Callable
from typing import Any


class Hints:
    """How many commits there were, and who waits for the next."""

    def __init__(self) -> None:
        self._count = 0
        self._last = 0  # what the latest wait of any task returned with: where a task's first wait begins
        self._seen: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()
        self._waiting: set[asyncio.Future[None]] = set()
        self._lock = threading.Lock()

    def tell(self) -> None:
        """Something was committed. From any thread; a loop that was closed meanwhile is passed over."""
        with self._lock:
            self._count += 1
            waiting, self._waiting = self._waiting, set()
        for future in waiting:
            try:
                future.get_loop().call_soon_threadsafe(_wake, future)
            except RuntimeError:  # the waiter's loop was closed
                continue

    async def wait(self, timeout: float, *, every: float = 0.0, look: Callable[[], object] | None = None) -> None:
        """Return after a commit or `timeout` seconds. Every `every` seconds `look` may find others' and `tell`."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        since = self._seen.get(task, self._last)
        while True:
            if look is not None:
                look()
            left = end - loop.time()
            future = self._enlist(loop, since)
            if future is None or left <= 0:
                break
            try:
                await asyncio.wait([future], timeout=min(left, every) if every else left)
            finally:
                with self._lock:
                    self._waiting.discard(future)
        with self._lock:
            self._seen[task] = self._last = self._count

    def _enlist(self, loop: asyncio.AbstractEventLoop, since: int) -> asyncio.Future[None] | None:
        with self._lock:
            if self._count != since:
                return None
            future = loop.create_future()
            self._waiting.add(future)
            return future


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
