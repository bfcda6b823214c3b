"""What is there becomes a record as it is found, whole or in parts, and nothing is done to it."""

from typing import Any

import pytest

from orbits_iac import ExecutionFailed, Orbits, Resource
from orbits_iac.model.approvals import named_below
from orbits_iac.model.ids import step_key
from orbits_iac.model.rows import RecordRow
from orbits_iac.testing import crash_everywhere

from .world import WORLD, Add, Thing, ThingState


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Called(Thing):
    """A thing that may be called otherwise than after its record."""

    def _name(self) -> str:
        return self.execution.called or super()._name()


class House(Resource[ThingState]):
    """Has two things, the second made with what the first is, and does something once."""

    value: int

    def identity(self) -> str:
        return "house"

    async def define_update(self) -> ThingState:
        first = await self.do("first", Called(value=self.value))
        await self.do("count", Add(a=1, b=2), once=True)
        return await self.do("second", Called(value=first.value + 1))


class Shed(Resource):
    """Would have an Action recorded."""

    def identity(self) -> str:
        return "shed"

    async def define_update(self) -> None:
        await self.do("count", Add(a=1, b=2), as_found={})


class Alone(Resource):
    """Takes one thing in, which is called otherwise."""

    def identity(self) -> str:
        return "alone"

    async def define_update(self) -> None:
        await self.do("it", Called(value=5), as_found={"": "old"})


class Street(Resource):
    """Takes a house in."""

    names: dict[str, str]

    def identity(self) -> str:
        return "street"

    async def define_update(self) -> None:
        await self.do("house", House(value=5), as_found=self.names)


FOUND = {"first": "old", "second": "older"}


async def numbers(orbits: Orbits) -> dict[str, tuple[Any, ...]]:
    rows = await orbits.store.find(RecordRow)
    return {row.identity: (row.revision, row.adopted, row.called) for row in rows if row.revision is not None}


async def gone(orbits: Orbits) -> None:
    await orbits.record(Street, "street").uninstall()
    await orbits.record(House, "house").uninstall()


async def test_all_of_it_is_revision_0_by_the_names_that_it_has(orbits: Orbits) -> None:
    WORLD.things.update(old=3, older=9)
    await orbits.run(Street(names=FOUND))
    assert WORLD.log == [], "nothing was done, nor any step run"
    found = await numbers(orbits)
    assert found == {
        "street": (1, False, ""),
        "house": (0, True, ""),
        "House house/first": (0, True, "old"),
        "House house/second": (0, True, "older"),
    }
    with pytest.raises(ExecutionFailed, match="left as it was found"):
        await orbits.record(House, "house").uninstall()
    WORLD.failing.add("7")
    with pytest.raises(ExecutionFailed):
        await orbits.run(House(value=6))
    assert (WORLD.things, await numbers(orbits)) == ({"old": 3, "older": 9}, found), "as it was found"
    WORLD.failing.clear()
    await orbits.run(House(value=7))
    assert WORLD.things == {"old": 7, "older": 8}, "an update knows it by its name"
    await orbits.record(House, "house").rollback(0)
    assert WORLD.things == {"old": 3, "older": 9}
    await orbits.run(House(value=7))
    assert [one.number for one in await orbits.record(House, "house").history()] == [0, 2]
    await gone(orbits)
    WORLD.things.update(old=3, older=9)
    await orbits.run(Street(names=FOUND))
    await orbits.run(House(value=7))
    assert (await numbers(orbits))["house"] == (3, False, ""), "no number is given twice"
    await gone(orbits)
    await orbits.run(House(value=1))
    assert set(WORLD.things) == {"Called House house/first", "Called House house/second"}, "its name went with it"


async def test_what_is_recorded_already_is_left_as_it_is(orbits: Orbits) -> None:
    await orbits.run(House(value=1))
    WORLD.log.clear()
    await orbits.run(Street(names=FOUND))
    assert WORLD.log == []
    assert (await numbers(orbits))["house"] == (1, False, "")


async def test_what_is_not_there_is_named_and_the_rest_can_be_taken_in_later(orbits: Orbits) -> None:
    WORLD.things["old"] = 3
    with pytest.raises(ExecutionFailed, match="nothing is there and called older, so nothing is recorded") as failed:
        await orbits.run(Street(names=FOUND))
    assert failed.value.path == ("house", "second")
    assert (WORLD.log, set(await numbers(orbits))) == ([], {"House house/first"})
    WORLD.things["older"] = 9
    await orbits.run(Street(names=FOUND))
    assert (await numbers(orbits))["house"] == (0, True, "")


async def test_what_has_no_parts_takes_the_name_itself(orbits: Orbits) -> None:
    WORLD.things["old"] = 3
    await orbits.run(Alone())
    assert await numbers(orbits) == {"alone": (1, False, ""), "Alone alone/it": (0, True, "old")}


async def test_only_a_resource_is_recorded(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="count: Add is no Resource, and nothing of it is recorded"):
        await orbits.run(Shed())


async def test_a_preview_shows_what_an_update_would_change_of_what_is_there(orbits: Orbits) -> None:
    WORLD.things.update(old=3, older=4)
    plan = await orbits.preview(Street(names=FOUND))
    [house] = plan.root.below
    verbs = {below.ref: below.verb.value for below in house.below}
    assert verbs == {"first": "update", "count": "run", "second": "unchanged"}, "the step between is taken as done"
    assert (WORLD.log, await numbers(orbits)) == ([], {})


def test_names_are_handed_down_by_the_refs_that_lead_there() -> None:
    web = step_key("update", "web", "Web", "update", "")
    keyed = step_key("update", "web", "Web", "update", "eu")
    names = {"web.db": "a", "web[eu].db": "b", "webs": "c", "": "d"}
    assert named_below(names, web) == {"db": "a", "": "d"}
    assert named_below({"web[eu]": "b", "web[us]": "a"}, keyed) == {"": "b"}


def test_crashed_anywhere_it_comes_out_the_same() -> None:
    WORLD.things.update(old=3, older=9)
    crash_everywhere(lambda: Street(names=FOUND), world=WORLD).check()
    assert WORLD.things == {"old": 3, "older": 9}
