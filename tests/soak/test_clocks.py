"""Clocks that are wrong by hours, of workers and of the database: nobody is taken for dead, nothing is done twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orbits_iac import Step
from tests.servers.clocks import wrong_by
from tests.servers.mongod import executable
from tests.soak.checker import violations
from tests.soak.course import CLOCKED, Course, course
from tests.soak.scene import Scene
from tests.soak.steps import SoakAsks, SoakChain, SoakGather, SoakLong, SoakSite, SoakUndone

pytestmark = pytest.mark.slow

STEPS: list[Step[Any]] = [
    *(SoakChain(name=str(number)) for number in range(3)),
    SoakGather(name="a"),
    SoakUndone(name="a"),
    SoakAsks(name="a"),
    SoakLong(name="a"),
    SoakSite(name="a", version=1),
]


LEASE = 5.0
"""Seconds: more than a worker is silent for on a machine that does much else."""


def test_workers_an_hour_apart_do_together_what_is_asked_for(tmp_path: Path) -> None:
    executable()

    async def run(course: Course) -> None:
        await course.start([*CLOCKED, *STEPS])
        await as_if_all_were_right(course)

    course(Scene(tmp_path, lease=LEASE, nodes=1, clocks={1: wrong_by("+1h"), 2: wrong_by("-1h")}), run)


def test_a_database_that_returns_an_hour_ahead_and_then_an_hour_behind_changes_nothing(tmp_path: Path) -> None:
    executable()

    async def run(course: Course) -> None:
        await course.start(CLOCKED)
        for offset in ("+1h", "-1h"):
            done = course.lines("main")
            await course.start(STEPS)
            await asyncio.to_thread(course.scene.servers.nodes[0].die_and_return, wrong_by(offset))
            await course.until(lambda done=done: course.lines("main") > done + 10)  # type: ignore[misc]
        await as_if_all_were_right(course)

    course(Scene(tmp_path, lease=LEASE, nodes=1), run)


def test_workers_that_are_all_an_hour_behind_do_what_others_ask_for_now(tmp_path: Path) -> None:
    executable()

    async def run(course: Course) -> None:
        await course.start([*CLOCKED, *STEPS])
        await as_if_all_were_right(course)

    course(Scene(tmp_path, lease=LEASE, nodes=1, clocks=dict.fromkeys((1, 2, 3), wrong_by("-1h"))), run)


async def as_if_all_were_right(course: Course) -> None:
    """All ends, nothing was lost or done twice, and nobody was taken for dead."""
    assert violations(await course.collected()) == []
    assert course.said("is dead") == 0
