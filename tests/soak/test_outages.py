"""A database that is gone for many leases: three workers wait, say so, and go on by themselves."""

from pathlib import Path

import pytest

from tests.servers.mongod import executable
from tests.soak.checker import violations
from tests.soak.course import CLOCKED, Course, course
from tests.soak.faults import WORKERS
from tests.soak.scene import Scene
from tests.soak.steps import SoakChain, SoakHolds

pytestmark = pytest.mark.slow

LEASE = 0.6
_WAITS = "is MongoDB running there, and has its replica set a primary? (127.0.0.1"
SOON = {"serverSelectionTimeoutMS": "300", "heartbeatFrequencyMS": "500"}
"""A driver that gives up soon: a lease's length has room for it."""


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
