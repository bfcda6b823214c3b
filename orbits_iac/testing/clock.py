"""A clock that tests move: time goes on by itself, and jumps when it is told to."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from orbits_iac.engine import clock


class Clock(clock.Clock):
    """The machine's clock, ahead of it by what `advance` has added."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._passed = 0.0
        self._settled: list[Callable[[], Awaitable[None]]] = []

    def now(self) -> float:
        return super().now() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._passed

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
        for settled in self._settled:
            await settled()
