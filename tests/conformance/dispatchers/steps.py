"""What the dispatchers are given to advance."""

import asyncio
from datetime import timedelta

from orbits_iac import Action, Event, Every, Execution, Options, Resource, Workflow, action

DONE: list[str] = []
GATES: dict[str, "Gate"] = {}


class Gate:
    """Where a step waits, and the test for it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()


def gate(name: str) -> Gate:
    """The one of this name."""
    return GATES.setdefault(name, Gate())


@action(idempotent=True)
async def dispatched(what: str) -> str:
    """Leaves its name."""
    DONE.append(what)
    return what


class WaitsAtGate(Action[str]):
    """Leaves its name, and ends when it may."""

    options = Options(idempotent=True)
    name: str

    async def main(self) -> str:
        DONE.append(self.name)
        gate(self.name).reached.set()
        await gate(self.name).open.wait()
        return self.name


class WaitsOnce(WaitsAtGate):
    """May not be done twice."""

    options = Options(idempotent=False)


class GatedByDispatch(Workflow[str]):
    """A step that waits, and one after it."""

    name: str
    once: bool = False

    async def define(self) -> str:
        await self.do("wait", WaitsOnce(name=self.name) if self.once else WaitsAtGate(name=self.name))
        return await self.do("last", dispatched(f"{self.name} last"))


class DispatchedTree(Resource):
    """As many levels of Resources as `levels`."""

    name: str
    levels: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("step", dispatched(self.name))
        if self.levels:
            children = [DispatchedTree(name=f"{self.name}.{n}", levels=self.levels - 1) for n in "ab"]
            await asyncio.gather(*(self.do("below", child, key=child.name) for child in children))


class Told(Event):
    """Something that one waits for."""

    what: str


class SleepsLong(Workflow[str]):
    """Nothing for an hour."""

    async def define(self) -> str:
        await asyncio.sleep(timedelta(hours=1).total_seconds())
        return await self.do("last", dispatched("woken"))


class WaitsForTold(Workflow[str]):
    """Waits for as many events as `times`."""

    times: int = 1

    async def define(self) -> str:
        told = [await self.execution.wait_for(f"told {n}", Told) for n in range(self.times)]
        return ", ".join(event.what for event in told)


class HourlyByDispatch(Resource):
    """Looked after every hour."""

    options = Options(kind="DispatchedHourly", schedule=Every(timedelta(hours=1)))

    def identity(self) -> str:
        return "x"

    async def define_update(self) -> None:
        pass


RING: dict[str, Execution[str]] = {}


@action(idempotent=True)
async def told_on(to: str, what: str) -> None:
    """Tells the one of this name."""
    await RING[to].answer(Told(what=what))


class TellsAtGate(Workflow):
    """Waits at a gate, and then tells another."""

    name: str
    other: str

    async def define(self) -> None:
        await self.do("wait", WaitsAtGate(name=self.name))
        await self.do("tell", told_on(self.other, "now"))


class InRing(Workflow[str]):
    """Waits to be told, and tells the next one, round by round."""

    name: str
    other: str
    rounds: int
    tells: int = 9

    async def define(self) -> str:
        last = ""
        for number in range(self.rounds):
            last = (await self.execution.wait_for(f"told {number}", Told)).what
            if number < self.tells:
                await self.do("on", told_on(self.other, f"{last}{self.name}"), key=str(number))
        return last


class Urgent(Workflow):
    """Comes before others."""

    options = Options(priority=5)

    async def define(self) -> None:
        await self.do("step", dispatched("urgent"))


class Ordinary(Workflow):
    """Comes when it is its turn."""

    name: str

    async def define(self) -> None:
        await self.do("step", dispatched(self.name))
