"""Clocks that are wrong by hours, of workers and of the database: nobody is taken for dead, nothing is done twice."""

from pathlib import Path
from typing import Any

from orbits_iac import Step
from tests.servers.clocks import Clock, wrong_by
from tests.servers.mongod import executable

from .checker import violations
from .scene import Scene
from .steps import SoakAsks, SoakChain, SoakGather, SoakLong, SoakSite, SoakUndone
from .test_outages import CLOCKED, Course, course

STEPS: list[Step[Any]] = [
    *(SoakChain(name=str(number)) for number in range(3)),
    SoakGather(name="a"),
    SoakUndone(name="a"),
    SoakAsks(name="a"),
    SoakLong(name="a"),
    SoakSite(name="a", version=1),
]


def test_workers_an_hour_apart_on_a_database_whose_clock_jumps_ahead(tmp_path: Path) -> None:
    executable()
    clock = Clock(tmp_path / "clock")

    async def run(course: Course) -> None:
        await course.start(CLOCKED)
        for offset in ("+1h", "+2h"):
            done = course.lines("main")
            await course.start(STEPS)
            clock.set(offset)
            await course.until(lambda done=done: course.lines("main") > done + 10)  # type: ignore[misc]
        found = await course.collected()
        assert violations(found) == []
        assert course.said("is dead") == 0

    wrong = {1: wrong_by("+1h"), 2: wrong_by("-1h")}
    course(Scene(tmp_path, lease=1.5, nodes=1, clocks=wrong, clocks_of_nodes={0: clock.environment}), run)
