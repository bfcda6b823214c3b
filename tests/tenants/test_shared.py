"""What several tenants use together: rolled out before them, its failure theirs alone, and gone with its last user."""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from rich.console import Console

from orbits_iac import ExecutionFailed, Managed, Options, Orbits, Outputs, Permanent, Resource, Workflow
from orbits_iac.model.plans import Verb
from orbits_iac.provider import UsageError
from orbits_iac.testing import crash_everywhere, outside
from orbits_iac.testing.clock import Clock
from orbits_tenants import Listing, ListSource, Promoted, Report, Rollout, Source, Tenant, Tenants, TenantState, Wave
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.fleet import Mood
from orbits_tenants.removal import remove, would_go
from orbits_tenants.reporting.document import document, of_member
from orbits_tenants.reporting.markdown import markdown
from orbits_tenants.reporting.page import page
from orbits_tenants.reporting.sheet import Sheet
from orbits_tenants.reporting.terminal import Drawing
from orbits_tenants.standing import read


class Park:
    """What stands, what cannot be made, and how much was made at a time."""

    def __init__(self) -> None:
        self.stands: dict[str, str] = {}
        self.log: list[str] = []
        self.broken: set[str] = set()
        self.at_once = 0
        self.most = 0
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    def snapshot(self) -> Mapping[str, str]:
        return dict(self.stands)

    def restore(self, snapshot: Mapping[str, str], /) -> None:
        self.stands = dict(snapshot)


PARK = Park()


class Water(Outputs):
    of: str


class Basin(Managed[Water]):
    """One for each region."""

    region: str
    water: str

    def identity(self) -> str:
        return self.region

    async def read(self, recorded: Water | None, /) -> Water | None:
        found = PARK.stands.get(f"basin {self.region}")
        return None if found is None else Water(of=found)

    def desired(self) -> Any:
        return {"of": f"{self.water} of {self.region}"}

    async def create(self) -> Water:
        PARK.at_once += 1
        PARK.most = max(PARK.most, PARK.at_once)
        PARK.begun.set()
        for _ in range(20):
            await asyncio.sleep(0)
        await PARK.gate.wait()
        PARK.at_once -= 1
        if f"{self.region} {self.water}" in PARK.broken:
            raise Permanent("it leaks")
        PARK.log.append(f"basin {self.region}")
        with outside(f"basin {self.region}"):
            PARK.stands[f"basin {self.region}"] = f"{self.water} of {self.region}"
        return Water(of=f"{self.water} of {self.region}")

    async def change(self, live: Water, /) -> Water:
        return await self.create()

    async def delete(self, live: Water, /) -> None:
        with outside(f"no basin {self.region}"):
            PARK.stands.pop(f"basin {self.region}", None)


class Spray(Outputs):
    of: str
    height: str


class Jet(Managed[Spray]):
    client: str
    of: str
    height: str

    async def read(self, recorded: Spray | None, /) -> Spray | None:
        found = PARK.stands.get(self.client)
        return None if found is None else Spray(of=found.split(", ")[0], height=found.split(", ")[1])

    async def create(self) -> Spray:
        if f"{self.client} {self.height}" in PARK.broken:
            raise Permanent("it is dry")
        PARK.log.append(self.client)
        with outside(f"jet {self.client}"):
            PARK.stands[self.client] = f"{self.of}, {self.height}"
        return Spray(of=self.of, height=self.height)

    async def change(self, live: Spray, /) -> Spray:
        return await self.create()

    async def delete(self, live: Spray, /) -> None:
        with outside(f"no jet {self.client}"):
            PARK.stands.pop(self.client, None)


class Fountain(Resource):
    client: str
    region: str
    height: str = "low"

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        water = await self.execution.outputs(Basin, self.region)
        await self.do("jet", Jet(client=self.client, of=water.of, height=self.height))


def tenants(**regions: str) -> list[Tenant]:
    return [Tenant(id=id_, labels={"region": region}) for id_, region in regions.items()]


class Fountains(Tenants[Fountain]):
    source: ClassVar[Source] = ListSource([])
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"])
    water: str = "spring"
    height: str = "low"

    def shared(self, tenant: Tenant) -> list[Basin]:
        return [Basin(region=tenant.labels["region"], water=self.water)]

    def stack(self, tenant: Tenant) -> Fountain:
        return Fountain(client=tenant.id, region=tenant.labels["region"], height=self.height)


FOUR = tenants(acme="eu", bolt="us", cafe="eu", duke="us")


