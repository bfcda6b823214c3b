"""What is said of a fleet while something is at it: a release, the way back, a removal, or what waits behind these."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orbits_iac import Execution, ExecutionFailed, Orbits, Settings
from orbits_iac.model.plans import Plan
from orbits_iac.provider import UsageError
from orbits_iac.steps.step import Step
from orbits_tenants import Report, Rollout, Tenant, Window
from orbits_tenants.deciding import check
from orbits_tenants.decisions import Decision
from orbits_tenants.fleet import Fleet, Mood
from orbits_tenants.standing import read
from tests.tenants.stalls import STREET, Stalls, decide, street

__all__ = ["street"]


@pytest.fixture(autouse=True)
def one_at_a_time(street: object) -> None:
    Stalls.rollout = Rollout(waves=["100%"], max_concurrency=1)


async def fleet(orbits: Orbits) -> Fleet:
    return await read(orbits.store, "Stalls", now=time.time())


def states(found: Fleet) -> list[str]:
    return [one.state for one in found.members]


def notes(found: Fleet) -> Sequence[str]:
    assert found.rollout is not None
    return found.rollout.notes


async def held(orbits: Orbits, step: Step[Report], tenant: str) -> Execution[Report]:
    """Begin something, and return when it is at this tenant."""
    STREET.held, STREET.begun = {tenant}, []
    STREET.gate.clear()
    STREET.reached.clear()
    execution = await orbits.start(step)
    await STREET.reached.wait()
    return execution


async def cancelled(execution: Execution[Report]) -> None:
    await execution.cancel()
    with pytest.raises(ExecutionFailed):
        await execution


async def test_one_that_waits_and_is_cancelled_hides_not_the_one_that_it_waited_for(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    first = await held(orbits, Stalls(release="2"), "acme")
    second = await orbits.start(Stalls(release="3"))
    assert notes(await fleet(orbits)) == (f"{second.id} waits for it",)
    await cancelled(second)
    found = await fleet(orbits)
    assert found.rollout is not None
    assert (found.rollout.execution, found.rollout.ended) == (first.id, None)
    assert states(found) == ["under way", "to come", "to come", "to come"]
    STREET.gate.set()
    await first


async def test_one_that_somebody_has_paused_says_how_it_goes_on(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    execution = await held(orbits, Stalls(release="2"), "acme")
    await execution.pause()
    STREET.gate.set()
    await orbits.settled()
    assert notes(await fleet(orbits)) == (f"it is paused: `orbits resume {execution.id}` goes on",)
    await execution.resume()
    await execution


async def test_one_that_was_paused_while_nobody_works_says_that_and_not_that_nobody_goes_on(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:{tmp_path / 'state.db'}")
    async with Orbits(settings) as orbits:
        execution = await held(orbits, Stalls(release="1"), "acme")
    async with Orbits(settings, work=False) as orbits:
        [note] = notes(await fleet(orbits))
        assert note.startswith("nobody goes on with it: ")
        await orbits.execution(execution.id).pause()
        assert notes(await fleet(orbits)) == (f"it is paused: `orbits resume {execution.id}` goes on",)
        await orbits.execution(execution.id).resume()
        [note] = notes(await fleet(orbits))
        assert note.startswith("nobody goes on with it: ")


async def test_one_of_whom_one_waits_for_an_approval_says_for_what_it_waits(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    plan = await orbits.preview(Stalls(release="2"))
    execution = await orbits.start(Stalls(release="2"), plan=without_steps(plan, "cafe"))
    await orbits.settled()
    [note] = notes(await fleet(orbits))
    assert note.startswith(f"it waits for an approval: orbits resume {execution.id}, on a terminal, ")
    await execution.approve()
    await execution


def without_steps(plan: Plan, tenant: str) -> Plan:
    """The plan, as if what is done to one tenant could not be known when it was made."""
    ended = [replace(one, below=()) if one.identity == tenant else one for one in plan.root.below]
    return replace(plan, root=replace(plan.root, below=tuple(ended)))


async def test_the_way_back_is_told_from_the_way_there(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    await orbits.run(Stalls(release="2", only=("acme", "bolt", "cafe")))
    STREET.stuck = {"cafe"}
    report = await orbits.run(Stalls(release="2", back={"acme": 1, "bolt": 1, "cafe": 1}))
    assert report.tenants["cafe"].state == "needs a decision"
    STREET.stuck = set()
    execution = await orbits.start(Stalls(release="2", back={"cafe": 1}))
    seen = {tuple(states(await fleet(orbits)))}
    await execution
    seen.add(tuple(states(await fleet(orbits))))
    assert all(one[:2] == ("brought back", "brought back") for one in seen)


@pytest.mark.parametrize("command", ["back", "rollback"])
async def test_who_has_gone_back_is_said_to_have_while_others_still_do(orbits: Orbits, command: str) -> None:
    await orbits.run(Stalls(release="1"))
    await orbits.run(Stalls(release="2"))
    back = Stalls(release="2", back=dict.fromkeys(("acme", "bolt", "cafe", "duke"), 1))
    STREET.slow = "acme"  # the last one to go back
    execution = await orbits.start(back if command == "back" else Stalls(release="2").rollback(to=1))
    await STREET.reached.wait()
    found = await fleet(orbits)
    assert states(found) == ["under way", *["brought back"] * 3]
    assert {one.mood for one in found.members} == {Mood.MOVING, Mood.WAITING}
    STREET.gate.set()
    await execution


async def test_who_has_been_removed_is_said_to_have_while_others_still_are(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    STREET.slow = "cafe"
    execution = await orbits.start(Stalls(release="1", leaving=("bolt", "cafe", "duke")))
    await STREET.reached.wait()
    assert states(await fleet(orbits)) == ["updated", "ended", "under way", "to come"]
    STREET.gate.set()
    await execution


async def test_what_holds_the_fleet_is_said_though_it_is_no_roll_out(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    STREET.slow = "duke"
    execution = await orbits.start(Stalls(release="1").uninstall())
    await STREET.reached.wait()
    [note] = notes(await fleet(orbits))
    assert note.startswith(f"execution {execution.id} is at it: uninstall of Stalls by ")
    STREET.gate.set()
    await execution


async def test_who_is_still_to_be_removed_is_not_taken_back(orbits: Orbits) -> None:
    await orbits.run(Stalls(release="1"))
    first = await held(orbits, Stalls(release="2"), "acme")
    await decide(orbits, "remove", "bolt")
    removal = await orbits.start(Stalls(release="1", leaving=("bolt",)))
    again = Decision.model_validate({"what": "add", "tenant": "bolt", "who": "ann", "added": {"id": "bolt"}})
    with pytest.raises(
        UsageError, match=f"tenant bolt is still to be removed, by execution {removal.id}: `orbits cancel"
    ):
        await check(orbits, Stalls, again)
    await cancelled(removal)
    assert await check(orbits, Stalls, again) == ""
    STREET.gate.set()
    await first


async def test_who_is_new_is_to_come_from_the_first_roll_out_on(orbits: Orbits) -> None:
    first = await held(orbits, Stalls(release="1"), "acme")
    assert states(await fleet(orbits)) == ["under way", "to come", "to come", "to come"]
    STREET.gate.set()
    await first
    closed = Window("Mon 03:00-03:01" if datetime.now(UTC).weekday() != 0 else "Tue 03:00-03:01")
    STREET.listed += [Tenant(id="echo", labels={"kind": "trial"}), Tenant(id="foxy", window=closed)]
    await decide(orbits, "add", "gust", added={"id": "gust"})
    await decide(orbits, "remove", "echo")
    second = await held(orbits, Stalls(release="2"), "acme")
    found = await fleet(orbits)
    assert [one.id for one in found.members] == ["acme", "bolt", "cafe", "duke", "gust", "foxy"]
    assert states(found) == ["under way", *["to come"] * 5]
    assert found.members[-1].happened.startswith("its window opens ")
    await cancelled(second)
    found = await fleet(orbits)
    assert states(found) == ["reverted", *["updated"] * 3, *["not started"] * 2]
    assert [one.happened for one in found.members[4:]] == ["its wave was not reached"] * 2
