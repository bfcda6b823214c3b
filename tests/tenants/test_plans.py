"""Plans of fleets: what is shown of them, and that what is then done is what was shown, or who has changed is named."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import ClassVar

import pytest

from orbits_iac import Managed, Orbits, Outputs, Resource, action
from orbits_iac.model.alike import grouped
from orbits_iac.model.plans import Plan, Verb
from orbits_iac.provider import Refused
from orbits_iac.testing.clock import Clock
from orbits_tenants import Listing, ListSource, Report, Rollout, Source, Tenant, Tenants, TenantState
from orbits_tenants.decisions import Decision, TenantDecisions


class World:
    """What stands, and a gate that a shed of this name waits at."""

    def __init__(self) -> None:
        self.stands: dict[str, str] = {}
        self.said: list[str] = []
        self.meeting: Barrier | None = None  # where all who look at something wait for each other
        self.waits = ""
        self.came = asyncio.Event()
        self.gate = asyncio.Event()


WORLD = World()


class ShedState(Outputs):
    paint: str


class Shed(Managed[ShedState]):
    name: str
    paint: str

    def read(self, recorded: ShedState | None, /) -> ShedState | None:
        if WORLD.meeting is not None:
            WORLD.meeting.wait()
        found = WORLD.stands.get(self.name)
        return None if found is None else ShedState(paint=found)

    async def create(self) -> ShedState:
        return await self.change(ShedState(paint=""))

    async def change(self, live: ShedState, /) -> ShedState:
        if self.name == WORLD.waits:
            WORLD.came.set()
            await WORLD.gate.wait()
        WORLD.stands[self.name] = self.paint
        return ShedState(paint=self.paint)

    def delete(self, live: ShedState, /) -> None:
        del WORLD.stands[self.name]


class Garden(Resource):
    client: str
    paint: str
    size: str = "small"

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("shed", Shed(name=self.client, paint=self.paint))


ALL = ("acme", "bolt", "cafe", "dora", "eden")


class Gardens(Tenants[Garden]):
    source: ClassVar[Source] = ListSource(ALL)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], on_failure="continue")
    listing: ClassVar[Listing] = Listing(may_shrink="100%")
    paint: str = "red"

    def stack(self, tenant: Tenant) -> Garden:
        return Garden(client=tenant.id, paint=self.paint)


@pytest.fixture
async def planned(orbits: Orbits) -> AsyncIterator[Plan]:
    """The plan for a second colour, where the first stands."""
    WORLD.__init__()  # type: ignore[misc]
    Gardens.source = ListSource(ALL)
    await orbits.run(Gardens())
    yield await orbits.preview(Gardens(paint="blue"))
    WORLD.gate.set()


async def test_what_was_approved_is_done_and_nothing_waits(orbits: Orbits, planned: Plan) -> None:
    """The source is read by a step that no plan shows."""
    report = await orbits.run(Gardens(paint="blue"), plan=planned)
    assert report.summary == "5 tenants: 5 updated"
    assert WORLD.stands == dict.fromkeys(ALL, "blue")


async def test_the_same_for_all_is_one_group_and_who_differs_another(orbits: Orbits, planned: Plan) -> None:
    [group] = grouped(planned.root.below)
    assert (group.names, [field.path for field in group.fields]) == (ALL, ["paint"])
    Gardens.source = ListSource([*ALL, Tenant(id="fawn", overrides={"size": "large"})])
    old, new = grouped((await orbits.preview(Gardens(paint="blue"))).root.below)
    assert (old.names, new.names) == (ALL, ("fawn",))
    assert planned.changes == [f"tenant[{name}].shed: update Shed" for name in ALL]


async def test_tenants_are_looked_at_together(orbits: Orbits, planned: Plan) -> None:
    WORLD.meeting = Barrier(len(ALL), timeout=30)
    assert (await orbits.preview(Gardens(paint="blue"))).changes == planned.changes


SINCE = {
    "one has come": (
        ListSource([*ALL, "fawn"]),
        r"holds: tenant\[fawn\] \(Garden fawn\) has come, and the plan does not show it\. Make",
    ),
    "one has gone": (
        ListSource(ALL[:-1]),
        r"holds: tenant\[eden\] \(Garden eden\) still stands, and nothing is done to it any more\. Make",
    ),
    "one is paused": (
        ListSource([*ALL[:-1], Tenant(id="eden", paused="a fair")]),
        (
            r"holds: tenant\[eden\] \(Garden eden\) still stands, and nothing is done to it any more; "
            r"what is said of it now: 1 paused: eden\. Make"
        ),
    ),
    "overrides are others": (
        ListSource([*ALL[:-1], Tenant(id="eden", overrides={"size": "large", "paint": "pink"})]),
        r'holds: tenant\[eden\] \(Garden eden\): paint: "blue" → "pink", size: "small" → "large"\. Make',
    ),
}


@pytest.mark.parametrize("case", SINCE)
async def test_whose_place_in_the_source_has_changed_is_named_and_nothing_is_done(
    orbits: Orbits, planned: Plan, case: str
) -> None:
    Gardens.source, said = SINCE[case]
    with pytest.raises(Refused, match=said):
        await orbits.run(Gardens(paint="blue"), plan=planned, approve_deferred=True)
    assert WORLD.stands == dict.fromkeys(ALL, "red")


async def test_one_that_is_new_in_a_plan_and_is_paused_since_is_said_not_to_be_made(
    orbits: Orbits, planned: Plan
) -> None:
    Gardens.source = ListSource([*ALL, "fawn"])
    plan = await orbits.preview(Gardens(paint="blue"))
    await orbits.run(
        TenantDecisions(fleet="Gardens", decision=Decision(what="pause", tenant="fawn", why="x", who="ann"))
    )
    said = r"holds: tenant\[fawn\] \(Garden fawn\) is not to be made any more; what is said of it now: 1 paused: fawn\."
    with pytest.raises(Refused, match=said):
        await orbits.run(Gardens(paint="blue"), plan=plan)


async def test_an_override_that_was_shown_and_is_taken_back_is_named(orbits: Orbits, planned: Plan) -> None:
    Gardens.source = ListSource([*ALL[:-1], Tenant(id="eden", overrides={"size": "large"})])
    plan = await orbits.preview(Gardens(paint="blue"))
    Gardens.source = ListSource(ALL)
    with pytest.raises(Refused, match=r'eden\): size: "large" → "small"\. Make'):
        await orbits.run(Gardens(paint="blue"), plan=plan)


async def test_who_was_updated_by_somebody_else_is_named_with_by_whom_and_to_what(
    orbits: Orbits, planned: Plan
) -> None:
    await orbits.run(Garden(client="bolt", paint="grey"))
    said = (
        r"holds: tenant\[bolt\]: of Garden bolt stood revision 1, and revision 2 stands now "
        rf'\(by {orbits.who}: paint: "red" → "grey"\)\. Make'
    )
    with pytest.raises(Refused, match=said):
        await orbits.run(Gardens(paint="blue"), plan=planned)
    assert set(WORLD.stands.values()) == {"red", "grey"}


async def test_who_is_updated_by_somebody_else_in_between_is_left_alone_and_the_others_go_on(
    orbits: Orbits, planned: Plan
) -> None:
    WORLD.waits = "acme"
    execution = await orbits.start(Gardens(paint="blue"), plan=planned)
    await WORLD.came.wait()
    await orbits.run(Garden(client="bolt", paint="grey"))
    WORLD.gate.set()
    report: Report = await execution
    assert list(report.failed) == ["bolt"]
    assert "of Garden bolt stood revision 1, and revision 2 stands now" in report.failed["bolt"]
    assert WORLD.stands == {**dict.fromkeys(ALL, "blue"), "bolt": "grey"}


async def test_who_asks_again_for_a_plan_that_is_under_way_joins_it(orbits: Orbits, planned: Plan) -> None:
    """As a pipeline's job does that is run again, on another machine, after the first has died."""
    WORLD.waits = "bolt"
    first = await orbits.start(Gardens(paint="blue"), plan=planned)
    await WORLD.came.wait()
    orbits.who = "somebody@elsewhere"
    again = await orbits.start(Gardens(paint="blue"), plan=planned)
    WORLD.gate.set()
    assert (again.id, (await again).summary) == (first.id, "5 tenants: 5 updated")
    with pytest.raises(Refused, match="no longer holds"):
        await orbits.start(Gardens(paint="blue"), plan=planned)


