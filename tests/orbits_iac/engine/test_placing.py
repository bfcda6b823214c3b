"""Where a record is, and when it may be asked for elsewhere."""

import asyncio
from contextlib import suppress
from typing import Any, ClassVar

import pytest

from orbits_iac import Action, ExecutionFailed, Managed, Options, Orbits, Outputs, Resource, Target, Workflow
from orbits_iac.model.rows import ExecutionRow, RecordRow, amended
from orbits_iac.provider import OutOfReach
from orbits_iac.store.contract import Transaction
from orbits_iac.testing import crash_everywhere

from .world import WORLD, add


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()
    Delays.reached, Delays.gate = asyncio.Event(), asyncio.Event()


class Ground(Target):
    """Where things are built."""

    name: str

    def place(self) -> str:
        return self.name


class Shed(Outputs):
    """What stands."""

    ground: str


class Hut(Managed[Shed]):
    """Stands on one ground; on one that is closed nothing can be looked at, on one that is soft it falls."""

    def _name(self) -> str:
        return f"{type(self).__name__} on {self._ground()}"

    def _ground(self) -> str:
        return self.execution.target(Ground).name

    def desired(self) -> dict[str, Any]:
        return {}

    def read(self, recorded: Shed | None, /) -> Shed | None:
        if "closed" in self._ground():
            raise OutOfReach(f"{self._ground()} lets nobody in")
        return Shed(ground=self._ground()) if self._name() in WORLD.things else None

    def create(self) -> Shed:
        WORLD.did(f"create {self._name()}", self.execution.token, lambda: WORLD.things.update({self._name(): 1}))
        if self._ground() == "soft":
            raise ValueError("it sinks")
        return Shed(ground=self._ground())

    def delete(self, live: Shed, /) -> None:
        if "stuck" in WORLD.failing:
            raise ValueError("it does not let go")
        WORLD.did(f"delete {self._name()}", self.execution.token, lambda: WORLD.things.pop(self._name(), None))


class Byre(Hut):
    """Holds what must not be lost: no rollback removes it."""

    options = Options(stateful=True)


class Delays(Action):
    """Delays for the gate."""

    options = Options(idempotent=True)
    reached: ClassVar[asyncio.Event]
    gate: ClassVar[asyncio.Event]

    async def main(self) -> None:
        self.reached.set()
        await self.gate.wait()


class Allotment(Resource):
    """Its hut, on a ground."""

    ground: str
    barn: bool = False

    def identity(self) -> str:
        return "lot"

    async def define_update(self) -> None:
        await self.do("plot", Patch(barn=self.barn), target=Ground(name=self.ground))


class Patch(Resource):
    """One hut."""

    barn: bool

    async def define_update(self) -> None:
        await self.do("hut", Byre() if self.barn else Hut())


async def places(orbits: Orbits) -> dict[str, str]:
    """Where each record is that has a place."""
    return {row.kind: place for row in await orbits.store.find(RecordRow) for place in row.places.values()}


async def test_what_never_stood_may_be_asked_for_elsewhere_and_all_below_it(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="closed lets nobody in"):
        await orbits.run(Allotment(ground="closed"))
    assert await places(orbits) == {"Patch": "closed", "Hut": "closed"}
    plan = await orbits.preview(Allotment(ground="firm"))
    assert {place for change in plan.root.walk() for place in change.places} == set()
    await orbits.run(Allotment(ground="firm"))
    assert await places(orbits) == {"Patch": "firm", "Hut": "firm"}
    assert list(WORLD.things) == ["Hut on firm"]
    with pytest.raises(ExecutionFailed, match=r"lot/plot is in firm \(Ground\), and was asked for in dry: a record"):
        await orbits.run(Allotment(ground="dry"))


async def test_what_was_made_and_taken_back_may_be_asked_for_elsewhere(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="it sinks"):
        await orbits.run(Allotment(ground="soft"))
    assert WORLD.things == {}
    await orbits.run(Allotment(ground="firm"))
    assert list(WORLD.things) == ["Hut on firm"]


async def test_what_could_not_be_taken_back_keeps_its_place(orbits: Orbits) -> None:
    WORLD.failing.add("stuck")
    with pytest.raises(ExecutionFailed, match="it sinks"):
        await orbits.run(Allotment(ground="soft"))
    with pytest.raises(ExecutionFailed, match=r"lot/plot is in soft \(Ground\), and was asked for in firm"):
        await orbits.run(Allotment(ground="firm"))
    WORLD.failing.clear()
    assert list(WORLD.things) == ["Hut on soft"]


