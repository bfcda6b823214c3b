"""Promotion by policy: what the next wave would do decides whether it begins by itself; if not, it is said why."""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from orbits_iac import Action, Execution, Managed, Orbits, Outputs, Resource
from orbits_iac.cli.comment import as_comment
from orbits_iac.cli.planned import as_document
from orbits_iac.provider import Change, OutOfReach, UsageError, Verb
from orbits_iac.testing import Clock
from orbits_tenants import ByPolicy, FunctionSource, Promoted, Report, Rollout, Source, Tenant, Tenants, Wave
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.policy import Policy, told
from orbits_tenants.promotion import promote
from tests.tenants.hanging import Hanging

ACME = Tenant(id="acme")


def stack(*below: Change, **more: Any) -> Change:
    return Change(verb=Verb.UPDATE, kind="Shop", below=below, **more)


DATABASE = Change(verb=Verb.REPLACE, ref="database", kind="Database", detail="engine changes", stateful_loss=True)
BACKEND = Change(
    verb=Verb.UPDATE, ref="backend", kind="Backend", below=(Change(verb=Verb.REMOVE, ref="queue", kind="Queue"),)
)
FRONTEND = Change(verb=Verb.UPDATE, ref="frontend", kind="Frontend")
MIGRATE = Change(verb=Verb.RUN, ref="migrate", kind="Migrate", no_return=True)


@pytest.mark.parametrize(
    ("policy", "change", "said"),
    [
        (ByPolicy(), stack(FRONTEND), ""),
        (ByPolicy(), stack(DATABASE), "database would be replaced (engine changes); database would lose data"),
        (ByPolicy(replace=True), stack(DATABASE), "database would lose data"),
        (ByPolicy(), stack(BACKEND), "backend.queue would be removed"),
        (ByPolicy(remove=True), stack(BACKEND), ""),
        (ByPolicy(services=["frontend"]), stack(FRONTEND), ""),
        (ByPolicy(services=["frontend"]), stack(MIGRATE, FRONTEND), "migrate would change, and only frontend may; "),
        (ByPolicy(services=[]), stack(Change(verb=Verb.UNCHANGED, ref="frontend", kind="Frontend")), ""),
        (ByPolicy(), stack(MIGRATE), "migrate cannot be taken back"),
        (ByPolicy(no_return=True), stack(MIGRATE), ""),
        (ByPolicy(), stack(waits=("pick",)), "Shop: what depends on pick cannot be shown before"),
        (ByPolicy(unseen=True), stack(waits=("pick",)), ""),
        (ByPolicy(), Change(verb=Verb.CREATE, kind="Shop", waits=("pick",)), ""),
        (ByPolicy(unseen=True), stack(Change(verb=Verb.UNKNOWN, ref="a", detail="fails: Nope: no")), "a: fails: Nope"),
    ],
)
def test_what_a_policy_wants_somebody_to_look_at(policy: ByPolicy, change: Change, said: str) -> None:
    found = policy(ACME, change)
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_reason_is_told_once_with_those_of_whom_it_holds() -> None:
    said = dict.fromkeys((f"t{number}" for number in range(7)), "database would be replaced")
    assert told({"acme": "queue would be removed", **said}) == (
        "t0, t1, t2, t3, t4 and 2 more: database would be replaced; acme: queue would be removed"
    )
    each = told({name: f"reason {name}" for name in "abcde"})
    assert each == "a: reason a; b: reason b; c: reason c; and 2 more tenants for other reasons"
    assert told({name: f"reason {name}" for name in "abcd"}).endswith("; and 1 more tenant for other reasons")
    assert told({"acme": "long" * 1000}).endswith("longlo ...")


@pytest.mark.parametrize("promote", ["sometimes", 3])
def test_what_is_no_way_to_be_promoted_is_refused(promote: Any) -> None:
    said = r"\(promote=.*: it is one of by itself, by hand, or a policy such as"
    with pytest.raises(UsageError, match=f"Rollout{said}"):
        Rollout(waves=["1", "100%"], promote=promote)
    with pytest.raises(UsageError, match=f"Wave{said}"):
        Wave("1", promote=promote)


class Arcade:
    """What stands, of which material."""

    def __init__(self) -> None:
        self.stands: dict[str, str] = {}
        self.unseen: dict[str, Exception] = {}
        self.listed = [Tenant(id=id_) for id_ in ("acme", "bolt", "cafe")]


ARCADE = Arcade()


class Made(Outputs):
    material: str


