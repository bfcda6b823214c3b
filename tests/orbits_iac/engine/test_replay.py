"""What has ended goes on again: whole, from a step, through the executions below, or on the way back."""

from typing import Any

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Workflow
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, RecordRow
from orbits_iac.model.states import State

from .test_undo import Inner
from .world import WORLD, App, Outage, Thing, add, blocking


@pytest.fixture(autouse=True)
def anew() -> None:
    WORLD.clear()


class Brittle(Action):
    """Fails while the world says so."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        WORLD.did("brittle", self.execution.token)
        if "brittle" in WORLD.failing:
            raise Outage("no answer")


class Release(Workflow[str]):
    """Builds, deploys in a Workflow of its own, and tells."""

    async def define(self) -> str:
        await self.do("build", blocking("build"))
        await self.do("deploy", Deploy())
        return await self.do("tell", blocking("tell"))


class Deploy(Workflow):
    """A step that may fail, between two others."""

    async def define(self) -> None:
        await self.do("copy", blocking("copy"))
        await self.do("migrate", Brittle())
        await self.do("warm", blocking("warm"))


async def failed(orbits: Orbits, step: Any) -> Any:
    WORLD.failing = {"brittle"}
    execution = await orbits.start(step)
    assert (await execution.ended()).state is not State.SUCCESS
    WORLD.failing = set()
    WORLD.log.clear()
    return execution


@pytest.mark.parametrize("path", ["deploy.migrate", "migrate"])
async def test_from_a_step_the_finished_ones_stay_finished(orbits: Orbits, path: str) -> None:
    execution = await failed(orbits, Release())
    await execution.replay(path)
    assert await execution == "TELL"
    assert WORLD.log == ["brittle", "blocking warm", "blocking tell"]
    assert len(set(WORLD.tokens)) == len([token for token in WORLD.tokens if token]) + 1  # a generation, a token
    events = await orbits.store.find(EventRow, root=execution.id)
    assert [event.why for event in events if event.why.startswith("replayed")] == [f"replayed from {path}"]


async def test_whole_everything_is_done_again(orbits: Orbits) -> None:
    execution = await failed(orbits, Release())
    await execution.replay()
    assert await execution == "TELL"
    assert WORLD.log == ["blocking build", "blocking copy", "brittle", "blocking warm", "blocking tell"]


async def test_one_that_succeeded_can_be_replayed_from_a_step_too(orbits: Orbits) -> None:
    execution = await orbits.start(Release())
    await execution
    WORLD.log.clear()
    await execution.replay("tell")
    assert await execution == "TELL"
    assert WORLD.log == ["blocking tell"]


class Shop(App):
    """An app with a brittle step at its end."""

    async def define_update(self) -> Any:
        found = await super().define_update()
        await self.do("brittle", Brittle())
        return found


class Sells(Workflow[int]):
    """Does a Resource between two steps."""

    async def define(self) -> int:
        await self.do("before", blocking("before"))
        found = await self.do("shop", Shop(name="x", first=1, second=2))
        await self.do("after", blocking("after"))
        return found.total


async def test_a_path_leads_through_a_resource(orbits: Orbits) -> None:
    execution = await failed(orbits, Sells())
    assert WORLD.things == {}
    await execution.replay("shop.brittle")
    assert await execution == 3
    assert sorted(WORLD.things.values()) == [1, 2]
    assert "blocking before" not in WORLD.log
    assert WORLD.log[-2:] == ["brittle", "blocking after"]
    rows = await orbits.store.find(ExecutionRow, kind="Shop")
    assert [row.state for row in rows] == [State.SUCCESS]  # in place
    record = await orbits.store.get(RecordRow, "Shop", "x")
    assert record is not None
    assert (record.revision, record.queue) == (1, ())


async def test_what_was_undone_is_done_again(orbits: Orbits) -> None:
    class Saga(Workflow):
        async def define(self) -> None:
            await self.do("one", add(1, 1), undo=add(-1, -1))
            await self.do("inner", Inner())
            await self.do("brittle", Brittle())

    execution = await failed(orbits, Saga())
    await execution.replay("brittle")
    await execution
    assert WORLD.log == ["add 1 1", "add 1 1", "add 2 2", "brittle"]


async def test_a_saga_that_fails_again_is_undone_again(orbits: Orbits) -> None:
    class Saga(Workflow):
        async def define(self) -> None:
            await self.do("one", add(1, 1), undo=add(-1, -1))
            await self.do("brittle", Brittle())

    execution = await failed(orbits, Saga())
    WORLD.failing = {"brittle"}
    await execution.replay("brittle")
    assert (await execution.ended()).state is State.REVERTED
    assert WORLD.log == ["add 1 1", "brittle", "add -1 -1"]


class Migrates(Workflow):
    """A step of no return before one that fails."""

    async def define(self) -> None:
        await self.do("migrate", blocking("migrate"), no_return=True)
        await self.do("brittle", Brittle())


async def test_a_step_of_no_return_is_done_again_only_if_it_is_named(orbits: Orbits) -> None:
    execution = await failed(orbits, Migrates())
    await execution.replay()
    await execution
    assert WORLD.log == ["brittle"]
    await execution.replay("migrate")
    await execution
    assert WORLD.log == ["brittle", "blocking migrate", "brittle"]


class Once(App):
    """Has a step that is done once."""

    async def define_update(self) -> Any:
        await self.do("seed", blocking("seed"), once=True)
        await self.do("last", blocking("last"), once=True)
        return await super().define_update()


async def test_what_is_done_once_is_done_again_only_if_it_is_named(orbits: Orbits) -> None:
    execution = await orbits.start(Once(name="x", first=1, second=2))
    await execution
    WORLD.log.clear()
    with pytest.raises(UsageError, match="'seed' is the name of several steps: give one of seed:Add, seed:blocking"):
        await execution.replay("seed")
    await execution.replay("seed:blocking")
    await execution
    assert WORLD.log == ["blocking seed"]


async def test_what_is_not_possible_is_refused_with_the_reason(orbits: Orbits) -> None:
    execution = await orbits.start(Once(name="x", first=1, second=2))
    await execution
    with pytest.raises(UsageError, match=r"has no step 'nowhere'; it has: installed, last, one, "):
        await execution.replay("nowhere")
    await orbits.run(Once(name="x", first=3, second=4))
    with pytest.raises(Refused, match="Once x has moved on since"):
        await execution.replay()
    with pytest.raises(Refused, match="is SUCCESS, not QUARANTINED"):
        await execution.accept()


class Stuck(Thing):
    """A thing that cannot be removed while the world says so."""

    def delete(self, live: Any, /) -> None:
        if "delete" in WORLD.failing:
            raise Outage("cannot be removed")
        super().delete(live)


class Box(App):
    """An app with such a thing, and a step that fails."""

    async def define_update(self) -> Any:
        await self.do("stuck", Stuck(value=9))
        await self.do("brittle", Brittle())
        return await super().define_update()


async def quarantined(orbits: Orbits) -> Any:
    WORLD.failing = {"brittle", "delete"}
    execution = await orbits.start(Box(name="x", first=1, second=2))
    row = await execution.ended()
    assert row.state is State.QUARANTINED
    assert row.failure is not None
    assert len(row.failure.left) == 1
    return execution


async def test_what_was_left_is_brought_back_with_another_try(orbits: Orbits) -> None:
    execution = await quarantined(orbits)
    await execution.bring_back_again()
    assert (await execution.ended()).state is State.QUARANTINED  # still not possible
    WORLD.failing = {"brittle"}
    await execution.bring_back_again()
    row = await execution.ended()
    assert row.failure is not None
    assert (row.state, row.failure.error_type, row.failure.left) == (State.REVERTED, "Outage", ())
    assert WORLD.things == {}
    assert WORLD.log.count("brittle") == 1


async def test_what_was_left_may_be_accepted(orbits: Orbits) -> None:
    execution = await quarantined(orbits)
    await execution.accept("it is removed by hand")
    row = await execution.row()
    assert (row.state, row.failure is not None) == (State.ERROR, True)
    events = await orbits.store.find(EventRow, root=execution.id)
    assert events[-1].why == "what was left is accepted: it is removed by hand"


async def test_forward_only_is_accepted_and_never_brought_back(orbits: Orbits) -> None:
    class Held(App):
        async def define_update(self) -> Any:
            await self.do("migrate", blocking("migrate"), no_return=True)
            await self.do("brittle", Brittle())
            return await super().define_update()

    execution = await failed(orbits, Held(name="x", first=1, second=2))
    with pytest.raises(Refused, match="has passed migrate: nothing is brought back over that"):
        await execution.bring_back_again()
    record = await orbits.store.get(RecordRow, "Held", "x")
    assert record is not None
    assert record.held is not None
    await execution.accept()
    record = await orbits.store.get(RecordRow, "Held", "x")
    assert record is not None
    assert record.held is None


async def test_a_replayed_execution_is_fenced_from_its_last_owner(orbits: Orbits) -> None:
    execution = await orbits.start(Release())
    await execution
    before = (await execution.row()).token
    await execution.replay("tell")
    await execution
    assert (await execution.row()).token > before


async def test_a_replay_of_a_failing_execution_fails_with_the_same_path(orbits: Orbits) -> None:
    execution = await failed(orbits, Release())
    WORLD.failing = {"brittle"}
    await execution.replay("copy")
    with pytest.raises(ExecutionFailed) as error:
        await execution
    assert error.value.path == ("deploy", "migrate")
    entries = await orbits.store.find(EntryRow, execution=execution.id)
    assert {e.generation for e in entries if e.kind == "Brittle"} == {2}