async def test_whose_thing_has_drifted_since_is_named_and_the_others_go_on(orbits: Orbits, planned: Plan) -> None:
    WORLD.stands["cafe"] = "graffiti"
    report = await orbits.run(Gardens(paint="blue"), plan=planned)
    assert list(report.failed) == ["cafe"]
    assert 'update paint: "red" → "blue" over "graffiti"' in report.failed["cafe"]
    assert WORLD.stands == {**dict.fromkeys(ALL, "blue"), "cafe": "graffiti"}


class Careful(Tenants[Garden]):
    """Looks at each wave, tells when it is done, and brings all back where too much fails."""

    source: ClassVar[Source] = ListSource(ALL)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], on_failure="rollback-all")
    paint: str = "red"

    def stack(self, tenant: Tenant) -> Garden:
        return Garden(client=tenant.id, paint=self.paint)

    async def define_check(self, wave: str, report: Report) -> None:
        await self.do("look", say(f"looked at {wave}"))

    async def define_finish(self, report: Report) -> None:
        await self.do("tell", say(report.summary))


@action(idempotent=True)
async def say(text: str) -> None:
    WORLD.said.append(text)


@pytest.fixture
async def careful(orbits: Orbits) -> Plan:
    """The plan for a second colour, where the first stands."""
    WORLD.__init__()  # type: ignore[misc]
    await orbits.run(Careful())
    WORLD.said.clear()
    return await orbits.preview(Careful(paint="blue"))