class Arch(Managed[Made]):
    """Of stone it is painted over; of anything else it has to be built anew."""

    owner: str
    material: str

    def read(self, recorded: Made | None, /) -> Made | None:
        if self.owner in ARCADE.unseen:
            raise ARCADE.unseen[self.owner]
        return Made(material=ARCADE.stands[self.owner]) if self.owner in ARCADE.stands else None

    def replaces(self, live: Made, /) -> list[str]:
        return [] if "stone" in live.material else ["material"]

    def create(self) -> Made:
        ARCADE.stands[self.owner] = self.material
        return Made(material=self.material)

    def change(self, live: Made, /) -> Made:
        return self.create()

    def delete(self, live: Made, /) -> None:
        del ARCADE.stands[self.owner]


class Sweep(Action):
    def main(self) -> None:
        """It is done by being asked for."""


class Passage(Resource):
    owner: str
    material: str

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        await self.do("arch", Arch(owner=self.owner, material=self.material))
        await self.do("sweep", Sweep())


class Passages(Tenants[Passage]):
    source: ClassVar[Source] = FunctionSource(lambda: ARCADE.listed)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], promote=ByPolicy())
    material: str

    def stack(self, tenant: Tenant) -> Passage:
        return Passage(owner=tenant.id, material=self.material)


@pytest.fixture(autouse=True)
def arcade() -> None:
    ARCADE.__init__()  # type: ignore[misc]
    Passages.rollout = Rollout(waves=["1", "100%"], promote=ByPolicy())


async def waits(execution: Execution[Report], orbits: Orbits) -> str:
    """What it says when it waits for somebody."""
    while not await execution.waits():
        assert (await execution.row()).ended_at is None, "it waits for nobody, and has ended"
        await asyncio.sleep(0)
    said = [event.why for event in await orbits.store.tail(0, root=execution.id, limit=1000)]
    return next(why for why in reversed(said) if " waits: " in why)


async def test_a_wave_that_would_only_change_things_begins_by_itself_and_another_waits_and_says_for_whom(
    orbits: Orbits,
) -> None:
    await orbits.run(Passages(material="grey stone"))
    assert (await orbits.run(Passages(material="wood"))).summary == "3 tenants: 3 updated"
    execution = await orbits.start(Passages(material="steel"))
    assert await waits(execution, orbits) == (
        "wave 1 (1) is done, and waits: somebody has to look at wave 100% first: "
        "bolt, cafe: arch would be replaced: orbits tenants promote Passages"
    )
    assert ARCADE.stands == {"acme": "steel", "bolt": "wood", "cafe": "wood"}
    await execution.answer(Promoted(wave=1))
    assert (await execution).summary == "3 tenants: 3 updated"


async def test_a_preview_says_of_each_wave_what_its_policy_would_say(orbits: Orbits) -> None:
    plan = await orbits.preview(Passages(material="grey stone"))  # of tenants of whom nothing stands
    assert plan.root.remarks == ("by its policy, wave 100% would begin by itself",)
    await orbits.run(Passages(material="grey stone"))
    Passages.rollout = Rollout(waves=[Wave("1", promote="by hand"), Wave("2", promote=ByPolicy()), "100%"])
    ARCADE.stands["bolt"] = "wood"
    plan = await orbits.preview(Passages(material="steel"))
    assert plan.root.remarks == ("by its policy, wave 100% would begin by itself",)  # of wave 2 a person says it
    Passages.rollout = Rollout(waves=["1", "2", "100%"], promote=ByPolicy())
    ARCADE.stands["cafe"] = ARCADE.stands["bolt"] = "wood"
    ARCADE.listed.append(Tenant(id="duke"))
    ARCADE.unseen = {"duke": RuntimeError("nobody can see it")}
    plan = await orbits.preview(Passages(material="red stone"))
    said = (
        "by its policy, wave 2 would wait for approval: bolt: arch would be replaced",
        (
            "by its policy, wave 100% would wait for approval: cafe: arch would be replaced; "
            "duke: it cannot be previewed: RuntimeError: nobody can see it"
        ),
    )
    assert plan.root.remarks == said
    assert plan.root.detail == "; ".join(("revision 1 → 2", *said))
    assert as_document(plan)["changes"]["remarks"] == said
    assert all(f"\n`{remark}`\n" in as_comment(plan) for remark in said)


class Signed(Made):
    """What a passage publishes."""


class SignedPassage(Passage, Resource[Signed]):
    async def define_update(self) -> Signed:  # type: ignore[override]
        made = await self.do("arch", Arch(owner=self.owner, material=self.material))
        return Signed(material=made.material)


async def test_it_is_said_though_a_tenant_has_no_outputs_yet_that_the_fleet_would_wait_for(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Passages, "stack", lambda self, tenant: SignedPassage(owner=tenant.id, material=self.material))
    plan = await orbits.preview(Passages(material="grey stone"))
    assert plan.root.remarks == ("by its policy, wave 100% would begin by itself",)


