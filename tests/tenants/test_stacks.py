"""What is wrong with one tenant's stack is named with its place in the list, and is nobody else's."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from orbits_iac import Managed, Options, Orbits, Outputs, Resource
from orbits_iac.cli.fleets import lines
from orbits_iac.model.rows import EntryRow, RevisionRow
from orbits_iac.provider import UsageError
from orbits_iac.queries import looks
from orbits_tenants import (
    CombinedSource,
    DirectorySource,
    FunctionSource,
    JsonSource,
    Listing,
    ListSource,
    Rollout,
    Source,
    Tenant,
    Tenants,
    YamlSource,
    standing,
)
from orbits_tenants.deciding import check
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.fleet import DriftState, Member
from orbits_tenants.recorded import stacks_of
from orbits_tenants.removal import remove, would_go

IDS = ["acme", "bolt", "cafe"]


class Cabin(Resource):
    name: str
    rooms: int = 1
    alarm: SecretStr = SecretStr("")

    def identity(self) -> str:
        if self.name == "nameless":
            raise LookupError("no name is left")
        return self.name

    async def define_update(self) -> None:
        """Nothing, here."""


def leave() -> Cabin:
    sys.exit(5)


class Refusal(BaseException):
    """No Exception, as somebody's own may be."""


class Wood(Outputs):
    wood: str


SHEDS: dict[str, Wood] = {}


class Cabins(Tenants[Cabin]):
    source: ClassVar[Source] = ListSource(IDS)
    rollout: ClassVar[Rollout] = Rollout(waves=["100%"], failure_tolerance="1")
    bolt: ClassVar[Callable[[], Any]] = lambda: Cabin(name="bolt")

    def stack(self, tenant: Tenant) -> Cabin:
        return type(self).bolt() if tenant.id == "bolt" else Cabin(name=tenant.id)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: Cabin(name="nameless"), "LookupError: no name is left"),
        (lambda: Cabin(name=""), "UsageError: tenant bolt: identity() of Cabin is empty"),
        (lambda: Cabin(name="x" * 1001), "an identity of 1,001 characters is too long for a name (tenant bolt:"),
        (lambda: None, "UsageError: tenant bolt: stack() returned a NoneType, and no Resource"),
        (lambda: Cabin, "UsageError: tenant bolt: stack() returned a ModelMetaclass, and no Resource"),
        (leave, "UsageError: tenant bolt: SystemExit: 5"),
    ],
)
async def test_a_stack_that_could_not_be_asked_for_fails_its_tenant_alone(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch, made: Callable[[], Any], said: str
) -> None:
    monkeypatch.setattr(Cabins, "bolt", staticmethod(made))
    with pytest.raises(UsageError, match=r"^the list of tenants: .*tenant bolt"):
        await orbits.run(Cabins())
    monkeypatch.setattr(Cabins, "listing", Listing(on_doubt="known"))
    report = await orbits.run(Cabins())
    assert [one.state.value for one in report.tenants.values()] == ["updated", "failed", "updated"]
    assert said in report.failed["bolt"]


