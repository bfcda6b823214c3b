"""Time that is held: an event loop and a clock on which time passes only when nothing else can happen.

What always holds: while anything is ready, the time stands still; once nothing is, it jumps to the next timer. So a day
of waiting costs nothing, and what happens first does not depend on the machine. Plain functions that asyncio would hand
to threads are run in place, one after the other. A loop in which nothing can ever happen any more says so: `Stuck`.

Where something outside is under way, time passes as it does elsewhere: a job of a store's thread (`outside`), a socket
that is read or written.
"""

import asyncio
import math
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

from orbits_iac.engine import clock

T = TypeVar("T")

EPOCH = 1_750_000_000.0
"""What a held clock says when it begins: some moment of 2025."""

PATIENCE = 20.0
"""Seconds of real time that something outside may take."""


class Stuck(Exception):
    """Nothing can happen any more: what is waited for will never come."""


class HeldLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is held."""

    def __init__(self) -> None:
        self._passed = 0.0
        self._under_way = 0
        self._eyes = _Eyes(self)
        super().__init__(self._eyes)

    def time(self) -> float:
        return self._passed

    def run_in_executor(  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> "asyncio.Future[T]":
        """Run `func` here, in its turn, rather than in a thread."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if future.cancelled():
                return
            try:
                future.set_result(func(*args))
            except Exception as error:  # noqa: BLE001 - it belongs to who waits
                future.set_exception(error)

        self.call_soon(run)
        return future

    @contextmanager
    def outside(self) -> Generator[None]:
        """Something that this loop will be told the end of is under way in a thread: no time passes until then."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def pass_by(self, seconds: float | None, select: Callable[[float], list[Any]], *, watched: int) -> list[Any]:
        """What a selector found while `seconds` passed (None: for ever)."""
        if seconds is not None and seconds <= 0:
            return select(0)
        if self._under_way or watched > 1 or (seconds is None and threading.active_count() > 1):
            return self._wait(seconds, select)
        if found := select(0):
            return found
        if seconds is None:
            raise Stuck("nothing is under way and no timer is set: what is waited for will never come")
        self._passed = math.nextafter(self._passed + seconds, math.inf)  # asyncio fires what is before now, not at it
        return []

    def _wait(self, seconds: float | None, select: Callable[[float], list[Any]]) -> list[Any]:
        began = time.monotonic()
        found = select(PATIENCE if self._under_way or seconds is None else min(seconds, PATIENCE))
        if not self._under_way and seconds is not None:
            self._passed += seconds if not found else min(seconds, time.monotonic() - began)
        elif not found:
            raise Stuck(f"what is under way outside has not ended in {PATIENCE:g} s")
        return found


class _Eyes(selectors.DefaultSelector):
    """The loop's selector, which asks the loop how time passes."""

    def __init__(self, loop: HeldLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        return self._loop.pass_by(timeout, super().select, watched=len(self.get_map()))


class HeldClock(clock.Clock):
    """The clock of a held loop; it may begin anywhere, as after a crash."""

    def __init__(self, loop: HeldLoop, *, at: float = EPOCH) -> None:
        self._loop = loop
        self._began = at

    def now(self) -> float:
        return self._began + self._loop.time()

    def monotonic(self) -> float:
        return self._loop.time()


def run_held(main: Callable[[HeldLoop], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine that is run on a held loop of its own."""
    with asyncio.Runner(loop_factory=HeldLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, HeldLoop)  # noqa: S101 - for the checkers: it was made by the line above
        return runner.run(main(loop))
