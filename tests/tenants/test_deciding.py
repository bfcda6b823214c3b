"""A decision about a tenant is one about somebody, and one that its stack can have."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar, Literal

import pytest

from orbits_iac import Error, Orbits, Permanent, Resource
from orbits_iac.provider import UsageError
from orbits_iac.testing import Clock
from orbits_tenants import FunctionSource, Listing, Rollout, Source, Tenant, Tenants, TenantState
from orbits_tenants.deciding import check
from orbits_tenants.decisions import Decided, Decision, TenantDecisions
from orbits_tenants.removal import remove

LISTED = [Tenant(id="acme"), Tenant(id="bolt", paused="by the list", pinned={"colour": "red"}), Tenant(id="cafe")]


STUCK: list[str] = []


def listed() -> list[Tenant]:
    if not LISTED:
        raise OSError("nobody answers")
    return LISTED


class Tent(Resource):
    name: str
    colour: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        """Nothing, here."""

    async def define_uninstall(self) -> None:
        if self.name in STUCK:
            raise Permanent("a peg is stuck")


class Tents(Tenants[Tent]):
    source: ClassVar[Source] = FunctionSource(listed)
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])
    colour: str = "green"

    def stack(self, tenant: Tenant) -> Tent:
        return Tent(name=tenant.id, colour=self.colour)


def decision(
    what: Literal["add", "pause", "resume", "pin", "unpin", "remove"], tenant: str, **more: object
) -> Decision:
    return Decision.model_validate({"what": what, "tenant": tenant, "who": "ada", "why": "so", **more})


REFUSED = [
    (decision("pause", "acm"), r"no tenant 'acm' is known in Tents, and `orbits tenants list` shows who is there"),
    (decision("resume", "acm"), "no tenant 'acm' is known"),
    (decision("pin", "acme", pinned={"color": 1}), "tenant acme, pinned: color: there is no such field"),
    (decision("add", "duke", added={"id": "duke", "overrides": {"colour": 1}}), "tenant duke, overrides: colour: "),
    (
        decision("add", "acme", added={"id": "acme", "labels": {"a": "b"}}),
        "acme is in the source, which says what it is",
    ),
]


@pytest.mark.parametrize("rolled_out", [False, True])
async def test_a_decision_about_nobody_or_that_no_stack_can_have_is_refused(orbits: Orbits, rolled_out: bool) -> None:
    if rolled_out:
        await orbits.run(Tents(colour="blue"))
    for wrong, said in REFUSED:
        with pytest.raises(UsageError, match=said):
            await check(orbits, Tents, wrong)


async def test_what_the_source_says_in_spite_of_a_decision_is_said(orbits: Orbits) -> None:
    said = {what: await check(orbits, Tents, decision(what, "bolt")) for what in ("pause", "resume", "unpin")}
    assert said == {
        "pause": "",
        "resume": "is still paused, by listed(): by the list",
        "unpin": "still keeps what listed() pins: colour",
    }


async def one_ends_in_an_hour(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> tuple[list[Tenant], datetime]:
    """Roll out to a list of two, of which bolt is to end; the list, and when."""
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    both = [Tenant(id="acme"), Tenant(id="bolt", expires=expires)]
    monkeypatch.setattr("tests.tenants.test_deciding.LISTED", both)
    await orbits.run(Tents())
    return both, expires


async def test_who_has_ended_and_is_so_in_the_source_still_is_said_not_to_be_gone_to(
    orbits: Orbits, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, expires = await one_ends_in_an_hour(orbits, monkeypatch)
    again = decision("add", "bolt", added={"id": "bolt"})
    assert await check(orbits, Tents, again) == ""
    await clock.advance(timedelta(hours=2))
    said = (
        f"is in the fleet, and has ended, by listed(), at {expires}; no roll-out goes to it until another `expires` is "
        f"said there, or none"
    )
    assert await check(orbits, Tents, again) == said
    assert (await orbits.run(Tents())).tenants["bolt"].state is TenantState.ENDED
    assert await check(orbits, Tents, again) == said
    await orbits.run(TenantDecisions(fleet="Tents", decision=again))
    assert (await orbits.run(Tents())).tenants["bolt"].state is TenantState.ENDED
    both[1] = Tenant(id="bolt")
    assert await check(orbits, Tents, again) == ""


async def test_nobody_is_added_who_has_ended_already(orbits: Orbits) -> None:
    now = datetime.fromtimestamp(orbits.engine.clock.now(), UTC)
    with pytest.raises(UsageError, match=r"tenant duke: --expires .* is over: give a time that is still to come, or"):
        await check(orbits, Tents, decision("add", "duke", added={"id": "duke", "expires": now}))
    later = now + timedelta(hours=1)
    assert await check(orbits, Tents, decision("add", "duke", added={"id": "duke", "expires": later})) == ""


class Yurts(Tenants[Tent]):
    source: ClassVar[Source] = FunctionSource(listed)
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"])
    colour: str

    def stack(self, tenant: Tenant) -> Tent:
        return Tent(name=f"yurt of {tenant.id}", colour=self.colour)


async def test_what_cannot_be_looked_at_before_a_first_roll_out_is_not_kept(orbits: Orbits) -> None:
    for wrong in (
        decision("pin", "acme", pinned={"colour": "red"}),
        decision("add", "duke", added={"id": "duke", "overrides": {"colour": "red"}}),
    ):
        with pytest.raises(UsageError, match="not known before a first roll-out, since Yurts needs colour: is missing"):
            await check(orbits, Yurts, wrong)
    assert await check(orbits, Yurts, decision("add", "duke", added={"id": "duke"})) == ""
    await orbits.run(Yurts(colour="red"))
    assert await check(orbits, Yurts, decision("pin", "acme", pinned={"colour": "red"})) == ""


async def test_that_there_was_nothing_to_take_back_is_said(orbits: Orbits) -> None:
    for _ in range(2):
        assert await check(orbits, Tents, decision("resume", "acme")) == "was not paused, and is changed by roll-outs"
        assert await check(orbits, Tents, decision("unpin", "acme")) == "had nothing pinned, and has what all have"
        await orbits.run(TenantDecisions(fleet="Tents", decision=decision("pause", "cafe", why="away")))
    assert await check(orbits, Tents, decision("resume", "cafe")) == ""


async def test_a_known_tenant_is_paused_though_the_source_does_not_answer(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orbits.run(Tents())
    monkeypatch.setattr("tests.tenants.test_deciding.LISTED", [])
    assert await check(orbits, Tents, decision("pause", "acme")) == ""
    with pytest.raises(UsageError, match="whether the source has one is not known: listed\\(\\) cannot be read"):
        await check(orbits, Tents, decision("pause", "duke"))


async def test_tenants_are_brought_back_and_removed_though_the_source_does_not_answer(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    for colour in ("blue", "white"):
        await orbits.run(Tents(colour=colour))
    monkeypatch.setattr("tests.tenants.test_deciding.LISTED", [])
    report = await orbits.run(Tents(colour="white", back={"acme": 1}))
    assert report.tenants["acme"].state is TenantState.BROUGHT_BACK
    report = await orbits.run(Tents(colour="white", leaving=("cafe",)))
    assert report.tenants["cafe"].state is TenantState.ENDED
    with pytest.raises(UsageError, match="nobody answers"):
        await orbits.run(Tents(colour="red"))


async def test_a_preview_says_what_of_the_source_was_not_believed(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orbits.run(Tents())
    monkeypatch.setattr(Tents, "listing", Listing(on_doubt="known"))
    monkeypatch.setattr("tests.tenants.test_deciding.LISTED", LISTED[:1])
    root = (await orbits.preview(Tents(colour="red"))).root
    said = "revision 1 → 2; 2 of 3 tenants are not in the source any more, and at most 10% may vanish at once: bolt"
    assert root.detail.startswith(said)
    assert "; 1 paused: bolt" in root.detail
    root = (await orbits.preview(Tents())).root
    assert (bool(root), root.detail[:29]) == (False, "2 of 3 tenants are not in the")


async def test_who_is_paused_is_not_removed_when_its_time_is_over(
    orbits: Orbits, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    expires = datetime.fromtimestamp(orbits.engine.clock.now(), UTC) + timedelta(hours=1)
    monkeypatch.setattr("tests.tenants.test_deciding.LISTED", [Tenant(id="acme", expires=expires)])
    await orbits.run(Tents())
    await orbits.run(TenantDecisions(fleet="Tents", decision=decision("pause", "acme", why="a lawsuit")))
    await clock.advance(timedelta(hours=2))
    report = await orbits.run(Tents())
    assert report.tenants["acme"].happened == "is paused: it has expired, and is paused: a lawsuit"
    await orbits.run(TenantDecisions(fleet="Tents", decision=decision("resume", "acme")))
    assert (await orbits.run(Tents())).tenants["acme"].state is TenantState.ENDED


async def test_a_roll_out_to_some_removes_nobody_else_and_refuses_whom_it_does_not_know(
    orbits: Orbits, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await one_ends_in_an_hour(orbits, monkeypatch)
    await clock.advance(timedelta(hours=2))
    report = await orbits.run(Tents(colour="red", only=("acme",)))
    assert [(one.state.value, one.earlier) for one in report.tenants.values()] == [
        ("updated", False),
        ("updated", True),
    ]
    with pytest.raises(UsageError, match="only: Tents has no acm; `orbits tenants list` shows"):
        await orbits.run(Tents(colour="red", only=("acm",)))
    assert (await orbits.run(Tents(only=("bolt",)))).tenants["bolt"].state is TenantState.ENDED


async def test_who_could_not_be_removed_stays_in_the_reports_until_that_was_done(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orbits.run(Tents())
    with monkeypatch.context() as stuck:
        stuck.setattr("tests.tenants.test_deciding.STUCK", ["acme"])
        with pytest.raises(Error, match="acme is in no roll-out any more, and still stands"):
            await remove(orbits, Tents, "acme")
    for colour in ("blue", "white"):
        report = await orbits.run(Tents(colour=colour))
        assert (report.tenants["acme"].earlier, report.tenants["acme"].revision) == (True, 1)
        assert report.exit_code() == 0
    assert (await remove(orbits, Tents, "acme")).removed == {"Tent acme": 1}
    assert "acme" not in (await orbits.run(Tents())).tenants


async def test_who_was_removed_is_added_before_anything_is_decided(orbits: Orbits) -> None:
    await orbits.run(TenantDecisions(fleet="Tents", decision=decision("remove", "acme")))
    with pytest.raises(UsageError, match="acme was removed by ada: `orbits tenants add` takes it back"):
        await check(orbits, Tents, decision("resume", "acme"))
    assert await check(orbits, Tents, decision("add", "acme", added={"id": "acme"})) == ""


def test_who_was_paused_without_a_word_is_paused() -> None:
    decided = Decided().and_then(decision("pause", "acme", why=""), datetime.now(UTC))
    assert decided.about(Tenant(id="acme", paused="by the list")).paused == "nobody said why"
    assert decided.about(Tenant(id="bolt")).paused == ""
