"""What is renamed goes on: steps, what is done once, and records, by `was=`; and kinds, by `former_kinds`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest

from orbits_iac import Event, ExecutionFailed, Orbits, Resource, Workflow
from orbits_iac.model.rows import ExecutionRow, OnceRow, RecordRow, RevisionRow, SubscriberRow, WaitRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.memory import MemoryStore

from .crash import SETTINGS, Crash, run_with_crash
from .test_edits import Edited, Stop, edited
from .world import WORLD, Chain, Thing, add, careful


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()
    Edited.body = None
    Renamed.body = None


class Renamed(Resource):
    """A definition that a test gives, and gives anew."""

    body: ClassVar[Callable[[Any], Awaitable[Any]] | None] = None
    number: int = 0  # so that two updates are not one

    def identity(self) -> str:
        return "r"

    async def define_update(self) -> None:
        assert Renamed.body is not None
        await Renamed.body(self)


async def update(orbits: Orbits, body: Callable[[Any], Awaitable[Any]], number: int = 0) -> None:
    """Run an update with this definition."""
    Renamed.body = body
    await orbits.run(Renamed(number=number))


async def children(orbits: Orbits) -> list[tuple[str, str]]:
    """The children of the record: where each stands, and its identity without the record's."""
    record = await orbits.record(Renamed, "r").row()
    return [(child.ref, child.identity.removeprefix("Renamed r/")) for child in record.children]


def doing(ref: str, value: int = 1, was: str | None = None) -> Callable[[Any], Awaitable[Any]]:
    """A definition of one thing."""

    async def body(self: Any) -> None:
        await self.do(ref, Thing(value=value), was=was)

    return body


# While an execution is under way.


async def test_a_finished_step_that_is_renamed_is_not_done_again() -> None:
    async def before(self: Any) -> Any:
        await self.do("old", careful("x"))
        await self.do("stop", Stop())

    async def after(self: Any) -> Any:
        result = await self.do("new", careful("x"), was="old")
        await self.do("stop", Stop())
        return result

    assert (await edited(before, after))[0] == "x"
    assert WORLD.log == ["careful x"]


async def test_one_with_a_key_is_renamed_with_it() -> None:
    async def before(self: Any) -> Any:
        for name in "ab":
            await self.do("old", careful(name), key=name)
        await self.do("stop", Stop())

    async def after(self: Any) -> Any:
        results = [await self.do("new", careful(name), key=name, was="old") for name in "cba"]
        await self.do("stop", Stop())
        return results

    assert (await edited(before, after))[0] == ["c", "b", "a"]
    assert WORLD.log == ["careful a", "careful b", "careful c"]


async def test_a_workflow_is_renamed_with_all_below() -> None:
    async def before(self: Any) -> Any:
        await asyncio.gather(self.do("old", Chain(length=3)), self.do("stop", Stop()))

    async def after(self: Any) -> Any:
        result, _ = await asyncio.gather(self.do("new", Chain(length=3), was="old"), self.do("stop", Stop()))
        return result

    result, entries = await edited(before, after)
    assert result == 3
    assert len(WORLD.log) == 3
    assert [entry.key for entry in entries if "old" in entry.key] == []


class Lasting(Resource[Any]):
    """Ends when the gate is open."""

    def identity(self) -> str:
        return "slow"

    async def define_update(self) -> Any:
        await self.do("stop", Stop())


async def test_a_child_that_is_under_way_is_found_under_the_new_name() -> None:
    async def before(self: Any) -> Any:
        await self.do("old", Lasting())

    async def after(self: Any) -> Any:
        await self.do("new", Lasting(), was="old")
        return "done"

    assert (await edited(before, after))[0] == "done"


async def test_one_that_is_given_up_under_its_new_name_is_not_subscribed_to_any_more() -> None:
    async def before(self: Any) -> Any:
        await self.do("old", Lasting())

    async def after(self: Any) -> Any:
        try:
            async with asyncio.timeout(0):
                await self.do("new", Lasting(), was="old")
        except (TimeoutError, ExecutionFailed):
            return "given up"

    store = MemoryStore()
    assert (await edited(before, after, store=store))[0] == "given up"
    async with store:
        assert await store.find(SubscriberRow) == []
        assert [row for row in await store.find(ExecutionRow) if row.state not in ENDED] == []


class Go(Event):
    """Go on."""


class Waiter(Workflow[str]):
    """Waits."""

    async def define(self) -> str:
        await self.execution.wait_for("go", Go)
        return "gone"