async def test_checks_and_messages_of_a_roll_out_need_no_approval(orbits: Orbits, careful: Plan) -> None:
    report = await orbits.run(Careful(paint="blue"), plan=careful)
    assert report.summary == "5 tenants: 5 updated"
    assert WORLD.said == ["looked at 1", "5 tenants: 5 updated"]


async def test_what_brings_a_roll_out_back_needs_no_approval(orbits: Orbits, careful: Plan) -> None:
    WORLD.stands["eden"] = "graffiti"
    report = await orbits.run(Careful(paint="blue"), plan=careful)
    states = {name: one.state for name, one in report.tenants.items()}
    assert states == {**dict.fromkeys(ALL, TenantState.BROUGHT_BACK), "eden": TenantState.REVERTED}
    assert WORLD.stands == {**dict.fromkeys(ALL, "red"), "eden": "graffiti"}


async def test_a_preview_shows_to_whom_it_goes_and_with_what_was_decided(orbits: Orbits, careful: Plan) -> None:
    shown = (await orbits.preview(Careful(paint="blue", only=("bolt", "eden")))).root.below
    assert [change.identity for change in shown] == ["bolt", "eden"]


async def test_who_is_not_gone_to_is_never_removed_by_a_plan_or_by_prune(orbits: Orbits, planned: Plan) -> None:
    """Vanished, paused, or not meant: none of them is 'no longer done'."""
    Gardens.source = ListSource([*ALL[:3], Tenant(id="dora", paused="a fair")])
    plan = await orbits.preview(Gardens(paint="blue", only=("acme", "bolt")))
    assert [change.identity for change in plan.root.below] == ["acme", "bolt"]
    await orbits.run(Gardens(paint="blue", only=("acme", "bolt")), plan=plan)
    assert WORLD.stands == {**dict.fromkeys(ALL, "red"), "acme": "blue", "bolt": "blue"}
    await orbits.run(Gardens(paint="green"), prune=True)
    assert WORLD.stands == {"acme": "green", "bolt": "green", "cafe": "green", "dora": "red", "eden": "red"}


async def test_whose_time_is_over_is_shown_as_removed_and_goes_by_the_plan(
    orbits: Orbits, planned: Plan, clock: Clock
) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    Gardens.source = ListSource([*ALL[:-1], Tenant(id="eden", expires=expires)])
    await orbits.run(Gardens())
    await clock.advance(timedelta(hours=2))
    plan = await orbits.preview(Gardens())
    gone = [change for change in plan.root.walk() if change.verb is Verb.REMOVE]
    assert [(change.kind, change.identity) for change in gone] == [("Garden", "eden"), ("Shed", "Garden eden/shed")]
    report = await orbits.run(Gardens(), plan=plan)
    assert report.tenants["eden"].state is TenantState.ENDED
    assert WORLD.stands == dict.fromkeys(ALL[:-1], "red")