async def test_who_cannot_be_previewed_is_for_somebody_to_look_at_and_who_is_paused_is_not_asked(
    orbits: Orbits,
) -> None:
    await orbits.run(Passages(material="grey stone"))
    ARCADE.unseen = {"bolt": RuntimeError("nobody can see it")}
    ARCADE.listed[2] = Tenant(id="cafe", paused="a fair")
    execution = await orbits.start(Passages(material="red stone"))
    assert "bolt: it cannot be previewed: arch: RuntimeError: nobody can see it: orbits" in await waits(
        execution, orbits
    )
    await execution.cancel()


async def test_who_is_there_again_while_a_person_looks_is_looked_at_too(orbits: Orbits) -> None:
    ARCADE.listed.append(Tenant(id="duke"))
    await orbits.run(Passages(material="wood"))
    ARCADE.unseen = {"cafe": OutOfReach("account 3 is suspended")}
    paused = Decision(what="pause", tenant="duke", who="ann", why="a fair")
    await orbits.run(TenantDecisions(fleet="Passages", decision=paused))
    execution = await orbits.start(Passages(material="steel"))
    assert "first: bolt: arch would be replaced: orbits" in await waits(execution, orbits)
    ARCADE.unseen = {}
    await orbits.run(TenantDecisions(fleet="Passages", decision=Decision(what="resume", tenant="duke", who="ann")))
    await execution.answer(Promoted(wave=1))
    assert await promote(orbits, Passages) == (execution.id, 1)  # somebody else at the same time, of the same question
    await orbits.settled()
    assert "first: cafe, duke: arch would be replaced: orbits" in await waits(execution, orbits)
    assert ARCADE.stands == {"acme": "steel", "bolt": "wood", "cafe": "wood", "duke": "wood"}
    assert await promote(orbits, Passages) == (execution.id, 1)
    assert (await execution).summary == "4 tenants: 4 updated"


async def test_a_policy_of_your_own_sees_the_tenant_and_what_would_be_done(orbits: Orbits) -> None:
    seen: dict[str, list[str]] = {}

    def policy(tenant: Tenant, change: Change) -> str:
        seen[tenant.id] = [one.ref for one in change.walk() if one]
        if tenant.id == "cafe":
            raise LookupError("there is no such café")
        return ByPolicy(services=["arch"])(tenant, change)

    given: Policy = policy
    Passages.rollout = Rollout(waves=[Wave("1", promote=given), "100%"])
    execution = await orbits.start(Passages(material="grey stone"))
    assert "cafe: it cannot be previewed: LookupError: there is no such café" in await waits(execution, orbits)
    assert seen == {"bolt": ["", "arch"], "cafe": ["", "arch"]}
    await execution.cancel()


async def test_who_is_passed_over_is_not_looked_at(orbits: Orbits) -> None:
    await orbits.run(Passages(material="grey stone"))
    seen: list[str] = []

    def policy(tenant: Tenant, change: Change) -> str:
        seen.append(tenant.id)
        return ""

    Passages.rollout = Rollout(waves=["1", "100%"], promote=policy)
    ARCADE.listed[1] = Tenant(id="bolt", overrides={"material": "red stone"})
    assert (await orbits.run(Passages(material="grey stone"))).summary == "3 tenants: 1 updated, 2 unchanged"
    assert seen == ["bolt"]


async def test_a_preview_that_hangs_is_given_up_and_a_person_decides(orbits: Orbits, clock: Clock) -> None:
    policy = Hanging()
    Passages.rollout = Rollout(waves=["1", "100%"], promote=policy)
    execution = await orbits.start(Passages(material="grey stone"))
    assert await policy.is_looking()
    later = asyncio.create_task(clock.advance(timedelta(hours=1.1)))
    await asyncio.sleep(0)
    await execution.answer(Promoted(wave=7))  # what is under way looks at the clock when it is told something
    assert "bolt, cafe: what would be done was not known within 1:00:00" in await waits(execution, orbits)
    policy.go_on.set()
    await later
    await execution.answer(Promoted(wave=1))
    assert (await execution).summary == "3 tenants: 3 updated"


async def test_an_account_that_lets_nobody_in_keeps_nobody_waiting(orbits: Orbits) -> None:
    await orbits.run(Passages(material="grey stone"))
    ARCADE.unseen = {"bolt": OutOfReach("account 1 is suspended")}
    report = await orbits.run(Passages(material="red stone"))
    assert report.summary == "3 tenants: 2 updated, 1 unreachable"
