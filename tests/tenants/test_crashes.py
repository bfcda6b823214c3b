"""A roll-out whose process dies at any write or call: another goes on, and each tenant ends where it would have."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from orbits_iac import Managed, Orbits, Outputs, Permanent, Resource, Workflow
from orbits_iac.model.rows import ExecutionRow
from orbits_iac.testing import crash_everywhere, outside, start_once
from orbits_tenants import ListSource, Promoted, Rollout, Source, Tenants


class Rink:
    """What stands, by client."""

    def __init__(self) -> None:
        self.ice: dict[str, str] = {}

    def snapshot(self) -> Mapping[str, str]:
        return dict(self.ice)

    def restore(self, snapshot: Mapping[str, str], /) -> None:
        self.ice = dict(snapshot)

    def stands(self) -> Mapping[str, str]:
        return self.snapshot()


RINK = Rink()
CLIENTS = ("acme", "bolt", "cafe", "duke")


class Frozen(Outputs):
    at: str


class Ice(Managed[Frozen]):
    """What one client skates on; in a thaw it cannot be made for one of them."""

    client: str
    weather: str

    async def read(self, recorded: Frozen | None, /) -> Frozen | None:
        found = RINK.ice.get(self.client)
        return None if found is None else Frozen(at=found)

    async def create(self) -> Frozen:
        if (self.client, self.weather) == ("cafe", "thaw"):
            raise Permanent("it melts")
        with outside(f"{self.client} {self.weather}"):
            RINK.ice[self.client] = self.weather
        return Frozen(at=self.weather)

    async def change(self, live: Frozen, /) -> Frozen:
        return await self.create()

    async def delete(self, live: Frozen, /) -> None:
        with outside(f"no {self.client}"):
            RINK.ice.pop(self.client, None)


class Skating(Resource):
    client: str
    weather: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("ice", Ice(client=self.client, weather=self.weather))


class Rinks(Tenants[Skating]):
    """Two releases; the second one fails for one tenant."""

    source: ClassVar[Source] = ListSource(CLIENTS)
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], max_concurrency=1, bake=timedelta(minutes=10))
    weather: str = "frost"

    def stack(self, tenant: Any) -> Skating:
        return Skating(client=tenant.id, weather=self.weather)


class RinksBroughtBack(Rinks):
    """All that it has reached is brought back."""

    rollout: ClassVar[Rollout] = Rollout(waves=["1", "3", "100%"], max_concurrency=1, on_failure="rollback-all")


class RinksByHand(Rinks):
    """Somebody promotes it."""

    rollout: ClassVar[Rollout] = Rollout(waves=["1", "100%"], max_concurrency=1, promote="by hand")


FLEETS = {fleet.__name__: fleet for fleet in (Rinks, RinksBroughtBack, RinksByHand)}


class Season(Workflow[list[str]]):
    """A release, and one in a thaw where there is to be one; what came of each tenant in the last one."""

    fleet: str
    thaws: bool

    async def define(self) -> list[str]:
        fleet = FLEETS[self.fleet]
        report = await self.do("frost", fleet())
        if self.thaws:
            report = await self.do("thaw", fleet(weather="thaw"))
        return [f"{id_} {one.state} at {one.revision}" for id_, one in report.tenants.items()]


@pytest.mark.parametrize("fleet", ["Rinks", "RinksBroughtBack"])
def test_whatever_a_roll_out_dies_at_another_process_ends_it_the_same(fleet: str) -> None:
    report = crash_everywhere(lambda: Season(fleet=fleet, thaws=True), world=RINK, again=0, faults=False)
    assert not report.differences, str(report)[:2000]
    assert report.points > 100, report.points


def test_whatever_one_dies_at_that_is_promoted_it_goes_on() -> None:
    async def script(orbits: Orbits) -> None:
        season = await start_once(orbits, Season(fleet="RinksByHand", thaws=False))
        while not (rows := await orbits.store.find(ExecutionRow, kind="RinksByHand")):  # noqa: ASYNC110
            await asyncio.sleep(1)  # on held time
        if rows[0].ended_at is None:
            await orbits.execution(rows[0].id).answer(Promoted(wave=1))
        assert await season == [f"{client} updated at 1" for client in CLIENTS]

    report = crash_everywhere(script, world=RINK, again=0, faults=False)
    assert not report.differences, str(report)[:2000]
    assert report.points > 50, report.points
