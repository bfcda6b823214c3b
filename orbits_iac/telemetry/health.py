"""Whether a worker's process is alive, and whether it is ready: asked from threads, so that a blocked loop shows.

*Alive*: its event loop has turned within `LONGEST_STANDSTILL`. A process that is not alive is of no use until it is
started anew. *Ready*: it is alive, its store answers, its lease is certain, and it is not stopping. A worker that is
not ready goes on by itself once the cause is gone.
"""

import asyncio
import threading
import time
from typing import TYPE_CHECKING

from orbits_iac.model.errors import StoreError

if TYPE_CHECKING:
    from orbits_iac.orbits import Orbits

LONGEST_STANDSTILL = 30.0
"""Seconds: far beyond what the watchdog names a hook for, since whoever kills the process ends all that it does."""

BEAT = 1.0
"""Seconds between two turns that are noted."""

PATIENCE = 2.0
"""Seconds within which the store has to answer."""

ASKED_AGAIN = 1.0
"""Seconds after which the store is asked again, however many look."""


class Health:
    """Watches the event loop that it is made on, and, once it has one, a worker."""

    def __init__(self, longest_standstill: float = LONGEST_STANDSTILL) -> None:
        self._longest = longest_standstill
        self._loop = asyncio.get_running_loop()
        self._orbits: Orbits | None = None
        self._lock = threading.Lock()
        self._answered = (float("-inf"), "")
        self._turned = time.monotonic()
        self._beat = self._loop.call_later(BEAT, self._turn)

    def watch(self, orbits: "Orbits") -> None:
        """From here on it is this worker's health."""
        self._orbits = orbits

    def close(self) -> None:
        """Watch no more; on the loop."""
        self._beat.cancel()

    @property
    def standstill(self) -> float:
        """Seconds since the loop was last seen to turn."""
        return time.monotonic() - self._turned

    def why_not_alive(self) -> list[str]:
        """What speaks against it, a sentence each; nothing if it is alive."""
        seconds = self.standstill
        if seconds <= self._longest:
            return []
        return [f"the event loop has not turned for {seconds:.0f} s: what blocks it stands in the log and the events"]

    def why_not_ready(self) -> list[str]:
        """What speaks against it, a sentence each; nothing if it is ready."""
        found, orbits = self.why_not_alive(), self._orbits
        if orbits is None:
            return [*found, "it is starting"]
        condition = orbits.dispatcher.condition()
        if condition.leaving:
            found.append("it is stopping, and claims nothing more")
        elif not condition.certain:
            found.append(f"its lease was last renewed {condition.lease_age or 0.0:.1f} s ago: it begins nothing")
        if why := self._why_silent(orbits):
            found.append(why)
        return found

    def _why_silent(self, orbits: "Orbits") -> str:
        """Why the store does not answer; nothing if it does."""
        with self._lock:
            at, why = self._answered
            if time.monotonic() - at > ASKED_AGAIN:
                why = self._ask(orbits)
                self._answered = (time.monotonic(), why)
            return why

    def _ask(self, orbits: "Orbits") -> str:
        async def ask() -> None:
            async with asyncio.timeout(PATIENCE):
                await orbits.store.next_due()

        try:
            asyncio.run(ask())
        except TimeoutError:
            return f"the store has not answered within {PATIENCE:g} s"
        except StoreError as error:
            return f"the store does not answer: {error}"
        return ""

    def _turn(self) -> None:
        self._turned = time.monotonic()
        self._beat = self._loop.call_later(BEAT, self._turn)
