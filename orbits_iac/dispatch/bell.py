"""When a worker looks for what is due: at once for what was made due in its process, soon for what others commit.

What always holds: no hint is missed, for one task asks for them all the time; looking takes at most a part of the time,
whatever the store's reads cost and however much is committed; and a worker looks by itself, should a hint be lost.
"""

import asyncio
import logging

from orbits_iac.model.errors import StoreError
from orbits_iac.store.contract import Store

log = logging.getLogger(__name__)

PAUSE = 0.005
"""Seconds at least between two looks for what others have made due."""

SHARE = 4
"""A look is followed by a pause of so many times as long as it took."""

LONGEST_PAUSE = 0.1
"""Seconds that such a pause is at most."""


class Bell:
    """Rings when there may be something to look for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._poked = asyncio.Event()
        self._hinted = asyncio.Event()
        self._looked = self._pause = 0.0

    def poke(self) -> None:
        """Something was made due in this process: it is looked for at once."""
        self._poked.set()

    def looking(self) -> None:
        """A look begins now."""
        self._looked = asyncio.get_running_loop().time()

    def has_looked(self) -> None:
        """It has ended."""
        took = asyncio.get_running_loop().time() - self._looked
        self._pause = min(LONGEST_PAUSE, max(PAUSE, SHARE * took))

    async def wait(self, seconds: float) -> None:
        """Until it is time for another look, and so many seconds at most."""
        poked, hinted = waits = [asyncio.ensure_future(event.wait()) for event in (self._poked, self._hinted)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if hinted.done():  # a commit, most often of a step here; another process's may have made something due
                rest = self._looked + self._pause - asyncio.get_running_loop().time()
                await asyncio.wait([poked], timeout=max(0.0, min(seconds, rest)))
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        self._poked.clear()
        self._hinted.clear()

    async def listen(self, every: float) -> None:
        """Ring whenever somebody has committed something, and `every` so many seconds; until it is cancelled."""
        while True:
            try:
                await self._store.changed(every)
            except StoreError:  # whoever looks says so
                await asyncio.sleep(every)
            except Exception:
                log.exception("hints are lost, and everything is looked for later: this is a defect of Orbits")
                await asyncio.sleep(every)
            self._hinted.set()
