"""Adopting what was there before: revision 0, what is left as it was found, and what is refused."""

from typing import Any

import pytest

from orbits_iac import ExecutionFailed, Options, Orbits, Plan, Resource
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import ExecutionRow, RecordRow
from orbits_iac.model.states import State

from .world import WORLD, Chain, SharedThing, Thing, ThingState


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()
    WORLD.things["Mine here"] = 5


class Mine(SharedThing):
    """A thing that is adopted wherever it is done."""

    options = Options(adopt=True)


class Around(Resource):
    """Adopts a thing, and may fail after it."""

    value: int
    fails: bool = False

    def identity(self) -> str:
        return "around"

    async def define_update(self) -> None:
        await self.do("mine", Mine(name="here", value=self.value))
        if self.fails:
            raise ValueError("no")


async def history(orbits: Orbits) -> list[tuple[int, Any]]:
    """The revisions of the thing, each with its value."""
    return [(revision.number, revision.argument["value"]) for revision in await orbits.record(Mine, "here").history()]


async def test_what_is_live_is_revision_0_and_the_update_revision_1(orbits: Orbits) -> None:
    assert await orbits.run(Mine(name="here", value=6)) == ThingState(value=6)
    assert await history(orbits) == [(0, 5), (1, 6)]
    record = await orbits.record(Mine, "here").row()
    assert (record.revision, record.adopted) == (1, False)
    await orbits.record(Mine, "here").rollback()
    assert WORLD.things == {"Mine here": 5}


async def test_an_update_that_changes_nothing_makes_no_revision_beside_0(orbits: Orbits) -> None:
    await orbits.run(Mine(name="here", value=5))
    assert await history(orbits) == [(0, 5)]
    record = await orbits.record(Mine, "here").row()
    assert (record.revision, record.adopted) == (0, False)


async def test_a_first_update_that_fails_leaves_it_as_it_was_found(orbits: Orbits) -> None:
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Mine(name="here", value=13))
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things == {"Mine here": 5}
    assert await history(orbits) == [(0, 5)]
    assert (await orbits.record(Mine, "here").row()).adopted
    with pytest.raises(ExecutionFailed, match="is left as it was found; update it first"):
        await orbits.record(Mine, "here").uninstall()
    assert WORLD.things == {"Mine here": 5}


async def test_one_that_fails_around_it_brings_it_back_to_what_was_found(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Around(value=6, fails=True))
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things == {"Mine here": 5}
    record = await orbits.record(Mine, "here").row()
    assert (record.revision, record.adopted) == (0, True)
    await orbits.record(Around, "around").uninstall()
    assert WORLD.things == {"Mine here": 5}


async def test_once_an_update_has_succeeded_it_goes_with_the_uninstall(orbits: Orbits) -> None:
    await orbits.run(Around(value=6))
    await orbits.record(Around, "around").uninstall()
    assert WORLD.things == {}


class Outer(Resource):
    """Has what adopts a thing in it, and may fail after that."""

    fails: bool = True

    def identity(self) -> str:
        return "outer"

    async def define_update(self) -> None:
        await self.do("around", Around(value=6))
        if self.fails:
            raise ValueError("no")


async def test_one_that_fails_around_what_has_adopted_it_brings_it_back_too(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Outer())
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things == {"Mine here": 5}
    await orbits.run(Outer(fails=False))
    assert WORLD.things == {"Mine here": 6}


class Away(Resource):
    """Takes another to nothing, but for what holds data or was there before."""

    of: str

    def identity(self) -> str:
        return "away"

    async def define_update(self) -> None:
        around: Resource[Any] = Around(value=6) if self.of == "around" else Mine(name="here", value=6)
        assert await self.do("away", around.uninstall(keep_data=True)) == [
            "Mine here: it was there before, and is as it was found"
        ]


async def test_who_keeps_data_keeps_what_was_there_before_as_it_was_found(orbits: Orbits) -> None:
    await orbits.run(Around(value=6))
    await orbits.run(Away(of="around"))
    assert WORLD.things == {"Mine here": 5}
    record = await orbits.record(Mine, "here").row()
    assert (record.revision, record.adopted, record.users) == (0, True, ())
    await orbits.run(Mine(name="here", value=7))
    with pytest.raises(ExecutionFailed, match=r"Mine here was there before: rollback\(to=0\) brings it back"):
        await orbits.run(Away(of="mine"))
    assert WORLD.things == {"Mine here": 7}


