"""A database that is gone for many leases: three workers wait, say so, and go on by themselves."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orbits_iac import Orbits, Settings, Step
from tests.servers.mongod import executable

from .alarm import alarm
from .checker import violations
from .collected import Collected, everything
from .faults import WORKERS
from .scene import Scene
from .steps import SoakChain, SoakClock, SoakHolds
from .workload import CLOCKS, Workload

LEASE = 0.6
LIMIT = 150.0
_WAITS = "is MongoDB running there, and has its replica set a primary? (127.0.0.1"
SOON = {"serverSelectionTimeoutMS": "300", "heartbeatFrequencyMS": "500"}
"""A driver that gives up soon: a lease's length has room for it."""

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
        async with Orbits(Settings(**scene.settings("onlooker")), work=False, who="outage") as orbits:
            await orbits.register_build()
            made = Course(scene, orbits)
            async with alarm(LIMIT), made.followed():
                await run(made)

    with scene:
        try:
            asyncio.run(main())
        finally:
            sys.stdout.write(scene.said.read_text(errors="replace"))


@pytest.fixture(autouse=True)
def _has_a_server() -> None:
    executable()


def test_the_database_is_gone_for_many_leases(tmp_path: Path) -> None:
    """What runs is not lost, nothing else begins, nothing is taken over, and all goes on by itself."""

    async def run(course: Course) -> None:
        [server] = course.scene.servers.nodes
        held = [SoakHolds(name=str(number)) for number in range(4)]
        await course.start([*CLOCKED, *held, *(SoakChain(name=str(number)) for number in range(4))])
        await course.until(lambda: course.lines("held") == len(held))
        server.kill()
        await course.until(lambda: course.said(_WAITS) >= WORKERS)
        begun = course.lines("main")
        course.scene.log.let_go()
        await course.until(lambda: course.lines("main") == begun + len(held))  # what was running has come to its end
        await course.until(lambda: course.said(_WAITS) >= 3 * WORKERS)  # each takes longer than two leases
        assert course.lines("main") == begun + len(held)
        server.start()
        found = await course.collected()
        assert violations(found) == []
        assert course.said("is dead") == 0
        assert course.lines("interrupted") == 0

    course(Scene(tmp_path, lease=LEASE, nodes=1, options=SOON), run)
