"""Records made again of what is there, on a store that knows nothing."""

from datetime import timedelta
from typing import Any

import pytest

from orbits_iac import Clock, ExecutionFailed, Orbits, Resource, Settings
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import RecordRow
from orbits_iac.model.states import State
from orbits_iac.provider import hook

from .world import WORLD, Add, SharedThing, Thing, ThingState


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


class Inner(Resource[ThingState]):
    """Has a thing of its own, and a step that is done once, whose result it takes for a number."""

    value: int

    def identity(self) -> str:
        return "inner"

    async def define_update(self) -> ThingState:
        thing = await self.do("thing", Thing(value=self.value))
        count = await self.do("count", Add(a=1, b=2), once=True, no_return=True)
        self.execution.progress(f"counted {count}")
        return thing


class Outer(Resource):
    """Shares a thing, and has an inner part."""

    value: int = 5
    waits: bool = False
    fails: bool = False

    def identity(self) -> str:
        return "outer"

    async def define_install(self) -> None:
        await self.do("shared", SharedThing(name="shared", value=1))

    async def define_update(self) -> None:
        await self.do("inner", Inner(value=self.value))
        if self.waits:
            await self.repeat("again", Add(a=1, b=1), every=WEEK, until=bool)
        if self.fails:
            raise ValueError("no")


WEEK = timedelta(weeks=1)


async def recorded(orbits: Orbits) -> set[tuple[Any, ...]]:
    """The records, with what of them a store that is made again has to have too."""
    return {
        (row.kind, row.identity, row.users, tuple((one.ref, one.kind, one.identity) for one in row.children))
        for row in await orbits.store.find(RecordRow)
        if row.revision is not None
    }


@pytest.fixture
async def before(orbits: Orbits) -> set[tuple[Any, ...]]:
    """What is recorded in the store that is lost."""
    await orbits.run(Outer())
    return await recorded(orbits)


@pytest.fixture
async def empty(before: object, orbits_settings: Settings) -> Any:
    """A new store, as if the one before had been deleted."""
    del before
    WORLD.log.clear()
    async with Orbits(orbits_settings, clock=Clock()) as made:
        yield made


async def test_the_records_are_as_they_were_and_nothing_was_run(empty: Orbits, before: set[tuple[Any, ...]]) -> None:
    await (await empty.start(Outer(), rebuild=True))
    assert await recorded(empty) == before
    assert WORLD.log == []
    inner = empty.record(Inner, "inner")
    assert await inner.outputs() == ThingState(value=5)
    assert (await empty.record(Outer, "outer").drift()).in_sync


async def test_the_next_update_does_nothing_and_what_is_done_once_stays_done(empty: Orbits) -> None:
    await (await empty.start(Outer(), rebuild=True))
    await empty.run(Outer())
    assert WORLD.log == []
    await empty.run(Outer(value=6))
    assert set(WORLD.things.values()) == {1, 6}
    assert not any("+" in line or line.startswith("add") for line in WORLD.log), WORLD.log


async def test_what_is_live_is_recorded_and_not_what_is_asked_for(empty: Orbits) -> None:
    await (await empty.start(Outer(value=7), rebuild=True))
    [thing] = [row for row in await empty.store.find(RecordRow) if row.kind == "Thing"]
    [revision] = await empty.record(Thing, thing.identity).history()
    assert (revision.number, revision.argument, revision.outputs) == (0, {"value": 5}, ThingState(value=5))
    assert not (await empty.record(Outer, "outer").row()).adopted
    await empty.run(Outer(value=7))
    assert set(WORLD.things.values()) == {1, 7}


async def test_what_is_not_there_is_named_and_nothing_is_taken_away(empty: Orbits) -> None:
    [lost] = [name for name in WORLD.things if "shared" not in name]
    del WORLD.things[lost]
    with pytest.raises(ExecutionFailed, match="nothing is there that is marked as its own") as failed:
        await (await empty.start(Outer(), rebuild=True))
    assert failed.value.path == ("inner", "thing")
    assert failed.value.failure.state is State.ERROR
    assert WORLD.log == []
    assert [row.identity for row in await empty.store.find(RecordRow) if row.revision is not None] == ["shared"]
    await empty.run(Outer())
    assert lost in WORLD.things


async def test_a_definition_that_fails_takes_nothing_away(empty: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="no"):
        await (await empty.start(Outer(fails=True), rebuild=True))
    assert WORLD.log == []
    assert len(WORLD.things) == 2


async def test_a_definition_that_waits_says_so(empty: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="again: the definition waits here"):
        await (await empty.start(Outer(waits=True), rebuild=True))
    assert WORLD.log == []


async def test_only_a_resource_has_records(orbits: Orbits) -> None:
    with pytest.raises(Refused, match="Add: records are made again of a Resource alone"):
        await orbits.start(Add(a=1, b=2), rebuild=True)


class Account(Resource[ThingState]):
    """Reads what it is by itself, and has others in it."""

    def identity(self) -> str:
        return "account"

    async def define_update(self) -> ThingState:
        made: ThingState = await self.do("make", hook(self.make, returns=ThingState))
        await self.define_baseline()
        return made

    async def define_baseline(self) -> None:
        await self.do("inside", Thing(value=7))
        await self.do("counts", Add(a=3, b=4))

    async def define_rebuild(self) -> ThingState | None:
        found: ThingState | None = await self.do("find", hook(self.find, returns=ThingState | None, idempotent=True))
        await self.define_baseline()
        return found

    def make(self) -> ThingState:
        WORLD.things["the account"] = 9
        return ThingState(value=9)

    def find(self) -> ThingState | None:
        WORLD.log.append("found")
        return ThingState(value=WORLD.things["the account"])


async def test_one_that_reads_by_itself_is_read_and_has_its_others(orbits: Orbits, orbits_settings: Settings) -> None:
    await orbits.run(Account())
    before = await recorded(orbits)
    WORLD.log.clear()
    async with Orbits(orbits_settings, clock=Clock()) as empty:
        await (await empty.start(Account(), rebuild=True))
        assert WORLD.log == ["found"]
        assert await recorded(empty) == before
        [revision] = await empty.record(Account, "account").history()
        assert (revision.number, revision.outputs) == (0, ThingState(value=9))
        await empty.record(Account, "account").uninstall()
        assert WORLD.things == {"the account": 9}, "its other part went with it"
