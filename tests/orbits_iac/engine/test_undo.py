"""What was done is undone when something after it fails: from the journal, the last first, hiding no first error."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orbits_iac import Action, ExecutionFailed, NothingDone, Options, Orbits, Permanent, Resource, Step, Workflow
from orbits_iac.model.rows import EntryRow
from orbits_iac.model.states import State
from orbits_iac.testing import Clock

from .world import WORLD, Chain, Outage, SharedThing, Thing, add, blocking


@pytest.fixture(autouse=True)
def anew() -> None:
    WORLD.clear()


class Fails(Action):
    """Fails as it is told."""

    how: str = "outage"

    def main(self) -> None:
        match self.how:
            case "nothing done":
                raise NothingDone("the order was not taken")
            case "permanent":
                raise Permanent("declined")
            case _:
                raise Outage("no answer")


class Saga(Workflow):
    """Steps that are undone, and one that fails."""

    how: str = "outage"

    async def define(self) -> None:
        await self.do("one", add(1, 1), undo=add(-1, -1))
        await self.do("two", add(2, 2), undo=lambda result: add(-result, 0))
        await self.do("none", add(3, 3))
        await self.do("fails", Fails(how=self.how))


async def failed(orbits: Orbits, step: Step[Any]) -> tuple[ExecutionFailed, State]:
    execution = await orbits.start(step)
    with pytest.raises(ExecutionFailed) as error:
        await execution
    return error.value, (await execution.row()).state


async def test_undos_run_in_reverse_and_the_first_error_is_raised(orbits: Orbits) -> None:
    error, state = await failed(orbits, Saga())
    assert (error.path, error.error_type, state) == (("fails",), "Outage", State.REVERTED)
    assert WORLD.log == ["add 1 1", "add 2 2", "add 3 3", "add -4 0", "add -1 -1"]


async def test_what_undoes_a_step_is_in_the_same_commit_as_its_result(orbits: Orbits) -> None:
    execution = await orbits.start(Saga())
    await execution.ended()
    entries = {entry.key: entry for entry in await orbits.store.find(EntryRow, execution=execution.id)}
    undone = {key.split("/")[-1].split(":")[0]: entry.undone for key, entry in entries.items() if entry.undo}
    assert undone == {"one": True, "two": True}


class Covered(Workflow):
    """A Workflow whose steps have undos, done with one of its own or without."""

    own: bool

    async def define(self) -> None:
        undo = add(-9, -9) if self.own else None
        await self.do("inner", Inner(), undo=undo)
        await self.do("fails", Fails())


class Inner(Workflow):
    """Undone step by step, unless it is undone as a whole."""

    fail: bool = False

    async def define(self) -> None:
        await self.do("one", add(1, 1), undo=add(-1, -1))
        await self.do("two", add(2, 2), undo=add(-2, -2))
        if self.fail:
            await self.do("fails", Fails())


@pytest.mark.parametrize(("own", "undone"), [(True, ["add -9 -9"]), (False, ["add -2 -2", "add -1 -1"])])
async def test_a_steps_own_undo_stands_for_those_below_it(orbits: Orbits, own: bool, undone: list[str]) -> None:
    error, state = await failed(orbits, Covered(own=own))
    assert (error.path, state) == (("fails",), State.REVERTED)
    assert WORLD.log[2:] == undone


class Catches(Workflow[int]):
    """Goes on when a Workflow within it has failed and is undone."""

    async def define(self) -> int:
        try:
            await self.do("inner", Inner(fail=True), undo=add(-9, -9))
        except ExecutionFailed:
            WORLD.did("caught")
        return await self.do("after", add(5, 5))


async def test_each_level_undoes_its_own_before_its_error_reaches_the_one_above(orbits: Orbits) -> None:
    assert await orbits.run(Catches()) == 10
    assert WORLD.log == ["add 1 1", "add 2 2", "add -2 -2", "add -1 -1", "caught", "add 5 5"]


class Unknown(Workflow):
    """A step that fails, with an undo that needs no result."""

    how: str

    async def define(self) -> None:
        await self.do("fails", Fails(how=self.how), undo=add(-1, -1))


@pytest.mark.parametrize(("how", "undone"), [("outage", True), ("nothing done", False), ("permanent", False)])
async def test_what_may_have_been_done_is_undone(orbits: Orbits, how: str, undone: bool) -> None:
    _, state = await failed(orbits, Unknown(how=how))
    assert (WORLD.log == ["add -1 -1"]) is undone
    assert state is (State.REVERTED if undone else State.ERROR)


class Stuck(Action):
    """Does not end, whatever it is asked."""

    options = Options(idempotent=True, grace=timedelta(milliseconds=5))

    def main(self) -> None:
        WORLD.reached.set()
        WORLD.gate.wait(20)


def not_made(result: int) -> Step[Any]:
    raise ValueError("no")


class BadUndo(Workflow):
    """Undos that fail, never end, or cannot be made."""

    how: str

    async def define(self) -> None:
        await self.do("first", add(1, 1), undo=add(-1, -1))
        undo: Step[Any] | Callable[[int], Step[Any]]
        match self.how:
            case "fails":
                undo = Fails()
            case "never ends":
                undo = Stuck()
            case _:
                undo = not_made
        await self.do("bad", add(2, 2), undo=undo)
        await self.do("fails", Fails(how="permanent"))


@pytest.mark.parametrize(
    ("how", "path", "left"),
    [
        ("fails", ("fails",), "bad: its undo failed: Outage: no answer"),
        ("never ends", ("fails",), "bad: its undo did not end within 0.005 s"),
        (
            "not made",
            ("bad",),
            "bad: it was done, and what undoes it could not be made: ValueError: no",
        ),
    ],
)
async def test_an_undo_that_fails_is_left_for_a_decision(
    orbits: Orbits, how: str, path: tuple[str, ...], left: str
) -> None:
    try:
        execution = await orbits.start(BadUndo(how=how))
        if how == "never ends":
            orbits.engine.grace = 0.005
            await asyncio.to_thread(WORLD.reached.wait, 20)
        row = await execution.ended()
    finally:
        WORLD.gate.set()
    assert row.failure is not None
    assert (row.state, row.failure.path, row.failure.left[0]) == (State.QUARANTINED, path, left)
    assert WORLD.log[-1] == "add -1 -1"


class Migrates(Workflow):
    """A step of no return between one that has an undo and one that fails."""

    async def define(self) -> None:
        await self.do("one", add(1, 1), undo=add(-1, -1))
        await self.do("migrate", blocking("migrate"), no_return=True)
        await self.do("fails", Fails())


async def test_nothing_is_undone_over_a_step_of_no_return(orbits: Orbits) -> None:
    _, state = await failed(orbits, Migrates())
    assert state is State.QUARANTINED
    assert WORLD.log == ["add 1 1", "blocking migrate"]


class Waits(Workflow):
    """Waits after a step with an undo."""

    async def define(self) -> None:
        await self.do("one", add(1, 1), undo=Chain(length=2))
        await self.do("wait", Waiting())


class Waiting(Action):
    """Waits until it is cancelled."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        WORLD.reached.set()
        await asyncio.Event().wait()


