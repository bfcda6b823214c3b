"""One record and several builds: it goes forward only, and what an older build asks for changes nothing."""

import asyncio

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Resource
from orbits_iac.model.rows import BuildRow, ExecutionRow, RecordRow, RevisionRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Transaction

from .world import WORLD, SharedThing, ThingState

BUILDS = ("old", "new")


@pytest.fixture(autouse=True)
async def _new_world(orbits: Orbits) -> None:
    WORLD.clear()
    rows = [BuildRow(digest=name, order=order - len(BUILDS)) for order, name in enumerate(BUILDS)]
    await orbits.store.commit(Transaction(put=rows))


class Wait(Action):
    """Where a test does something else meanwhile: goes on when the gate is open."""

    options = Options(idempotent=True)

    def main(self) -> None:
        WORLD.reached.set()
        assert WORLD.gate.wait(10)


class User(Resource[ThingState]):
    """Uses a thing that others name too; waits and fails as it is told."""

    name: str
    value: int = 1
    waits: str = ""
    fails: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> ThingState:
        if self.waits == "before":
            await self.do("wait", Wait())
        state = await self.do("net", SharedThing(name="net", value=self.value))
        if self.waits == "after":
            await self.do("wait", Wait())
        if self.fails:
            raise ValueError("no")
        return state


async def run(orbits: Orbits, build: str, step: Resource[ThingState]) -> ThingState:
    """Run it as this build."""
    orbits.engine.build = build
    return await orbits.run(step)


async def reached() -> None:
    """The step that waits is where it waits."""
    assert await asyncio.to_thread(WORLD.reached.wait, 10)


async def test_a_later_build_brings_a_shared_record_forward(orbits: Orbits) -> None:
    await run(orbits, "old", User(name="a"))
    await run(orbits, "old", User(name="b"))
    assert await run(orbits, "new", User(name="b", value=2)) == ThingState(value=2)
    assert WORLD.things == {"SharedThing net": 2}


async def test_what_an_earlier_build_asks_for_changes_nothing_and_gets_what_stands(orbits: Orbits) -> None:
    await run(orbits, "old", User(name="a"))
    await run(orbits, "new", User(name="b", value=2))
    WORLD.log.clear()
    assert await run(orbits, "old", User(name="c", value=1)) == ThingState(value=2)
    assert WORLD.log == []
    record = await orbits.record(SharedThing, "net").row()
    assert record.users == ("User a", "User b", "User c")
    link = await orbits.store.get(RevisionRow, "User", "c", 1)
    assert link is not None
    assert [(child.identity, child.revision) for child in link.children] == [("net", 2)]
    whys = [event.why for event in await orbits.store.tail(0)]
    assert "a later build than old has brought it to revision 2, which stands" in whys


async def test_it_changes_nothing_though_the_later_build_asked_for_what_stood_already(orbits: Orbits) -> None:
    await run(orbits, "old", User(name="a"))
    await run(orbits, "new", User(name="b"))
    assert await run(orbits, "old", User(name="c", value=5)) == ThingState(value=1)


async def test_a_straggler_of_the_old_build_does_not_take_back_what_it_leads(orbits: Orbits) -> None:
    await run(orbits, "old", User(name="a"))
    straggler = await orbits.start(User(name="a", value=3, waits="before"))
    await reached()
    await run(orbits, "new", User(name="b", value=2))
    orbits.engine.build = "old"
    WORLD.gate.set()
    assert await straggler == ThingState(value=2)
    assert WORLD.things == {"SharedThing net": 2}


async def test_who_leads_takes_it_back_with_a_build_that_was_gone_back_to(orbits: Orbits) -> None:
    await run(orbits, "old", User(name="a"))
    await run(orbits, "new", User(name="b", value=2))
    assert await run(orbits, "old", User(name="a")) == ThingState(value=1)


async def test_a_request_on_the_record_itself_updates_it_whatever_the_build(orbits: Orbits) -> None:
    await run(orbits, "new", User(name="a", value=2))
    await run(orbits, "new", User(name="b", value=2))
    assert await run(orbits, "old", SharedThing(name="net", value=1)) == ThingState(value=1)


async def test_the_only_user_goes_back_to_an_earlier_build(orbits: Orbits) -> None:
    await run(orbits, "new", User(name="a", value=2))
    assert await run(orbits, "old", User(name="a", value=1)) == ThingState(value=1)


class Slow(SharedThing):
    """A named thing whose making takes until the gate is open."""

    options = Options(kind="Slow")

    async def define_update(self) -> ThingState:
        await self.do("wait", Wait())
        return await super().define_update()


class SlowUser(User):
    """Uses it."""

    async def define_update(self) -> ThingState:
        return await self.do("slow", Slow(name="slow", value=self.value))


async def test_where_nothing_stands_an_earlier_build_waits_for_what_the_later_one_makes(orbits: Orbits) -> None:
    orbits.engine.build = "new"
    first = await orbits.start(SlowUser(name="a", value=2))
    await reached()
    orbits.engine.build = "old"
    second = await orbits.start(SlowUser(name="b", value=1))
    while len((await orbits.record(Slow, "slow").row()).users) < 2:  # noqa: ASYNC110 - until it has asked
        await asyncio.sleep(0.001)
    orbits.engine.build = "new"  # only that goes on with the first one
    WORLD.gate.set()
    assert [await first, await second] == [ThingState(value=2)] * 2
    assert len(await orbits.store.find(ExecutionRow, kind="Slow", identity="slow")) == 1


async def test_equal_requests_of_two_builds_do_not_join(orbits: Orbits) -> None:
    orbits.engine.build = "old"
    first = await orbits.start(User(name="a", waits="before"))
    await reached()
    orbits.engine.build = "new"
    second = await orbits.start(User(name="a", waits="before"))
    WORLD.gate.set()
    assert first.id != second.id
    assert [await first, await second] == [ThingState(value=1)] * 2


async def test_two_parents_of_two_builds_raise_it_and_the_first_fails_it_is_kept_and_said(orbits: Orbits) -> None:
    for value in range(1, 5):
        await run(orbits, "old", User(name="a", value=value))
    await run(orbits, "old", User(name="b", value=4))
    first = await orbits.start(User(name="a", value=50, waits="after", fails=True))
    await reached()
    assert (await orbits.record(SharedThing, "net").row()).revision == 5
    await run(orbits, "new", User(name="b", value=60))
    assert (await orbits.record(SharedThing, "net").row()).revision == 6
    WORLD.gate.set()
    with pytest.raises(ExecutionFailed) as failed:
        await first
    assert failed.value.failure.state is State.QUARANTINED
    assert failed.value.failure.left == ("SharedThing net: somebody else brought it to revision 6 meanwhile",)
    assert WORLD.things == {"SharedThing net": 60}


async def test_an_update_of_no_new_revision_is_of_its_build(orbits: Orbits) -> None:
    await run(orbits, "old", User(name="a"))
    await run(orbits, "new", User(name="a"))
    record = await orbits.store.get(RecordRow, "User", "a")
    assert record is not None
    assert (record.revision, record.build) == (1, "new")
