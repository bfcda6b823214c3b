"""A scene with a workload on it, which a test breaks in a way of its own.

Who asks here has the modules of the workers by the same names: `tests.soak.steps`. It would else be of another build
than they are, which, if it came to the store after theirs, they would not go on with.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from orbits_iac import Orbits, Settings, Step

from .alarm import alarm
from .collected import Collected, everything
from .scene import Scene
from .steps import SoakClock
from .workload import CLOCKS, Workload

LIMIT = 150.0
"""Seconds after which a course has failed, on a machine that does much else."""

CLOCKED = [SoakClock(name=f"clock-{number}") for number in range(CLOCKS)]


class Course:
    """A scene, and a workload on it."""

    def __init__(self, scene: Scene, orbits: Orbits) -> None:
        self.scene = scene
        self._orbits = orbits
        self._workload = Workload(orbits, scene.log, seed=0)

    async def start(self, steps: Sequence[Step[Any]]) -> None:
        for step in steps:
            await self._workload.start(step)

    async def until(self, seen: Callable[[], bool]) -> None:
        """Wait until this can be seen from outside."""
        while not seen():  # noqa: ASYNC110 - it is in other processes
            await asyncio.sleep(0.02)

    def said(self, words: str) -> int:
        """How often the workers have said this."""
        return self.scene.said.read_text(errors="replace").count(words)

    def lines(self, what: str) -> int:
        return sum(line.what == what for line in self.scene.log.lines())

    async def collected(self) -> Collected:
        """What there is once everything has ended."""
        await self._workload.finish()
        self.scene.stop()
        await self._workload.look()
        told, seen, said = self._workload.told, self._workload.seen, self.scene.said.read_text(errors="replace")
        return await everything(self._orbits.store, self.scene.log.lines(), told, seen, said)

    @asynccontextmanager
    async def followed(self) -> AsyncGenerator[None]:
        following = asyncio.ensure_future(self._workload.follow())
        try:
            yield
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)


def course(scene: Scene, run: Callable[[Course], Awaitable[None]]) -> None:
    """Run a course on a scene; what the workers have said is shown if it fails."""

    async def main() -> None:
        settings = Settings(**scene.settings("onlooker", serverSelectionTimeoutMS="30000"))
        async with Orbits(settings, work=False, who="outage") as orbits:
            await orbits.register_build()
            made = Course(scene, orbits)
            async with alarm(LIMIT, scene.workers), made.followed():
                await run(made)

    with scene:
        try:
            asyncio.run(main())
        finally:
            sys.stdout.write(scene.said.read_text(errors="replace"))
