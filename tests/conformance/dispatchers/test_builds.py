"""Only code that may go on with an execution gets it; what nobody may go on with is shown, and a person decides."""

import asyncio

import pytest

from orbits_iac import Orbits
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.states import State

from .conftest import Processes
from .steps import DONE, DispatchedTree


async def left(processes: Processes, orbits: Orbits, execution: str) -> None:
    """It is due, and is left alone."""
    await orbits.settled()
    task = await processes.task(execution)
    assert (task.owner, task.token) == (None, 0)


async def test_a_kind_that_is_not_here_is_left_for_others_and_hides_nothing(processes: Processes) -> None:
    async with processes.working() as orbits, asyncio.timeout(60):
        asked = Asked(kind="DispatchedElsewhere", command="run", argument="{}", digest="x", who="tests")
        strange = await ask_root(orbits.engine, asked)
        assert (await (await orbits.start(DispatchedTree(name="x", levels=0))).ended()).state is State.SUCCESS
        await left(processes, orbits, strange)
        said = await orbits.dispatcher.why_stranded(ExecutionId(strange))
        assert said is not None
        assert said.startswith("no worker that runs has the kind DispatchedElsewhere: start one")


async def test_earlier_code_leaves_later_executions_alone_until_a_person_lets_it(processes: Processes) -> None:
    async with processes.asking(code="1"):
        pass
    async with processes.working(code="1") as orbits, asyncio.timeout(60):
        async with processes.asking(code="2") as later:
            execution = ExecutionId((await later.start(DispatchedTree(name="x", levels=0))).id)
        await left(processes, orbits, execution)
        assert "it is of build" in str(await orbits.dispatcher.why_stranded(execution))
        await orbits.dispatcher.go_on_here(execution, who="ada")
        assert (await orbits.execution(execution).ended()).state is State.SUCCESS
        assert await orbits.dispatcher.why_stranded(execution) is None
    assert DONE == ["x"]


async def test_later_code_goes_on_with_earlier_executions(processes: Processes) -> None:
    async with processes.asking(code="1") as earlier:
        execution = await earlier.start(DispatchedTree(name="x", levels=0))
    async with processes.working(code="2") as orbits, asyncio.timeout(60):
        assert await orbits.dispatcher.why_stranded(ExecutionId(execution.id)) is None
        assert (await orbits.execution(execution.id).ended()).build == orbits.engine.build


async def test_what_another_holds_is_not_taken_by_a_person_either(processes: Processes) -> None:
    async with processes.working(code="1") as orbits, asyncio.timeout(60):
        async with processes.asking(code="2") as later:
            execution = ExecutionId((await later.start(DispatchedTree(name="x", levels=0))).id)
            [held] = await processes.store.claim(
                WorkerId("another"), now=processes.clock.now(), limit=1, only=execution
            )
        with pytest.raises(Refused, match="worker another goes on with it"):
            await orbits.dispatcher.go_on_here(execution, who="ada")
        assert await processes.task(execution) == held
