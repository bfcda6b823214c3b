"""A clock that tests move: time goes on by itself, and jumps when it is told to."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from orbits_iac.engine import clock


class Clock(clock.Clock):
    """The machine's clock, ahead of it by what `advance` has added."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._settled: list[Callable[[], Awaitable[None]]] = []

    def now(self) -> float:
        return super().now() + self._ahead

    def tell(self, settled: Callable[[], Awaitable[None]]) -> None:
        """Wait for `settled` whenever the clock was moved."""
        self._settled.append(settled)

    async def advance(self, by: timedelta) -> None:
        """Move the clock ahead, and return when everything that became due has been done."""
        self._ahead += by.total_seconds()
        for settled in self._settled:
            await settled()
