"""A tenant's step acts in the tenant's own targets, and uses and changes nothing that is another's."""

import re
from typing import Any

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Outputs, Resource, Target, Workflow
from orbits_iac.model.rows import ExecutionRow, RecordRow
from orbits_iac.provider import current


class Yard(Target):
    """A place with two gates, of which one is as good as the other."""

    name: str
    gate: str = "north"

    def place(self) -> str:
        return f"{self.name}/{self.gate}"

    def realm(self) -> str:
        return self.name


class YardOutputs(Outputs):
    yard: Yard


class OwnYard(Resource[YardOutputs]):
    """Makes a yard, as an account is made."""

    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> YardOutputs:
        return YardOutputs(yard=Yard(name=self.name))


class Enter(Action[str]):
    """Asks for a yard by itself, as a provider's client does; without a name, for the one that it was given."""

    options = Options(idempotent=True)
    name: str = ""

    async def main(self) -> str:
        yard = Yard(name=self.name) if self.name else self.execution.target(Yard)
        execution = current()
        assert execution is not None
        execution.admit(yard)
        return yard.place()


class Visit(Resource[None]):
    """Of one client: goes where it is told, in the way that it is told."""

    client: str
    way: str = ""
    other: str = ""

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        match self.way:
            case "own":
                WENT.append(await self.do("enter", Enter()))
            case "do":
                WENT.append(await self.do("enter", Enter(), target=Yard(name=self.other, gate="south")))
            case "by itself":
                WENT.append(await self.do("enter", Enter(name=self.other)))
            case "made":
                made = await self.do("yard", OwnYard(name=self.other))
                WENT.append(await self.do("below", Going(yard=made.yard)))
            case "read":
                read = await self.execution.outputs(OwnYard, self.other)
                WENT.append(await self.do("enter", Enter(), target=read.yard))
            case "instead":
                await self.do("enter", Enter(), labels={"tenant": self.other})
            case _:
                pass


class Going(Workflow[str]):
    """Goes there from a definition below."""

    yard: Yard

    async def define(self) -> str:
        return await self.do("enter", Enter(), target=self.yard)


WENT: list[str] = []


class Visits(Workflow[None]):
    """As a fleet does: each for its tenant, bound to its yards if there are any."""

    visits: tuple[Visit, ...]
    yards: tuple[str, ...] | None = None
    common: str = ""

    async def define(self) -> None:
        if self.common:
            await self.do("common", OwnYard(name=self.common))
        for visit in self.visits:
            yards = [Yard(name=name) for name in self.yards or ()]
            bound: Any = {} if self.yards is None else {"target": yards[:1], "within": yards}
            await self.do("visit", visit, key=visit.client, labels={"tenant": visit.client}, **bound)


@pytest.fixture(autouse=True)
def _nobody_went() -> None:
    WENT.clear()


async def visited(orbits: Orbits, *visits: Visit, yards: tuple[str, ...] | None = None, common: str = "") -> str:
    """Why it was refused; "" if it was not."""
    try:
        await orbits.run(Visits(visits=visits, yards=yards, common=common))
    except ExecutionFailed as failed:
        return failed.message
    return ""


@pytest.mark.parametrize(
    ("visit", "went"),
    [
        (Visit(client="acme", way="own"), "a/north"),
        (Visit(client="acme", way="do", other="b"), "b/south"),
        (Visit(client="acme", way="by itself", other="b"), "b/north"),
        (Visit(client="acme", way="made", other="new"), "new/north"),
        (Visit(client="acme", way="read", other="common"), "common/north"),
    ],
)
async def test_a_tenant_acts_in_its_targets_in_what_it_makes_and_in_what_is_shared(
    orbits: Orbits, visit: Visit, went: str
) -> None:
    assert await visited(orbits, visit, yards=("a", "b"), common="common") == ""
    assert [went] == WENT


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("do", r"enter \(.*, line \d+\): tenant acme may not act in bolts \(Yard\); it may in a \(Yard\), b \(Yard\)"),
        (
            "by itself",
            r"enter \(Enter\) of tenant acme asks for credentials of bolts \(Yard\), and was given a",
        ),
        ("made", r"OwnYard bolts belongs to tenant bolt: its update is not for tenant acme"),
        ("read", r"OwnYard bolts belongs to tenant bolt: its outputs are not for tenant acme"),
        ("instead", r"this is done for tenant acme, and nothing of it can be done for tenant bolts"),
    ],
)
async def test_what_is_another_tenants_is_refused_by_name(orbits: Orbits, way: str, said: str) -> None:
    assert await visited(orbits, Visit(client="bolt", way="made", other="bolts"), yards=()) == ""
    WENT.clear()
    why = await visited(orbits, Visit(client="acme", way=way, other="bolts"), yards=("a", "b"))
    assert re.search(said, why), why
    assert WENT == []


async def test_a_preview_reads_nothing_of_another_tenant_either(orbits: Orbits) -> None:
    await visited(orbits, Visit(client="bolt", way="made", other="bolts"), yards=())
    with pytest.raises(ExecutionFailed, match="OwnYard bolts belongs to tenant bolt"):
        await orbits.preview(Visits(visits=(Visit(client="acme", way="read", other="bolts"),), yards=()))


async def test_without_bounds_a_definition_may_choose_and_its_hooks_may_not(orbits: Orbits) -> None:
    assert await visited(orbits, Visit(client="acme", way="do", other="b")) == ""
    why = await visited(orbits, Visit(client="acme", way="by itself", other="b"))
    assert "asks for credentials of b (Yard), and was given none" in why


async def test_the_bounds_are_kept_with_the_record(orbits: Orbits) -> None:
    await visited(orbits, Visit(client="acme", way="own"), yards=("a",))
    record = await orbits.store.get(RecordRow, "Visit", "acme")
    assert record is not None
    assert record.targets["~within"] == '["Yard a"]'
    await orbits.record(Visit, "acme").cycle()
    cycle, *_ = await orbits.store.find(ExecutionRow, kind="Visit", identity="acme", newest=True)
    assert cycle.targets == record.targets


class SharedYard(OwnYard):
    options = Options(shared=True)


class Sharing(Resource[None]):
    """Names what all share."""

    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        made = await self.do("yard", SharedYard(name="all"))
        WENT.append(await self.do("enter", Enter(), target=made.yard))


class AllShare(Workflow[None]):
    async def define(self) -> None:
        for client in ("acme", "bolt"):
            await self.do("one", Sharing(client=client), key=client, labels={"tenant": client}, within=[])


async def test_what_is_shared_is_nobodys(orbits: Orbits) -> None:
    await orbits.run(AllShare())
    assert WENT == ["all/north"] * 2
    record = await orbits.store.get(RecordRow, "SharedYard", "all")
    assert record is not None
    assert record.tenant is None


async def test_what_others_use_already_becomes_no_tenants(orbits: Orbits) -> None:
    await visited(orbits, Visit(client="acme", way="made", other="mine"), common="common")
    for name, tenant in (("common", None), ("mine", "acme")):
        record = await orbits.store.get(RecordRow, "OwnYard", name)
        assert record is not None
        assert record.tenant == tenant
