"""How a fleet stands, as it is read from what roll-outs and looks have recorded."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from rich.console import Console

from orbits_iac import Managed, Orbits, Outputs, Permanent, Resource
from orbits_iac.model.rows import ExecutionRow, LookRow, amended
from orbits_iac.provider import UsageError
from orbits_iac.store.contract import Transaction
from orbits_tenants import ListSource, Rollout, Source, Tenant, Tenants, Window
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.fleet import DriftState, Fleet, Member, Mood, ServiceState
from orbits_tenants.reporting.sheet import Sheet
from orbits_tenants.standing import read


class Square:
    """What really stands."""

    def __init__(self) -> None:
        self.stands: dict[str, str] = {}
        self.broken: set[str] = set()
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()


SQUARE = Square()


@pytest.fixture(autouse=True)
def square() -> Square:
    SQUARE.__init__()  # type: ignore[misc]
    return SQUARE


class ClothState(Outputs):
    colour: str


class Cloth(Managed[ClothState]):
    colour: str

    async def read(self, recorded: ClothState | None, /) -> ClothState | None:
        if f"{self._name()} fog" in SQUARE.broken:
            raise Permanent("fog")
        found = SQUARE.stands.get(self._name())
        return None if found is None else ClothState(colour=found)

    async def create(self) -> ClothState:
        return await self.change(ClothState(colour=""))

    async def change(self, live: ClothState, /) -> ClothState:
        SQUARE.reached.set()
        await SQUARE.go_on.wait()
        if f"{self._name()} {self.colour}" in SQUARE.broken:
            raise Permanent("it tore")
        SQUARE.stands[self._name()] = self.colour
        return ClothState(colour=self.colour)

    async def delete(self, live: ClothState, /) -> None:
        del SQUARE.stands[self._name()]

    def _name(self) -> str:
        assert self.execution.record is not None
        return self.execution.record[1].removeprefix("Stand ")


class Stand(Resource):
    client: str
    colour: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("roof", Cloth(colour="white"))
        await self.do("awning", Cloth(colour=self.colour))


class Fence(Resource):
    def identity(self) -> str:
        return "fence"

    async def define_update(self) -> None:
        pass


class Fair(Tenants[Stand]):
    source: ClassVar[Source] = ListSource([Tenant(id="acme", labels={"plan": "large"}), "bolt", "cafe"])
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"])
    colour: str

    def stack(self, tenant: Tenant) -> Stand:
        return Stand(client=tenant.id, colour=self.colour)

    async def define_shared(self) -> None:
        await self.do("fence", Fence())


async def fleet(orbits: Orbits) -> Fleet:
    return await read(orbits.store, "Fair", now=time.time())


def by_id(fleet: Fleet) -> dict[str, Member]:
    return {one.id: one for one in fleet.members}


async def test_a_fleet_stands_as_its_last_roll_out_and_its_last_looks_say(orbits: Orbits) -> None:
    await orbits.run(Fair(colour="red"))
    SQUARE.broken = {"bolt/awning blue"}
    await orbits.run(Fair(colour="blue"))
    SQUARE.stands["acme/roof"] = "black"
    await orbits.record(Fair, "Fair").drift()
    look = await orbits.store.get(LookRow, "Cloth", "Stand cafe/roof")
    assert look is not None
    await orbits.store.commit(Transaction(put=[amended(look, error="it is too dark")]))
    found = await fleet(orbits)
    assert (found.services, [service.name for service in found.shared]) == (("roof", "awning"), ["fence"])
    assert dict(found.states) == {"reverted": 1, "updated": 2}
    assert found.drifts == {DriftState.UNREADABLE: 1, DriftState.DRIFTED: 1, DriftState.IN_SYNC: 1}
    acme, bolt, cafe = found.members
    assert (acme.id, acme.mood, acme.revision, acme.labels, acme.by) == (
        "acme",
        Mood.WELL,
        2,
        {"plan": "large"},
        orbits.who,
    )
    assert acme.since is not None
    assert datetime.now(UTC) - acme.since < timedelta(minutes=5)
    assert [(service.name, service.state.value, service.revision) for service in acme.services] == [
        ("roof", "stands", 1),
        ("awning", "stands", 2),
    ]
    roof = acme.services[0].drift
    assert roof is not None
    assert [(each.where, each.path, each.recorded, each.live) for each in roof.findings] == [
        ("", "colour", '"white"', '"black"')
    ]
    assert acme.drift is not None
    assert [each.where for each in acme.drift.findings] == ["roof"]
    assert (bolt.mood, bolt.revision, bolt.path) == (Mood.FAILED, 1, ("awning",))
    assert bolt.happened == "awning: Permanent: it tore → back at revision 1"
    assert [service.state for service in bolt.services] == [ServiceState.STANDS, ServiceState.FAILED]
    assert cafe.drift is not None
    assert (cafe.drift.state, cafe.drift.error) == (DriftState.UNREADABLE, "it is too dark")
    assert [(wave.name, [one.id for one in wave.members]) for wave in found.waves] == [
        ("1", ["acme"]),
        ("100%", ["bolt", "cafe"]),
    ]
    assert found.rollout is not None
    assert (found.rollout.argument, found.rollout.who) == ({"colour": "blue"}, orbits.who)


async def test_whom_the_last_cycle_could_not_look_at_is_not_in_sync(orbits: Orbits) -> None:
    await orbits.run(Fair(colour="red"))
    await orbits.record(Fair, "Fair").drift()
    assert (await fleet(orbits)).drifts == {DriftState.IN_SYNC: 3}
    SQUARE.broken = {"bolt/roof fog"}
    await orbits.record(Fair, "Fair").drift()
    bolt = by_id(await fleet(orbits))["bolt"].drift
    assert bolt is not None
    assert (bolt.state, bolt.error) == (DriftState.UNREADABLE, "roof: Permanent: fog")
    SQUARE.broken = set()
    await orbits.record(Stand, "bolt").drift()
    assert (await fleet(orbits)).drifts == {DriftState.IN_SYNC: 3}


async def test_what_was_never_looked_at_is_unchecked(orbits: Orbits) -> None:
    await orbits.run(Fair(colour="red"))
    found = await fleet(orbits)
    assert (found.drifts, found.looked) == ({DriftState.UNCHECKED: 3}, None)
    look = LookRow(kind="Cloth", identity="Stand acme/roof", at=0.0, unchecked=("colour: not read",))
    await orbits.store.commit(Transaction(put=[look]))
    roof = (await fleet(orbits)).members[0].services[0].drift
    assert roof is not None
    assert (roof.state, roof.unchecked, roof.at) == (DriftState.UNCHECKED, 1, datetime.fromtimestamp(0, UTC))


async def test_the_report_is_that_of_the_last_roll_out_though_it_made_no_revision(orbits: Orbits) -> None:
    await orbits.run(Fair(colour="red"))
    first = await fleet(orbits)
    await orbits.run(Fair(colour="red"))
    found = await fleet(orbits)
    assert dict(found.states) == {"unchanged": 3}
    assert [one.since for one in found.members] == [one.since for one in first.members]
    assert found.members[0].began != first.members[0].began


async def test_a_roll_out_is_seen_while_it_is_under_way(orbits: Orbits) -> None:
    SQUARE.go_on.clear()
    execution = await orbits.start(Fair(colour="red"))
    await SQUARE.reached.wait()
    found = await fleet(orbits)
    moods = {one.id: (one.state, one.mood, one.ended) for one in found.members}
    assert moods["acme"] == ("under way", Mood.MOVING, None)
    assert moods["bolt"] == moods["cafe"] == ("to come", Mood.WAITING, None)
    assert found.waves[0].ended is None
    assert found.rollout is not None
    assert (found.rollout.execution, found.rollout.ended) == (execution.id, None)
    SQUARE.go_on.set()
    await execution
    found = await fleet(orbits)
    assert found.rollout is not None
    assert found.rollout.ended is not None


async def test_whom_the_roll_out_under_way_has_not_come_to_is_told_apart(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=2)).strftime("%H:%M")
    night = Window(f"{soon}-{soon[:-2]}59" if soon[-2:] != "59" else f"{soon[:-2]}58-{soon}")
    listed = [Tenant(id="acme"), Tenant(id="bolt"), Tenant(id="cafe", window=night), Tenant(id="duke")]
    monkeypatch.setattr(Fair, "source", ListSource(listed))
    monkeypatch.setattr(Fair, "rollout", Rollout(waves=["1", "100%"], at_most={}, max_concurrency=1))
    await orbits.run(Fair(colour="red", only=("acme", "bolt", "duke")))
    await orbits.run(Fair(colour="blue", only=("acme",)))
    SQUARE.go_on.clear()
    SQUARE.reached.clear()
    execution = await orbits.start(Fair(colour="blue"))
    await SQUARE.reached.wait()
    found = by_id(await fleet(orbits))
    opens = night.opens(datetime.now(UTC))
    said = {id_: (one.state, one.mood, one.happened) for id_, one in found.items()}
    assert said == {
        "acme": ("unchanged", Mood.WELL, said["acme"][2]),
        "bolt": ("under way", Mood.MOVING, ""),
        "cafe": ("to come", Mood.WAITING, f"its window opens {opens:%Y-%m-%d %H:%M} UTC"),
        "duke": ("to come", Mood.WAITING, ""),
    }
    assert said["acme"][2].startswith("nothing to change")
    await execution.cancel()
    SQUARE.go_on.set()
    await orbits.settled()


@pytest.mark.parametrize(
    ("more", "to_come"),
    [({"only": ("bolt",)}, []), ({"only": ("bolt", "cafe")}, ["cafe"]), ({"only_failed": True}, [])],
)
async def test_whom_the_roll_out_under_way_does_not_go_to_is_as_it_was(
    orbits: Orbits, more: dict[str, Any], to_come: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fair, "rollout", Rollout(waves=["100%"], max_concurrency=1))
    SQUARE.broken.add("bolt/awning red")
    await orbits.run(Fair(colour="red"))
    SQUARE.go_on.clear()
    SQUARE.reached.clear()
    execution = await orbits.start(Fair(colour="blue", **more))
    await SQUARE.reached.wait()
    states = {id_: one.state for id_, one in by_id(await fleet(orbits)).items()}
    SQUARE.go_on.set()
    await execution
    assert states == {"acme": "updated", "bolt": "under way", "cafe": "to come" if to_come else "updated"}


async def test_for_what_a_roll_out_under_way_waits_is_said(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fair, "rollout", Rollout(waves=["1", "100%"], promote="by hand"))
    execution = await orbits.start(Fair(colour="red"))
    await orbits.settled()
    rollout = (await fleet(orbits)).rollout
    assert rollout is not None
    assert rollout.notes == ("it waits for a person: `orbits tenants promote Fair` lets the next wave begin",)
    await execution.pause()
    await orbits.settled()
    await execution.cancel()
    await orbits.settled()


async def test_a_service_that_an_execution_has_is_under_way(orbits: Orbits) -> None:
    await orbits.run(Fair(colour="red"))
    SQUARE.go_on.clear()
    SQUARE.reached.clear()
    execution = await orbits.start(Fair(colour="blue"))
    await SQUARE.reached.wait()
    acme = (await fleet(orbits)).members[0]
    assert [service.state for service in acme.services] == [ServiceState.STANDS, ServiceState.BUSY]
    SQUARE.go_on.set()
    await execution


async def test_whom_a_roll_out_did_not_go_to_is_in_no_wave_of_it(orbits: Orbits) -> None:
    await orbits.run(Fair(colour="red"))
    await orbits.run(Fair(colour="blue", only=("bolt",)))
    found = await fleet(orbits)
    assert [[one.id for one in wave.members] for wave in found.waves] == [["bolt"]]
    assert found.members[0].happened == "went forward (in an earlier roll-out)"
    assert found.rollout is not None
    assert found.rollout.argument == {"colour": "blue", "only": ["bolt"]}


async def test_who_was_brought_back_later_is_in_no_wave_and_who_was_removed_has_no_services(orbits: Orbits) -> None:
    await orbits.run(Fair(colour="red"))
    await orbits.run(Fair(colour="blue"))
    await orbits.run(Fair(colour="blue", back={"acme": 1}))
    found = await fleet(orbits)
    assert [one.state for one in found.members] == ["brought back", "updated", "updated"]
    assert found.waves == ()
    leaves = Decision(what="remove", tenant="cafe", who="dana")
    await orbits.run(TenantDecisions(fleet="Fair", decision=leaves))
    await orbits.run(Fair(colour="blue", leaving=("cafe",)))
    services = {one.id: len(one.services) for one in (await fleet(orbits)).members}
    assert services == {"acme": 2, "bolt": 2, "cafe": 0}


async def test_when_a_tenant_may_be_changed_and_ends_is_known(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = datetime(2100, 1, 31, tzinfo=UTC)
    monkeypatch.setattr(Fair, "source", ListSource([Tenant(id="acme", window=Window("00:00-00:00"), expires=ends)]))
    await orbits.run(Fair(colour="red"))
    acme = by_id(await fleet(orbits))["acme"]
    assert (acme.window, acme.expires) == ("00:00-00:00", "2100-01-31T00:00:00Z")
    console = Console(width=80, color_system=None)
    with console.capture() as shown:
        console.print(Sheet(acme, ends))
    assert re.search(r"window +00:00-00:00 *\nexpires +2100-01-31T00:00:00Z", shown.get())


async def test_what_was_decided_since_is_said(orbits: Orbits) -> None:
    SQUARE.broken = {"bolt/awning red"}
    await orbits.run(Fair(colour="red"))
    for decision in (
        Decision(what="pause", tenant="acme", who="dana", why="they move"),
        Decision(what="pause", tenant="bolt", who="dana"),
        Decision(what="pin", tenant="acme", who="dana", pinned={"colour": "red"}),
        Decision(what="remove", tenant="cafe", who="dana", why="closed down"),
    ):
        await orbits.run(TenantDecisions(fleet="Fair", decision=decision))
    found = by_id(await fleet(orbits))
    assert [(one.state, one.mood, one.happened) for one in found.values()] == [
        ("paused", Mood.WAITING, "is paused: they move"),
        ("reverted", Mood.FAILED, "awning: Permanent: it tore → what it made was removed; it is paused"),
        ("removed", Mood.PERSON, "was removed by dana: closed down; it still stands: `orbits tenants remove` ends it"),
    ]
    assert (found["acme"].pinned, found["bolt"].pinned) == ({"colour": "red"}, {})


async def test_who_is_added_again_is_new(orbits: Orbits) -> None:
    async def decided(what: str, tenant: str, **more: object) -> None:
        decision = Decision.model_validate({"what": what, "tenant": tenant, "who": "dana", **more})
        await orbits.run(TenantDecisions(fleet="Fair", decision=decision))

    async def now(tenant: str) -> tuple[str, Mood, str, int | None]:
        one = by_id(await fleet(orbits))[tenant]
        return one.state, one.mood, one.happened, one.revision

    new = ("new", Mood.WAITING, "", None)
    await orbits.run(Fair(colour="red"))
    await decided("remove", "bolt")
    assert (await now("bolt"))[0] == "removed"
    await orbits.run(Fair(colour="red", leaving=("bolt",)))
    assert await now("bolt") == ("removed", Mood.WAITING, "was removed by dana", None)
    await decided("add", "bolt")  # whom the source has
    assert await now("bolt") == new
    await decided("remove", "bolt")
    await orbits.run(Fair(colour="blue"))
    await decided("add", "bolt", added={"id": "bolt"})
    await decided("remove", "cafe")
    await orbits.run(Fair(colour="blue", leaving=("cafe",)))
    assert await now("bolt") == new
    await decided("pause", "bolt", why="they move in later")
    assert (await now("bolt"))[:3] == ("paused", Mood.WAITING, "is paused: they move in later")
    await decided("resume", "bolt")
    await orbits.run(Fair(colour="blue"))
    assert (await now("bolt"))[0] == "updated"


async def test_who_has_ended_by_a_date_is_not_new(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = datetime.now(UTC) + timedelta(minutes=5)
    monkeypatch.setattr(Fair, "source", ListSource([Tenant(id="acme", expires=ends), "bolt"]))
    await orbits.run(Fair(colour="red"))
    await orbits.run(Fair(colour="red", leaving=("acme",)))
    later = await read(orbits.store, "Fair", now=time.time() + 600)
    assert [one.state for one in later.members] == ["ended", "updated"]


async def test_many_tenants_are_read_by_few_queries(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    many = ListSource(f"t{number}" for number in range(40))
    monkeypatch.setattr(Fair, "source", many)
    await orbits.run(Fair(colour="red"))
    asked: list[str] = []

    def noted(name: str, real: Any) -> Any:
        async def call(*key: Any, **where: Any) -> Any:
            asked.append(name)
            return await real(*key, **where)

        return call

    for name in ("get", "find", "count"):
        monkeypatch.setattr(orbits.store, name, noted(name, getattr(orbits.store, name)))
    assert len((await fleet(orbits)).members) == 40
    assert len(asked) < 25


async def test_what_was_never_rolled_out_is_refused(orbits: Orbits) -> None:
    with pytest.raises(UsageError, match="there is no record of a fleet Fair"):
        await fleet(orbits)
    assert await orbits.store.find(ExecutionRow) == []
