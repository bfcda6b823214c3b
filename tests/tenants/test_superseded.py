"""A second roll-out in the place of the first, which begins no further tenant and says so: never do both go on."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Permanent, Resource, Workflow
from orbits_iac.model.rows import RecordRow
from orbits_iac.model.states import State
from orbits_iac.provider import Refused, UsageError
from orbits_iac.testing import Clock, crash_everywhere, outside, start_once
from orbits_tenants import ByPolicy, FunctionSource, Promoted, Report, Rollout, Source, Tenant, Tenants, Wave, Window
from orbits_tenants.removal import remove
from orbits_tenants.rollback import look
from tests.tenants.hanging import Hanging


class Court:
    """What really stands, as the outside sees it; and where somebody is held up."""

    def __init__(self) -> None:
        self.listed: list[Tenant] = [Tenant(id=id_) for id_ in ("acme", "bolt", "cafe")]
        self.paved: dict[str, str] = {}
        self.at_once: set[str] = set()  # releases that are at it at the same time
        self.held = ""
        self.takes = 0
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.failing = ""

    def snapshot(self) -> Any:
        return dict(self.paved)

    def restore(self, snapshot: Any, /) -> None:
        self.paved = dict(snapshot)
        self.at_once.clear()

    def stands(self) -> Any:
        return dict(self.paved)


COURT = Court()


class Pave(Action):
    options = Options(idempotent=True)
    owner: str
    stone: str

    async def main(self) -> None:
        COURT.at_once.add(self.stone)
        assert COURT.at_once == {self.stone}
        if self.owner == COURT.held:
            COURT.reached.set()
            await COURT.gate.wait()
        await asyncio.sleep(COURT.takes)
        with outside(f"pave {self.owner}", token=self.execution.token):
            COURT.paved[self.owner] = self.stone
        COURT.at_once.discard(self.stone)
        if self.owner == COURT.failing:
            raise Permanent("no sand")


class Yardage(Resource):
    owner: str
    stone: str

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        await self.do("pave", Pave(owner=self.owner, stone=self.stone))


class Yards(Tenants[Yardage]):
    options = Options(on_conflict="supersede")
    source: ClassVar[Source] = FunctionSource(lambda: COURT.listed)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], max_concurrency=1)
    stone: str

    def stack(self, tenant: Tenant) -> Yardage:
        return Yardage(owner=tenant.id, stone=self.stone)


@pytest.fixture(autouse=True)
def court() -> None:
    COURT.__init__()  # type: ignore[misc]
    Yards.rollout = Rollout(waves=["1", "100%"], max_concurrency=1)


def states(report: Report) -> Sequence[str]:
    return [one.state.value for one in report.tenants.values()]


async def test_those_under_way_end_nobody_else_is_begun_and_the_second_goes_on_from_there(orbits: Orbits) -> None:
    COURT.held = "bolt"
    first = await orbits.start(Yards(stone="marble"))
    await COURT.reached.wait()
    second = await orbits.start(Yards(stone="slate"))
    COURT.held = ""
    COURT.gate.set()
    report = await first
    assert (states(report), report.exit_code()) == (["updated", "updated", "not started"], 4)
    assert report.stopped == f"superseded by execution {second.id}"
    assert report.tenants["cafe"].happened == report.stopped
    assert states(await second) == ["updated"] * 3
    assert set(COURT.paved.values()) == {"slate"}
    again = await orbits.start(Yards(stone="slate"))
    assert states(await again) == ["unchanged"] * 3


async def test_who_asks_again_for_what_waits_already_has_it_supersede_or_is_refused(orbits: Orbits) -> None:
    COURT.held = "bolt"
    first = await orbits.start(Yards(stone="marble"))
    await COURT.reached.wait()
    second = await orbits.start(Yards(stone="slate"), on_conflict="wait")
    with pytest.raises(Refused, match=f"Yards Yards is busy with execution {first.id}, and on_conflict='fail'"):
        await orbits.start(Yards(stone="slate"), on_conflict="fail")
    assert (await orbits.start(Yards(stone="slate"), on_conflict="supersede")).id == second.id
    COURT.held = ""
    COURT.gate.set()
    assert (await first).stopped == f"superseded by execution {second.id}"
    assert states(await second) == ["updated"] * 3


async def test_one_that_bakes_or_waits_for_a_promotion_ends_at_once(orbits: Orbits, clock: Clock) -> None:
    Yards.rollout = Rollout(waves=[Wave("1", bake=timedelta(hours=2)), Wave("2", promote="by hand"), "100%"])
    first = await orbits.start(Yards(stone="marble"))
    await orbits.settled()
    second = await orbits.start(Yards(stone="slate"))
    assert states(await first) == ["updated", "not started", "not started"]
    await orbits.settled()
    await clock.advance(timedelta(hours=2.1))
    assert [wait.what for wait in await second.waits()] == ["promote 2"]
    third = await orbits.start(Yards(stone="brick"))
    assert states(await second) == ["updated", "updated", "not started"]
    assert await second.waits() == []
    await orbits.settled()
    await clock.advance(timedelta(hours=2.1))
    await third.answer(Promoted(wave=2))
    assert states(await third) == ["updated"] * 3


async def test_one_whose_next_wave_is_looked_at_does_not_wait_for_that(orbits: Orbits) -> None:
    policy = Hanging()
    Yards.rollout = Rollout(waves=["1", "100%"], promote=policy)
    first = await orbits.start(Yards(stone="marble"))
    assert await policy.is_looking()
    Yards.rollout = Rollout(waves=["100%"])
    second = await orbits.start(Yards(stone="slate"))
    assert states(await first) == ["updated", "not started", "not started"]
    assert not policy.go_on.is_set()
    policy.go_on.set()
    assert states(await second) == ["updated"] * 3


async def test_who_waits_for_a_window_is_left_to_the_second(orbits: Orbits) -> None:
    hour = (datetime.fromtimestamp(orbits.engine.clock.now(), UTC).hour + 3) % 24
    COURT.listed[0] = Tenant(id="acme", window=Window(f"{hour:02}:00-{(hour + 1) % 24:02}:00"))
    first = await orbits.start(Yards(stone="marble"))
    await orbits.settled()
    second = await orbits.start(Yards(stone="slate"))
    assert states(await first) == ["not started", "updated", "updated"]
    await second.cancel()


async def test_one_that_is_superseded_before_its_turn_begins_nobody(orbits: Orbits) -> None:
    COURT.held = "acme"
    first = await orbits.start(Yards(stone="marble"))
    await COURT.reached.wait()
    second = await orbits.start(Yards(stone="slate"))
    third = await orbits.start(Yards(stone="brick"))
    COURT.held = ""
    COURT.gate.set()
    assert (await first).stopped in {f"superseded by execution {one.id}" for one in (second, third)}
    report = await second
    assert (states(report), report.stopped) == (["not started"] * 3, f"superseded by execution {third.id}")
    assert states(await third) == ["updated"] * 3


async def test_the_first_has_stopped_though_the_second_is_cancelled_and_asked_for_again_it_is_done(
    orbits: Orbits,
) -> None:
    COURT.held = "acme"
    first = await orbits.start(Yards(stone="marble"))
    await COURT.reached.wait()
    second = await orbits.start(Yards(stone="slate"))
    await second.cancel()
    again = await orbits.start(Yards(stone="marble"), on_conflict="wait")
    assert again.id != first.id
    COURT.held = ""
    COURT.gate.set()
    assert (await first).stopped == f"superseded by execution {second.id}"
    with pytest.raises(ExecutionFailed, match="cancelled"):
        await second
    assert states(await again) == ["unchanged", "updated", "updated"]
    assert set(COURT.paved.values()) == {"marble"}


async def test_what_is_to_be_brought_back_is_before_the_second_begins(orbits: Orbits) -> None:
    await orbits.run(Yards(stone="sand"))
    Yards.rollout = Rollout(waves=["2", "100%"], max_concurrency=1, on_failure="rollback-all")
    COURT.held = COURT.failing = "bolt"
    first = await orbits.start(Yards(stone="marble"))
    await COURT.reached.wait()
    second = await orbits.start(Yards(stone="slate"))
    COURT.gate.set()
    report = await first
    assert states(report) == ["brought back", "reverted", "not started"]
    assert report.stopped.startswith("stopped after wave 2: 1 of 3 tenants failed")
    COURT.failing = ""
    await second


async def test_a_paused_one_ends_at_once_or_once_it_is_resumed_if_a_tenant_is_under_way(orbits: Orbits) -> None:
    Yards.rollout = Rollout(waves=["1", "100%"], bake=timedelta(hours=2))
    first = await orbits.start(Yards(stone="sand"))
    await orbits.settled()
    await first.pause()
    await orbits.settled()
    COURT.held = "acme"
    second = await orbits.start(Yards(stone="marble"))
    assert states(await first) == ["updated", "not started", "not started"]
    await COURT.reached.wait()
    await second.pause()
    third = await orbits.start(Yards(stone="slate"))
    COURT.held = ""
    COURT.gate.set()
    await orbits.settled()
    assert (await second.row()).state is State.PAUSED
    await second.resume()
    assert states(await second) == ["updated", "not started", "not started"]
    await third.cancel()


async def test_whose_time_is_over_is_left_to_the_second(orbits: Orbits, clock: Clock) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    COURT.listed[2] = Tenant(id="cafe", expires=expires)
    await orbits.run(Yards(stone="sand"))
    await clock.advance(timedelta(hours=2))
    COURT.held = "acme"
    first = await orbits.start(Yards(stone="marble"))
    await COURT.reached.wait()
    second = await orbits.start(Yards(stone="slate"))
    COURT.held = ""
    COURT.gate.set()
    assert states(await first) == ["updated", "not started", "not started"]
    assert (await orbits.record(Yardage, "cafe").row()).revision == 1
    assert states(await second) == ["updated", "updated", "ended"]


async def test_who_is_removed_stops_no_release_and_leaves_after_it(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Yards(stone="sand"))
    Yards.rollout = Rollout(waves=["1", "100%"], bake=timedelta(hours=2))
    first = await orbits.start(Yards(stone="marble"))
    await orbits.settled()
    removal = asyncio.create_task(remove(orbits, Yards, "acme"))
    while len((await orbits.record(Yards, "Yards").row()).queue) == 1:  # noqa: ASYNC110 - it is in the store that it waits
        await asyncio.sleep(0)
    with pytest.raises(UsageError, match="a roll-out of Yards is under way"):
        await look(orbits, Yards)
    await clock.advance(timedelta(hours=2.1))
    assert (await first).summary == "3 tenants: 3 updated"
    assert (await removal).removed == {"Yardage acme": 2}


class Terrace(Resource):
    """Does not look at who supersedes it."""

    stone: str

    def identity(self) -> str:
        return "terrace"

    async def define_update(self) -> None:
        await self.do("pave", Pave(owner="terrace", stone=self.stone))


async def test_what_knows_no_safe_point_goes_on_to_its_end(orbits: Orbits) -> None:
    COURT.held = "terrace"
    first = await orbits.start(Terrace(stone="marble"))
    await COURT.reached.wait()
    second = await orbits.start(Terrace(stone="slate"), on_conflict="supersede")
    COURT.held = ""
    COURT.gate.set()
    await first
    await second
    assert COURT.paved == {"terrace": "slate"}
    assert [one.number for one in await orbits.record(Terrace, "terrace").history()] == [1, 2]
    assert (await first.row()).superseded_by == second.id


class Repaving(Workflow[str]):
    """One release, of which is said what a crash may not change: no times, no ids, and not how far it had come."""

    stone: str

    async def define(self) -> str:
        report = await self.do("yards", Yards(stone=self.stone))
        return report.stopped.partition(" execution")[0] or report.summary


def test_whatever_process_dies_the_second_takes_the_place_of_the_first() -> None:
    COURT.takes = 30
    Yards.rollout = Rollout(waves=["1", "100%"], max_concurrency=1, promote=ByPolicy())

    async def script(orbits: Orbits) -> None:
        first = await start_once(orbits, Repaving(stone="marble"))
        while (one := await orbits.store.get(RecordRow, "Yardage", "acme")) is None or one.revision is None:  # noqa: ASYNC110
            await asyncio.sleep(1)  # on held time
        await asyncio.sleep(5)  # then the next one is under way
        second = await start_once(orbits, Repaving(stone="slate"))
        assert await first == "superseded by"
        assert await second == "3 tenants: 3 updated"

    crash_everywhere(script, world=COURT, again=0, faults=False).check()
