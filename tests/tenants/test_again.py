"""What is asked for a second time, or after something that did not come to its end, on a street of stalls."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from orbits_iac import Error, ExecutionFailed, Orbits, Permanent, Target
from orbits_iac.provider import ExecutionRow, RecordRow, State, UsageError
from orbits_iac.testing import Clock
from orbits_tenants import Listing, Report, Rollout, Tenant, TenantState, Wave, Window
from orbits_tenants.promotion import promote
from orbits_tenants.removal import certify, remove, would_go
from orbits_tenants.rollback import bring_back, look
from tests.tenants.stalls import STREET, Awning, Stall, Stalls, decide, states, street

__all__ = ["street"]  # a fixture of all tests here


class Lot(Target):
    name: str

    def place(self) -> str:
        return self.name


async def released(orbits: Orbits, *releases: str) -> None:
    for release in releases:
        await orbits.run(Stalls(release=release))


async def brought_back(orbits: Orbits, **which: object) -> Report:
    return await bring_back(orbits, await look(orbits, Stalls, **which))  # type: ignore[arg-type]


async def test_a_rollback_that_is_asked_for_again_goes_on_to_where_the_first_one_went(orbits: Orbits) -> None:
    await released(orbits, "good", "bad")
    STREET.stuck = {"bolt"}
    assert states(await brought_back(orbits)) == ["brought back", "needs a decision", *["brought back"] * 2]
    STREET.stuck = set()
    assert (await look(orbits, Stalls)).to == 1
    await brought_back(orbits)
    assert set(STREET.stands.values()) == {"good"}
    assert not await look(orbits, Stalls), "nobody stands otherwise"


async def test_the_canary_goes_back_and_then_all(orbits: Orbits) -> None:
    await released(orbits, "good", "bad")
    await brought_back(orbits, only=["acme"])
    await brought_back(orbits)
    assert set(STREET.stands.values()) == {"good"}


async def test_a_rollback_that_was_cut_off_is_asked_for_again(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=1)
    await released(orbits, "good", "bad")
    reached, gate = asyncio.Event(), asyncio.Event()

    async def change(self: Awning, live: object) -> object:
        if self.owner == "bolt":
            reached.set()
            await gate.wait()
        return self.create()

    with monkeypatch.context() as slow:
        slow.setattr(Awning, "change", change)
        going = asyncio.create_task(brought_back(orbits))
        await reached.wait()
        row = await orbits.record(Stalls, "Stalls").row()
        await orbits.execution(row.queue[0]).cancel()
        gate.set()
        with pytest.raises(ExecutionFailed):
            await going
    await brought_back(orbits)
    assert set(STREET.stands.values()) == {"good"}


async def test_who_was_gone_to_alone_once_more_belongs_to_the_release(orbits: Orbits) -> None:
    await released(orbits, "good", "bad")
    await orbits.run(Stalls(release="bad", only=("acme",)))
    await orbits.run(Stalls(release="bad", from_wave="100%"))
    assert (await look(orbits, Stalls)).to == 1
    await orbits.run(Stalls(release="worse", only=("acme",)))  # the first of another one
    assert (await look(orbits, Stalls)).to == 4


async def cancelled_at(orbits: Orbits, tenant: str, release: str) -> None:
    """Release, and cancel that when it is at this tenant."""
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=1)
    STREET.held = {tenant}
    STREET.gate.clear()
    STREET.reached.clear()
    execution = await orbits.start(Stalls(release=release))
    await STREET.reached.wait()
    await execution.cancel()
    with pytest.raises(ExecutionFailed):
        await execution
    STREET.held = set()


async def test_each_goes_back_to_what_stood_of_it_though_a_release_that_broke_off_brought_it_there(
    orbits: Orbits,
) -> None:
    await released(orbits, "1")
    await cancelled_at(orbits, "cafe", "2")
    before = {"acme": "2", "bolt": "2", "cafe": "1", "duke": "1"}
    assert STREET.stands == before
    await released(orbits, "3")
    back = await look(orbits, Stalls)
    assert {one.tenant: (one.revision, one.to) for one in back.tenants} == {
        "acme": (3, 2),
        "bolt": (3, 2),
        "cafe": (2, 1),
        "duke": (2, 1),
    }
    await bring_back(orbits, back)
    assert STREET.stands == before


async def test_what_goes_on_with_a_release_that_broke_off_is_taken_back_with_it(orbits: Orbits) -> None:
    await released(orbits, "1")
    await cancelled_at(orbits, "cafe", "2")
    await released(orbits, "2")
    await brought_back(orbits)
    assert set(STREET.stands.values()) == {"1"}


async def test_the_report_of_those_who_were_not_gone_to_has_what_stands_of_them(orbits: Orbits) -> None:
    await released(orbits, "1")
    await cancelled_at(orbits, "cafe", "2")
    await decide(orbits, "pause", "bolt", why="a lawsuit")
    report = await orbits.run(Stalls(release="3", only=("bolt", "cafe")))
    assert {id_: (one.state.value, one.revision) for id_, one in report.tenants.items()} == {
        "acme": ("updated", 2),  # by the one that broke off
        "bolt": ("paused", 2),
        "cafe": ("updated", 2),
        "duke": ("updated", 1),
    }


@pytest.mark.parametrize("broke_off", [True, False])
async def test_who_stands_otherwise_is_gone_to_though_a_roll_out_to_others_has_seen_that(
    orbits: Orbits, broke_off: bool
) -> None:
    await released(orbits, "1")
    if broke_off:
        await cancelled_at(orbits, "cafe", "2")
    else:
        await orbits.run(Stall(owner="acme", release="by hand"))
    await orbits.run(Stalls(release="1", only=("duke",)))
    report = await orbits.run(Stalls(release="1"))
    assert (report.tenants["acme"].state, set(STREET.stands.values())) == ("updated", {"1"})


async def test_who_was_removed_by_a_way_back_that_broke_off_is_reported_not_to_stand(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=1)
    await orbits.run(Stalls(release="1", only=("acme",)))
    await released(orbits, "2")
    STREET.slow = "acme"  # the last one to go back
    going = asyncio.create_task(brought_back(orbits))
    await STREET.reached.wait()
    await orbits.execution((await orbits.record(Stalls, "Stalls").row()).queue[0]).cancel()
    STREET.gate.set()
    with pytest.raises(ExecutionFailed):
        await going
    STREET.slow = ""
    report = await orbits.run(Stalls(release="2", only=("bolt",)))
    assert {id_: one.revision is None for id_, one in report.tenants.items()} == {
        id_: id_ not in STREET.stands for id_ in ("acme", "bolt", "cafe", "duke")
    }


async def test_who_is_new_and_held_or_failed_is_reported_as_it_stands(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["100%"], on_failure="rollback-wave", max_concurrency=1)
    await orbits.run(Stall(owner="cafe", release="by hand"))
    STREET.failing = {"cafe": Permanent("no milk"), "duke": Permanent("no milk")}
    report = await orbits.run(Stalls(release="1", motto="for ever", only=("acme", "duke")))
    assert (report.tenants["acme"].state, report.tenants["acme"].revision) == ("forward only", 1)
    report = await orbits.run(Stalls(release="1", only=("cafe",)))
    assert report.tenants["cafe"].happened == "serve: Permanent: no milk → back at revision 1"


async def test_each_goes_back_to_what_somebody_had_brought_it_to_alone(orbits: Orbits) -> None:
    await released(orbits, "1")
    await orbits.run(Stall(owner="acme", release="by hand"))
    await released(orbits, "2")
    await brought_back(orbits)
    assert STREET.stands == {"acme": "by hand", "bolt": "1", "cafe": "1", "duke": "1"}
    await brought_back(orbits, to=1)
    assert STREET.stands == {"acme": "1", "bolt": "1", "cafe": "1", "duke": "1"}


async def test_who_was_paused_at_the_roll_out_before_goes_back_to_what_it_had_kept(orbits: Orbits) -> None:
    await released(orbits, "1")
    await cancelled_at(orbits, "bolt", "2")
    await decide(orbits, "pause", "acme")
    await released(orbits, "2")
    await decide(orbits, "resume", "acme")
    await released(orbits, "3")
    await brought_back(orbits)
    assert set(STREET.stands.values()) == {"2"}


@pytest.mark.parametrize("first", [True, False])
async def test_one_that_is_cancelled_is_cancelled_whatever_its_tenants_have_passed(orbits: Orbits, first: bool) -> None:
    if not first:
        await orbits.run(Stalls(release="0"))
    Stalls.rollout = Rollout(waves=["1", "100%"], promote="by hand")
    execution = await orbits.start(Stalls(release="1", motto="for ever"))
    await orbits.settled()
    assert await execution.waits()
    await execution.cancel()
    with pytest.raises(ExecutionFailed) as ended:
        await execution
    assert ended.value.failure.state is State.CANCELLED
    assert STREET.stands["acme"] == "1"
    record = await orbits.store.get(RecordRow, "Stalls", "Stalls")
    assert record is not None
    assert (record.held, record.queue) == (None, ())
    Stalls.rollout = Rollout(waves=["100%"])
    assert states(await orbits.run(Stalls(release="1", motto="for ever"))) == ["unchanged", *["updated"] * 3]


async def test_who_leaves_meanwhile_changes_neither_what_was_released_nor_what_a_rollback_goes_to(
    orbits: Orbits,
) -> None:
    await released(orbits, "good", "bad")
    await remove(orbits, Stalls, "duke")
    back = await look(orbits, Stalls)
    assert (back.to, back.argument["release"]) == (1, "bad")


async def test_one_that_cannot_be_brought_back_has_failed_though_its_last_report_was_of_before(orbits: Orbits) -> None:
    await released(orbits, "1", "2")
    await orbits.run(Stalls(release="3", only=("acme",)))
    STREET.stuck = {"bolt"}
    report = await brought_back(orbits, to=1)
    assert list(report.failed) == ["bolt"]
    assert report.exit_code() == 4
    assert report.summary == "4 tenants: 1 needs a decision, 3 brought back"


async def test_who_is_paused_stays_and_is_shown(orbits: Orbits) -> None:
    await released(orbits, "good", "bad")
    await decide(orbits, "pause", "acme", why="a lawsuit")
    back = await look(orbits, Stalls)
    assert [one.happens for one in back.tenants] == ["is paused: a lawsuit", *["goes back"] * 3]
    await bring_back(orbits, back)
    assert STREET.stands == {"acme": "bad", "bolt": "good", "cafe": "good", "duke": "good"}


async def test_whatever_fails_the_next_wave_is_promoted_by_hand_where_that_is_said(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=[Wave("1", promote="by hand"), "100%"], on_failure="continue")
    STREET.failing = {"acme": Permanent("no milk")}
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    assert STREET.begun == ["acme"]
    await promote(orbits, Stalls)
    assert states(await execution) == ["reverted", *["updated"] * 3]


async def test_a_wave_that_does_not_pass_its_check_is_promoted_by_hand_where_that_is_said(orbits: Orbits) -> None:
    def check(wave: str) -> None:
        raise Permanent("guests complain")

    STREET.check = check
    Stalls.rollout = Rollout(waves=[Wave("1", promote="by hand"), "100%"], on_failure="continue")
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    assert STREET.begun == ["acme"]
    said = [event.why for event in await orbits.store.tail(0, root=execution.id, limit=1_000)]
    assert any("wave 1 did not pass its check: Permanent: guests complain" in why for why in said)
    await promote(orbits, Stalls)
    assert set(states(await execution)) == {"updated"}


async def test_nobody_is_begun_after_its_window_has_closed(orbits: Orbits, clock: Clock) -> None:
    hour = datetime.fromtimestamp(orbits.engine.clock.now(), UTC).hour
    window = Window(f"{(hour + 2) % 24:02}:00-{(hour + 3) % 24:02}:00")
    STREET.listed = [Tenant(id="acme"), Tenant(id="bolt", window=window)]
    execution = await orbits.start(Stalls(release="1"))
    await orbits.settled()
    await clock.advance(timedelta(hours=4))  # nobody was there when it was open
    assert sorted(STREET.stands) == ["acme"]
    for _ in range(44):
        await clock.advance(timedelta(minutes=30))
    assert set(states(await execution)) == {"updated"}


async def test_who_is_paused_is_not_waited_for_though_its_window_is_closed(orbits: Orbits) -> None:
    hour = datetime.fromtimestamp(orbits.engine.clock.now(), UTC).hour
    window = Window(f"{(hour + 2) % 24:02}:00-{(hour + 3) % 24:02}:00")
    STREET.listed = [Tenant(id="acme"), Tenant(id="bolt", window=window, paused="on holiday")]
    assert states(await orbits.run(Stalls(release="1"))) == ["updated", "paused"]


async def test_one_that_was_removed_and_added_again_is_where_the_list_says(orbits: Orbits) -> None:
    STREET.listed = [Tenant(id="acme", targets=(Lot(name="old"),)), Tenant(id="bolt")]
    await released(orbits, "1")
    await remove(orbits, Stalls, "acme")
    STREET.listed = [Tenant(id="acme", targets=(Lot(name="new"),)), Tenant(id="bolt")]
    await decide(orbits, "add", "acme")
    report = await orbits.run(Stalls(release="1"))
    acme = report.tenants["acme"]
    assert acme.tenant is not None
    assert (acme.state, acme.tenant.targets) == (TenantState.UPDATED, (Lot(name="new"),))
    assert report.doubts == ()


async def test_one_that_was_added_by_mistake_is_taken_off_before_anything_of_it_is_made(orbits: Orbits) -> None:
    await released(orbits, "1")
    await decide(orbits, "add", "Acme", added={"id": "Acme"})
    would = await would_go(orbits, Stalls, "Acme")
    change, kept = would.change, list(would.stays)
    assert (change.kind, kept) == ("TenantDecisions", ["Acme: it was added, and nothing of it was rolled out"])
    assert (await remove(orbits, Stalls, "Acme")).removed == {}
    assert list((await orbits.run(Stalls(release="2"))).tenants) == ["acme", "bolt", "cafe", "duke"]


async def test_who_has_ended_may_be_taken_off_the_list(orbits: Orbits, clock: Clock) -> None:
    soon = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(days=1)
    STREET.listed = [Tenant(id=f"t{number}", expires=soon if number < 3 else None) for number in range(10)]
    Stalls.listing = Listing(most_removals="50%")
    await released(orbits, "1")
    await clock.advance(timedelta(days=2))
    await released(orbits, "1")
    STREET.listed = STREET.listed[3:]
    report = await orbits.run(Stalls(release="2"))
    assert states(report) == [*["ended"] * 3, *["updated"] * 7]
    assert (await certify(orbits, Stalls, "t0")).removed


async def test_one_whose_removal_failed_stays_in_the_reports_though_it_never_had_a_revision(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["100%"])
    STREET.failing, STREET.stuck = {"acme": Permanent("no milk")}, {"acme"}
    assert states(await orbits.run(Stalls(release="1")))[0] == "needs a decision"
    with pytest.raises(Error, match="acme is in no roll-out any more, and still stands"):
        await remove(orbits, Stalls, "acme")
    assert states(await orbits.run(Stalls(release="1")))[0] == "needs a decision"
    STREET.stuck = set()
    await remove(orbits, Stalls, "acme")
    assert sorted(STREET.stands) == ["bolt", "cafe", "duke"]


async def test_to_begin_after_all_who_are_named_is_refused_before_anything_is_written(orbits: Orbits) -> None:
    Stalls.rollout = Rollout(waves=["2", "100%"], failure_tolerance="1")
    STREET.failing = {"bolt": Permanent("no milk")}
    await orbits.run(Stalls(release="1"))
    STREET.listed.reverse()  # the waves go by who joined first, and not by the list
    before = await orbits.store.count(ExecutionRow)
    one = r"^only, from_wave: nobody named is in wave 100% or after it: bolt is in an earlier one$"
    two = r"^only, from_wave: nobody named is in wave 100% or after it: acme, bolt are in an earlier one$"
    bad = r"^only_failed, from_wave: nobody who failed is in wave 100% or after it: bolt is in an earlier one$"
    for ask in (orbits.run, orbits.preview):
        with pytest.raises(UsageError, match=one):
            await ask(Stalls(release="2", only=("bolt",), from_wave="100%"))
        with pytest.raises(UsageError, match=two):
            await ask(Stalls(release="2", only=("bolt", "acme"), from_wave="100%"))
        with pytest.raises(UsageError, match=bad):
            await ask(Stalls(release="2", only_failed=True, from_wave="100%"))
    assert await orbits.store.count(ExecutionRow) == before
    STREET.begun.clear()
    report = await orbits.run(Stalls(release="2", only=("bolt", "cafe"), from_wave="100%"))
    assert (STREET.begun, report.exit_code()) == (["cafe"], 0)
    Stalls.listing = Listing(on_doubt="known")  # then who there is shows only later
    with pytest.raises(ExecutionFailed, match="nobody named is in wave 100% or after it: bolt is in an earlier one"):
        await orbits.run(Stalls(release="2", only=("bolt",), from_wave="100%"))


async def test_who_has_expired_is_removed_whatever_the_wave_to_begin_with(orbits: Orbits, clock: Clock) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    STREET.listed[0] = Tenant(id="acme", expires=expires)
    await orbits.run(Stalls(release="1"))
    with pytest.raises(ExecutionFailed, match="nobody named is in wave 100% or after it: acme is in an earlier one"):
        await orbits.run(Stalls(release="2", only=("acme",), from_wave="100%"))
    await clock.advance(timedelta(hours=2))
    report = await orbits.run(Stalls(release="2", only=("acme",), from_wave="100%"))
    assert report.tenants["acme"].state is TenantState.ENDED
