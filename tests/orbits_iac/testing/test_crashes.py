"""The crash harness finds what is wrong, says where, and tries the same points each time."""

import asyncio
from typing import Any

import pytest

from orbits_iac import Action, Options, Orbits, Workflow
from orbits_iac.testing import crash_everywhere, outside, start_once

MADE: list[str] = []
TOLD: list[str] = []


class Made:
    """How much was made."""

    def snapshot(self) -> Any:
        return list(MADE)

    def restore(self, snapshot: Any, /) -> None:
        MADE[:] = snapshot

    def stands(self) -> Any:
        return sorted(MADE)


def make(what: str, token: str = "") -> None:
    with outside(f"make {what}", token=token):
        MADE.append(what)


class Once(Action):
    """Is careful: the same token is one thing."""

    options = Options(idempotent=True)

    def main(self) -> None:
        with outside("make it", token=self.execution.token):
            if self.execution.token not in MADE:
                MADE.append(self.execution.token)


class Twice(Action):
    """Says that it may be done again, and makes a second thing then."""

    options = Options(idempotent=True)

    def main(self) -> None:
        make("it", self.execution.token)


class Careful(Action):
    """Does not say that it may be done again."""

    def main(self) -> None:
        make("it", self.execution.token)


class Forgetful(Workflow[int]):
    """Depends on what is not recorded."""

    async def define(self) -> int:
        await self.do("one", Careless())
        return len(TOLD)


class Careless(Action):
    """Leaves something in the process alone."""

    options = Options(idempotent=True)

    def main(self) -> None:
        make("nothing")
        MADE.clear()
        TOLD.append("told")


class Sleeps(Workflow[str]):
    """Waits for a month."""

    async def define(self) -> str:
        await asyncio.sleep(30 * 24 * 3600)
        await self.do("one", Once())
        return self.execution.now().date().isoformat()


class Hangs(Workflow):
    """Waits for what never comes."""

    async def define(self) -> None:
        await self.do("one", Once())
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def anew() -> None:
    MADE.clear()
    TOLD.clear()


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_step_that_makes_a_second_thing_is_found_out(store: Any) -> None:
    report = crash_everywhere(Twice, world=Made(), store=store)
    assert not report.ok
    assert "after call 1" in {found.point for found in report.differences}
    (after,) = [found for found in report.differences if found.point == "after call 1"]
    assert after.lines == ("world: ['it', 'it'], where without a crash: ['it']",)
    assert "after call 1 (call 1: make it)" in str(report)


@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_one_that_knows_its_token_makes_no_difference(store: Any) -> None:
    report = crash_everywhere(lambda: Sleeps(), world=Ignoring(), store=store)  # noqa: PLW0108 - a class has no store
    report.check()
    assert (report.interrupted, MADE) == (0, [])


class Ignoring(Made):
    """How much was made, whatever it is."""

    def stands(self) -> Any:
        return len(MADE)


def test_a_step_that_may_not_be_done_twice_is_interrupted_where_it_may_have_been_done() -> None:
    report = crash_everywhere(Careful, world=Made(), again=0, faults=False)
    report.check()
    assert report.interrupted > 0


def test_a_result_that_depends_on_a_process_is_a_difference() -> None:
    report = crash_everywhere(Forgetful, world=Made(), again=0, faults=False)
    assert any("ended:" in line for found in report.differences for line in found.lines)


def test_what_never_ends_is_said_at_once() -> None:
    with pytest.raises(TimeoutError):
        crash_everywhere(Hangs, world=Made())


def points(scenario: Any, **options: Any) -> set[str]:
    """The names of the points, found out by a world that is never the same."""
    report = crash_everywhere(scenario, world=Restless(), **options)
    return {found.point for found in report.differences}


class Restless(Made):
    """Is another each time."""

    def __init__(self) -> None:
        self.looks = 0

    def stands(self) -> Any:
        self.looks += 1
        return self.looks


def test_the_points_are_the_same_each_time_and_one_can_be_had_alone() -> None:
    first, second = points(Twice), points(Twice)
    assert first == second
    for point in sorted(first)[::5]:
        report = crash_everywhere(Twice, world=Restless(), only=point)
        assert (report.points, [found.point for found in report.differences]) == (1, [point])


def test_moments_that_leave_the_very_same_are_one_point() -> None:
    """What is after a write, or a call, is also before the next write."""
    tried = points(Twice, again=0, faults=False)
    assert {point for point in tried if point.startswith("before")} == {"before write 1", "before call 1"}
    assert {"after write 1", "after write 2", "after call 1"} <= tried


def test_what_has_changed_in_between_is_a_point() -> None:
    """The world is another before the next write, though no call said so."""

    class Unsaid(Restless):
        def snapshot(self) -> Any:
            self.looks += 1
            return [*MADE, str(self.looks)]

    report = crash_everywhere(Twice, world=Unsaid(), again=0, faults=False)
    assert {"before write 2", "before write 3"} <= {found.point for found in report.differences}


def test_a_script_asks_once() -> None:
    async def twice(orbits: Orbits) -> None:
        one, two = await start_once(orbits, Once()), await start_once(orbits, Once())
        assert one.id == two.id
        await one

    report = crash_everywhere(twice, world=Ignoring(), again=0)
    report.check()


def test_outside_does_nothing_where_nothing_crashes() -> None:
    make("a thing")
    assert MADE == ["a thing"]