@pytest.fixture(autouse=True)
def park() -> Park:
    PARK.__init__()  # type: ignore[misc]
    Fountains.source, Fountains.listing, Unlike.listing = ListSource(FOUR), Listing(), Listing()
    Fountains.rollout = Rollout(waves=["1", "100%"])
    return PARK


def states(report: Report) -> dict[str, str]:
    return {id_: one.state.value for id_, one in report.tenants.items()}


async def leave(orbits: Orbits, tenant: str, **how: Any) -> Report:
    decision = Decision(what="remove", tenant=tenant, who="ann")
    await orbits.run(TenantDecisions(fleet="Fountains", decision=decision))
    return await orbits.run(Fountains(leaving=(tenant,)), **how)


async def test_each_is_done_once_before_its_users_who_read_what_it_publishes(orbits: Orbits) -> None:
    report = await orbits.run(Fountains())
    assert sorted(PARK.log[:2]) == ["basin eu", "basin us"]
    assert (PARK.most, len(PARK.log)) == (2, 6)
    assert PARK.stands["duke"] == "spring of us, low"
    assert {name: (one.state, one.revision) for name, one in report.shared.items()} == {
        "Basin eu": (TenantState.UPDATED, 1),
        "Basin us": (TenantState.UPDATED, 1),
    }
    assert (report.users("Basin eu"), report.exit_code()) == (("acme", "cafe"), 0)
    record = orbits.record(Basin, "eu")
    assert await record.users() == ("Fountains Fountains", "Fountain acme", "Fountain cafe")
    assert (await record.row()).tenant is None


async def test_at_most_max_concurrency_are_done_at_a_time(orbits: Orbits) -> None:
    Fountains.source = ListSource(tenants(**{f"t{n}": f"r{n}" for n in range(6)}))
    Fountains.rollout = Rollout(waves=["100%"], max_concurrency=2)
    await orbits.run(Fountains())
    assert PARK.most == 2


async def test_what_has_not_changed_is_passed_over(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    report = await orbits.run(Fountains())
    assert len(PARK.log) == 6
    assert {one.happened for one in report.shared.values()} == {"nothing to change; looked at just now"}
    assert (await orbits.record(Fountains, "Fountains").row()).revision == 1


class Lake(Basin):
    """One that holds data."""

    options = Options(stateful=True)


class Shore(Resource):
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.execution.outputs(Lake, "eu")


class Shores(Tenants[Shore]):
    source: ClassVar[Source] = ListSource([Tenant(id="acme"), Tenant(id="bolt")])
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])

    def shared(self, tenant: Tenant) -> list[Lake]:
        return [Lake(region="eu", water="spring")]

    def stack(self, tenant: Tenant) -> Shore:
        return Shore(client=tenant.id)


async def test_what_stayed_with_the_last_is_removed_when_that_is_accepted_later(orbits: Orbits) -> None:
    await orbits.run(Shores())
    await remove(orbits, Shores, "acme")
    first = await remove(orbits, Shores, "bolt")
    assert (list(first.removed), len(first.stays)) == (["Shore bolt"], 1)
    assert first.stays[0].startswith("Lake eu: ")
    again = await remove(orbits, Shores, "bolt")
    assert again.stays == first.stays
    would = await would_go(orbits, Shores, "bolt", accept_loss=["Lake eu"])
    change, kept = would.change, list(would.stays)
    assert ([one.identity for one in change.walk() if one.verb is Verb.REMOVE], kept) == (["eu"], [])
    last = await remove(orbits, Shores, "bolt", accept_loss=["Lake eu"])
    assert (sorted(last.removed), last.stays, PARK.stands) == (["Lake eu", "Shore bolt"], [], {})
    assert (await remove(orbits, Shores, "bolt")).removed == last.removed


class Swimmer(Resource):
    """Uses a lake by its outputs alone."""

    def identity(self) -> str:
        return "one"

    async def define_update(self) -> None:
        await self.execution.outputs(Lake, "eu")


async def test_what_has_stayed_for_somebody_who_has_gone_since_is_said_to_with_how_it_goes(orbits: Orbits) -> None:
    await orbits.run(Shores())
    await orbits.run(Swimmer())
    await remove(orbits, Shores, "acme")
    assert (await remove(orbits, Shores, "bolt", accept_loss=["Lake eu"])).stays == [
        "Lake eu: it is used by Swimmer one"
    ]
    await orbits.run(Swimmer().uninstall())
    again = await remove(orbits, Shores, "bolt", accept_loss=["Lake eu"])
    assert again.stays == ["Lake eu: nobody uses it any more: `orbits uninstall Lake eu` removes it"]


