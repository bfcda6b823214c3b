"""What whoever waits behind an execution is told of it: that a person has to say something, and what to type."""

import time
from dataclasses import dataclass
from pathlib import Path

from orbits_iac import Event, Execution, Orbits, Outputs, Resource, action
from orbits_iac.roster import behind
from orbits_iac.settings import Settings


class Lifted(Event):
    """Somebody has lifted it."""

    by: str


@action
async def weigh() -> int:
    return 3


@action
async def pack(weight: int) -> int:
    return weight


class CrateState(Outputs):
    weight: int


class Crate(Resource[CrateState]):
    """Packed with what is known only once it was weighed; or it waits to be lifted."""

    name: str
    lifted: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> CrateState:
        if self.lifted:
            await self.execution.wait_for("lift", Lifted)
        return CrateState(weight=await self.do("pack", pack(await self.do("weigh", weigh()))))


class Load(Resource):
    """What holds it is below it: its crate."""

    lifted: bool = False
    number: int = 1

    def identity(self) -> str:
        return "load"

    async def define_update(self) -> None:
        await self.do("crate", Crate(name="crate", lifted=self.lifted))


@dataclass(frozen=True)
class Two:
    """An execution, and one that waits behind it."""

    orbits: Orbits
    first: Execution[None]
    second: Execution[None]

    async def said(self) -> str:
        """What the second is told."""
        row = await self.second.row()
        said = await behind(self.orbits.store, row, now=time.time())
        waits = f"waits for execution {self.first.id}: update of Load load by {self.orbits.who}"
        assert said.startswith(waits)
        return said.removeprefix(waits)


async def two(orbits: Orbits, first: Execution[None]) -> Two:
    await orbits.settled()
    second = await orbits.start(Load(number=2))
    await orbits.settled()
    return Two(orbits, first, second)


async def test_one_below_that_waits_for_an_approval_is_said_with_what_gives_it(orbits: Orbits) -> None:
    plan = await orbits.preview(Load())
    both = await two(orbits, await orbits.start(Load(), plan=plan))
    id_ = both.first.id
    assert await both.said() == (
        f", which waits for an approval: orbits resume {id_}, on a terminal, shows of what, and asks; or orbits resume "
        f"{id_} --approve-deferred, unseen; to drop it: orbits cancel {id_}"
    )
    await both.first.approve()
    await both.first
    await both.second


async def test_one_below_that_waits_for_an_event_is_said_with_what_sends_it(orbits: Orbits) -> None:
    both = await two(orbits, await orbits.start(Load(lifted=True)))
    said = await both.said()
    [wait] = await both.first.waits()
    assert said == f", which waits for Lifted: orbits answer {wait.entry.execution} Lifted by=..."
    await both.orbits.execution(wait.entry.execution).answer(Lifted(by="ann"))
    await both.first
    await both.second


async def test_one_that_somebody_has_paused_is_said_to_be(orbits: Orbits) -> None:
    both = await two(orbits, await orbits.start(Load(lifted=True)))
    await both.first.pause()
    await orbits.settled()
    assert await both.said() == f", which is paused: orbits resume {both.first.id}"


async def test_one_that_is_paused_while_nobody_works_is_said_to_be_until_it_is_to_go_on(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:{tmp_path / 'state.db'}")
    async with Orbits(settings) as orbits:
        first = await orbits.start(Load(lifted=True))
        await orbits.settled()
    async with Orbits(settings, work=False) as orbits:
        both = Two(orbits, orbits.execution(first.id), await orbits.start(Load(number=2)))
        await both.first.pause()
        assert await both.said() == f", which is paused: orbits resume {first.id}"
        await both.first.resume()
        assert (await both.said()).startswith("; nobody goes on with that: no worker runs that would have the kind")
