"""What waits in memory: a bounded part of it, and nothing that others have gone on with, or that has ended."""

import gc
from datetime import timedelta

import pytest
from pydantic import SecretStr

from orbits_iac import Event, Orbits, Resource, Settings, Workflow
from orbits_iac.engine.run import Run
from orbits_iac.model.rows import TaskRow
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock

from .world import WORLD, Job, add

SETTINGS = Settings(
    project="tests", store="memory:", secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
)


class Morning(Event):
    """What sleepers wait for."""


class Sleeper(Workflow[int]):
    """Does something, waits until it is told, and does something else."""

    number: int

    async def define(self) -> int:
        first = await self.do("before", add(self.number, 0))
        await self.execution.wait_for("morning", Morning)
        await self.do("job", Job(name="abc"))
        return first + await self.do("after", add(self.number, 1))


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


def in_memory(orbits: Orbits) -> set[str]:
    """The executions whose definitions are in memory."""
    return set(orbits.engine._runs)


@pytest.mark.parametrize("most", [0, 1, 3])
async def test_the_last_ones_that_waited_stay_and_all_go_on(most: int) -> None:
    async with Orbits(SETTINGS.model_copy(update={"suspended": most})) as orbits:
        executions = []
        for number in range(5):
            executions.append(await orbits.start(Sleeper(number=number)))
            await orbits.settled()
        assert in_memory(orbits) == {execution.id for execution in executions[5 - most :]}
        await executions[0].answer(Morning())
        assert await executions[0] == 1
        await orbits.emit(Morning())
        assert [await execution for execution in executions] == [1, 3, 5, 7, 9]
        assert in_memory(orbits) == set()
    assert len(WORLD.log) == len(set(WORLD.log)) + 4  # the five jobs have one name; nothing else was done twice


async def test_one_that_goes_on_is_not_let_go_of_meanwhile() -> None:
    async with Orbits(SETTINGS.model_copy(update={"suspended": 1})) as orbits:
        first = await orbits.start(Sleeper(number=0))
        await orbits.settled()
        task = await orbits.store.get(TaskRow, first.id)
        assert task is not None
        orbits.engine._resting.take(first.id)  # as when it is advanced
        for number in (1, 2):
            await orbits.start(Sleeper(number=number))
            await orbits.settled()
        assert first.id in in_memory(orbits)
        assert len(in_memory(orbits)) == 2


class Kept(MemoryStore):
    """A store that other processes use too."""

    async def close(self) -> None:
        """It stays open."""


async def test_what_others_have_gone_on_with_is_let_go_of() -> None:
    store, clock = Kept(), Clock()
    async with Orbits(SETTINGS, store=store, clock=clock) as here:
        ended = await here.start(Sleeper(number=1))
        waiting = await here.start(Sleeper(number=2))
        await here.settled()
        assert in_memory(here) == {ended.id, waiting.id}
        await here.dispatcher.stop()
        async with Orbits(SETTINGS, store=store, clock=clock) as there:
            await there.execution(ended.id).answer(Morning())
            await there.execution(ended.id)
            await there.settled()
        await here.engine.forget_strangers()
        assert in_memory(here) == {waiting.id}
        await clock.advance(timedelta(hours=1))


class Cushion(Resource):
    """A part of a hammock."""

    number: int

    def identity(self) -> str:
        return str(self.number)

    async def define_update(self) -> None:
        """Nothing is to be done."""


class Hammock(Resource):
    """Is made when it is told."""

    def identity(self) -> str:
        return "hammock"

    async def define_update(self) -> None:
        await self.do("before", Cushion(number=1))
        await self.execution.wait_for("morning", Morning)
        await self.do("after", Cushion(number=2))


async def test_what_has_ended_is_gone_before_the_collector_of_cycles_comes() -> None:
    async with Orbits(SETTINGS) as orbits:
        hammock = await orbits.start(Hammock())
        await orbits.settled()
        gc.collect()
        gc.disable()
        try:
            assert runs_in_memory() == ["Hammock"]
            await hammock.answer(Morning())
            await hammock
            assert runs_in_memory() == []
        finally:
            gc.enable()


async def test_who_still_refers_to_what_has_ended_keeps_none_of_its_journal() -> None:
    async with Orbits(SETTINGS) as orbits:
        hammock = await orbits.start(Hammock())
        await orbits.settled()
        run = orbits.engine._runs[hammock.id]
        assert run.pages.entries
        assert run.asked
        await hammock.answer(Morning())
        await hammock
        assert not run.pages.entries
        assert not run.asked


def runs_in_memory() -> list[str]:
    """The kinds of those of hammocks that are there, whoever refers to them."""
    kinds = [one.pages.execution.kind for one in gc.get_objects() if isinstance(one, Run)]
    return [kind for kind in kinds if kind in {"Hammock", "Cushion"}]
