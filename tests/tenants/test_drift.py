"""A fleet's cycle: who is looked at when, what stops whom, and how much is brought back without asking."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from orbits_iac import (
    Clock,
    DriftNews,
    Event,
    Every,
    ExecutionFailed,
    Managed,
    Options,
    Orbits,
    Outputs,
    Permanent,
    Resource,
    Settings,
    Step,
    action,
    on,
)
from orbits_iac.cli.schedules import table
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EventRow, ExecutionRow, Held, LookRow, ScheduleRow, amended
from orbits_iac.model.states import State
from orbits_iac.provider import Stop, UsageError
from orbits_iac.steps.resource import Command
from orbits_iac.store.contract import Transaction
from orbits_iac.testing import crash_everywhere, start_once
from orbits_tenants import DriftPolicy, ListSource, Rollout, Source, Tenant, Tenants
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.drift import look_after
from orbits_tenants.drift_policy import place

HOUR = timedelta(hours=1)


class Valley:
    """What grows on which farm, who looked at it, and what goes wrong there."""

    def __init__(self) -> None:
        self.grows: dict[str, str] = {}
        self.looked: list[str] = []
        self.broken: set[str] = set()
        self.hanging: set[str] = set()
        self.at_once = 0
        self.most_at_once = 0
        self.news: list[DriftNews] = []


VALLEY = Valley()


class Crop(Outputs):
    crop: str


class Field(Managed[Crop]):
    """A field, and what grows on it."""

    client: str
    crop: str = "wheat"

    async def read(self, recorded: Crop | None, /) -> Crop | None:
        VALLEY.at_once += 1
        VALLEY.most_at_once = max(VALLEY.most_at_once, VALLEY.at_once)
        VALLEY.looked.append(self.client)
        try:
            await asyncio.sleep(0)
            if self.client in VALLEY.broken:
                raise Permanent("fog")
        finally:
            VALLEY.at_once -= 1
        grows = VALLEY.grows.get(self.client)
        return None if grows is None else Crop(crop=grows)

    def create(self) -> Crop:
        VALLEY.grows[self.client] = self.crop
        return Crop(crop=self.crop)

    def change(self, live: Crop, /) -> Crop:
        return self.create()

    def delete(self, live: Crop, /) -> None:
        del VALLEY.grows[self.client]


class Farm(Resource):
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("field", Field(client=self.client))

    async def define_cycle(self) -> None:
        if self.client in VALLEY.hanging:
            await self.execution.wait_for("gate", Opened)
        await super().define_cycle()


class Opened(Event):
    """A gate was opened."""


@action
async def note(text: str) -> None:
    """Nothing."""


class Barn(Resource):
    """What all farms share; may take its time."""

    def identity(self) -> str:
        return "barn"

    async def define_update(self) -> None:
        if "barn" in VALLEY.hanging:
            await self.execution.wait_for("gate", Opened)


IDS = [f"t{number}" for number in range(12)]


class Farms(Tenants[Farm]):
    options = Options(schedule=Every(10 * HOUR))
    source: ClassVar[Source] = ListSource(IDS)
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])
    drift: ClassVar[DriftPolicy | None] = DriftPolicy("remediate")

    def stack(self, tenant: Tenant) -> Farm:
        return Farm(client=tenant.id)

    async def define_shared(self) -> None:
        await self.do("barn", Barn())


@on(DriftNews, where=lambda news: news.kind in {"Field", "Farms"})
def heard_in_the_valley(news: DriftNews) -> Step[None]:
    VALLEY.news.append(news)
    return note("news")


@pytest.fixture(autouse=True)
def valley() -> None:
    VALLEY.__init__()  # type: ignore[misc]
    Farms.source = ListSource(IDS)
    Farms.drift = DriftPolicy("remediate", spread=timedelta())


@pytest.fixture
async def farms(orbits: Orbits) -> Orbits:
    """Rolled out, and nobody has looked since."""
    await orbits.run(Farms())
    VALLEY.looked.clear()
    VALLEY.most_at_once = 0
    return orbits


async def look_of(orbits: Orbits) -> LookRow:
    look = await orbits.store.get(LookRow, "Farms", "Farms")
    assert look is not None
    return look


async def test_the_list_of_schedules_says_what_the_fleets_own_policy_does(farms: Orbits, clock: Clock) -> None:
    async def shown() -> str:
        row = await farms.store.get(ScheduleRow, "Farms", "Farms")
        assert row is not None
        return str(next(iter(table([row], now=clock.now()).columns[4].cells)))

    assert await shown() == "remediate"
    Farms.drift = DriftPolicy("report", by_label={"plan=large": "notify"})
    Farms.source = ListSource([*IDS, Tenant(id="t12", labels={"plan": "large"})])
    await farms.run(Farms())
    assert await shown() == "notify where plan=large; else report"


async def test_the_looks_of_a_schedule_are_spread_over_its_interval(farms: Orbits, clock: Clock) -> None:
    Farms.drift = DriftPolicy()
    await clock.advance(10 * HOUR)
    for hours in range(1, 9):
        await clock.advance(HOUR)
        due = {id_ for id_ in IDS if place(id_) <= hours / 8 - 0.01}
        assert due <= set(VALLEY.looked) <= {id_ for id_ in IDS if place(id_) <= hours / 8 + 0.01}
    assert sorted(VALLEY.looked) == sorted(IDS)
    assert (await look_of(farms)).unchecked == ()
    VALLEY.looked.clear()
    for _ in range(10):
        await clock.advance(HOUR)
    assert sorted(VALLEY.looked) == sorted(IDS)


async def test_a_spread_cycle_goes_on_where_its_process_was_stopped(tmp_path: Path, clock: Clock) -> None:
    Farms.drift = DriftPolicy()
    settings = Settings(project="tests", store=f"sqlite:{tmp_path}/state.db")
    async with Orbits(settings, clock=clock) as first:
        clock.tell(first.settled)
        await first.run(Farms())
        VALLEY.looked.clear()
        await clock.advance(10 * HOUR)
        await clock.advance(4 * HOUR)
        half = set(VALLEY.looked)
        assert set() < half < set(IDS)
    clock = Clock()
    async with Orbits(settings, clock=clock) as second:
        clock.tell(second.settled)
        await clock.advance(24 * HOUR)
        assert {row.state for row in await second.store.find(ExecutionRow, kind="Farms")} == {State.SUCCESS}
    assert sorted(VALLEY.looked[:12]) == sorted(IDS)


async def test_at_most_so_many_are_looked_at_at_a_time(farms: Orbits) -> None:
    Farms.drift = DriftPolicy(at_once=3)
    await farms.record(Farms, "Farms").drift()
    assert sorted(VALLEY.looked) == sorted(IDS)
    assert 1 < VALLEY.most_at_once <= 3


async def test_who_cannot_be_looked_at_is_unchecked_and_stops_nobody(farms: Orbits) -> None:
    VALLEY.broken = {"t3"}
    VALLEY.grows["t4"] = "thistles"
    found = await farms.record(Farms, "Farms").drift()
    assert [look.identity for look, _ in found.drifted] == ["Farm t4/field"]
    assert (await look_of(farms)).unchecked == ("t3: field: Permanent: fog",)
    assert set(VALLEY.looked) == set(IDS)


async def test_who_hangs_is_let_go_of_and_the_cycle_ends(farms: Orbits, clock: Clock) -> None:
    Farms.drift = DriftPolicy(longest=timedelta(minutes=5))
    VALLEY.hanging = {"t3"}
    cycle = await farms.record(Farms, "Farms").start("cycle", {"on_drift": "report"})
    await farms.settled()
    await clock.advance(timedelta(minutes=6))
    await cycle
    assert (await look_of(farms)).unchecked == ("t3: no answer within 0:05:00",)


async def test_an_update_of_the_fleet_waits_for_no_cycle_and_no_cycle_for_it(farms: Orbits) -> None:
    VALLEY.hanging = {"t3", "barn"}
    cycle = await farms.record(Farms, "Farms").start("cycle", {"on_drift": "report"})
    await farms.settled()
    update = await farms.start(Farms())
    await farms.settled()
    report = await farms.record(Farms, "Farms").cycle(on_drift="report")
    assert report.in_sync
    busy = "something else of it was under way, or nothing of it stood any more"
    assert (await look_of(farms)).unchecked == (f"Barn barn: {busy}", f"t3: {busy}")
    await farms.emit(Opened())
    await update
    await cycle
    assert (await look_of(farms)).unchecked == ()


async def test_cycles_of_a_schedule_do_not_pile_up(farms: Orbits, clock: Clock) -> None:
    VALLEY.hanging = {"t3"}
    Farms.drift = DriftPolicy(longest=30 * HOUR)
    await clock.advance(10 * HOUR)
    await clock.advance(10 * HOUR)
    rows = [row for row in await farms.store.find(ExecutionRow, kind="Farms") if row.command == "cycle"]
    assert len(rows) == 1


async def test_few_that_have_drifted_are_brought_back_after_all_were_looked_at(farms: Orbits, clock: Clock) -> None:
    VALLEY.grows |= {"t0": "thistles", "t1": "nettles", "t2": "moss"}
    await clock.advance(10 * HOUR)
    assert set(VALLEY.grows.values()) == {"wheat"}
    assert set(VALLEY.looked[: len(IDS)]) == set(IDS)
    assert (await look_of(farms)).stopped == ""
    assert sorted((len(news.new), len(news.healed)) for news in VALLEY.news) == [(0, 1)] * 3 + [(1, 0)] * 3


async def test_a_reader_that_goes_wrong_over_the_fleet_brings_back_nobody(farms: Orbits, clock: Clock) -> None:
    for id_ in IDS[:4]:
        VALLEY.grows[id_] = "thistles"
    await clock.advance(10 * HOUR)
    assert [VALLEY.grows[id_] for id_ in IDS[:4]] == ["thistles"] * 4
    stopped = (await look_of(farms)).stopped
    assert stopped.startswith("4 of 12 tenants have drifted, and at most 3 are brought back at a time: nothing was.")
    assert [news.stopped for news in VALLEY.news if news.kind == "Farms"] == [stopped]
    await clock.advance(10 * HOUR)
    assert [news.stopped for news in VALLEY.news if news.kind == "Farms"] == [stopped]
    cycle = await farms.record(Farms, "Farms").start("cycle", {"on_drift": "remediate", "most": 4})
    await cycle
    assert set(VALLEY.grows.values()) == {"wheat"}
    assert (await look_of(farms)).stopped == ""


async def test_a_stop_that_stands_is_told_once_whatever_its_count_and_anew_when_it_was_over(
    farms: Orbits, clock: Clock
) -> None:
    def told() -> list[str]:
        return [news.stopped.partition(" have ")[0] for news in VALLEY.news if news.kind == "Farms"]

    VALLEY.grows |= dict.fromkeys(IDS[:4], "thistles")
    await clock.advance(10 * HOUR)
    VALLEY.grows["t4"] = "moss"
    await clock.advance(10 * HOUR)
    assert (await look_of(farms)).stopped.startswith("5 of 12 tenants have drifted")
    await farms.record(Farms, "Farms").drift()  # by hand, which brings nothing back
    await clock.advance(10 * HOUR)
    assert told() == ["4 of 12 tenants"]
    VALLEY.grows |= dict.fromkeys(IDS, "wheat")
    await clock.advance(10 * HOUR)
    VALLEY.grows |= dict.fromkeys(IDS[:6], "thistles")
    await clock.advance(10 * HOUR)
    assert told() == ["4 of 12 tenants", "6 of 12 tenants"]


async def test_who_is_left_alone_is_told_by_name_and_does_not_stop_the_fleet(orbits: Orbits, clock: Clock) -> None:
    Farms.source = ListSource([Tenant(id=id_, labels={"plan": "large"}) for id_ in IDS])
    await orbits.run(Farms())
    paused = Decision(what="pause", tenant="t1", who="ada", why="they migrate")
    await orbits.run(TenantDecisions(fleet="Farms", decision=paused))
    VALLEY.grows |= {"t1": "thistles", "t2": "moss"}
    await clock.advance(10 * HOUR)
    await clock.advance(10 * HOUR)
    (news,) = (news for news in VALLEY.news if news.kind == "Farms")
    why = "t1 has drifted, and is paused: they migrate"
    stop = Stop(about="not now", who="t1", tenant="t1", labels={"plan": "large"}, why=why)
    assert (news.stopped, news.left) == ("", (stop,))


async def test_labels_say_what_is_done_about_whose_drift(orbits: Orbits, clock: Clock) -> None:
    plans = {"acme": "large", "bolt": "small", "cafe": "trial"}
    Farms.source = ListSource([Tenant(id=id_, labels={"plan": plan}) for id_, plan in plans.items()])
    Farms.drift = DriftPolicy(by_label={"plan=large": "notify", "plan=small": "remediate"}, spread=timedelta())
    await orbits.run(Farms())
    VALLEY.grows |= dict.fromkeys(plans, "thistles")
    await clock.advance(10 * HOUR)
    assert VALLEY.grows == {"acme": "thistles", "bolt": "wheat", "cafe": "thistles"}
    told = sorted((news.tenant or "", len(news.healed), len(news.new)) for news in VALLEY.news)
    assert told == [
        ("acme", 0, 1),
        ("bolt", 0, 1),
        ("bolt", 1, 0),
    ]
    found = [row.why for row in await orbits.store.find(EventRow) if row.why == "drift found: crop"]
    assert len(found) == 3


async def test_a_selector_of_a_label_that_nobody_has_brings_back_nobody(orbits: Orbits, clock: Clock) -> None:
    Farms.source = ListSource([Tenant(id="acme", labels={"plan": "large"})])
    await orbits.run(Farms())
    Farms.drift = DriftPolicy("remediate", by_label={"plam=large": "report"}, spread=timedelta())
    said = "by_label: no tenant has a label 'plam'; there are: plan"
    with pytest.raises(UsageError, match=f"Farms: drift, {said}"):
        await orbits.run(Farms())
    VALLEY.grows["acme"] = "thistles"
    await clock.advance(10 * HOUR)
    assert VALLEY.grows == {"acme": "thistles"}
    assert (await look_of(orbits)).stopped == f"nothing is brought back: {said}"


async def test_who_could_not_be_looked_at_now_or_is_held_is_not_brought_back(farms: Orbits, clock: Clock) -> None:
    VALLEY.grows |= {"t1": "thistles", "t2": "moss", "t3": "nettles"}
    await farms.record(Farms, "Farms").drift()
    VALLEY.looked.clear()
    VALLEY.broken = {"t1"}
    row = await farms.record(Farm, "t2").row()
    held = Held(by=ExecutionId("it"), steps=("sow",), at=1.0)
    await farms.store.commit(Transaction(put=[amended(row, version=row.version + 1, held=held)]))
    await clock.advance(10 * HOUR)
    assert [VALLEY.grows[id_] for id_ in ("t1", "t2", "t3")] == ["thistles", "moss", "wheat"]
    assert VALLEY.looked.count("t1") == 1
    said = [row.why for row in await farms.store.find(EventRow) if row.why.startswith("brings back")]
    assert said == ["brings back: t3"]


async def test_who_is_paused_is_looked_at_and_left_unless_named(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Farms())
    paused = Decision(what="pause", tenant="t1", who="ada", why="they migrate")
    await orbits.run(TenantDecisions(fleet="Farms", decision=paused))
    VALLEY.grows |= {"t1": "thistles", "t2": "moss"}
    await clock.advance(10 * HOUR)
    assert (VALLEY.grows["t1"], VALLEY.grows["t2"]) == ("thistles", "wheat")
    assert (await look_of(orbits)).stopped == "t1 has drifted, and is paused: they migrate"
    await (await orbits.record(Farms, "Farms").start("cycle", {"on_drift": "remediate", "tenants": ["t1"]}))
    assert VALLEY.grows["t1"] == "wheat"


async def test_what_stops_for_some_says_how_to_bring_these_back(orbits: Orbits) -> None:
    Farms.source = ListSource([Tenant(id=id_, labels={"plan": "large"}) for id_ in IDS])
    await orbits.run(Farms())
    VALLEY.grows |= dict.fromkeys(IDS[:4], "thistles")
    asked = {"on_drift": "remediate", "selector": "plan in (large)"}
    with pytest.raises(ExecutionFailed, match=r"orbits cycle Farms Farms -l 'plan in \(large\)' --remediate --most 4"):
        await (await orbits.record(Farms, "Farms").start("cycle", asked))


async def test_a_person_looks_at_and_brings_back_those_who_are_named(farms: Orbits) -> None:
    VALLEY.grows |= dict.fromkeys(IDS, "thistles")
    record = farms.record(Farms, "Farms")
    await (await record.start("cycle", {"on_drift": "remediate", "tenants": ["t1", "t5"]}))
    assert sorted(id_ for id_ in IDS if VALLEY.grows[id_] == "wheat") == ["t1", "t5"]
    assert set(VALLEY.looked) == {"t1", "t5"}
    for options, said in (
        ({"tenants": ["t99"]}, "no tenant 't99' stands in this fleet"),
        ({"selector": "plan=large"}, "no tenant has a label 'plan'"),
    ):
        cycle = await record.start("cycle", {"on_drift": "report", **options})
        with pytest.raises(ExecutionFailed, match=said):
            await cycle
    VALLEY.broken = {"t2"}
    with pytest.raises(ExecutionFailed, match=r"t2: field: Permanent: fog"):
        await (await record.start("cycle", {"on_drift": "report", "tenants": ["t2"]}))


async def test_a_fleet_that_is_removed_meanwhile_is_not_taken_for_gone(farms: Orbits, clock: Clock) -> None:
    Farms.drift = DriftPolicy()
    await clock.advance(10 * HOUR)
    await clock.advance(4 * HOUR)
    assert len(await farms.store.find(LookRow)) not in {0, len(IDS)}
    await farms.record(Farms, "Farms").uninstall()
    await clock.advance(9 * HOUR)
    assert {row.state for row in await farms.store.find(ExecutionRow, kind="Farms")} == {State.SUCCESS}
    assert await farms.store.find(LookRow) == []


async def test_a_fleet_that_says_twice_what_is_done_about_drift_is_refused(orbits: Orbits) -> None:
    class Double(Farms):
        options = Options(schedule=Every(HOUR, on_drift="notify"))

    with pytest.raises(UsageError, match="Double: schedule and `drift` both say"):
        await orbits.run(Double())


class Valleys:
    """The valley, as a world that a process may die in."""

    def snapshot(self) -> dict[str, str]:
        return dict(VALLEY.grows)

    def restore(self, snapshot: dict[str, str], /) -> None:
        VALLEY.grows = dict(snapshot)

    def stands(self) -> dict[str, str]:
        return dict(VALLEY.grows)


class Estate(Resource):
    """One farm, looked after as a fleet is: small enough to die at each moment of its cycle."""

    options = Options(cycles_beside=True)

    def identity(self) -> str:
        return "estate"

    async def define_update(self) -> None:
        await self.do("farm", Farm(client="t2"), labels={"tenant": "t2"})

    async def define_cycle(self) -> None:
        await look_after(self.execution, DriftPolicy(at_once=1), None, "Estate estate")


async def drifts_and_is_brought_back(orbits: Orbits) -> None:
    await (await start_once(orbits, Estate()))
    cycles = [row for row in await orbits.store.find(ExecutionRow, kind="Estate") if row.command == "cycle"]
    if not cycles:
        VALLEY.grows["t2"] = "thistles"
    await (await start_once(orbits, Command(resource=Estate(), command="cycle", arguments={"on_drift": "remediate"})))
    assert VALLEY.grows == {"t2": "wheat"}


def test_a_cycle_that_dies_anywhere_brings_back_the_same() -> None:
    report = crash_everywhere(drifts_and_is_brought_back, world=Valleys(), again=0, faults=False)
    report.check()
    assert report.points > 20