async def test_a_cancel_undoes_too_and_an_undo_may_be_a_workflow(orbits: Orbits) -> None:
    execution = await orbits.start(Waits())
    await asyncio.to_thread(WORLD.reached.wait, 20)
    await execution.cancel()
    row = await execution.ended()
    assert row.state is State.CANCELLED
    assert WORLD.log == ["add 1 1", "add 0 0", "add 0 1"]


class Uses(Resource):
    """A Resource that undoes one of its children by removing it."""

    fail: bool = False

    def identity(self) -> str:
        return "uses"

    async def define_update(self) -> None:
        shared = SharedThing(name="s", value=2 if self.fail else 1)
        await self.do("own", Thing(value=1))
        await self.do("shared", shared, undo=shared.rollback())
        if self.fail:
            await self.do("fails", Fails())


async def test_what_an_undo_has_taken_back_the_rollback_leaves_alone(orbits: Orbits) -> None:
    await orbits.run(Uses())
    error, state = await failed(orbits, Uses(fail=True))
    assert (error.error_type, state, error.failure.left) == ("Outage", State.REVERTED, ())
    assert WORLD.things == {"Thing Uses uses/own": 1, "SharedThing s": 1}


class TooLong(Workflow):
    """A Workflow that undoes itself when its time is over."""

    async def define(self) -> None:
        try:
            await self.do("inner", Waits(), timeout=timedelta(seconds=10))
        except ExecutionFailed as error:
            WORLD.did(f"caught {error.error_type} {error.path}")


async def test_a_workflow_whose_time_is_over_is_undone_before_that_is_said(orbits: Orbits, clock: Clock) -> None:
    execution = await orbits.start(TooLong())
    await asyncio.to_thread(WORLD.reached.wait, 20)
    await clock.advance(timedelta(seconds=11))
    await execution
    assert WORLD.log == ["add 1 1", "add 0 0", "add 0 1", "caught TimeoutError ('inner',)"]
