"""Tenants that are brought back: what is shown before, what is done then, and what is never gone back over."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from orbits_iac import Action, Execution, Options, Orbits, Permanent, Resource
from orbits_iac.provider import Refused, UsageError
from orbits_iac.testing import Clock
from orbits_tenants import FunctionSource, Promoted, Report, Rollout, Source, Tenant, Tenants, TenantState, Wave
from orbits_tenants.recorded import all_stacks_of
from orbits_tenants.rollback import GoingBack, bring_back, look


class Quay:
    """Who lies there, and what goes wrong with whom."""

    def __init__(self) -> None:
        self.listed: list[str | Tenant] = ["acme", "bolt", "cafe"]
        self.failing: set[str] = set()
        self.impossible: set[str] = set()
        self.barges: set[str] = set()


QUAY = Quay()


class Moor(Action):
    options = Options(idempotent=True)
    ship: str
    berth: str

    def main(self) -> None:
        if self.ship in QUAY.failing:
            raise Permanent("the rope is torn")


class Rename(Action):
    """Cannot be taken back."""

    name: str

    def main(self) -> None:
        """It is done by being asked for."""


class Ship(Resource):
    owner: str
    berth: str
    name: str = ""

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        if self.name:
            await self.do("rename", Rename(name=self.name), once=True, no_return=True)
        await self.do("moor", Moor(ship=self.owner, berth=self.berth))

    async def define_rollback(self, to: Any) -> None:
        """Nothing stands that was to be brought back."""


class Barge(Ship):
    """What a tenant's stack may become instead."""


class Ships(Tenants[Ship]):
    source: ClassVar[Source] = FunctionSource(lambda: QUAY.listed)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], failure_tolerance="100%")
    berth: str
    names: dict[str, str] = {}

    def stack(self, tenant: Tenant) -> Ship:
        if tenant.id in QUAY.impossible:
            raise Permanent(f"nobody builds {tenant.id} any more")
        cls = Barge if tenant.id in QUAY.barges else Ship
        return cls(owner=tenant.id, berth=self.berth, name=self.names.get(tenant.id, ""))


@pytest.fixture(autouse=True)
def quay() -> None:
    QUAY.__init__()  # type: ignore[misc]
    Ships.rollout = Rollout(waves=["1", "100%"], failure_tolerance="100%")


async def until_it_waits(execution: Execution[Report]) -> None:
    while not await execution.waits():  # noqa: ASYNC110 - it is in the store that it says so
        await asyncio.sleep(0)


def happens(tenants: tuple[GoingBack, ...]) -> dict[str, tuple[int | None, int | None, str]]:
    return {one.tenant: (one.revision, one.to, one.happens) for one in tenants}


