"""A class that is renamed (`former_kinds`): what was recorded under the old kind is its own, and stays under it."""

import asyncio
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Resource, Step, Workflow
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import ExecutionRow, RecordRow
from orbits_iac.model.states import State
from orbits_iac.registry import Registry
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

from .crash import SETTINGS
from .test_edits import Stop
from .world import WORLD, Thing, ThingState


@pytest.fixture(autouse=True)
def _new_world() -> Iterator[None]:
    WORLD.clear()
    Layers.new = False
    yield
    Layers.new = False


class OldThing(Thing):
    """As it was called."""


class NewThing(Thing):
    """As it is called now."""

    options = Options(former_kinds=["OldThing"])


class OldNamed(Thing):
    """A named thing, as it was called."""

    name: str

    def identity(self) -> str:
        return self.name


class NewNamed(OldNamed):
    """As it is called now."""

    options = Options(former_kinds=["OldNamed"])


class OldStep(Action[str]):
    """A step, as it was called."""

    async def main(self) -> str:
        WORLD.did("step")
        return "x"


class NewStep(OldStep):
    """As it is called now."""

    options = Options(former_kinds=["OldStep"])


class OldFlow(Workflow[str]):
    """A Workflow that owns a thing, as it was called."""

    async def define(self) -> str:
        await self.do("thing", NewThing(value=9) if Layers.new else OldThing(value=9))
        return await self.do("inner", NewStep() if Layers.new else OldStep())


class NewFlow(OldFlow):
    """As it is called now."""

    options = Options(former_kinds=["OldFlow"])


class Layers(Resource[ThingState]):
    """Does all of them, by the old names or the new."""

    new: ClassVar[bool] = False
    value: int = 1
    stops: bool = False
    fails: bool = False

    def identity(self) -> str:
        return "stack"

    async def define_update(self) -> ThingState:
        new = Layers.new
        await self.do("owned", NewThing(value=self.value) if new else OldThing(value=self.value))
        await self.do("named", NewNamed(name="n", value=self.value) if new else OldNamed(name="n", value=self.value))
        await self.do("step", NewStep() if new else OldStep(), once=True)
        await self.do("flow", NewFlow() if new else OldFlow())
        if self.stops:
            await self.do("stop", Stop())
        if self.fails:
            raise ValueError("no")
        return ThingState(value=self.value)


NEW: list[type[Step[Any]]] = [NewThing, NewNamed, NewStep, NewFlow, Layers]


def rename(orbits: Orbits) -> None:
    """From here on the code has the new classes alone."""
    Layers.new = True
    orbits.registry = orbits.engine.registry = Registry()
    for cls in NEW:
        orbits.registry.know(cls)


class Renaming(Orbits):
    """Orbits of a process that has the new code alone."""

    async def __aenter__(self) -> Self:
        Layers.new = True
        for cls in NEW:
            self.registry.know(cls)
        return await super().__aenter__()


async def records(orbits: Orbits) -> list[str]:
    """What stands."""
    found = await orbits.store.find(RecordRow)
    return sorted(f"{row.kind} {row.identity}" for row in found if row.revision is not None)


STANDS = ["Layers stack", "OldNamed n", "OldThing Layers stack/flow/thing", "OldThing Layers stack/owned"]


async def test_records_stay_under_their_first_kind_and_are_found(orbits: Orbits) -> None:
    await orbits.run(Layers())
    rename(orbits)
    WORLD.log.clear()
    await orbits.run(Layers())
    assert WORLD.log == ["step"]  # the one that is not done once
    await orbits.run(Layers(value=2))
    assert await records(orbits) == STANDS
    assert WORLD.things == {
        "OldNamed n": 2,
        "OldThing Layers stack/owned": 2,
        "OldThing Layers stack/flow/thing": 9,
    }


async def test_what_is_under_way_goes_on_under_the_new_kinds() -> None:
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store) as first:
        execution = await first.start(Layers(stops=True))
        await asyncio.to_thread(WORLD.reached.wait, 10)
    WORLD.gate.set()
    log = list(WORLD.log)
    async with Renaming(SETTINGS, store=store) as second, asyncio.timeout(60):
        assert await second.execution(execution.id) == ThingState(value=1)
        assert await records(second) == STANDS
    assert WORLD.log == log