@pytest.mark.parametrize("broken", [True, False])
async def test_one_that_is_resumed_meanwhile_does_not_go_on_without_what_it_uses(orbits: Orbits, broken: bool) -> None:
    await orbits.run(Fountains())
    PARK.broken = {"us sea"} if broken else set()
    Fountains.rollout = Rollout(waves=[Wave("1", promote="by hand"), "100%"])
    for id_ in ("bolt", "duke")[broken:]:
        decision = Decision(what="pause", tenant=id_, who="ann", why="summer")
        await orbits.run(TenantDecisions(fleet="Fountains", decision=decision))
    execution = await orbits.start(Fountains(water="sea", height="high"))
    while not await execution.waits():  # noqa: ASYNC110 - it is in the store that it says so
        await asyncio.sleep(0)
    resumed = "duke" if broken else "bolt"
    await orbits.run(TenantDecisions(fleet="Fountains", decision=Decision(what="resume", tenant=resumed, who="ann")))
    await execution.answer(Promoted(wave=1))
    report = await execution
    assert report.tenants[resumed].state is TenantState.HELD_BACK
    why = "" if broken else ": not done in this roll-out, since all who use it were paused"
    assert report.tenants[resumed].happened == f"waits for Basin us{why}"
    assert PARK.stands[resumed] == "spring of us, low"
    PARK.broken = set()
    report = await orbits.run(Fountains(water="sea", height="high", only_failed=True))
    assert PARK.stands[resumed] == "sea of us, high"