async def test_what_holds_data_and_was_made_keeps_its_place(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="closed lets nobody in"):
        await orbits.run(Allotment(ground="closed", barn=True))
    with pytest.raises(ExecutionFailed, match="it sinks"):
        await orbits.run(Allotment(ground="soft", barn=True))  # it was never made, and may move
    for _ in range(2):  # and once it was tried elsewhere and refused, too
        with pytest.raises(ExecutionFailed, match=r"Byre .* is in soft \(Ground\), and was asked for in firm"):
            await orbits.run(Allotment(ground="firm", barn=True))


async def test_what_is_under_way_keeps_its_place(orbits: Orbits) -> None:
    class Alone(Hut):
        def identity(self) -> str:
            return "alone"

    class Two(Resource):
        ground: str

        def identity(self) -> str:
            return self.ground

        async def define_update(self) -> None:
            await self.do("alone", Held(), target=Ground(name=self.ground))

    class Held(Resource):
        def identity(self) -> str:
            return "held"

        async def define_update(self) -> None:
            await self.do("waits", Delays())
            await self.do("alone", Alone())

    first = await orbits.start(Two(ground="closed"))
    await Delays.reached.wait()
    with pytest.raises(ExecutionFailed, match="Held held is in closed"):
        await orbits.run(Two(ground="firm"))
    Delays.gate.set()
    with pytest.raises(ExecutionFailed, match="closed lets nobody in"):
        await first
    await orbits.run(Two(ground="firm"))
    assert list(WORLD.things) == ["Alone on firm"]


async def test_what_was_removed_and_failed_elsewhere_may_be_asked_for_anywhere(orbits: Orbits) -> None:
    await orbits.run(Allotment(ground="firm", barn=True))
    await orbits.run(Allotment(ground="firm", barn=True).uninstall(), accept_loss=["Byre Patch Allotment lot/plot/hut"])
    with pytest.raises(ExecutionFailed, match="closed lets nobody in"):
        await orbits.run(Allotment(ground="closed", barn=True))
    await orbits.run(Allotment(ground="dry", barn=True))
    assert list(WORLD.things) == ["Byre on dry"]


async def test_what_an_install_has_done_keeps_its_place(orbits: Orbits) -> None:
    class Dug(Patch):
        async def define_install(self) -> None:
            await self.do("dug", add(1, 1))

    class Field(Resource):
        ground: str

        def identity(self) -> str:
            return "field"

        async def define_update(self) -> None:
            await self.do("dug", Dug(barn=False), target=Ground(name=self.ground))

    with pytest.raises(ExecutionFailed, match="closed lets nobody in"):
        await orbits.run(Field(ground="closed"))
    with pytest.raises(ExecutionFailed, match=r"Dug Field field/dug is in closed \(Ground\)"):
        await orbits.run(Field(ground="firm"))


async def test_what_is_not_known_any_more_keeps_its_place(orbits: Orbits) -> None:
    """Where journals were pruned, nobody can tell what was tried."""
    with pytest.raises(ExecutionFailed, match="closed lets nobody in"):
        await orbits.run(Allotment(ground="closed"))
    rows = await orbits.store.find(ExecutionRow)
    await orbits.engine.commit(Transaction(put=[amended(row, pruned=True) for row in rows]))
    with pytest.raises(ExecutionFailed, match=r"Patch Allotment lot/plot is in closed \(Ground\)"):
        await orbits.run(Allotment(ground="firm"))


async def test_what_never_stood_is_removed_wherever_it_is_asked_for(orbits: Orbits) -> None:
    class Sold(Allotment):
        async def define_uninstall(self) -> None:
            await self.do("plot", Patch(barn=False).uninstall(), target=Ground(name="firm"))

    with pytest.raises(ExecutionFailed, match="closed lets nobody in"):
        await orbits.run(Sold(ground="closed"))
    await orbits.run(Sold(ground="closed").uninstall())
    assert await places(orbits) == {"Hut": "closed"}


class BuildsElsewhere(Workflow):
    """Asks for a lot where nothing can be built, and then elsewhere."""

    async def define(self) -> None:
        with suppress(ExecutionFailed):
            await self.do("closed", Allotment(ground="closed"))
        await self.do("firm", Allotment(ground="firm"))


def test_moving_survives_a_crash_anywhere() -> None:
    crash_everywhere(BuildsElsewhere, world=WORLD, again=0).check()