async def test_the_record_is_found_by_the_new_class(orbits: Orbits) -> None:
    await orbits.run(OldNamed(name="n", value=1))
    rename(orbits)
    record = orbits.record(NewNamed, "n")
    assert await record.outputs() == ThingState(value=1)
    await orbits.run(NewNamed(name="n", value=2))
    assert [revision.number for revision in await record.history()] == [1, 2]
    assert (await orbits.record(NewNamed, "n").drift()).in_sync
    assert (await orbits.record(NewNamed, "n").looks()).checked == 1
    await orbits.record(NewNamed, "n").rollback()
    assert WORLD.things == {"OldNamed n": 1}
    assert (await orbits.preview(NewNamed(name="n", value=1))).changes == []
    await orbits.record(NewNamed, "n").uninstall()
    assert WORLD.things == {}


async def test_a_preview_of_renamed_kinds_changes_nothing(orbits: Orbits) -> None:
    await orbits.run(Layers())
    rename(orbits)
    assert [change for change in (await orbits.preview(Layers())).changes if "Step" not in change] == []


async def test_an_update_that_fails_goes_back_with_the_new_code(orbits: Orbits) -> None:
    await orbits.run(Layers())
    rename(orbits)
    with pytest.raises(ExecutionFailed):
        await orbits.run(Layers(value=2, fails=True))
    assert set(WORLD.things.values()) == {1, 9}
    await orbits.record(Layers, "stack").uninstall()
    assert WORLD.things == {}


class Reads(Resource[ThingState]):
    """Reads what another publishes."""

    def identity(self) -> str:
        return "reads"

    async def define_update(self) -> ThingState:
        return await self.execution.outputs(NewNamed, "n")


async def test_the_outputs_of_another_are_found_by_its_new_class(orbits: Orbits) -> None:
    await orbits.run(OldNamed(name="n", value=3))
    rename(orbits)
    assert await orbits.run(Reads()) == ThingState(value=3)
    assert await orbits.record(NewNamed, "n").users() == ("direct", "Reads reads")


async def test_what_stands_under_both_kinds_is_refused(orbits: Orbits) -> None:
    rows = [RecordRow(kind=kind, identity="n", revision=1, last_number=1) for kind in ("OldNamed", "NewNamed")]
    await orbits.store.commit(Transaction(put=rows))
    rename(orbits)
    with pytest.raises(Refused, match="NewNamed n and OldNamed n both stand"):
        await orbits.run(NewNamed(name="n", value=1))
    assert await orbits.store.find(ExecutionRow) == []


class Foreign(Resource[Any]):
    """Uses a renamed kind that it has not used before."""

    def identity(self) -> str:
        return "foreign"

    async def define_update(self) -> Any:
        return await self.do("named", NewNamed(name="n", value=1))


async def test_a_new_user_finds_the_record_of_the_old_kind(orbits: Orbits) -> None:
    await orbits.run(OldNamed(name="n", value=1))
    rename(orbits)
    WORLD.log.clear()
    await orbits.run(Foreign())
    assert WORLD.log == []
    assert await records(orbits) == ["Foreign foreign", "OldNamed n"]


async def test_a_kind_that_two_classes_claim_is_paused_with_their_names() -> None:
    def claiming() -> type[Workflow]:
        class Claimed(Workflow):
            async def define(self) -> None:
                """Nothing."""

        return Claimed

    first, second = claiming(), claiming()
    store = MemoryStore()
    async with Orbits(SETTINGS, store=store) as orbits:
        await orbits.dispatcher.stop()
        execution = await orbits.start(first())
    async with Orbits(SETTINGS, store=store) as orbits, asyncio.timeout(60):
        again = orbits.execution(execution.id)
        while (row := await again.row()).state is not State.PAUSED:
            await store.changed(1)
        [why] = [event.why for event in await store.tail(0) if event.after is State.PAUSED]
        assert "claimed by several classes" in why
        assert f"resume execution {row.id}" in why
        orbits.registry.know(first)  # as if the code was mended
        await again.resume()
        await again
    assert first is not second  # which has to be there until now


class Owner(Resource):
    """Keeps a thing that others use, while it is wanted; then lets go of it, or does not do it this time."""

    wants: str = "do"

    def identity(self) -> str:
        return "owner"

    async def define_update(self) -> None:
        if self.wants == "do":
            await self.do("kept", OldNamed(name="n", value=3))
        elif self.wants == "keep":
            await self.execution.keep_children("kept", among=[("NewNamed", "n")])
        else:
            assert await self.execution.let_go("NewNamed", "n") == []


async def test_what_is_kept_or_let_go_of_is_found_by_its_new_class(orbits: Orbits) -> None:
    await orbits.run(Owner())
    rename(orbits)
    await orbits.run(Owner(wants="keep"), prune=True)
    assert WORLD.things == {"OldNamed n": 3}
    await orbits.run(Owner(wants="nothing"))
    assert WORLD.things == {}
