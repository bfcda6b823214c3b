"""Roll-outs on the engine, of small Resources without a cloud."""

import asyncio
from typing import Any, ClassVar, cast

import pytest

from orbits_iac import Action, ExecutionFailed, Managed, Options, Orbits, Outputs, Permanent, Resource, action
from orbits_iac.provider import ExecutionRow, UsageError, Verb
from orbits_tenants import Listing, ListSource, Report, Rollout, Source, Tenant, Tenants, TenantState, outcome


class Town:
    """What really stands, and what was done to it in order."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.stands: dict[str, str] = {}
        self.failing: set[str] = set()
        self.at_once = 0
        self.most_at_once = 0
        self.told: list[str] = []
        self.tenants: list[str | None] = []

        self.painting = asyncio.Event()
        self.waited_for = ""

    async def painted(self, what: str) -> None:
        """Wait until this was painted."""
        self.waited_for, self.loop = what, asyncio.get_running_loop()
        await self.painting.wait()

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]


TOWN = Town()


@pytest.fixture(autouse=True)
def town() -> Town:
    TOWN.clear()
    Shops.source = ListSource(["acme", "bolt", "cafe"])
    Shops.rollout = Rollout(waves=["1", "100%"])
    Shops.listing = Listing()
    return TOWN


class HouseState(Outputs):
    colour: str


class House(Managed[HouseState]):
    """Painted in the colour of the release."""

    colour: str

    def _name(self) -> str:
        assert self.execution.record is not None
        return self.execution.record[1].removeprefix("Shop ").removesuffix("/house")

    def read(self, recorded: HouseState | None, /) -> HouseState | None:
        found = TOWN.stands.get(self._name())
        return None if found is None else HouseState(colour=found)

    def create(self) -> HouseState:
        return self._paint()

    def change(self, live: HouseState, /) -> HouseState:
        return self._paint()

    def delete(self, live: HouseState, /) -> None:
        TOWN.log.append(f"delete {self._name()}")
        del TOWN.stands[self._name()]

    def _paint(self) -> HouseState:
        TOWN.tenants.append(self.execution.tenant)
        TOWN.log.append(f"{self._name()} {self.colour}")
        TOWN.stands[self._name()] = self.colour
        if TOWN.log[-1] == TOWN.waited_for:
            TOWN.loop.call_soon_threadsafe(TOWN.painting.set)
        return HouseState(colour=self.colour)


class Open(Action):
    """Opens the shop, unless it was told to fail."""

    options = Options(idempotent=True)
    client: str

    async def main(self) -> None:
        TOWN.at_once += 1
        TOWN.most_at_once = max(TOWN.most_at_once, TOWN.at_once)
        for _ in range(20):
            await asyncio.sleep(0)
        TOWN.at_once -= 1
        if self.client in TOWN.failing:
            raise Permanent(f"the door of {self.client} is stuck")


@action
async def inscribe(release: str) -> None:
    """Cut in stone: cannot be taken back."""
    TOWN.log.append(f"inscribed {release}")


@action
async def tell(text: str) -> None:
    if "telling" in TOWN.failing:
        raise Permanent("nobody listens")
    TOWN.told.append(text)


class Shop(Resource):
    client: str
    release: str
    stone: str = ""

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("house", House(colour=self.release))
        if self.stone:
            await self.do("stone", inscribe(self.stone), once=True, no_return=True)
        await self.do("open", Open(client=self.client))


@action
async def pave(what: str) -> None:
    TOWN.log.append(what)
    if what in TOWN.failing:
        raise Permanent("it rains")


class Square(Resource):
    def identity(self) -> str:
        return "square"

    async def define_update(self) -> None:
        await self.do("pave", pave("square"))

    async def define_uninstall(self) -> None:
        await self.do("pave", pave("no square"))


class Shops(Tenants[Shop]):
    source: ClassVar[Source] = ListSource(["acme", "bolt", "cafe"])
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"])
    release: str
    stone: str = ""

    def stack(self, tenant: Tenant) -> Shop:
        if tenant.id in TOWN.failing and "stack" in TOWN.failing:
            raise LookupError(f"no plan for {tenant.id}")
        return Shop(client=tenant.id, release=self.release, stone=self.stone)

    async def define_shared(self) -> None:
        await self.do("square", Square())

    async def define_finish(self, report: Report) -> None:
        await self.do("tell", tell(report.summary))


def states(report: Report) -> dict[str, str]:
    return {id_: one.state.value for id_, one in report.tenants.items()}


async def test_every_tenant_gets_its_stack_wave_by_wave(orbits: Orbits) -> None:
    report = await orbits.run(Shops(release="1"))
    assert TOWN.log[:2] == ["square", "acme 1"]
    assert TOWN.stands == {"acme": "1", "bolt": "1", "cafe": "1"}
    assert states(report) == {"acme": "updated", "bolt": "updated", "cafe": "updated"}
    assert {one.revision for one in report.tenants.values()} == {1}
    assert (report.failed, report.exit_code(), TOWN.told) == ({}, 0, ["3 tenants: 3 updated"])


async def test_a_second_roll_out_changes_nothing_and_says_so(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    before = list(TOWN.log)
    report = await orbits.run(Shops(release="1"))
    assert [line for line in TOWN.log[len(before) :] if line != "square"] == []
    assert set(states(report).values()) == {"unchanged"}
    assert not report.changed
    assert report.summary == "3 tenants: 3 unchanged"
    assert all(one.began and one.ended and one.began <= one.ended for one in report.tenants.values())
    assert (await orbits.record(Shops, "Shops").row()).revision == 1


async def test_a_failed_tenant_goes_back_by_itself_and_stops_nobody_in_its_wave(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    TOWN.failing = {"bolt"}
    report = await orbits.run(Shops(release="2"))
    assert TOWN.stands == {"acme": "2", "bolt": "1", "cafe": "2"}
    assert report.failed == {"bolt": "open: Permanent: the door of bolt is stuck → back at revision 1"}
    assert (report.tenants["bolt"].state, report.tenants["bolt"].revision) == (TenantState.REVERTED, 1)
    assert report.exit_code() == 4
    assert (await orbits.record(Shops, "Shops").outputs()) == report


async def test_beyond_the_tolerance_no_wave_is_begun(orbits: Orbits) -> None:
    TOWN.failing = {"acme"}
    report = await orbits.run(Shops(release="1"))
    assert states(report) == {"acme": "reverted", "bolt": "not started", "cafe": "not started"}
    assert report.not_started == ("bolt", "cafe")
    assert list(report.failed) == ["acme"]
    assert report.exit_code() == 4
    assert TOWN.stands == {}


async def test_continue_goes_on_whatever_fails(orbits: Orbits) -> None:
    Shops.rollout = Rollout(waves=["1", "2", "100%"], on_failure="continue")
    TOWN.failing = {"acme", "bolt", "cafe"}
    report = await orbits.run(Shops(release="1"))
    assert set(states(report).values()) == {"reverted"}
    assert report.exit_code() == 1


async def test_what_all_of_a_fleet_have_to_say_together_is_not_too_long_to_be_kept(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "_SAID", 1e-9)
    monkeypatch.setattr(outcome, "_LEAST", 35)
    Shops.rollout = Rollout(waves=["100%"], on_failure="continue")
    TOWN.failing = {"acme", "bolt", "cafe"}
    report = await orbits.run(Shops(release="1"))
    acme = report.tenants["acme"]
    assert acme.error == "Permanent: the door of acme is stuc"
    failed = await orbits.engine.store.get(ExecutionRow, acme.execution)
    assert failed is not None
    assert failed.failure is not None
    assert failed.failure.message == "the door of acme is stuck"


async def test_a_tolerated_failure_lets_the_next_wave_begin(orbits: Orbits) -> None:
    Shops.rollout = Rollout(waves=["1", "100%"], failure_tolerance="1")
    TOWN.failing = {"acme"}
    report = await orbits.run(Shops(release="1"))
    assert states(report) == {"acme": "reverted", "bolt": "updated", "cafe": "updated"}


async def test_at_most_max_concurrency_tenants_are_updated_at_a_time(orbits: Orbits) -> None:
    Shops.source = ListSource([f"t{number}" for number in range(12)])
    Shops.rollout = Rollout(waves=["100%"], max_concurrency=3)
    report = await orbits.run(Shops(release="1"))
    assert set(states(report).values()) == {"updated"}
    assert 1 < TOWN.most_at_once <= 3


async def test_who_failed_after_a_step_of_no_return_is_held_until_a_good_release(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    TOWN.failing = {"cafe"}
    report = await orbits.run(Shops(release="2", stone="A"))
    held = report.tenants["cafe"]
    assert (held.state, held.no_return) == (TenantState.HELD, ("stone",))
    assert TOWN.stands["cafe"] == "2"
    assert report.failed["cafe"].endswith("→ forward only: stone cannot be taken back")
    TOWN.failing = set()
    assert set(states(await orbits.run(Shops(release="3", stone="A"))).values()) == {"updated"}
    assert TOWN.log.count("inscribed A") == 3
    assert (await orbits.record(Shop, "cafe").row()).held is None


async def test_one_that_is_held_is_not_rolled_back_by_a_later_failure_either(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    TOWN.failing = {"cafe"}
    await orbits.run(Shops(release="2", stone="A"))
    report = await orbits.run(Shops(release="3", stone="A"))
    assert report.tenants["cafe"].state is TenantState.HELD
    assert TOWN.stands["cafe"] == "3"


async def test_a_stack_that_cannot_be_made_in_the_roll_out_fails_its_tenant_alone(orbits: Orbits) -> None:
    execution = await orbits.start(Shops(release="1"))
    TOWN.failing = {"bolt", "stack"}
    report = await execution
    assert report.failed == {"bolt": "LookupError: no plan for bolt"}
    assert TOWN.stands == {"acme": "1", "cafe": "1"}


async def test_one_whose_stack_could_not_be_made_still_stands_and_is_never_brought_back_to_nothing(
    orbits: Orbits,
) -> None:
    await orbits.run(Shops(release="1"))
    execution = await orbits.start(Shops(release="2"))
    TOWN.failing = {"bolt", "stack"}
    assert (await execution).tenants["bolt"].revision == 1
    TOWN.failing = set()
    await orbits.run(Shops(release="3"))
    await orbits.record(Shops, "Shops").rollback()
    assert TOWN.stands == {"acme": "2", "bolt": "1", "cafe": "2"}


async def test_a_message_that_cannot_be_sent_fails_no_roll_out(orbits: Orbits) -> None:
    TOWN.failing = {"telling"}
    report = await orbits.run(Shops(release="1"))
    assert report.finish_error == "tell: Permanent: nobody listens"
    assert report.exit_code() == 0


async def test_shared_things_that_fail_stop_the_roll_out_before_the_first_wave(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    TOWN.failing = {"square"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Shops(release="2"))
    assert failed.value.path == ("square", "pave")
    assert TOWN.stands == {"acme": "1", "bolt": "1", "cafe": "1"}


async def test_labels_and_overrides_of_a_tenant_reach_its_stack(orbits: Orbits) -> None:
    Shops.source = ListSource([Tenant(id="acme", overrides={"release": "pinned"}, labels={"plan": "large"})])
    await orbits.run(Shops(release="1"))
    assert TOWN.stands == {"acme": "pinned"}
    assert (await orbits.record(Shop, "acme").row()).tenant == "acme"


@pytest.mark.parametrize(
    ("source", "rollout", "said"),
    [
        (ListSource([]), None, "names no tenant"),
        (ListSource(["acme", "acme"]), None, "twice"),
        (
            ListSource([Tenant(id="acme", overrides={"colour": 1})]),
            None,
            "tenant acme, overrides: colour: there is no such field",
        ),
        (None, Rollout(waves=["plan=large", "100%"]), "no tenant has a label 'plan'"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_written(
    orbits: Orbits, source: Source | None, rollout: Rollout | None, said: str
) -> None:
    Shops.source = source or Shops.source
    Shops.rollout = rollout or Shops.rollout
    for ask in (orbits.run, orbits.preview):
        with pytest.raises(UsageError, match=said):
            await cast("Any", ask)(Shops(release="1"))
    with pytest.raises(UsageError, match="there is no record"):
        await orbits.record(Shops, "Shops").row()


async def test_a_fleet_is_looked_after_and_removed_as_a_whole(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    TOWN.stands["bolt"] = "graffiti"
    fleet = orbits.record(Shops, "Shops")
    found = await fleet.drift()
    assert [difference.live for _, difference in found.drifted] == ['"graffiti"']
    await fleet.cycle(on_drift="remediate")
    assert TOWN.stands["bolt"] == "1"
    assert TOWN.tenants == ["acme", "bolt", "cafe", "bolt"]
    assert (await fleet.drift()).in_sync
    await fleet.uninstall()
    assert TOWN.stands == {}
    deleted = [line for line in TOWN.log if line.startswith(("delete", "no "))]
    assert sorted(deleted[:3]) == ["delete acme", "delete bolt", "delete cafe"]
    assert deleted[3:] == ["no square"]


async def test_a_tenant_that_failed_or_vanished_is_still_looked_after_and_removed(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    TOWN.failing = {"bolt"}
    await orbits.run(Shops(release="2"))
    Shops.source, Shops.listing = ListSource(["acme"]), Listing(may_shrink="100%")
    await orbits.run(Shops(release="3"))
    TOWN.stands["bolt"] = TOWN.stands["cafe"] = "graffiti"
    fleet = orbits.record(Shops, "Shops")
    assert len((await fleet.drift()).drifted) == 2
    await fleet.uninstall()
    assert TOWN.stands == {}


async def test_nobody_vanishes_by_what_was_approved_to_be_removed(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    Shops.source, Shops.listing = ListSource(["acme"]), Listing(may_shrink="100%")
    plan = await orbits.preview(Shops(release="2"))
    assert [change.verb for change in plan.root.below if change.kind == "Shop"] == [Verb.UPDATE]
    await (await orbits.start(Shops(release="2"), prune=True))
    await (await orbits.start(Shops(release="3", only=("acme",)), prune=True))
    assert TOWN.stands == {"acme": "3", "bolt": "1", "cafe": "1"}
    await orbits.record(Shops, "Shops").uninstall()
    assert TOWN.stands == {}


async def test_one_that_stood_before_its_first_roll_out_and_failed_in_it_belongs_to_the_fleet(orbits: Orbits) -> None:
    await orbits.run(Shop(client="bolt", release="0"))
    TOWN.failing = {"bolt"}
    await orbits.run(Shops(release="1"))
    TOWN.stands["bolt"] = "graffiti"
    assert len((await orbits.record(Shops, "Shops").drift()).drifted) == 1


async def test_a_cancelled_roll_out_leaves_the_tenants_that_were_done(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    execution = await orbits.start(Shops(release="2"))
    await TOWN.painted("acme 2")
    await execution.cancel()
    with pytest.raises(ExecutionFailed) as failed:
        await execution
    assert failed.value.failure.state.value == "CANCELLED"
    assert TOWN.log.count("acme 1") <= 2
    assert TOWN.stands.keys() == {"acme", "bolt", "cafe"}


async def test_a_whole_fleet_is_rolled_back_to_what_stood_after_an_earlier_roll_out(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    Shops.source = ListSource(["acme", "bolt", "cafe", "duke"])
    await orbits.run(Shops(release="2"))
    await orbits.run(Shops(release="3"))
    fleet = orbits.record(Shops, "Shops")
    await fleet.rollback()
    assert set(TOWN.stands.values()) == {"2"}
    await fleet.rollback(to=1)
    assert TOWN.stands == {"acme": "1", "bolt": "1", "cafe": "1"}


async def test_nothing_is_rolled_back_over_a_step_of_no_return_whenever_it_was_passed(orbits: Orbits) -> None:
    await orbits.run(Shops(release="1"))
    await orbits.run(Shops(release="2", stone="A"))
    await orbits.run(Shops(release="3", stone="A"))
    report = await orbits.run(Shops(release="3", back={"acme": 1, "bolt": 2}))
    assert TOWN.stands == {"acme": "3", "bolt": "2", "cafe": "3"}
    assert states(report) == {"acme": "forward only", "bolt": "brought back", "cafe": "updated"}
    assert [one.earlier for one in report.tenants.values()] == [False, False, True]


async def test_a_preview_shows_each_tenant_and_does_nothing(orbits: Orbits) -> None:
    plan = await orbits.preview(Shops(release="1"))
    assert [change.kind for change in plan.root.below] == ["Square", "Shop", "Shop", "Shop"]
    assert TOWN.log == []
    await orbits.run(Shops(release="1"))
    after = await orbits.preview(Shops(release="1"))
    houses = [change for shop in after.root.below[1:] for change in shop.below if change.kind == "House"]
    assert [house.verb.value for house in houses] == ["unchanged"] * 3


async def test_one_that_is_held_at_its_first_release_goes_with_the_fleet(orbits: Orbits) -> None:
    TOWN.failing = {"cafe"}
    report = await orbits.run(Shops(release="1", stone="A"))
    assert (report.tenants["cafe"].state, report.tenants["cafe"].revision) == (TenantState.HELD, None)
    await orbits.record(Shops, "Shops").uninstall()
    assert TOWN.stands == {}


async def test_one_that_is_held_at_its_first_release_can_be_removed(orbits: Orbits) -> None:
    TOWN.failing = {"cafe"}
    with pytest.raises(ExecutionFailed):
        await orbits.run(Shop(client="cafe", release="1", stone="A"))
    await orbits.record(Shop, "cafe").uninstall()
    assert TOWN.stands == {}


async def test_what_a_cancelled_first_roll_out_has_done_can_be_removed(orbits: Orbits) -> None:
    execution = await orbits.start(Shops(release="1"))
    await TOWN.painted("acme 1")
    await execution.cancel()
    with pytest.raises(ExecutionFailed):
        await execution
    await orbits.record(Shops, "Shops").uninstall()
    assert TOWN.stands == {}