async def test_a_wait_in_a_workflow_that_is_renamed_goes_on() -> None:
    async def before(self: Any) -> Any:
        await asyncio.gather(self.do("old", Waiter()), self.do("stop", Stop()))

    store = MemoryStore()
    Edited.body = before
    async with Orbits(SETTINGS, store=store) as first:
        execution = await first.start(Edited())
        await asyncio.to_thread(WORLD.reached.wait, 10)
        while not await store.find(WaitRow):  # noqa: ASYNC110 - until it is written
            await asyncio.sleep(0.001)

    async def after(self: Any) -> Any:
        result, _ = await asyncio.gather(self.do("new", Waiter(), was="old"), self.do("stop", Stop()))
        return result

    WORLD.gate.set()
    Edited.body = after
    async with Orbits(SETTINGS, store=store) as second, asyncio.timeout(60):
        second.registry.know(Edited)
        while [row.key.split("/")[1][:3] for row in await store.find(WaitRow)] != ["new"]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        await second.emit(Go())
        assert await second.execution(execution.id) == "gone"
        assert await store.find(WaitRow) == []


@pytest.mark.parametrize("first", ["old", "new"])
async def test_the_old_name_and_the_new_are_not_both_done_in_one_run(orbits: Orbits, first: str) -> None:
    async def body(self: Any) -> Any:
        if first == "old":
            await self.do("old", add(1, 1))
        await self.do("new", add(1, 1), was="old")
        await self.do("old", add(1, 1))

    Edited.body = body
    with pytest.raises(ExecutionFailed, match="new: it was 'old' before, and 'old' is done in the same run") as failed:
        await orbits.run(Edited())
    assert "test_renames.py, line" in str(failed.value)


async def test_a_rename_of_what_was_never_done_does_nothing(orbits: Orbits) -> None:
    async def body(self: Any) -> Any:
        return await self.do("new", add(1, 2), was="old")

    Edited.body = body
    assert await orbits.run(Edited()) == 3


class Owner(Resource[Any]):
    """Owns what it does, under names that depend on which code this is."""

    renamed: ClassVar[bool] = False

    def identity(self) -> str:
        return "owner"

    async def define_update(self) -> Any:
        ref, was = ("new", "old") if Owner.renamed else ("old", None)
        flow = asyncio.ensure_future(self.do(f"{ref} flow", Chain(length=2), was=was and f"{was} flow"))
        thing = asyncio.ensure_future(self.do(f"{ref} thing", Thing(value=1), was=was and f"{was} thing"))
        seed = asyncio.ensure_future(self.do(f"{ref} seed", add(7, 7), once=True, was=was and f"{was} seed"))
        await asyncio.gather(flow, thing, seed)


class Lives:
    """Makes the step; from its second life on the code has the new names."""

    def __init__(self) -> None:
        self._asked = 0
        Owner.renamed = False

    def __call__(self) -> Owner:
        self._asked += 1  # once to know its module, and once to start it
        Owner.renamed = self._asked > 2
        return Owner()


@pytest.mark.parametrize("where", ["before", "after"])
async def test_names_are_changed_while_it_is_under_way_at_any_point(where: Any) -> None:
    for at in range(1, 200):
        WORLD.clear()
        async with MemoryStore() as kept:
            ended = await run_with_crash(Lives(), Crash(at, where), kept)
        if ended is None:
            assert at > 5
            return
        assert (ended.state, ended.repeated, ended.left) == (State.SUCCESS, (), 0), at
        assert (set(ended.made.values()), len(WORLD.things)) == ({1}, 1), at


# From one update to the next.


async def test_an_owned_resource_keeps_its_record_when_its_ref_is_renamed(orbits: Orbits) -> None:
    await update(orbits, doing("old"))
    WORLD.log.clear()
    await update(orbits, doing("new", was="old"))
    assert WORLD.log == []
    assert await children(orbits) == [("new", "old")]
    await update(orbits, doing("new", value=2))
    assert WORLD.log == ["change Thing Renamed r/old 2"]
    await orbits.record(Renamed, "r").uninstall()
    assert WORLD.things == {}


async def test_renamed_again_and_back_again_it_is_still_the_same(orbits: Orbits) -> None:
    refs = ["a", "b", "c", "b", "a"]
    was = None
    for ref in refs:
        await update(orbits, doing(ref, was=was))
        assert await children(orbits) == [(ref, "a")]
        was = ref
    assert len(await orbits.store.find(RecordRow, kind="Thing")) == 1
    assert WORLD.log == ["create Thing Renamed r/a 1"]


