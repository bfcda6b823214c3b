"""A roll-out that is held up, led by hand, narrowed, and taken back, on small Resources without a cloud."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from orbits_iac import Action, ExecutionFailed, Managed, Options, Orbits, Permanent, Resource, Target
from orbits_iac.provider import ExecutionRow, OutOfReach, UsageError
from orbits_iac.testing import Clock
from orbits_tenants import (
    FunctionSource,
    Listing,
    Promoted,
    Rollout,
    Source,
    Tenant,
    Tenants,
    TenantState,
    Wave,
    Window,
)
from orbits_tenants.certificate import kept
from orbits_tenants.promotion import promote
from orbits_tenants.removal import certify, remove
from tests.tenants.stalls import STREET, Awning, Stall, StallFront, Stalls, decide, listed, states, street

__all__ = ["street"]  # a fixture of all tests here


async def test_a_wave_beyond_its_tolerance_is_brought_back_and_the_waves_before_it_stay(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["1", "3", "100%"], on_failure="rollback-wave")
    await orbits.run(Stalls(release="1"))
    STREET.failing = {"cafe": Permanent("no milk")}
    report = await orbits.run(Stalls(release="2"))
    assert states(report) == ["updated", "brought back", "reverted", "not started"]
    assert STREET.stands == {"acme": "2", "bolt": "1", "cafe": "1", "duke": "1"}
    assert report.stopped == "stopped after wave 3: 1 of 4 tenants failed, and 0% may"
    assert (report.exit_code(), list(report.failed), report.not_started) == (4, ["cafe"], ("duke",))
    assert report.tenants["bolt"].revision == 1


async def test_all_is_brought_back_and_what_had_not_stood_before_is_removed(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["1", "100%"], on_failure="rollback-all")
    await orbits.run(Stall(owner="acme", release="0"))
    STREET.failing = {"duke": Permanent("no milk")}
    report = await orbits.run(Stalls(release="1"))
    assert states(report) == ["brought back", "brought back", "brought back", "reverted"]
    assert STREET.stands == {"acme": "0"}
    STREET.failing = {}
    assert set(states(await orbits.run(Stalls(release="2")))) == {"updated"}
    assert set(STREET.stands.values()) == {"2"}


async def test_who_has_passed_a_step_of_no_return_is_held_and_listed(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["1", "100%"], on_failure="rollback-all")
    await orbits.run(Stalls(release="1"))
    STREET.failing = {"bolt": Permanent("no milk")}
    report = await orbits.run(Stalls(release="2", motto="fresh"))
    assert set(states(report)) == {"forward only"}
    assert report.tenants["acme"].happened == "went forward → forward only: motto cannot be taken back"
    assert STREET.stands["acme"] == "2"


async def test_a_wave_that_does_not_pass_its_check_stops_the_roll_out(orbits: Orbits) -> None:
    def check(wave: str) -> None:
        raise Permanent(f"guests of {wave} complain")

    STREET.check = check
    report = await orbits.run(Stalls(release="1"))
    assert report.stopped == "stopped after wave 1: wave 1 did not pass its check: Permanent: guests of 1 complain"
    assert states(report) == ["updated", *["not started"] * 3]
    assert report.exit_code() == 4


async def test_a_wave_that_has_drifted_while_it_baked_stops_the_roll_out(orbits: Orbits, clock: Clock) -> None:
    Stalls.rollout = Rollout(waves=["1", "2", "100%"], bake=timedelta(hours=1), check="drift")
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    await clock.advance(timedelta(hours=1.1))
    assert sorted(STREET.stands) == ["acme", "bolt"]
    STREET.stands["bolt"] = "graffiti"
    await clock.advance(timedelta(hours=1.1))
    report = await execution
    assert report.stopped == "stopped after wave 2: wave 2 did not pass its check: Refused: drifted since: bolt"
    assert states(report) == ["updated", "updated", "not started", "not started"]


async def test_a_wave_bakes_before_the_next(orbits: Orbits, clock: Clock) -> None:
    Stalls.rollout = Rollout(waves=[Wave("1", bake=timedelta(hours=2)), "100%"])
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    await clock.advance(timedelta(hours=1.9))
    assert STREET.stands == {"acme": "1"}
    await clock.advance(timedelta(hours=0.2))
    assert set(states(await execution)) == {"updated"}


async def test_the_next_wave_waits_until_it_is_promoted(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["1", "100%"], promote="by hand")
    execution = await orbits.start(Stalls(release="1"))
    await execution.answer(Promoted(wave=2))
    while not await execution.waits():  # noqa: ASYNC110 - it is in the store that it says so
        await asyncio.sleep(0)
    assert STREET.stands == {"acme": "1"}
    with pytest.raises(UsageError, match="the roll-out of Stalls waits after wave 1, and not after wave 2"):
        await promote(orbits, "Stalls", wave=2)
    assert await promote(orbits, "Stalls", wave=1) == (execution.id, 1)
    assert set(states(await execution)) == {"updated"}


async def test_a_tenant_is_changed_in_its_window_and_the_waves_do_not_wait_for_it(orbits: Orbits, clock: Clock) -> None:
    now = orbits.engine.clock.now()
    hour = (datetime.fromtimestamp(now, UTC).hour + 3) % 24
    window = Window(f"{hour:02}:00-{(hour + 1) % 24:02}:00")
    STREET.listed[0] = Tenant(id="acme", window=window)
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    await clock.advance(timedelta(hours=1))
    assert sorted(STREET.stands) == ["bolt", "cafe", "duke"]
    said = [event.why for event in await orbits.store.tail(0, root=execution.id, limit=1000)]
    assert any(why.startswith("1 tenant to be updated when its window opens: acme at ") for why in said)
    for _ in range(6):
        await clock.advance(timedelta(minutes=30))
    report = await execution
    assert (states(report), list(report.tenants)) == (["updated"] * 4, ["acme", "bolt", "cafe", "duke"])


async def test_who_waits_for_a_window_is_not_begun_when_the_roll_out_stops(orbits: Orbits, clock: Clock) -> None:
    hour = (datetime.fromtimestamp(orbits.engine.clock.now(), UTC).hour + 3) % 24
    STREET.listed[0] = Tenant(id="acme", window=Window(f"{hour:02}:00-{(hour + 1) % 24:02}:00"))
    STREET.failing = {"duke": Permanent("no milk")}
    report = await orbits.run(Stalls(release="1"))
    assert states(report) == ["not started", "updated", "updated", "reverted"]
    assert report.stopped.startswith("stopped after wave 100%")


async def test_at_most_so_many_with_something_in_common_are_updated_at_a_time(orbits: Orbits) -> None:
    STREET.listed = [Tenant(id=f"t{n}", labels={"kind": "fruit" if n % 2 else "fish"}) for n in range(12)]
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=5, at_most={"kind": 2})
    assert set(states(await orbits.run(Stalls(release="1")))) == {"updated"}
    assert sorted(STREET.most) == ["fish", "fruit"]
    assert max(STREET.most.values()) == 2


async def test_a_limit_by_a_misspelt_label_is_refused_before_anything_is_done(orbits: Orbits) -> None:
    STREET.listed = [Tenant(id="acme", labels={"kind": "fruit"})]
    Stalls.rollout = Rollout(waves=["100%"], at_most={"kinds": 2})
    with pytest.raises(UsageError, match=r"Rollout\(at_most=\.\.\.\): no tenant has a label 'kinds'; .* mean 'kind'"):
        await orbits.run(Stalls(release="1"))
    assert await orbits.store.count(ExecutionRow) == 0
    Stalls.listing = Listing(on_doubt="known")
    with pytest.raises(ExecutionFailed, match="no tenant has a label 'kinds'"):
        await orbits.run(Stalls(release="1"))
    assert STREET.begun == []
    Stalls.listing = Listing()
    await decide(orbits, "add", "bolt", added={"id": "bolt", "labels": {"kinds": "fish"}})
    assert states(await orbits.run(Stalls(release="1"))) == ["updated", "updated"]


async def test_only_those_that_failed_or_are_named_are_gone_to_and_the_others_are_still_reported(
    orbits: Orbits,
) -> None:
    Stalls.rollout = Rollout(waves=["1", "100%"], failure_tolerance="2")
    STREET.failing = {"bolt": Permanent("no milk"), "duke": Permanent("no milk")}
    await orbits.run(Stalls(release="1"))
    STREET.begun.clear()
    STREET.failing = {"duke": Permanent("no bread")}
    report = await orbits.run(Stalls(release="1", only_failed=True))
    assert sorted(STREET.begun) == ["bolt", "duke"]
    assert states(report) == ["updated", "updated", "updated", "reverted"]
    assert [one.earlier for one in report.tenants.values()] == [True, False, True, False]
    STREET.begun.clear()
    report = await orbits.run(Stalls(release="2", only=("acme",)))
    assert (STREET.begun, report.failed, report.exit_code()) == (["acme"], {}, 0)
    assert STREET.stands == {"acme": "2", "bolt": "1", "cafe": "1"}


async def test_a_roll_out_begins_with_the_wave_that_is_named(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    STREET.begun.clear()
    await orbits.run(Stalls(release="2", from_wave="100%"))
    assert sorted(STREET.begun) == ["bolt", "cafe", "duke"]
    with pytest.raises(UsageError, match=r"there is no wave '10%'; there are 1, 100%\. Did you mean '100%'"):
        await orbits.run(Stalls(release="2", from_wave="10%"))
    Stalls.rollout = Rollout(waves=["1", "4", "100%"])
    with pytest.raises(ExecutionFailed, match="there is no wave '100%' with tenants; there are 1, 4"):
        await orbits.run(Stalls(release="2", from_wave="100%"))


async def test_whom_a_roll_out_is_to_go_to_is_looked_at_before_anything_is_written(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    await decide(orbits, "add", "echo", added={"id": "echo"})
    before = await orbits.store.count(ExecutionRow)
    with pytest.raises(UsageError, match=r"only: Stalls has no duk, nobody; .* Did you mean 'duke'"):
        await orbits.run(Stalls(release="2", only=("acme", "duk", "nobody")))
    with pytest.raises(UsageError, match=r"only_failed: the last roll-out of Stalls .* left nobody failed or"):
        await orbits.run(Stalls(release="2", only_failed=True))
    with pytest.raises(ValueError, match="names nobody: leave it out to go to everybody"):
        Stalls(release="2", only=())
    STREET.listed.append(Tenant(id="fox"))
    await decide(orbits, "remove", "cafe")
    with pytest.raises(UsageError, match="only: Stalls has no cafe"):
        await orbits.run(Stalls(release="2", only=("cafe",)))
    before += 1  # the decision
    assert await orbits.store.count(ExecutionRow) == before
    report = await orbits.run(Stalls(release="2", only=("echo", "fox")))
    assert [id_ for id_, one in report.tenants.items() if not one.earlier] == ["fox", "echo"]
    Stalls.listing = Listing(on_doubt="known")  # then the source is not read before it is asked for
    STREET.listed.append(Tenant(id="gnu"))
    assert (await orbits.run(Stalls(release="2", only=("gnu",)))).tenants["gnu"].state == "updated"
    with pytest.raises(UsageError, match="only: Stalls has no gnus"):
        await orbits.run(Stalls(release="2", only=("gnus",)))


async def test_what_is_decided_while_a_wave_is_under_way_holds_for_whom_it_has_not_begun(
    orbits: Orbits, clock: Clock
) -> None:
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=1)
    await orbits.run(Stalls(release="1"))
    STREET.held = {"acme"}
    execution = await orbits.start(Stalls(release="2"))
    await STREET.reached.wait()
    await decide(orbits, "pause", "bolt", why="they have called")
    await decide(orbits, "pin", "cafe", pinned={"release": "1b"})
    STREET.gate.set()
    await clock.advance(timedelta(seconds=2))
    report = await execution
    assert states(report) == ["updated", "paused", "updated", "updated"]
    assert report.tenants["bolt"].happened == "is paused: they have called"
    assert STREET.stands == {"acme": "2", "bolt": "1", "cafe": "1b", "duke": "2"}
    await decide(orbits, "unpin", "cafe")
    assert states(await orbits.run(Stalls(release="2"))) == ["unchanged", "paused", "updated", "unchanged"]


@pytest.mark.parametrize("windows", [False, True])
async def test_who_waits_in_line_is_not_begun_once_it_is_paused(orbits: Orbits, clock: Clock, windows: bool) -> None:
    now = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    window = Window(f"{now:%H:%M}-{now + timedelta(hours=12):%H:%M}") if windows else None
    labels = {"acme": {"kind": "a"}, "bolt": {"kind": "b"}}  # each in a line of its own
    STREET.listed = [Tenant(id=id_, labels=one, window=window) for id_, one in labels.items()]
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=1, at_most={"kind": 1})
    STREET.held = {"acme"}
    execution = await orbits.start(Stalls(release="1"))
    moved = asyncio.create_task(clock.advance(timedelta(hours=2)))
    await STREET.reached.wait()
    await decide(orbits, "pause", "bolt", why="they have called")
    STREET.gate.set()
    await clock.advance(timedelta(seconds=2))
    await moved
    assert states(await execution) == ["updated", "paused"]


async def test_nobody_waits_for_the_window_of_whom_nothing_has_changed(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Stalls(release="1"))
    opens = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=3)
    STREET.listed[0] = Tenant(id="acme", window=Window(f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}"))
    assert set(states(await orbits.run(Stalls(release="1")))) == {"unchanged"}


async def test_what_people_decide_holds_whatever_the_source_says(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    await decide(orbits, "pause", "acme", why="they are on holiday")
    await decide(orbits, "pin", "bolt", pinned={"release": "1"})
    await decide(orbits, "remove", "cafe")
    await decide(orbits, "add", "echo", added={"id": "echo"})
    report = await orbits.run(Stalls(release="2"))
    assert {id_: one.state.value for id_, one in report.tenants.items()} == {
        "acme": "paused",
        "bolt": "unchanged",
        "cafe": "needs a decision",  # it still stands
        "duke": "updated",
        "echo": "updated",
    }
    assert report.tenants["acme"].happened == "is paused: they are on holiday"
    assert report.tenants["acme"].revision == 1
    assert report.tenants["bolt"].pinned == ("release",)
    assert report.exit_code() == 0
    await decide(orbits, "resume", "acme")
    await decide(orbits, "unpin", "bolt")
    await decide(orbits, "add", "cafe")
    report = await orbits.run(Stalls(release="2"))
    assert sorted(report.tenants) == ["acme", "bolt", "cafe", "duke", "echo"]
    assert set(STREET.stands.values()) == {"2"}


async def test_who_is_paused_while_the_roll_out_goes_on_is_not_begun(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["1", "100%"], promote="by hand")
    execution = await orbits.start(Stalls(release="1"))
    await decide(orbits, "pause", "duke", why="not today")
    await execution.answer(Promoted(wave=1))
    assert states(await execution) == ["updated", "updated", "updated", "paused"]


async def test_who_is_removed_while_the_roll_out_goes_on_is_not_begun_and_goes_after_it(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    Stalls.rollout = Rollout(waves=["1", "100%"], promote="by hand")
    execution = await orbits.start(Stalls(release="2"))
    while not await execution.waits():  # noqa: ASYNC110 - it is in the store that it says so
        await asyncio.sleep(0)
    leaves = asyncio.create_task(remove(orbits, Stalls, "duke"))
    while len((await orbits.record(Stalls, "Stalls").row()).queue) < 2:  # noqa: ASYNC110 - it is in the store alone
        await asyncio.sleep(0)
    await execution.answer(Promoted(wave=1))
    report = await execution
    assert states(report) == ["updated", "updated", "updated", "paused"]
    assert report.tenants["duke"].happened.startswith("is paused: it was removed by ")
    assert (await leaves).removed["Stall duke"] == 1
    assert sorted(STREET.stands) == ["acme", "bolt", "cafe"]


async def test_an_account_that_lets_nobody_in_is_reported_apart(orbits: Orbits) -> None:
    STREET.failing = {"acme": OutOfReach("account 1 is suspended")}
    report = await orbits.run(Stalls(release="1"))
    assert states(report) == ["unreachable", "updated", "updated", "updated"]
    assert (report.failed, report.exit_code()) == ({}, 0)
    assert report.tenants["acme"].happened == (
        "serve: OutOfReach: account 1 is suspended → it stands as it did; it does not count as failed"
    )


async def test_where_no_canary_can_be_gone_to_others_are_the_canaries(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    await decide(orbits, "pause", "acme", why="on holiday")
    STREET.failing = {"bolt": OutOfReach("account 2 is suspended"), "cafe": Permanent("no milk")}
    report = await orbits.run(Stalls(release="2"))
    assert states(report) == ["paused", "unreachable", "reverted", "not started"]
    assert report.stopped == "stopped after wave 1: 1 of 4 tenants failed, and 0% may"
    assert [one.wave for one in report.tenants.values()] == ["1", "1", "1", "100%"]


async def test_nobody_stands_for_the_canaries_that_are_named_by_labels(orbits: Orbits) -> None:
    STREET.listed[1] = Tenant(id="bolt", labels={"ring": "canary"})
    Stalls.rollout = Rollout(waves=["ring=canary", "100%"])
    await decide(orbits, "pause", "bolt", why="on holiday")
    report = await orbits.run(Stalls(release="1"))
    assert states(report) == ["not started", "paused", "not started", "not started"]
    why = "nobody in wave ring=canary could be gone to, so nothing was tried in it"
    assert (report.stopped, report.exit_code()) == (f"stopped after wave ring=canary: {why}", 4)
    Stalls.rollout = Rollout(waves=["1", "ring=canary", "100%"])  # somebody else has tried it
    assert states(await orbits.run(Stalls(release="1"))) == ["updated", "paused", "updated", "updated"]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_wave_by_labels_whose_windows_are_all_closed_is_waited_for(
    orbits: Orbits, clock: Clock, fails: bool
) -> None:
    hour = (datetime.fromtimestamp(orbits.engine.clock.now(), UTC).hour + 3) % 24
    window = Window(f"{hour:02}:00-{(hour + 1) % 24:02}:00")
    STREET.listed[1] = Tenant(id="bolt", labels={"ring": "canary"}, window=window)
    STREET.listed[2] = Tenant(id="cafe", labels={"ring": "canary"})
    STREET.failing = {"bolt": Permanent("no milk")} if fails else {}
    Stalls.rollout = Rollout(waves=["ring=canary", "100%"])
    await decide(orbits, "pause", "cafe", why="on holiday")
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    assert STREET.begun == []
    for _ in range(8):
        await clock.advance(timedelta(minutes=30))
    report = await execution
    if fails:
        assert states(report) == ["not started", "reverted", "paused", "not started"]
    else:
        assert states(report) == ["updated", "updated", "paused", "updated"]
        assert STREET.begun[0] == "bolt"


async def test_who_stands_for_canaries_whose_windows_are_closed_is_tried_first(orbits: Orbits, clock: Clock) -> None:
    hour = (datetime.fromtimestamp(orbits.engine.clock.now(), UTC).hour + 3) % 24
    STREET.listed[0] = Tenant(id="acme", window=Window(f"{hour:02}:00-{(hour + 1) % 24:02}:00"))
    STREET.failing = {"bolt": Permanent("no milk")}
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    report = await execution
    assert states(report) == ["not started", "reverted", "not started", "not started"]
    assert report.stopped == "stopped after wave 1: 1 of 4 tenants failed, and 0% may"


async def test_a_list_that_shrinks_stops_the_roll_out_before_anything_or_changes_nothing(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    full = STREET.listed
    STREET.listed = full[:1]
    with pytest.raises(ExecutionFailed, match="3 of 4 tenants are not in the source any more"):
        await orbits.run(Stalls(release="2"))
    assert set(STREET.stands.values()) == {"1"}
    Stalls.listing = Listing(on_doubt="known")
    report = await orbits.run(Stalls(release="2"))
    assert states(report) == ["updated"] * 4
    assert report.doubts[0].startswith("3 of 4 tenants are not in the source any more")
    STREET.listed = []
    report = await orbits.run(Stalls(release="3"))
    assert set(STREET.stands.values()) == {"3"}
    assert "names no tenant" in report.doubts[0]


async def test_who_has_ended_by_its_expiry_is_certified_and_that_is_kept(orbits: Orbits, clock: Clock) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    STREET.listed[0] = Tenant(id="acme", expires=expires)
    await orbits.run(Stalls(release="1"))
    with pytest.raises(UsageError, match="acme has not ended: `orbits tenants remove` removes it, and certifies that"):
        await certify(orbits, Stalls, "acme")
    await clock.advance(timedelta(hours=2))
    orbits.who = "ann"
    execution = await orbits.start(Stalls(release="2"))
    assert states(await execution)[0] == "ended"
    orbits.who = "bob"
    await orbits.run(Stalls(release="3"))
    assert await kept(orbits.store, "Stalls", "acme") is None
    made = await certify(orbits, Stalls, "acme")
    assert (made.who, made.why, made.execution) == (
        "ann",
        f"it had expired at {expires:%Y-%m-%d %H:%M} UTC",
        execution.id,
    )
    assert made.removed == {"Stall acme": 1, "Awning Stall acme/awning": 1}
    assert (made.stays, made.unsure) == ([], {})
    assert made.checked[:2] == [
        "records: of 2 things that stood, 0 stand",
        "live: of 1 things that were to be looked for, 1 are gone",
    ]
    assert await kept(orbits.store, "Stalls", "acme") == made
    STREET.stands["acme"] = "1"  # somebody has made it again
    assert (await certify(orbits, Stalls, "acme")).stays[0].startswith("Awning Stall acme/awning: its record is gone")


async def test_who_has_expired_is_removed_if_that_was_known_and_not_too_many_at_once(
    orbits: Orbits, clock: Clock
) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    STREET.listed = [Tenant(id=id_, expires=expires) for id_ in ("acme", "bolt")] + [Tenant(id="cafe")]
    await orbits.run(Stalls(release="1"))
    await clock.advance(timedelta(hours=2))
    STREET.listed[2] = Tenant(id="cafe", expires=expires)  # a date that a list brings removes nobody
    report = await orbits.run(Stalls(release="2"))
    assert {id_: one.state for id_, one in report.tenants.items()} == {
        "acme": TenantState.ENDED,
        "bolt": TenantState.PAUSED,
        "cafe": TenantState.PAUSED,
    }
    assert "at most 1% are removed in one roll-out" in report.tenants["bolt"].happened
    assert "which was not known before" in report.tenants["cafe"].happened
    assert sorted(STREET.stands) == ["bolt", "cafe"]
    report = await orbits.run(Stalls(release="2"))
    assert sorted(STREET.stands) == ["cafe"]


class Mall(Target):
    name: str

    def place(self) -> str:
        return self.name


class Corner(Target):
    name: str

    def place(self) -> str:
        return self.name


class Sign(Action[str]):
    options = Options(idempotent=True)

    async def main(self) -> str:
        if (mall := self.execution.target(Mall).name) in STREET.closed:
            raise OutOfReach(f"{mall} is closed")
        return f"{self.execution.target(Mall).name} {self.execution.target(Corner).name}"


class Kiosk(Resource[StallFront]):
    owner: str

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> StallFront:
        return StallFront(colour=await self.do("sign", Sign()))


class Kiosks(Tenants[Kiosk]):
    source: ClassVar[Source] = FunctionSource(listed)
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])

    def stack(self, tenant: Tenant) -> Kiosk:
        return Kiosk(owner=tenant.id)


async def test_a_tenants_stack_is_done_at_its_targets(orbits: Orbits) -> None:
    written = {
        "id": "acme",
        "targets": [{"Mall": {"name": "north"}}, {"Mall": {"name": "x"}}, {"Corner": {"name": "a"}}],
    }
    STREET.listed = [Tenant.model_validate(written)]
    report = await orbits.run(Kiosks())
    assert report.tenants["acme"].account == "north, a"
    assert (await orbits.record(Kiosk, "acme").outputs()).colour == "north a"
    STREET.listed = [Tenant(id="acme", targets=(Mall(name="south"), Corner(name="a")))]
    report = await orbits.run(Kiosks())
    assert report.doubts[0].startswith("tenant acme is at north, a, and the source says south, a: it stays where it is")
    assert (await orbits.record(Kiosk, "acme").outputs()).colour == "north a"


class Licence(Managed[StallFront]):
    """Is never given back."""

    owner: str

    def identity(self) -> str:
        return self.owner

    def read(self, recorded: StallFront | None, /) -> StallFront | None:
        return recorded

    def create(self) -> StallFront:
        return StallFront(colour="white")

    def delete(self, live: StallFront, /) -> None:
        """It stays."""


class Franchise(Kiosk):
    async def define_update(self) -> StallFront:
        await self.do("brand", Licence(owner=f"brand-of-{self.owner}"), retain=True)
        await self.do("place", Pitch(owner=self.owner))
        return await super().define_update()


class Pitch(Resource):
    owner: str

    async def define_update(self) -> None:
        await self.do("licence", Licence(owner=self.owner), retain=True)
        await self.do("awning", Awning(owner=self.owner, colour="white"))


class Franchises(Kiosks):
    def stack(self, tenant: Tenant) -> Kiosk:
        return Franchise(owner=tenant.id) if tenant.id == "acme" else Kiosk(owner=tenant.id)


async def test_what_stays_of_a_first_release_that_failed_is_named(orbits: Orbits) -> None:
    corner = Corner(name="a")
    STREET.listed = [Tenant(id="acme", targets=(corner,)), Tenant(id="bolt", targets=(corner,))]
    report = await orbits.run(Franchises())
    assert states(report) == ["reverted", "reverted"]
    assert report.tenants["acme"].happened.endswith(
        " → what it made was removed, but for Licence brand-of-acme, Licence acme"
    )
    assert report.tenants["bolt"].happened.endswith(" → nothing of it stands")
    assert STREET.stands == {}


def at(*malls: str) -> Tenant:
    return Tenant(id="acme", targets=(*(Mall(name=mall) for mall in malls), Corner(name="a")))


async def test_a_wrong_account_may_be_corrected_as_long_as_nothing_stands(orbits: Orbits) -> None:
    STREET.closed = {"norht", "east"}
    STREET.listed = [at("norht")]
    assert states(await orbits.run(Kiosks())) == ["unreachable"]
    STREET.listed = [at("east")]
    report = await orbits.run(Kiosks())
    assert (states(report), report.doubts) == (["unreachable"], ())
    STREET.listed = [at("east").model_copy(update={"paused": "until it is known where it is"})]
    assert states(await orbits.run(Kiosks())) == ["paused"]  # what stands is known, whatever was reported since
    STREET.listed = [at("north")]
    plan = await orbits.preview(Kiosks())
    assert "stays where it is" not in str(plan.root)
    report = await orbits.run(Kiosks())
    assert (states(report), report.doubts, report.tenants["acme"].account) == (["updated"], (), "north, a")
    STREET.listed = [at("east")]
    report = await orbits.run(Kiosks())
    assert report.doubts[0].startswith("tenant acme is at north, a, and the source says east, a: it stays where it is")


async def test_who_has_left_something_stays_where_that_is(orbits: Orbits) -> None:
    class Sold(Kiosk):
        async def define_uninstall(self) -> None:
            await self.do("sign", Sign())

    class Sales(Kiosks):
        def stack(self, tenant: Tenant) -> Kiosk:
            return Sold(owner=tenant.id)

    STREET.closed = {"norht"}
    STREET.listed = [at("norht")]
    assert states(await orbits.run(Sales())) == ["unreachable"]  # and what it left could not be looked at
    STREET.listed = [at("north")]
    report = await orbits.run(Sales())
    assert report.doubts[0].startswith("tenant acme is at norht, a, and the source says north, a: it stays where it is")


async def test_no_further_target_of_a_tenant_moves(orbits: Orbits) -> None:
    STREET.listed = [at("north", "south")]
    await orbits.run(Kiosks())
    STREET.listed = [at("north", "west")]
    said = "tenant acme has a target at south, and the source says west in its place: it stays where it is"
    assert said in str((await orbits.preview(Kiosks())).root)
    report = await orbits.run(Kiosks())
    assert report.doubts[0].startswith(said)
    known = report.tenants["acme"].tenant
    assert known is not None
    assert [one.place() for one in known.targets] == ["north", "south", "a"]
    STREET.listed = [at("north", "south", "west")]
    assert (await orbits.run(Kiosks())).doubts == ()
    STREET.listed = [at("north", "west")]
    assert (await orbits.run(Kiosks())).doubts == ()


async def test_what_is_no_target_is_refused_with_the_types_that_there_are(orbits: Orbits) -> None:
    with pytest.raises(ValueError, match=r"is no target: .* the types that are imported are .*Corner.*Mall"):
        Tenant.model_validate({"id": "acme", "targets": [{"Moon": {}}]})
    with pytest.raises(ValueError, match="Mall: name: is missing"):
        Tenant.model_validate({"id": "acme", "targets": [{"Mall": {}}]})
    with pytest.raises(ExecutionFailed, match="two targets of one type: Mall, Mall"):
        await orbits.run(Twice())


class Twice(Resource):
    def identity(self) -> str:
        return "twice"

    async def define_update(self) -> None:
        await self.do("kiosk", Kiosk(owner="acme"), target=(Mall(name="a"), Mall(name="b")))


async def test_whose_window_opens_after_too_many_have_failed_is_not_begun(orbits: Orbits, clock: Clock) -> None:
    await orbits.run(Stalls(release="1"))
    hour = datetime.fromtimestamp(orbits.engine.clock.now(), UTC).hour
    for number, id_ in enumerate(("bolt", "cafe", "duke")):
        opens = (hour + 3 + 2 * number) % 24
        STREET.listed[number + 1] = Tenant(id=id_, window=Window(f"{opens:02}:00-{(opens + 1) % 24:02}:00"))
    STREET.failing = {"cafe": Permanent("no milk")}
    Stalls.rollout = Rollout(waves=["1", "100%"], on_failure="rollback-wave")
    execution = await orbits.start(Stalls(release="2"))
    await orbits.settled()
    for _ in range(16):
        await clock.advance(timedelta(minutes=30))
    report = await execution
    assert states(report) == ["updated", "brought back", "reverted", "not started"]
    assert report.stopped == "stopped after wave 100%: 1 of 4 tenants failed, and 0% may"
    assert STREET.stands == {"acme": "2", "bolt": "1", "cafe": "1", "duke": "1"}


async def test_the_canary_stays_the_same_though_a_list_was_without_it_for_a_while(orbits: Orbits, clock: Clock) -> None:
    Stalls.listing = Listing(may_shrink="50%")
    full = STREET.listed
    await orbits.run(Stalls(release="1"))
    STREET.listed = full[1:]
    assert states(await orbits.run(Stalls(release="2"))) == ["not listed", *["updated"] * 3]
    over = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) - timedelta(days=1)
    STREET.listed = [Tenant(id="acme", expires=over), *full[1:]]
    assert states(await orbits.run(Stalls(release="3"))) == ["paused", *["updated"] * 3]
    STREET.listed = [Tenant(id="echo"), *full[1:], full[0]]
    report = await orbits.run(Stalls(release="4"))
    assert list(report.tenants) == ["acme", "bolt", "cafe", "duke", "echo"]
    assert [one.wave for one in report.tenants.values()] == ["1", *["100%"] * 4]


async def test_who_failed_at_its_first_release_is_brought_back_to_nothing_with_its_wave(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["100%"], on_failure="rollback-wave")
    STREET.failing = {"bolt": Permanent("no milk")}
    await orbits.run(Stalls(release="1"))
    STREET.failing = {"acme": Permanent("no milk")}
    report = await orbits.run(Stalls(release="2"))
    assert (report.tenants["bolt"].state, "bolt" in STREET.stands) == (TenantState.BROUGHT_BACK, False)


async def test_what_a_first_release_made_is_removed_again_though_it_had_been_there_before(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    await remove(orbits, Stalls, "bolt")
    await decide(orbits, "add", "bolt")
    STREET.failing = {"bolt": Permanent("no milk")}
    await orbits.run(Stalls(release="2"))
    assert "bolt" not in STREET.stands