async def test_what_would_be_brought_back_is_shown_by_tenant_and_then_done(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1", names={"bolt": ""}))
    QUAY.listed.append("duke")
    await orbits.run(Ships(berth="2", names={"bolt": "Beagle"}))
    orbits.who = "ann"
    await orbits.run(Ship(owner="cafe", berth="1"))
    shown = await look(orbits, Ships)
    assert happens(shown.tenants) == {
        "acme": (2, 1, "goes back"),
        "bolt": (2, 1, "forward only: rename cannot be taken back"),
        "cafe": (3, 1, "goes back; ann brought it to revision 3 since"),
        "duke": (1, None, "is removed, but for its data and what was there before"),
    }
    assert shown.summary.endswith("UTC: 2 go back, 1 are removed, 1 forward only")
    assert [one.tenant for one in (await look(orbits, Ships, wave="1")).tenants] == ["acme"]
    report = await bring_back(orbits, shown)
    assert {id_: (one.state.value, one.revision) for id_, one in report.tenants.items()} == {
        "acme": ("brought back", 1),
        "bolt": ("forward only", 2),
        "cafe": ("brought back", 1),
        "duke": ("brought back", None),
    }
    assert happens((await look(orbits, Ships, only=["acme"], to=1)).tenants) == {"acme": (1, 1, "unchanged")}
    with pytest.raises(
        UsageError, match=r"nobody would go back: 1 tenant, .*: 1 unchanged; --to names an earlier revision"
    ):
        await bring_back(orbits, await look(orbits, Ships, only=["acme"], to=1))


async def test_who_has_ended_since_is_not_called_unchanged(orbits: Orbits, clock: Clock) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    QUAY.listed = ["acme", Tenant(id="bolt", expires=expires), "cafe"]
    QUAY.failing = {"cafe"}
    await orbits.run(Ships(berth="1"))
    await clock.advance(timedelta(hours=2))
    await orbits.run(Ships(berth="2"))
    shown = await look(orbits, Ships)
    assert happens(shown.tenants) == {
        "acme": (2, 1, "goes back"),
        "bolt": (None, 1, "has ended, and stays ended"),
        "cafe": (None, None, "nothing of it stands"),
    }
    assert shown.summary.endswith("UTC: 1 go back, 1 ended, 1 not there")


async def test_what_was_shown_before_somebody_else_released_is_not_done(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    await orbits.run(Ships(berth="2"))
    of_all, of_one = await look(orbits, Ships), await look(orbits, Ships, only=["acme"])
    await orbits.run(Ship(owner="bolt", berth="3"))
    with pytest.raises(Refused, match=r"^bolt: somebody has been at it since this was shown; nothing was brought back"):
        await bring_back(orbits, of_all)
    assert (await bring_back(orbits, of_one)).tenants["acme"].revision == 1
    shown = await look(orbits, Ships, to=1)
    await orbits.run(Ships(berth="4"))
    with pytest.raises(Refused, match=r"^acme, bolt, cafe: somebody"):
        await bring_back(orbits, shown)
    assert (await orbits.record(Ship, "acme").row()).revision == 3


async def test_what_a_failed_release_has_passed_is_not_gone_back_over_once_it_is_mended(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    QUAY.failing = {"bolt"}
    report = await orbits.run(Ships(berth="2", names={"bolt": "Beagle"}))
    assert report.tenants["bolt"].state is TenantState.HELD
    QUAY.failing = set()
    report = await orbits.run(Ships(berth="2", names={"bolt": "Beagle"}, only=("bolt",)))
    assert (report.tenants["bolt"].passed, report.tenants["bolt"].revision) == ({"rename": 2}, 2)
    report = await bring_back(orbits, await look(orbits, Ships, to=1))
    assert [one.state.value for one in report.tenants.values()] == ["brought back", "forward only", "brought back"]


async def test_a_step_that_was_passed_by_the_tenants_stack_alone_holds_it_too(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    await orbits.run(Ships(berth="2"))
    await orbits.run(Ship(owner="cafe", berth="2", name="Cutty Sark"))
    report = await bring_back(orbits, await look(orbits, Ships))
    assert report.tenants["cafe"].happened.endswith("forward only: rename cannot be taken back")
    assert (report.tenants["cafe"].state, report.tenants["cafe"].passed) == (TenantState.HELD, {})


async def test_a_roll_out_in_between_that_leaves_a_tenant_out_forgets_nothing_that_it_has_passed(
    orbits: Orbits,
) -> None:
    await orbits.run(Ships(berth="1", names={"bolt": "Beagle"}))
    QUAY.failing = {"acme"}
    Ships.rollout = Rollout(waves=["1", "100%"])
    report = await orbits.run(Ships(berth="2", names={"bolt": "Beagle"}))
    assert (report.tenants["bolt"].state, report.tenants["bolt"].passed) == (TenantState.NOT_STARTED, {"rename": 1})


async def test_who_was_brought_on_by_somebody_else_is_not_brought_back_with_its_wave(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))

    Ships.rollout = Rollout(waves=["1", "100%"], on_failure="rollback-all", promote="by hand")
    QUAY.failing = {"cafe"}
    execution = await orbits.start(Ships(berth="2"))
    await until_it_waits(execution)
    await orbits.run(Ship(owner="acme", berth="3"))
    await execution.answer(Promoted(wave=1))
    report = await execution
    assert [one.state.value for one in report.tenants.values()] == ["needs a decision", "brought back", "reverted"]
    assert report.tenants["acme"].happened == (
        "went forward → left for a decision: somebody else brought it to revision 3 meanwhile: it stays there"
    )


async def test_one_whose_stack_cannot_be_made_any_more_stops_no_other(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    await orbits.run(Ships(berth="2"))
    QUAY.impossible = {"bolt"}
    report = await bring_back(orbits, await look(orbits, Ships))
    assert [one.state.value for one in report.tenants.values()] == ["brought back", "needs a decision", "brought back"]
    assert report.tenants["bolt"].error == "Permanent: nobody builds bolt any more"


async def test_a_roll_out_that_was_aborted_is_taken_back_to_what_stood_before_it(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    await orbits.run(Ships(berth="2"))
    Ships.rollout = Rollout(waves=["1", Wave("new=yes", promote="by hand"), "100%"])
    QUAY.listed.insert(0, Tenant(id="duke", labels={"new": "yes"}))
    orbits.who = "ann"
    execution = await orbits.start(Ships(berth="3"))
    await until_it_waits(execution)
    with pytest.raises(UsageError, match=rf"is under way: let it end, or cancel it \(orbits cancel {execution.id}\)"):
        await look(orbits, Ships)
    await execution.cancel()
    await execution.ended()
    shown = await look(orbits, Ships)
    assert happens(shown.tenants) == {
        "acme": (3, 2, "goes back; ann brought it to revision 3 since"),
        "bolt": (2, 2, "unchanged"),
        "cafe": (2, 2, "unchanged"),
    }
    assert shown.unknown == ("duke",)  # nobody but the roll-out that was aborted has ever listed it
    report = await bring_back(orbits, shown)
    assert {id_: one.revision for id_, one in report.tenants.items() if not one.earlier} == {"acme": 2}


async def test_one_that_was_cancelled_before_it_began_has_left_nothing_to_take_back(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    Ships.rollout = Rollout(waves=["1", "100%"], promote="by hand")
    first = await orbits.start(Ships(berth="2"))
    await until_it_waits(first)
    second = await orbits.start(Ships(berth="3"), on_conflict="supersede")
    await second.cancel()
    report = await first
    assert report.summary == "3 tenants: 1 updated, 2 not started"
    await second.ended()
    shown = await look(orbits, Ships)
    assert [(one.tenant, one.revision, one.to) for one in shown.tenants if one.moves] == [("acme", 2, 1)]


async def stand(orbits: Orbits, tenant: str) -> dict[str, int | None]:
    """The revisions of all that a tenant has, or had, by their kinds."""
    rows = (await all_stacks_of(orbits.store, "Ships"))[tenant]
    return {row.kind: row.revision for row in rows}


async def test_one_whose_stack_was_of_another_class_then_goes_back_to_that(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    QUAY.barges = {"acme"}
    await orbits.run(Ships(berth="2"))
    assert await stand(orbits, "acme") == {"Barge": 1, "Ship": 1}
    shown = await look(orbits, Ships, only=["acme"])
    assert happens(shown.tenants) == {
        "acme": (1, 1, "goes back to Ship acme: Barge acme is removed, but for its data and what was there before")
    }
    report = await bring_back(orbits, shown)
    assert await stand(orbits, "acme") == {"Ship": 1, "Barge": None}
    acme = report.tenants["acme"]
    assert (acme.state, acme.stack, acme.revision) == (TenantState.BROUGHT_BACK, "Ship acme", 1)
    assert happens((await look(orbits, Ships, only=["acme"], to=1)).tenants) == {"acme": (1, 1, "unchanged")}
    report = await orbits.run(Ships(berth="2"))
    assert (report.tenants["acme"].stack, report.tenants["acme"].revision) == ("Barge acme", 2)
    assert await stand(orbits, "acme") == {"Barge": 2, "Ship": 1}


async def test_the_rollback_of_the_fleet_brings_it_back_to_that_too(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    QUAY.barges = {"acme"}
    await orbits.run(Ships(berth="2"))
    await orbits.record(Ships, "Ships").rollback()
    assert await stand(orbits, "acme") == {"Ship": 1, "Barge": None}
    assert await stand(orbits, "bolt") == {"Ship": 1}


async def test_one_that_cannot_go_back_to_a_stack_of_another_class_is_left_for_a_decision(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    QUAY.barges = {"acme"}
    await orbits.run(Ships(berth="2"))
    await orbits.run(Ship(owner="acme", berth="3"))
    shown = await look(orbits, Ships)
    why = (
        "acme was Ship acme at revision 1 then, and is Barge acme at revision 1 now; Ship acme stands at revision 2: "
        "nothing is done to it"
    )
    assert happens(shown.tenants)["acme"] == (1, 1, f"needs a decision: {why}")
    assert shown.summary.endswith("UTC: 2 go back, 1 need a decision")
    report = await bring_back(orbits, shown)
    assert [one.state.value for one in report.tenants.values()] == ["needs a decision", "brought back", "brought back"]
    assert report.tenants["acme"].happened == f"its stack is another now → left for a decision: {why}"
    assert await stand(orbits, "acme") == {"Ship": 2, "Barge": 1}


async def test_a_step_of_no_return_of_the_other_class_holds_it(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    QUAY.barges = {"acme"}
    await orbits.run(Ships(berth="2", names={"acme": "Beagle"}))
    with pytest.raises(UsageError, match=r"nobody would go back: 1 tenant, .*: 1 forward only"):
        await bring_back(orbits, await look(orbits, Ships, only=["acme"]))
    report = await bring_back(orbits, await look(orbits, Ships))
    assert report.tenants["acme"].state is TenantState.HELD
    assert await stand(orbits, "acme") == {"Barge": 1, "Ship": 1}


@pytest.mark.parametrize("was_a_barge", [False, True])
async def test_with_its_wave_one_goes_back_to_the_class_that_it_had(orbits: Orbits, was_a_barge: bool) -> None:
    if was_a_barge:
        QUAY.barges = {"acme"}
        await orbits.run(Ships(berth="0"))
        QUAY.barges = set()
    await orbits.run(Ships(berth="1"))
    before = await stand(orbits, "acme")
    Ships.rollout = Rollout(waves=["100%"], on_failure="rollback-wave")
    QUAY.barges, QUAY.failing = {"acme"}, {"bolt"}
    report = await orbits.run(Ships(berth="2"))
    acme = report.tenants["acme"]
    assert (acme.state, acme.stack, acme.revision) == (TenantState.BROUGHT_BACK, "Ship acme", 1)
    assert acme.left == (("Barge acme at revision 1, as before",) if was_a_barge else ())
    assert await stand(orbits, "acme") == {"Barge": None} | before


async def test_one_that_is_removed_again_says_what_it_had_before_its_class_changed(orbits: Orbits) -> None:
    await orbits.run(Ships(berth="1"))
    QUAY.listed.append("duke")
    await orbits.run(Ships(berth="2"))
    QUAY.barges = {"duke"}
    await orbits.run(Ships(berth="3"))
    report = await bring_back(orbits, await look(orbits, Ships, only=["duke"], to=1))
    assert report.tenants["duke"].happened == "went forward, and is back to nothing; it stays: Ship duke at revision 1"
