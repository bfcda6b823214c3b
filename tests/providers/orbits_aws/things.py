"""What holds for every resource that is made by single calls, as scenarios: the tests of each give its case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_iac import ExecutionFailed, Managed, Options, Orbits, Resource
from orbits_iac.provider import Verb, kind_of

Client = Callable[[str], Any]
"""Gives a boto3 client of a service, as somebody has one who knows nothing of Orbits."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of thing: as it is first, as it is changed in place, and what somebody else does with it."""

    before: Callable[[Client], object] = lambda _: None  # what it needs
    first: Managed[Any]
    changed: Managed[Any]
    other: Managed[Any]  # one that cannot be had by a change
    made_by: str  # the call that makes it, as `service:Operation`
    made_by_hand: Callable[[Client, dict[str, str]], object]  # with these tags
    spoilt: Callable[[Client], object]
    drifted: Mapping[str, str] = field(default_factory=dict[str, str])  # what is found of that, live, by path
    tags: Callable[[Client], Mapping[str, str]]
    there: Callable[[Client], list[str]]  # the names of all there are

    @property
    def cls(self) -> type[Managed[Any]]:
        return type(self.first)

    @property
    def losses(self) -> list[str]:
        """What accepts that it is lost."""
        return [f"{kind_of(self.cls)} Holder acme/thing"]


_CASES: dict[str, Case] = {}


class Holder(Resource):
    """Does one of the cases."""

    options = Options(kind="Holder")
    case: str
    which: str = "first"
    adopt: bool = False

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> None:
        await self.do("thing", getattr(_CASES[self.case], self.which), adopt=self.adopt)


def by_key(found: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found}


def listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


def held(case: Case, which: str = "first", *, adopt: bool = False) -> Holder:
    """What does the thing of a case."""
    _CASES[kind_of(case.cls)] = case
    return Holder(case=kind_of(case.cls), which=which, adopt=adopt)


async def it_lives(case: Case, orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    """Made although an answer was lost, left alone, changed, replaced, drifted, brought back, removed."""

    def by_hand(service: str) -> Any:
        return aws.client(service, account=acme.account)

    async def only_reads(which: str) -> None:
        before, record = len(aws.calls(writes=True)), orbits.record(case.cls, "Holder acme/thing")
        revisions = len(await record.history())
        await orbits.run(held(case, which), target=acme)
        assert aws.calls(writes=True)[before:] == []
        assert len(await record.history()) == revisions
        assert len(case.there(by_hand)) == 1

    case.before(by_hand)
    aws.lose_answer(*case.made_by.split(":"))
    await orbits.run(held(case), target=acme)
    tags = dict(case.tags(by_hand))
    assert (tags.pop("orbits:project"), tags.pop("orbits:record").split()[0]) == ("tests", kind_of(case.cls))
    assert tags == {"team": "shop"}
    await only_reads("first")

    await orbits.run(held(case, "changed"), target=acme)
    assert case.tags(by_hand)["team"] == "sales"
    await only_reads("changed")

    await orbits.run(held(case), target=acme)
    holder = orbits.record(Holder, "acme")
    assert (await holder.drift()).in_sync
    case.spoilt(by_hand)
    found = (await holder.drift()).drifted
    assert {difference.path: difference.live for _, difference in found} == case.drifted
    report = await holder.cycle(on_drift="remediate")
    assert report.in_sync, report.drifted

    other = held(case, "other")
    assert (await orbits.preview(other, target=acme)).root.below[0].verb is Verb.REPLACE
    await orbits.run(other, target=acme, accept_loss=case.losses)
    assert len(case.there(by_hand)) == 1

    await holder.uninstall(accept_loss=case.losses)
    assert case.there(by_hand) == []


async def it_respects_owners(case: Case, orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    """Nobody's thing is adopted if that is asked for; another's never."""

    def by_hand(service: str) -> Any:
        return aws.client(service, account=acme.account)

    case.before(by_hand)
    case.made_by_hand(by_hand, {"team": "theirs"})
    before = len(aws.calls(writes=True))
    with pytest.raises(ExecutionFailed, match=r"was not made by Orbits\. Take it over with adopt=True"):
        await orbits.run(held(case), target=acme)
    assert aws.calls(writes=True)[before:] == []

    plan = await orbits.preview(held(case, adopt=True), target=acme)
    assert plan.root.below[0].verb is Verb.UPDATE
    await orbits.run(held(case, adopt=True), target=acme)
    ours = {"orbits:project": "tests"}
    assert {"team": "shop", **ours}.items() <= case.tags(by_hand).items()
    record = orbits.record(case.cls, "Holder acme/thing")
    assert [revision.number for revision in await record.history()] == [0, 1]
    await record.rollback(to=0)
    assert {"team": "theirs", **ours}.items() <= case.tags(by_hand).items()
    await orbits.run(held(case), target=acme)
    await orbits.record(Holder, "acme").uninstall(accept_loss=case.losses)
    assert case.there(by_hand) == []

    case.made_by_hand(by_hand, {"orbits:project": "other", "orbits:record": case.losses[0]})
    before = len(aws.calls(writes=True))
    for adopt in (False, True):
        with pytest.raises(ExecutionFailed, match=f"belongs to {case.losses[0]} of the project other"):
            await orbits.run(held(case, adopt=adopt), target=acme)
    assert aws.calls(writes=True)[before:] == []

    await orbits.run(held(case), target=acme, take_over="other")
    assert case.tags(by_hand)["orbits:project"] == "tests"