async def test_a_stack_that_would_end_the_process_is_named_with_its_tenant(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shared(self: Cabins, tenant: Tenant) -> list[Resource]:
        raise Refusal

    monkeypatch.setattr(Cabins, "bolt", staticmethod(leave))
    for ask in (orbits.preview, orbits.run):
        with pytest.raises(UsageError, match=r"^the list of tenants: tenant bolt: SystemExit: 5$"):
            await ask(Cabins())
    monkeypatch.setattr(Cabins, "shared", shared)
    said = [f"the list of tenants: tenant {what}" for what in ("acme: Refusal", "bolt: SystemExit: 5", "cafe: Refusal")]
    with pytest.raises(UsageError) as refused:
        await orbits.run(Cabins())
    assert str(refused.value).splitlines() == said


async def test_one_stack_of_two_tenants_is_refused_before_anything_is_written(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cabins, "bolt", staticmethod(lambda: Cabin(name="acme", rooms=2)))
    for ask in (orbits.preview, orbits.run):
        with pytest.raises(UsageError, match="tenant bolt: its stack is Cabin acme, and so is that of tenant acme:"):
            await ask(Cabins())


async def test_who_was_added_with_the_stack_of_another_is_refused_and_leaves_that_alone(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stack(self: Cabins, tenant: Tenant) -> Cabin:
        return Lodging(name=tenant.id.partition("-")[0])

    SHEDS.clear()
    monkeypatch.setattr(Cabins, "stack", stack)
    await orbits.run(Cabins())
    twin = Decision.model_validate({"what": "add", "tenant": "acme-2", "who": "ann", "added": {"id": "acme-2"}})
    with pytest.raises(UsageError, match="tenant acme-2: its stack is Lodging acme, which is that of tenant acme: let"):
        await check(orbits, Cabins, twin)
    await orbits.run(TenantDecisions(fleet="Cabins", decision=twin))  # by an earlier version, say
    report = await orbits.run(Cabins())
    assert report.tenants["acme-2"].state == "failed"
    would = await would_go(orbits, Cabins, "acme-2")
    change, stays = would.change, list(would.stays)
    assert ([one.verb for one in change.below], stays) == ([], ["Lodging acme: it is that of tenant acme"])
    certificate = await remove(orbits, Cabins, "acme-2")
    assert (certificate.removed, list(certificate.stays)) == ({}, ["Lodging acme: it is that of tenant acme"])
    assert set(SHEDS) == set(IDS)
    assert (await orbits.record(Cabins, "Cabins").outputs()).tenants["acme-2"].state == "ended"


async def test_one_whose_stack_cannot_be_made_is_left_out_of_a_release_to_the_others(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orbits.run(Cabins())
    monkeypatch.setattr(Cabins, "bolt", staticmethod(lambda: Cabin(name="nameless")))
    with pytest.raises(UsageError, match="tenant bolt: LookupError: no name is left"):
        await orbits.run(Cabins())
    report = await orbits.run(Cabins(only=("acme",)))
    assert report.exit_code() == 0
    pause = Decision(what="pause", tenant="bolt", who="ann", why="broken")
    await orbits.run(TenantDecisions(fleet="Cabins", decision=pause))
    report = await orbits.run(Cabins())
    assert [one.state.value for one in report.tenants.values()] == ["unchanged", "paused", "unchanged"]


async def test_all_stacks_that_cannot_be_made_are_named(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    def stack(self: Cabins, tenant: Tenant) -> Cabin:
        return Cabin(name=tenant.labels["door"])

    monkeypatch.setattr(Cabins, "stack", stack)
    with pytest.raises(UsageError) as refused:
        await orbits.preview(Cabins())
    lines = str(refused.value).splitlines()
    assert [line.rpartition("tenant ")[2] for line in lines] == [f"{id_}: KeyError: 'door'" for id_ in IDS]


class Shed(Managed[Wood]):
    name: str
    wood: str = "oak"

    async def read(self, recorded: Wood | None, /) -> Wood | None:
        return SHEDS.get(self.name)

    async def create(self) -> Wood:
        return SHEDS.setdefault(self.name, Wood(wood="oak"))

    async def delete(self, live: Wood, /) -> None:
        del SHEDS[self.name]


class Lodging(Cabin):
    async def define_update(self) -> None:
        await self.do("shed", Shed(name=self.name))


async def test_what_a_tenant_had_before_its_stack_became_another_is_looked_at_and_reported_too(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    SHEDS.clear()
    monkeypatch.setattr(Cabins, "bolt", lambda: Cabin(name="bolt"))
    await orbits.run(Cabins())
    monkeypatch.setattr(Cabins, "bolt", lambda: Lodging(name="bolt"))
    await orbits.run(Cabins())
    SHEDS["bolt"] = Wood(wood="ash")
    await orbits.record(Cabins, "Cabins").drift()

    async def bolt() -> Member:
        fleet = await standing.read(orbits.store, "Cabins", now=time.time())
        return next(one for one in fleet.members if one.id == "bolt")

    shown = await bolt()
    assert [(one.name, one.revision) for one in shown.services] == [("shed", 1), ("Cabin", 1)]
    assert shown.drift is not None
    assert shown.drift.state is DriftState.DRIFTED
    assert (await stacks_of(orbits.store, "Cabins"))["bolt"].kind == "Lodging"
    monkeypatch.setattr(Cabins, "bolt", lambda: Cabin(name="bolt", rooms=2))
    await orbits.run(Cabins())
    SHEDS["bolt"] = Wood(wood="pine")
    await orbits.record(Cabins, "Cabins").drift()
    shown = await bolt()
    assert [(one.name, one.revision) for one in shown.services] == [("Cabin", 2), ("Lodging", 1)]
    [line] = [one for one in lines(await looks(orbits.store, "Cabins", "Cabins")) if one.tenant == "bolt"]
    assert (line.drifted, line.why) == (True, "")
    removed = await remove(orbits, Cabins, "bolt")
    assert removed.removed == {"Cabin bolt": 2, "Lodging bolt": 1, "Shed Lodging bolt/shed": 1}
    assert (removed.checked[0], SHEDS) == ("records: of 3 things that stood, 0 stand", {})


async def test_a_fleet_that_is_renamed_keeps_its_kind(orbits: Orbits) -> None:
    await orbits.run(Cabins())

    class Chalets(Cabins):
        options = Options(former_kinds=("Cabins",))

    with pytest.raises(UsageError, match=r"options = Options\(kind='Cabins'\)"):
        await orbits.run(Chalets())


async def test_a_secret_that_a_list_or_a_pin_would_keep_as_it_stands_is_refused(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cabins, "bolt", lambda: Cabin(name="bolt"))
    monkeypatch.setattr(Cabins, "source", ListSource([Tenant(id="acme", overrides={"alarm": "sesame"})]))
    with pytest.raises(UsageError, match="tenant acme: alarm is secret, and what a list or a pin says is kept as it"):
        await orbits.run(Cabins())
    monkeypatch.setattr(Cabins, "source", ListSource([{"id": "acme", "overrides": {"alarm": SecretStr("sesame")}}]))
    await orbits.run(Cabins())
    pin = Decision(what="pin", tenant="acme", who="ada", pinned={"alarm": "sesame"})
    with pytest.raises(UsageError, match="tenant acme: alarm is secret"):
        await check(orbits, Cabins, pin)
    rows = [*await orbits.store.find(RevisionRow), *await orbits.store.find(EntryRow)]
    assert "sesame" not in "".join(map(str, rows))


def _yaml(folder: Path) -> Source:
    (folder / "cabins.yaml").write_text("- acme\n# so\n- id: bolt\n  overrides: {rooms: many}\n")
    return YamlSource(str(folder / "cabins.yaml"))


def _json(folder: Path) -> Source:
    (folder / "cabins.json").write_text('["acme", {"id": "bolt", "overrides": {"rooms": "many"}}]')
    return JsonSource(str(folder / "cabins.json"))


def _folder(folder: Path) -> Source:
    _yaml(folder)
    return CombinedSource(ListSource(["cafe"]), DirectorySource(str(folder)))


def _function(folder: Path) -> Source:
    def cabins() -> list[Tenant]:
        return [Tenant(id="bolt", overrides={"rooms": "many"})]

    return FunctionSource(cabins)


@pytest.mark.parametrize(
    ("made", "place"),
    [
        (_yaml, "cabins.yaml, line 3"),
        (_json, "cabins.json, entry 2"),
        (_folder, "cabins.yaml, line 3"),
        (_function, "cabins()"),
    ],
)
async def test_an_override_that_its_stack_cannot_have_is_named_with_its_place(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, made: Callable[[Path], Source], place: str
) -> None:
    monkeypatch.setattr(Cabins, "source", made(tmp_path))
    with pytest.raises(UsageError) as refused:
        await orbits.run(Cabins())
    assert f"{place}: tenant bolt, overrides: rooms: Input should be a valid integer" in str(refused.value)