async def test_what_is_done_anew_under_an_old_name_is_another(orbits: Orbits) -> None:
    await update(orbits, doing("old", value=1))
    await update(orbits, doing("new", value=1, was="old"))

    async def both(self: Any) -> None:
        await self.do("new", Thing(value=1))
        await self.do("old", Thing(value=self.number))

    for number in (7, 8):
        await update(orbits, both, number)
        assert await children(orbits) == [("new", "old"), ("old", "old~2")]
    assert WORLD.things == {"Thing Renamed r/old": 1, "Thing Renamed r/old~2": 8}


class Pair(Workflow):
    """Owns two things, under refs that it is told."""

    names: tuple[str, ...] = ("one", "two")
    was: str | None = None

    async def define(self) -> None:
        for number, name in enumerate(self.names):
            await self.do(name, Thing(value=number), was=self.was if number == 0 else None)
        await self.do("seed", add(1, 1), once=True)


async def test_what_a_workflow_owns_stays_its_own_when_it_is_renamed(orbits: Orbits) -> None:
    async def before(self: Any) -> None:
        await self.do("old", Pair(), key="k")

    async def after(self: Any) -> None:
        await self.do("new", Pair(names=("first", "two"), was="one"), key="k", was="old")

    async def later(self: Any) -> None:
        await self.do("new", Pair(names=("first", "two")), key="k")

    await update(orbits, before)
    log = list(WORLD.log)
    for body in (after, later):
        await update(orbits, body)
        assert await children(orbits) == [("new[k]/first", "old[k]/one"), ("new[k]/two", "old[k]/two")]
    assert WORLD.log == log
    assert [row.place for row in await orbits.store.find(OnceRow)] == ["new[k]/seed:Add"]


async def test_an_update_that_fails_after_a_rename_leaves_the_old_name_to_the_old_code(orbits: Orbits) -> None:
    async def before(self: Any) -> None:
        await self.do("old", Thing(value=1))
        await self.do("seed", add(1, 1), once=True)

    async def after(self: Any) -> None:
        await self.do("new", Thing(value=2), was="old")
        await self.do("sown", add(1, 1), once=True, was="seed")
        raise ValueError("no")

    await update(orbits, before)
    with pytest.raises(ExecutionFailed):
        await update(orbits, after)
    await update(orbits, before)
    assert await children(orbits) == [("old", "old")]
    assert WORLD.things == {"Thing Renamed r/old": 1}
    assert WORLD.log.count("add 1 1") == 1


async def test_what_is_done_once_is_remembered_under_its_new_name(orbits: Orbits) -> None:
    def seed(ref: str, was: str | None, value: int) -> Callable[[Any], Awaitable[Any]]:
        async def body(self: Any) -> None:
            await self.do(ref, add(value, value), once=True, was=was)

        return body

    for ref, was, value in (("a", None, 1), ("b", "a", 1), ("b", None, 2), ("a", "b", 2), ("c", "a", 1)):
        await update(orbits, seed(ref, was, value), value)
    assert WORLD.log == ["add 1 1", "add 2 2", "add 1 1"]
    assert [row.place for row in await orbits.store.find(OnceRow)] == ["c:Add"]


async def test_the_preview_of_a_rename_removes_nothing(orbits: Orbits) -> None:
    await update(orbits, doing("old"))
    Renamed.body = doing("new", was="old")
    assert (await orbits.preview(Renamed())).changes == []


async def test_a_rename_makes_a_revision_that_knows_the_new_ref(orbits: Orbits) -> None:
    await update(orbits, doing("old"))
    await update(orbits, doing("new", was="old"))
    row = await orbits.store.get(RevisionRow, "Renamed", "r", 2)
    assert row is not None
    assert [(child.ref, child.place, child.identity) for child in row.children] == [("new", "new", "Renamed r/old")]
    await orbits.record(Renamed, "r").rollback()
    await update(orbits, doing("old"))
    assert await children(orbits) == [("old", "old")]


async def test_what_undoes_an_owned_resource_is_about_the_one_that_was_renamed(orbits: Orbits) -> None:
    async def before(self: Any) -> None:
        await self.do("old", Thing(value=1), key="k")

    async def after(self: Any) -> None:
        thing = Thing(value=2)
        await self.do("new", thing, key="k", was="old", undo=thing.uninstall())
        raise ValueError("no")

    await update(orbits, before)
    with pytest.raises(ExecutionFailed):
        await update(orbits, after)
    assert WORLD.log[1:] == ["change Thing Renamed r/old[k] 2", "delete Thing Renamed r/old[k]"]
    assert {row.identity for row in await orbits.store.find(RecordRow, kind="Thing")} == {"Renamed r/old[k]"}
