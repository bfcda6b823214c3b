"""Scenarios of `test_crashes` on a real MongoDB: more than 2,000 points at which a process dies (`make crashes`).

`make test` tries all points of a first crash, and a part of those at which a recovery crashes in its turn.

A point costs as much as its processes write and ask, about 50 ms, so they are the scenarios that write least, crashed
at most moments of each recovery, and a few that do more, crashed once.
"""

from uuid import uuid4

import pytest

from tests.servers.databases import with_database

from .crashing import AGAIN_IN_MONGODB, TRIED, WHOLE, crashed
from .operated import EDITS
from .test_crashes import SCENARIOS, Careful
from .world import WORLD

NAMES = sorted({*AGAIN_IN_MONGODB, "cancelled", "caught", "events", "install", "joined", "races"} - {"careful"})

POINTS = 2_000 if WHOLE else 500

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def anew() -> None:
    WORLD.clear()
    WORLD.failing = {"13"}


@pytest.mark.parametrize("name", NAMES)
def test_every_crash(name: str, mongodb_server: str) -> None:
    url = with_database(mongodb_server, f"crashes_{uuid4().hex}")
    report = crashed(name, SCENARIOS[name], store="mongodb", url=url, edit=EDITS.get(name))
    assert report.interrupted == 0


def test_what_may_not_be_done_twice_is_not(mongodb_server: str) -> None:
    url = with_database(mongodb_server, f"crashes_{uuid4().hex}")
    report = crashed("careful", Careful, store="mongodb", url=url)
    assert 0 < report.interrupted < report.points


def test_there_are_as_many_points_as_are_promised() -> None:
    tried = {name for name, store in TRIED if store == "mongodb"}
    if not tried >= {*NAMES, "careful"}:
        pytest.skip("only some of the scenarios were run")
    assert sum(report.points for (_, store), report in TRIED.items() if store == "mongodb") >= POINTS
