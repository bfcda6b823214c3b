"""What nothing has changed of is passed over by a roll-out, and whatever may have changed is not."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orbits_iac import ExecutionFailed, Managed, Orbits, Outputs, Permanent, Resource, Settings, Target, action
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EntryRow, ExecutionRow, RevisionRow
from orbits_tenants import ListSource, Report, Rollout, Source, Tenant, Tenants, TenantState

CLIENTS = ["acme", "bolt", "cafe"]


class Square:
    """What stands on the bazaar square, and what goes wrong there."""

    def __init__(self) -> None:
        self.racks: dict[str, str] = {}
        self.water = "well"
        self.parasol = "green"
        self.failing: set[str] = set()
        self.swept = False
        self.gate: asyncio.Event | None = None
        self.calling = asyncio.Event()


SQUARE = Square()


@pytest.fixture(autouse=True)
def square() -> None:
    SQUARE.__init__()  # type: ignore[misc]
    Bazaar.source = ListSource(CLIENTS)


class Wares(Outputs):
    wares: str


class Rack(Managed[Wares]):
    wares: str

    @property
    def _client(self) -> str:
        assert self.execution.record is not None
        return self.execution.record[1].removeprefix("Pavilion ").removesuffix("/rack")

    def read(self, recorded: Wares | None, /) -> Wares | None:
        found = SQUARE.racks.get(self._client)
        return None if found is None else Wares(wares=found)

    def create(self) -> Wares:
        return self.change(Wares(wares=""))

    def change(self, live: Wares, /) -> Wares:
        SQUARE.racks[self._client] = self.wares
        return Wares(wares=self.wares)

    def delete(self, live: Wares, /) -> None:
        del SQUARE.racks[self._client]


@action(idempotent=True)
async def shout_out(client: str) -> None:
    if SQUARE.gate is not None and client == "bolt":
        SQUARE.calling.set()
        await SQUARE.gate.wait()
    if client in SQUARE.failing:
        raise Permanent("hoarse")


@action
async def ink(client: str) -> None:
    """A contract: never taken back."""


@action
async def brush(client: str) -> None:
    if "broom" in SQUARE.failing and SQUARE.swept:
        raise Permanent("the broom is broken")
    SQUARE.swept = True


class Spring(Resource[Wares]):
    def identity(self) -> str:
        return "spring"

    async def define_update(self) -> Wares:
        return Wares(wares=SQUARE.water)


class Parasol(Resource[Wares]):
    def identity(self) -> str:
        return "parasol"

    async def define_update(self) -> Wares:
        return Wares(wares=SQUARE.parasol)


class Pavilion(Resource):
    client: str
    wares: str = "figs"
    signed: bool = False
    thirsty: bool = False

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        if self.thirsty:
            await self.execution.outputs(Spring, "spring")
        if self.client == "bolt":
            await self.do("parasol", Parasol())
        await self.do("rack", Rack(wares=self.wares))
        if self.signed:
            await self.do("sign", ink(self.client), no_return=True)
        if self.client in SQUARE.failing:
            await self.do("sweep", brush(self.client), undo=brush(self.client))
        if SQUARE.gate is not None or self.client in SQUARE.failing:
            await self.do("call", shout_out(self.client))


class Bazaar(Tenants[Pavilion]):
    source: ClassVar[Source] = ListSource(CLIENTS)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], failure_tolerance="100%")
    wares: str = "figs"

    def stack(self, tenant: Tenant) -> Pavilion:
        return Pavilion(client=tenant.id, wares=self.wares, thirsty=tenant.id == "cafe")

    async def define_shared(self) -> None:
        await self.do("spring", Spring())


class Pitch(Target):
    name: str

    def place(self) -> str:
        return self.name


async def rolled_out(orbits: Orbits, bazaar: Bazaar | None = None, **how: Any) -> tuple[Report, list[str]]:
    """The report of a roll-out, and the tenants whose stacks it asked for."""
    execution = await orbits.start(bazaar or Bazaar(), **how)
    async with asyncio.timeout(60):
        report = await execution
    return report, await asked_of(orbits, execution.id)


async def asked_of(orbits: Orbits, execution: ExecutionId) -> list[str]:
    entries = [row for row in await orbits.store.find(EntryRow, execution=execution) if row.kind == "Pavilion"]
    assert all((row.child is None) is row.skipped for row in entries)
    return sorted(row.link.identity for row in entries if row.link is not None and not row.skipped)


async def test_nothing_is_asked_of_what_has_not_changed(orbits: Orbits) -> None:
    Bazaar.source = ListSource([f"t{number}" for number in range(300)])
    _, asked = await rolled_out(orbits)
    assert len(asked) == 300
    before = await orbits.store.count(ExecutionRow)
    report, asked = await rolled_out(orbits)
    assert asked == []
    assert await orbits.store.count(ExecutionRow) == before + 2  # the roll-out, and what the tenants share
    assert report.summary == "300 tenants: 300 unchanged"
    assert {one.happened for one in report.tenants.values()} == {"nothing to change; looked at just now"}
    assert (await orbits.record(Bazaar, "Bazaar").row()).revision == 1


async def overridden(orbits: Orbits) -> None:
    Bazaar.source = ListSource([Tenant(id="acme", overrides={"wares": "dates"}), "bolt", "cafe"])


async def labelled(orbits: Orbits) -> None:
    Bazaar.source = ListSource([Tenant(id="acme", labels={"plan": "large"}), "bolt", "cafe"])


async def moved_on(orbits: Orbits) -> None:
    await orbits.run(Pavilion(client="acme", wares="dates"))


async def moved_on_below(orbits: Orbits) -> None:
    SQUARE.parasol = "red"
    await orbits.run(Parasol())


async def brought_back(orbits: Orbits) -> None:
    await orbits.run(Pavilion(client="acme", wares="dates"))
    await orbits.record(Pavilion, "acme").rollback(to=1)


async def held(orbits: Orbits) -> None:
    SQUARE.failing = {"acme"}
    with pytest.raises(ExecutionFailed):
        await orbits.run(Pavilion(client="acme", signed=True))
    assert (await orbits.record(Pavilion, "acme").row()).held is not None
    SQUARE.failing = set()


async def left_for_a_decision(orbits: Orbits) -> None:
    SQUARE.failing = {"acme", "broom"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Pavilion(client="acme"))
    assert failed.value.failure.left
    assert (await orbits.record(Pavilion, "acme").row()).revision == 1
    SQUARE.failing = set()


async def drifted(orbits: Orbits) -> None:
    SQUARE.racks["acme"] = "stolen"
    await orbits.record(Bazaar, "Bazaar").cycle()


async def watered(orbits: Orbits) -> None:
    SQUARE.water = "river"


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (overridden, ["acme"]),
        (labelled, ["acme"]),
        (moved_on, ["acme"]),
        (moved_on_below, ["bolt"]),
        (brought_back, ["acme"]),
        (held, ["acme"]),
        (left_for_a_decision, ["acme"]),
        (drifted, ["acme"]),
        (watered, ["cafe"]),
    ],
)
async def test_what_may_have_changed_is_updated(
    orbits: Orbits,
    change: Callable[[Orbits], Awaitable[None]],
    asked: list[str],
) -> None:
    await rolled_out(orbits)
    await change(orbits)
    report, found = await rolled_out(orbits)
    assert found == asked
    assert report.failed == {}
    assert "stolen" not in SQUARE.racks.values()
    if change is not drifted:  # which was found in the second in which the update began
        assert (await rolled_out(orbits))[1] == []


@pytest.mark.parametrize(
    ("bazaar", "how"),
    [
        (Bazaar(wares="dates"), {}),
        (Bazaar(), {"force": True}),
        (Bazaar(), {"prune": True}),
        (Bazaar(), {"target": Pitch(name="north")}),
    ],
)
async def test_a_roll_out_that_is_otherwise_updates_everybody(
    orbits: Orbits, bazaar: Bazaar, how: dict[str, Any]
) -> None:
    await rolled_out(orbits)
    assert (await rolled_out(orbits, bazaar, **how))[1] == CLIENTS


async def test_other_code_updates_everybody_and_counts_from_then_on(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rolled_out(orbits)
    monkeypatch.setattr("orbits_iac.engine.at_rest.code_of", lambda _: "other")
    report, asked = await rolled_out(orbits)
    assert asked == CLIENTS
    assert report.summary == "3 tenants: 3 unchanged"
    assert (await rolled_out(orbits))[1] == []


async def test_who_failed_is_updated_and_nobody_else(orbits: Orbits) -> None:
    SQUARE.failing = {"bolt"}
    report, _ = await rolled_out(orbits)
    assert report.tenants["bolt"].state is TenantState.REVERTED
    SQUARE.failing = set()
    assert (await rolled_out(orbits))[1] == ["bolt"]
    assert (await rolled_out(orbits))[1] == []


async def test_what_was_passed_over_stays_a_child(orbits: Orbits) -> None:
    await rolled_out(orbits)
    await overridden(orbits)
    await rolled_out(orbits)
    bazaar = await orbits.record(Bazaar, "Bazaar").row()
    assert bazaar.revision == 2
    revision = await orbits.store.get(RevisionRow, "Bazaar", "Bazaar", 2)
    assert revision is not None
    stalls = {child.identity: child.revision for child in revision.children if child.kind == "Pavilion"}
    assert stalls == {"acme": 2, "bolt": 1, "cafe": 1}
    SQUARE.racks["bolt"] = "stolen"
    assert len((await orbits.record(Bazaar, "Bazaar").drift()).drifted) == 1
    await orbits.record(Bazaar, "Bazaar").uninstall()
    assert SQUARE.racks == {}


async def test_what_is_under_way_is_waited_for(orbits: Orbits) -> None:
    await rolled_out(orbits)
    SQUARE.gate = asyncio.Event()
    own = await orbits.start(Pavilion(client="bolt"))
    await SQUARE.calling.wait()
    bazaar = await orbits.start(Bazaar())
    async with asyncio.timeout(60):
        while not await asked_of(orbits, bazaar.id):
            await orbits.store.changed(1)
        SQUARE.gate.set()
        await asyncio.gather(own, bazaar)
    assert await asked_of(orbits, bazaar.id) == ["bolt"]


async def test_under_a_plan_what_it_shows_as_unchanged_is_passed_over(orbits: Orbits) -> None:
    await rolled_out(orbits)
    assert (await rolled_out(orbits, plan=await orbits.preview(Bazaar()), approve_deferred=True))[1] == []
    SQUARE.racks["acme"] = "stolen"
    assert (await rolled_out(orbits, plan=await orbits.preview(Bazaar()), approve_deferred=True))[1] == ["acme"]
    assert SQUARE.racks["acme"] == "figs"


async def test_a_roll_out_that_is_gone_on_with_passes_over_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(project="tests", store=f"sqlite:{tmp_path}/state.db")
    async with Orbits(settings) as first:
        await rolled_out(first)
        SQUARE.gate = asyncio.Event()
        Bazaar.source = ListSource(["acme", Tenant(id="bolt", overrides={"wares": "dates"}), "cafe"])
        execution = await first.start(Bazaar())
        await SQUARE.calling.wait()
        before = await first.store.find(EntryRow, execution=execution.id)
    monkeypatch.setattr("orbits_iac.engine.at_rest.code_of", lambda _: "other")
    SQUARE.gate.set()
    async with Orbits(settings) as second, asyncio.timeout(60):
        report = await second.execution(execution.id)
        assert await asked_of(second, execution.id) == ["bolt"]
        after = await second.store.find(EntryRow, execution=execution.id)
        passed = [row for row in before if row.skipped]
        assert len(passed) == 2
        assert all(row in after for row in passed)
        assert [one.state.value for one in report.tenants.values()] == ["unchanged", "updated", "unchanged"]
        assert (await second.record(Bazaar, "Bazaar").row()).revision == 2
