"""What lies between two waves, and what a pause does there: on small Resources without a cloud."""

import asyncio
from datetime import timedelta
from typing import ClassVar

import pytest

from orbits_iac import Managed, Orbits, Outputs, Resource
from orbits_iac.model.states import State
from orbits_iac.provider import OutOfReach
from orbits_iac.testing import Clock
from orbits_tenants import ListSource, Rollout, Source, Tenant, Tenants


class Meadow:
    """What stands, and whom somebody holds up."""

    def __init__(self) -> None:
        self.stands: dict[str, str] = {}
        self.held = ""
        self.closed = ""
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()


MEADOW = Meadow()


class Grown(Outputs):
    seed: str


class Hedge(Managed[Grown]):
    owner: str
    seed: str

    def read(self, recorded: Grown | None, /) -> Grown | None:
        if MEADOW.closed == self.owner:
            raise OutOfReach("the gate is locked")
        return Grown(seed=MEADOW.stands[self.owner]) if self.owner in MEADOW.stands else None

    async def create(self) -> Grown:
        if MEADOW.held == self.owner:
            MEADOW.reached.set()
            await MEADOW.gate.wait()
        MEADOW.stands[self.owner] = self.seed
        return Grown(seed=self.seed)

    async def change(self, live: Grown, /) -> Grown:
        return await self.create()

    def delete(self, live: Grown, /) -> None:
        del MEADOW.stands[self.owner]


class Pasture(Resource):
    owner: str
    seed: str

    def identity(self) -> str:
        return self.owner

    async def define_update(self) -> None:
        await self.do("hedge", Hedge(owner=self.owner, seed=self.seed))


class Pastures(Tenants[Pasture]):
    source: ClassVar[Source] = ListSource(["acme", "bolt", "cafe"])
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], bake=timedelta(hours=1), check="drift", max_concurrency=1)
    seed: str

    def stack(self, tenant: Tenant) -> Pasture:
        return Pasture(owner=tenant.id, seed=self.seed)


@pytest.fixture(autouse=True)
def meadow() -> None:
    MEADOW.__init__()  # type: ignore[misc]


async def test_one_that_others_are_at_is_looked_at_once_they_are_done(orbits: Orbits, clock: Clock) -> None:
    execution = await orbits.start(Pastures(seed="oat"))
    await orbits.settled()
    MEADOW.held = "acme"
    other = await orbits.start(Pasture(owner="acme", seed="rye"))
    await MEADOW.reached.wait()
    later = asyncio.create_task(clock.advance(timedelta(hours=1.1)))  # it comes to its end once the other has
    while not any("busy" in event.why for event in await orbits.store.tail(0, root=execution.id, limit=1000)):  # noqa: ASYNC110
        await asyncio.sleep(0)
    MEADOW.held = ""
    MEADOW.gate.set()
    await asyncio.gather(later, other)
    MEADOW.stands["acme"] = "graffiti"
    await clock.advance(timedelta(minutes=2))
    assert (await execution).stopped.endswith("Refused: drifted since: acme")


async def test_one_that_lets_nobody_in_by_then_stops_nobody(orbits: Orbits, clock: Clock) -> None:
    execution = await orbits.start(Pastures(seed="oat"))
    await orbits.settled()
    MEADOW.closed = "acme"
    await clock.advance(timedelta(hours=1.1))
    assert (await execution).summary == "3 tenants: 3 updated"


async def test_a_roll_out_that_is_paused_begins_nobody_and_goes_on_where_it_was(orbits: Orbits, clock: Clock) -> None:
    MEADOW.held = "acme"
    execution = await orbits.start(Pastures(seed="oat"))
    await MEADOW.reached.wait()
    await execution.pause()
    MEADOW.gate.set()
    await orbits.settled()
    assert (await execution.row()).state is State.PAUSED
    await clock.advance(timedelta(hours=9))
    assert MEADOW.stands == {"acme": "oat"}
    await execution.resume()
    await orbits.settled()
    assert MEADOW.stands == {"acme": "oat"}  # it bakes: from now on
    await clock.advance(timedelta(hours=1))
    assert (await execution).summary == "3 tenants: 3 updated"