async def test_the_failure_of_one_holds_back_those_who_use_it_and_is_said_once(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    PARK.broken = {"eu sea"}
    report = await orbits.run(Fountains(water="sea"))
    assert states(report) == {"acme": "held back", "bolt": "updated", "cafe": "held back", "duke": "updated"}
    assert report.causes == {"Basin eu": "Permanent: it leaks → back at revision 1; 2 tenants wait for it"}
    assert report.tenants["cafe"].happened == "waits for Basin eu"
    assert (report.tenants["cafe"].revision, report.failed, report.stopped) == (1, {}, "")
    assert (report.exit_code(), report.problem().count("it leaks")) == (4, 1)
    assert {name: PARK.stands[name] for name in ("acme", "bolt")} == {
        "acme": "spring of eu, low",
        "bolt": "sea of us, low",
    }
    PARK.broken = set()
    report = await orbits.run(Fountains(water="sea", only_failed=True))
    assert states(report) == dict.fromkeys(states(report), "updated")
    assert [one.earlier for one in (*report.tenants.values(), *report.shared.values())].count(True) == 3


async def test_when_all_wait_for_one_nothing_is_done_and_all_have_failed(orbits: Orbits) -> None:
    PARK.broken = {"eu spring", "us spring"}
    report = await orbits.run(Fountains())
    assert (set(states(report).values()), report.exit_code(), PARK.stands) == ({"held back"}, 1, {})


async def test_a_wave_by_number_has_a_canary_though_its_own_is_held_back(orbits: Orbits) -> None:
    PARK.broken = {"eu spring", "bolt low"}
    report = await orbits.run(Fountains())
    assert states(report) == {"acme": "held back", "bolt": "reverted", "cafe": "held back", "duke": "not started"}
    assert report.stopped.startswith("stopped after wave 1")


async def test_after_a_wave_by_labels_in_which_all_are_held_back_none_begins(orbits: Orbits) -> None:
    Fountains.rollout = Rollout(waves=[Wave("region=eu"), "100%"])
    PARK.broken = {"eu spring"}
    report = await orbits.run(Fountains())
    assert states(report)["duke"] == "not started"
    assert report.stopped == (
        "stopped after wave region=eu: everybody in wave region=eu waits for what has failed before, so nothing was "
        "tried in it"
    )


async def test_only_what_those_use_who_are_gone_to_is_done(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    PARK.log.clear()
    Fountains.source = ListSource([*FOUR[:3], FOUR[3].model_copy(update={"paused": "a fair"})])
    await orbits.run(Fountains(water="sea", only=("bolt", "duke")))
    assert PARK.log == ["basin us", "bolt"]
    await orbits.run(Fountains(water="tap", only=("duke",)), prune=True)
    assert {"basin eu": "spring of eu", "basin us": "sea of us"}.items() <= PARK.stands.items()


async def test_one_that_is_superseded_begins_no_further_thing_that_is_shared(orbits: Orbits) -> None:
    Fountains.rollout = Rollout(waves=["100%"], max_concurrency=1)
    PARK.gate.clear()
    first = await orbits.start(Fountains())
    await PARK.begun.wait()
    second = await orbits.start(Fountains(water="sea"), on_conflict="supersede")
    PARK.gate.set()
    report = await first
    assert (list(report.shared), set(states(report).values()), report.causes) == (["Basin eu"], {"not started"}, {})
    assert (set(states(await second).values()), PARK.stands["basin us"]) == ({"updated"}, "sea of us")


async def test_a_tenant_of_which_it_cannot_be_told_what_it_uses_fails_alone(orbits: Orbits) -> None:
    Fountains.listing = Listing(on_doubt="known")
    Fountains.source = ListSource([*FOUR[:2], Tenant(id="cafe")])
    report = await orbits.run(Fountains())
    assert states(report) == {"acme": "updated", "bolt": "updated", "cafe": "failed"}
    assert report.failed == {"cafe": "KeyError: 'region'"}


async def test_what_only_those_use_who_are_paused_is_left_alone(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    for tenant in ("acme", "cafe"):
        decision = Decision(what="pause", tenant=tenant, who="ann", why="a fair")
        await orbits.run(TenantDecisions(fleet="Fountains", decision=decision))
    report = await orbits.run(Fountains(water="sea"))
    assert (PARK.stands["basin eu"], PARK.stands["basin us"]) == ("spring of eu", "sea of us")
    assert [one.earlier for one in report.shared.values()] == [True, False]


async def test_what_goes_back_takes_nothing_back_that_is_shared(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    PARK.broken = {"cafe high"}
    Fountains.rollout = Rollout(waves=["1", "100%"], on_failure="rollback-all")
    report = await orbits.run(Fountains(water="sea", height="high"))
    assert Counter(states(report).values()) == {"brought back": 3, "reverted": 1}
    assert {PARK.stands[f"basin {region}"] for region in ("eu", "us")} == {"sea of eu", "sea of us"}
    back = {"sea of eu, low", "sea of us, low"}  # a user that goes back follows what is shared
    assert {PARK.stands[tenant.id] for tenant in FOUR} == back
    PARK.broken = set()
    await orbits.run(Fountains(water="tap", height="high"))
    await orbits.run(Fountains(water="tap", height="high", back={"acme": 1, "bolt": 1}))
    await orbits.record(Fountains, "Fountains").rollback(to=1)
    assert {PARK.stands[f"basin {region}"] for region in ("eu", "us")} == {"tap of eu", "tap of us"}
    assert {PARK.stands[tenant.id] for tenant in FOUR} == {"tap of eu, low", "tap of us, low"}
    assert set((await orbits.record(Fountains, "Fountains").outputs()).shared) == {"Basin eu", "Basin us"}


async def test_what_is_shared_goes_with_its_last_user_alone(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    report = await leave(orbits, "acme")
    assert (states(report)["acme"], report.shared["Basin eu"].state) == ("ended", TenantState.UPDATED)
    assert "basin eu" in PARK.stands
    shown = (await orbits.preview(Fountains(leaving=("cafe",)))).root.below
    gone = [(change.kind, change.identity, change.detail) for change in shown if change.verb is Verb.REMOVE]
    assert gone == [("Fountain", "cafe", ""), ("Basin", "eu", "gone with its last user")]
    report = await leave(orbits, "cafe")
    assert (report.shared["Basin eu"].happened, sorted(PARK.stands)) == ("was removed", ["basin us", "bolt", "duke"])
    assert "Basin eu" not in (await orbits.run(Fountains())).shared


async def test_a_removal_says_what_of_what_is_shared_goes_and_what_stays(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    would = await would_go(orbits, Fountains, "acme")
    shown, kept = would.change, list(would.stays)
    assert ([change.identity for change in shown.below], kept) == (["acme"], ["Basin eu: 1 other tenant uses it"])
    certificate = await remove(orbits, Fountains, "acme")
    assert (list(certificate.removed), certificate.stays) == (["Fountain acme", "Jet Fountain acme/jet"], kept)
    would = await would_go(orbits, Fountains, "cafe")
    shown, kept = would.change, list(would.stays)
    assert ([change.identity for change in shown.below], kept) == (["cafe", "eu"], [])
    certificate = await remove(orbits, Fountains, "cafe")
    assert certificate.removed == {"Fountain cafe": 1, "Jet Fountain cafe/jet": 1, "Basin eu": 1}
    assert (certificate.stays, certificate.checked[0]) == ([], "records: of 3 things that stood, 0 stand")


async def test_what_others_than_tenants_use_stays_and_says_so(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    await orbits.run(Fountain(client="museum", region="eu"))
    await leave(orbits, "acme")
    report = await leave(orbits, "cafe")
    assert report.shared["Basin eu"].happened == "was removed; it stays: Basin eu: it is used by Fountain museum"
    await orbits.record(Fountain, "museum").uninstall()
    await orbits.record(Basin, "eu").uninstall()


async def test_a_fleet_that_is_uninstalled_leaves_nothing_that_is_shared_whatever_was_done_last(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    await orbits.run(Fountains(water="sea", only=("bolt",)))
    await orbits.record(Fountains, "Fountains").uninstall()
    assert PARK.stands == {}


async def test_who_has_expired_takes_along_what_nobody_else_uses(orbits: Orbits, clock: Clock) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    Fountains.source = ListSource([FOUR[0].model_copy(update={"expires": expires}), FOUR[1], FOUR[3]])
    await orbits.run(Fountains())
    await clock.advance(timedelta(hours=2))
    plan = await orbits.preview(Fountains())
    assert [change.identity for change in plan.root.below if change.verb is Verb.REMOVE] == ["acme", "eu"]
    report = await orbits.run(Fountains(), plan=plan)
    assert (states(report)["acme"], sorted(PARK.stands)) == ("ended", ["basin us", "bolt", "duke"])


async def test_no_list_takes_anything_away_that_was_shared(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    Fountains.source = ListSource(tenants(acme="us", bolt="us", cafe="us", duke="us"))
    plan = await orbits.preview(Fountains())
    assert [change for change in plan.root.below if change.verb in {Verb.REMOVE, Verb.RELEASE}] == []
    await orbits.run(Fountains())
    assert (PARK.stands["acme"], PARK.stands["basin eu"]) == ("spring of us, low", "spring of eu")
    plan = await orbits.preview(Fountains())
    assert [(change.verb, change.identity) for change in plan.root.below if change.kind == "Basin"][1:] == [
        (Verb.REMOVE, "eu")
    ]
    report = await orbits.run(Fountains(), prune=True)
    assert ("basin eu" not in PARK.stands, list(report.shared)) == (True, ["Basin us"])


async def test_reports_say_what_is_shared_how_it_stands_and_how_many_use_it(orbits: Orbits) -> None:
    await orbits.run(Fountains())
    PARK.broken = {"eu sea"}
    await orbits.run(Fountains(water="sea"))
    found = await read(orbits.store, "Fountains", now=time.time())
    [eu, us] = document(found)["shared"]
    assert [(one["name"], one["state"], one["revision"], one["users"]) for one in (eu, us)] == [
        ("Basin eu", "failed", 1, ["acme", "cafe"]),
        ("Basin us", "stands", 2, ["bolt", "duke"]),
    ]
    said = "Permanent: it leaks → back at revision 1; 2 tenants wait for it"
    assert f"Basin eu: {said}" in (found.rollout.notes if found.rollout is not None else ())
    assert printed(Drawing(found)).count("it leaks") == 1
    assert re.search(r"shared +Basin us +✔ 2 .* used by 2 tenants", printed(Drawing(found)))
    assert "Shared: Basin eu ✘ 1 (used by 2 tenants), Basin us ✔ 2 (used by 2 tenants)." in markdown(found)
    assert "Basin us" in page(found)
    acme = found.members[0]
    assert (acme.state, acme.mood, of_member(acme)["shared"]) == ("held back", Mood.WAITING, ["Basin eu"])
    assert "Basin eu: ✘ failed, revision 1, used by 2 tenants; Permanent: it leaks" in printed(
        Sheet(acme, found.at, found.shared)
    )


def printed(what: Any) -> str:
    console = Console(width=200, color_system=None)
    with console.capture() as capture:
        console.print(what)
    return capture.get()


async def test_a_preview_shows_each_once(orbits: Orbits) -> None:
    shown = (await orbits.preview(Fountains())).root.below
    assert [change.identity for change in shown] == ["eu", "us", "acme", "bolt", "cafe", "duke"]
    assert shown[2].detail == "then what depends on Basin eu"
    await orbits.run(Fountains())
    [_, _, acme, *_] = (await orbits.preview(Fountains(water="sea"))).root.below
    assert (acme.verb, acme.detail) == (Verb.UNCHANGED, "by what Basin eu publishes before its update")
    assert [one.detail for one in (await orbits.preview(Fountains())).root.below] == [""] * 6


class Vault(Basin):
    """What it holds would be lost with it."""

    options = Options(stateful=True)


class Kept(Basin):
    options = Options(retain=True)


class Unlike(Fountains):
    """Wants of one name what differs."""

    def shared(self, tenant: Tenant) -> list[Basin]:
        return [Basin(region="eu", water=tenant.id)]


class Unnamed(Resource):
    async def define_update(self) -> None:
        """Nothing."""


class Nameless(Fountains):
    def shared(self, tenant: Tenant) -> list[Any]:
        return [Unnamed()]


@pytest.mark.parametrize(
    ("fleet", "said"),
    [
        (Unlike, "Basin eu is shared, and tenant bolt wants it with another water than tenant acme"),
        (Nameless, "tenant acme: Unnamed is shared and has no identity"),
    ],
)
async def test_what_cannot_be_shared_is_refused_before_anything(
    orbits: Orbits, fleet: type[Fountains], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        await orbits.run(fleet())


async def test_what_is_found_to_be_wanted_otherwise_in_a_roll_out_holds_back_who_wants_it(orbits: Orbits) -> None:
    Unlike.listing = Listing(on_doubt="known")
    report = await orbits.run(Unlike())
    [(name, why)] = report.causes.items()
    assert (name, set(states(report).values())) == ("Basin eu", {"held back"})
    assert "wants it with another water than tenant acme" in why
    assert why.endswith("; 4 tenants wait for it")


class Stated(Fountains):
    """With what holds data, and what is retained."""

    def shared(self, tenant: Tenant) -> list[Basin]:
        basin = {"large": Vault, "small": Kept}[tenant.labels["plan"]]
        return [Basin(region=tenant.labels["region"], water="x"), basin(region=tenant.labels["plan"], water="y")]


async def test_what_holds_data_is_lost_by_its_name_alone_and_what_is_retained_stays(orbits: Orbits) -> None:
    plans = {"acme": "large", "bolt": "small"}
    Stated.source = ListSource([Tenant(id=id_, labels={"region": "eu", "plan": plan}) for id_, plan in plans.items()])
    await orbits.run(Stated())
    would = await would_go(orbits, Stated, "acme")
    shown, stays = would.change, list(would.stays)
    assert shown.below[-1].identity == "large"
    said = "Vault large loses data: it stays without --accept-loss 'Vault large'"
    assert stays == ["Basin eu: 1 other tenant uses it", said]
    assert (await would_go(orbits, Stated, "acme", accept_loss=["large"])).lost == {}
    report = await orbits.run(Stated(leaving=("acme", "bolt")))
    assert report.shared["Vault large"].state is TenantState.LEFT
    assert "Vault large holds data: keep it with retain=True" in (report.shared["Vault large"].error or "")
    assert report.shared["Kept small"].left == ("Kept small: it is retained",)
    assert sorted(PARK.stands) == ["basin large", "basin small"]
    with pytest.raises(ExecutionFailed, match="accept the loss by name"):
        await orbits.record(Vault, "large").uninstall()
    await orbits.record(Vault, "large").uninstall(accept_loss=["Vault large"])
    assert sorted(PARK.stands) == ["basin small"]


class Parks:
    """What stands in the park, for the crash harness."""

    def snapshot(self) -> dict[str, str]:
        return dict(PARK.stands)

    def restore(self, snapshot: dict[str, str], /) -> None:
        PARK.stands = dict(snapshot)

    def stands(self) -> Any:
        return PARK.stands


class ComesAndGoes(Workflow[dict[str, str]]):
    """A roll-out in which one basin cannot be made, and the removal of who uses the other; what is said of each."""

    async def define(self) -> dict[str, str]:
        came = await self.do("up", Fountains(), key="comes")
        gone = await self.do("up", Fountains(leaving=("acme",)), key="goes")
        return {**states(came), **{name: one.happened for name, one in gone.shared.items()}}


def test_a_process_that_dies_anywhere_changes_nothing_of_who_is_held_back_and_what_goes() -> None:
    Fountains.source, PARK.broken = ListSource(FOUR[:2]), {"us spring"}
    crash_everywhere(ComesAndGoes, world=Parks(), again=0, faults=False).check()
