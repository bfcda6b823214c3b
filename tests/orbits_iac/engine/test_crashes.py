"""Whatever write a process dies at, another goes on: the end is the same, and no finished step is done twice."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from orbits_iac import ExecutionFailed, Step, Workflow
from orbits_iac.model.states import State

from .crash import run_with_crash, run_without_crash
from .world import WORLD, App, Chain, Job, Sum, add, blocking


class Races(Workflow[list[Any]]):
    """gather, a race, a time limit, a task group and a sleep."""

    async def define(self) -> list[Any]:
        log: list[Any] = [await asyncio.gather(*(self.do("g", add(n, n), key=str(n)) for n in range(3)))]
        tasks = [asyncio.ensure_future(self.do("race", blocking(name), key=name)) for name in "ab"]
        _, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        log.append(sorted([t.result() for t in tasks if t.done()] + list(await asyncio.gather(*rest))))
        try:
            async with asyncio.timeout(0.003):
                await asyncio.sleep(60)
        except TimeoutError:
            log.append("late")
        async with asyncio.TaskGroup() as group:
            one = group.create_task(self.do("job", Job(name="one")))
            two = group.create_task(self.do("chain", Chain(length=2)))
        return [*log, one.result(), two.result()]


class Twice(Workflow[list[int]]):
    """An app, and then the same with another argument, which fails and goes back."""

    async def define(self) -> list[int]:
        first = await self.do("first", App(name="x", first=1, second=2))
        try:
            await self.do("second", App(name="x", first=3, second=13))
        except ExecutionFailed as failed:
            return [first.total, int(failed.failure.state is State.REVERTED)]
        return []


class Removed(Workflow):
    """An app that is installed and removed again."""

    async def define(self) -> None:
        app = App(name="y", first=1, second=2)
        await self.do("up", app)
        await self.do("down", app.uninstall())


SCENARIOS: dict[str, Callable[[], Step[Any]]] = {
    "chain": lambda: Chain(length=4),
    "races": Races,
    "watch": lambda: Job(name="watched"),
    "install": lambda: App(name="x", first=1, second=2),
    "failed update": Twice,
    "uninstall": Removed,
}


@pytest.fixture(autouse=True)
def _new_world() -> None:
    WORLD.clear()


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
async def test_every_write(name: str, *, written: bool) -> None:
    make = SCENARIOS[name]
    WORLD.failing = {"13"}
    wanted, _ = await run_without_crash(make)
    things, log = dict(WORLD.things), set(WORLD.log)
    at = 0
    while True:
        at += 1
        WORLD.clear()
        WORLD.failing = {"13"}
        outcome = await run_with_crash(make, at=at, written=written)
        if outcome is None:
            break
        ended, repeated = outcome
        assert (ended.state, ended.result, ended.failure) == (wanted.state, wanted.result, wanted.failure), at
        assert WORLD.things == things, at
        assert set(WORLD.log) == log, at
        assert repeated == [], at
    assert at > 5


async def test_the_sum_is_what_the_things_are() -> None:
    ended, _ = await run_without_crash(SCENARIOS["install"])
    assert ended.result == Sum(total=3).model_dump_json()
