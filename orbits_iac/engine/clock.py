"""Time, injected: the engine and the dispatcher ask a Clock, so that tests can hold it."""

import asyncio
import time


class Clock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds that have passed since some moment, whatever the clock was set to meanwhile."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, until: float | None) -> None:
        """Return when `event` is set or the time is `until`."""
        if until is None:
            await event.wait()
            return
        try:
            async with asyncio.timeout(max(0.0, until - self.now())):
                await event.wait()
        except TimeoutError:
            return
