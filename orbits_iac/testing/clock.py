"""A clock that tests move: time goes on by itself, and jumps when it is told to."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from orbits_iac.engine import clock


class Clock(clock.Clock):
    """The machine's clock, ahead of it by what `advance` has added."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._passed = 0.0
        self._settled: list[Callable[[], Awaitable[None]]] = []
        self._moved = asyncio.Condition()

    def now(self) -> float:
        return super().now() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._passed

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Return when `event` is set or the time is `until`, be it that the clock was moved there."""
        waiting = asyncio.ensure_future(event.wait())
        try:
            while not waiting.done() and (until is None or self.now() < until):
                moved = asyncio.ensure_future(self._move())
                left = None if until is None else until - self.now()
                try:
                    await asyncio.wait([waiting, moved], timeout=left, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    moved.cancel()
                    await asyncio.gather(moved, return_exceptions=True)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    def tell(self, settled: Callable[[], Awaitable[None]]) -> None:
        """Wait for `settled` whenever the clock was moved."""
        self._settled.append(settled)

    async def advance(self, by: timedelta) -> None:
        """Move the clock ahead, and return when everything that became due has been done."""
        self._passed += by.total_seconds()
        await self.set(by)

    async def set(self, by: timedelta) -> None:
        """Set the clock ahead or back, as a person does: no time passes. Returns as `advance` does."""
        self._ahead += by.total_seconds()
        async with self._moved:
            self._moved.notify_all()
        for settled in self._settled:
            await settled()

    async def _move(self) -> None:
        async with self._moved:
            await self._moved.wait()