async def test_what_was_made_anew_after_it_was_removed_was_not_there_before(orbits: Orbits) -> None:
    await orbits.run(Around(value=6))
    await orbits.record(Around, "around").uninstall()
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Around(value=7, fails=True))
    assert failed.value.failure.state is State.REVERTED
    assert WORLD.things == {}


async def test_where_nothing_is_live_it_is_made(orbits: Orbits) -> None:
    WORLD.things.clear()
    WORLD.failing = {"13"}
    with pytest.raises(ExecutionFailed):
        await orbits.run(Mine(name="here", value=13))
    await orbits.run(Mine(name="here", value=6))
    assert await history(orbits) == [(1, 6)]


async def test_what_has_a_record_is_not_adopted_again(orbits: Orbits) -> None:
    await orbits.run(Mine(name="here", value=6))
    WORLD.things["Mine here"] = 9
    await orbits.run(Mine(name="here", value=7))
    assert await history(orbits) == [(0, 5), (1, 6), (2, 7)]


class Narrow(Mine):
    """Takes small values alone."""

    value: int

    def model_post_init(self, _context: Any) -> None:
        if self.value > 3:
            raise ValueError("too large")


async def test_what_its_fields_do_not_take_is_refused_and_left(orbits: Orbits) -> None:
    WORLD.things["Narrow here"] = 5
    with pytest.raises(ExecutionFailed, match="its fields do not take what is live"):
        await orbits.run(Narrow(name="here", value=1))
    assert WORLD.things["Narrow here"] == 5


class Site(Resource[ThingState]):
    """A composite that says what is live of it."""

    options = Options(adopt=True)
    value: int

    def identity(self) -> str:
        return "site"

    async def define_adopt(self) -> ThingState | None:
        found = WORLD.things.get("Mine here")
        return None if found is None else ThingState(value=found)

    async def define_update(self) -> ThingState:
        return await self.do("thing", Thing(value=self.value))


async def test_a_composite_is_adopted_by_its_hook(orbits: Orbits) -> None:
    await orbits.run(Site(value=6))
    (zero, one) = await orbits.record(Site, "site").history()
    assert (zero.number, zero.argument, zero.outputs) == (0, {"value": 5}, ThingState(value=5))
    assert one.argument == {"value": 6}


class Asking(Resource):
    """Adopts whatever it is told."""

    def identity(self) -> str:
        return "asking"

    async def define_update(self) -> None:
        await self.do("step", STEP[0], adopt=True)


STEP: list[Any] = []


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Around(value=1), "step: Around has no define_adopt()"),
        (Chain(length=1), "step: Chain is no Resource, and only a Resource is adopted"),
    ],
)
async def test_what_cannot_say_what_is_live_is_refused(orbits: Orbits, step: Any, why: str) -> None:
    STEP[:] = [step]
    with pytest.raises(ExecutionFailed, match=why.replace("(", "\\(").replace(")", "\\)")):
        await orbits.run(Asking())
    assert WORLD.log == []


class Unable(Around):
    """A composite that would be adopted by its class."""

    options = Options(adopt=True)


async def test_a_class_that_cannot_is_refused_before_anything_is_written(orbits: Orbits) -> None:
    with pytest.raises(Refused, match="Unable has no define_adopt"):
        await orbits.run(Unable(value=1))
    assert await orbits.store.find(ExecutionRow) == []
    assert await orbits.store.find(RecordRow) == []


async def test_a_preview_says_that_it_may_adopt_as_long_as_nothing_is_recorded(orbits: Orbits) -> None:
    class Asks(Resource):
        def identity(self) -> str:
            return "asks"

        async def define_update(self) -> None:
            await self.do("adopts", SharedThing(name="x", value=1), adopt=True)
            await self.do("makes", SharedThing(name="y", value=1))

    def said(plan: Plan) -> list[str]:
        return [change.ref for change in plan.root.walk() if "may adopt what is there" in change.detail]

    assert said(await orbits.preview(Asks())) == ["adopts"]
    assert "may adopt what is there" in (await orbits.preview(Mine(name="here", value=6))).root.detail
    await orbits.run(Mine(name="here", value=6), plan=await orbits.preview(Mine(name="here", value=6)))
    assert await history(orbits) == [(0, 5), (1, 6)]
    assert said(await orbits.preview(Mine(name="here", value=7))) == []
