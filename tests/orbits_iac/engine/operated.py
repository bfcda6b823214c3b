"""Scenarios in which somebody does something to executions from outside, and goes on with it after each crash."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Resource, Step, Workflow
from orbits_iac.handles import Execution
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.rows import ExecutionRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.testing import start_once

from .crashing import Scenario
from .world import WORLD, App, Outage, Thing, add, blocking


class Gate(Action):
    """Is where it is until it is cancelled."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        WORLD.did("at the gate", self.execution.token)
        await asyncio.Event().wait()


class Long(Action[str]):
    """Takes a while."""

    options = Options(idempotent=True)

    async def main(self) -> str:
        WORLD.did("begun", self.execution.token)
        await asyncio.sleep(5)
        WORLD.did("done", self.execution.token)
        return "long"


class Brittle(Action[str]):
    """Fails as long as the world does not let it."""

    options = Options(idempotent=True)
    name: str

    def main(self) -> str:
        if self.name in WORLD.failing:
            raise Outage(f"no {self.name}")
        WORLD.did(self.name, self.execution.token)
        return self.name


class Saga(Workflow[str]):
    """Steps that are undone when what comes after them does not succeed, at two levels."""

    last: str
    depth: int = 1
    undo: str = "undone"

    async def define(self) -> str:
        await self.do("one", add(self.depth, 1), undo=Brittle(name=f"{self.undo} {self.depth}"))
        await self.do("two", add(self.depth, 2), undo=lambda result: add(-result, 0))
        if self.depth:
            return await self.do("below", Saga(last=self.last, depth=0, undo=self.undo))
        if self.last == "gate":
            await self.do("gate", Gate())
        return await self.do("last", Brittle(name=self.last))


class Installation(Resource):
    """Things, and a gate behind them."""

    def identity(self) -> str:
        return "installation"

    async def define_update(self) -> None:
        await asyncio.gather(*(self.do("thing", Thing(value=n), key=str(n)) for n in range(2)))
        await self.do("gate", Gate())


class Release(Workflow[list[str]]):
    """Builds, deploys (which may fail) and tells, with something installed in between."""

    async def define(self) -> list[str]:
        build = await self.do("build", blocking("build"))
        await self.do("app", App(name="r", first=1, second=2))
        deployed = await self.do("deploy", Deploy())
        return [build, *deployed, await self.do("tell", blocking("tell"))]


class Deploy(Workflow[list[str]]):
    """A step that succeeds, one that may fail, and one after it."""

    async def define(self) -> list[str]:
        first = await self.do("copy", blocking("copy"))
        return [first, await self.do("migrate", Brittle(name="migrate")), await self.do("warm", blocking("warm"))]


class Bustle(Workflow[list[str]]):
    """A long step with others before, beside and after it."""

    async def define(self) -> list[str]:
        await self.do("before", add(1, 1))
        long, app = await asyncio.gather(self.do("long", Long()), self.do("app", App(name="p", first=1, second=2)))
        return [long, str(app.total), await self.do("after", Brittle(name="after"))]


class Reordered(Workflow[list[str]]):
    """A loop over a list that is edited between a crash and the recovery."""

    items: ClassVar[list[str]] = ["a", "b", "c"]

    async def define(self) -> list[str]:
        done = [await self.do("item", blocking(item), key=item) for item in self.items]
        both = await asyncio.gather(*(self.do("again", add(1, n), key=str(n)) for n in range(len(self.items))))
        return [*sorted(done), str(sum(both))]


async def _in(*, log: str, of: Execution[Any]) -> bool:
    """Wait for a line of the world's log; whether the execution is still under way."""
    while log not in WORLD.log and (await of.row()).state not in ENDED:  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0.1)
    return (await of.row()).state not in ENDED


def cancelled(make: Callable[[], Any]) -> Scenario:
    """Cancel it when it is at the gate."""

    async def script(orbits: Orbits) -> None:
        execution = await start_once(orbits, make())
        if await _in(log="at the gate", of=execution):
            with suppress(UsageError):  # it has ended since: a process before this one had asked it to
                await execution.cancel()
        await execution.ended()

    return script


async def paused(orbits: Orbits) -> None:
    """Pause it while it is busy, and let it go on once all of it stands still; its last step fails before."""
    execution = await start_once(orbits, Bustle())
    if await _in(log="begun", of=execution) and "done" not in WORLD.log and "after" not in WORLD.failing:
        await execution.pause()
        WORLD.failing.add("after")
    while states := {row.state for row in await orbits.store.find(ExecutionRow)} - ENDED:
        if states == {State.PAUSED}:
            WORLD.failing.discard("after")
            await execution.resume()
        await asyncio.sleep(0.1)


def replayed(path: str) -> Scenario:
    """Let it fail, mend the world, and replay it from a step, or whole."""

    async def script(orbits: Orbits) -> None:
        if not WORLD.tokens:
            WORLD.failing.add("migrate")
        execution = await start_once(orbits, Release())
        if (await execution.ended()).state is not State.SUCCESS:
            WORLD.failing.discard("migrate")
            try:
                await execution.replay(path)
            except Refused:
                assert (await execution.row()).state not in ENDED
        await execution.ended()

    return script


def decided(again: bool) -> Scenario:
    """What would not be undone is brought back in another try; or accepted."""

    async def script(orbits: Orbits) -> None:
        if not WORLD.tokens:
            WORLD.failing |= {"last", "stuck 0"}
        execution = await start_once(orbits, Saga(last="last", undo="stuck"))
        if (await execution.ended()).state is State.QUARANTINED:
            WORLD.failing.discard("stuck 0")
            await (execution.bring_back_again() if again else execution.accept())
        await execution.ended()

    return script


def planned(make: Callable[[], Step[Any]], first: Step[Any]) -> Scenario:
    """Run one before; then the other under the plan that its preview gives, with approval where it waits for that."""

    async def script(orbits: Orbits) -> None:
        before = await start_once(orbits, first)
        await before
        known = [row.id for row in await orbits.store.find(ExecutionRow) if row.parent is None and row.id != before.id]
        if known:
            execution: Execution[Any] = orbits.execution(known[0])
        else:
            execution = await orbits.start(make(), plan=await orbits.preview(make()))
        while states := {row.state for row in await orbits.store.find(ExecutionRow)} - ENDED:
            if State.PAUSED in states:
                await execution.approve()
            await asyncio.sleep(0.1)

    return script


async def queued(orbits: Orbits) -> None:
    """Two who want the same thing otherwise, and one who wants the same as the first."""
    asked = [App(name="q", first=1, second=2), App(name="q", first=3, second=4)]
    executions = [await start_once(orbits, one) for one in asked]
    for execution in executions:
        await execution.ended()
    try:
        await (await start_once(orbits, App(name="q", first=5, second=13)))
    except ExecutionFailed:
        return


def reorder() -> None:
    """The edit."""
    Reordered.items = ["c", "a", "b"]


OPERATED: dict[str, Scenario] = {
    "undo": lambda: Saga(last="13"),
    "cancelled": cancelled(lambda: Saga(last="gate")),
    "cancelled update": cancelled(Installation),
    "replayed": replayed("deploy.migrate"),
    "replayed whole": replayed(""),
    "brought back again": decided(again=True),
    "accepted": decided(again=False),
    "paused": paused,
    "queued": queued,
    "edited": Reordered,
}
EDITS: dict[str, Callable[[], None]] = {"edited": reorder}
"""What is edited before each recovery."""
