"""A roll-out that is stopped anywhere goes on in another process: the same report, and nothing done twice."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest

from orbits_iac import Action, ExecutionFailed, Options, Orbits, Permanent, Resource, Settings
from orbits_tenants import ListSource, Report, Rollout, Source, Tenant, Tenants

TENANTS = 7


class Yard:
    """What was done outside the store, and who waits for how much of it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.enough = 0
        self.reached = asyncio.Event()

    def did(self, what: str) -> None:
        self.done.append(what)
        if len(self.done) >= self.enough:
            self.reached.set()


YARD = Yard()


class Sow(Action):
    options = Options(idempotent=True)
    client: str

    async def main(self) -> None:
        YARD.did(self.client)
        if self.client == "t3":
            raise Permanent("stones")


class Bed(Resource):
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("sow", Sow(client=self.client))


class Orchard(Tenants[Bed]):
    source: ClassVar[Source] = ListSource(f"t{number}" for number in range(TENANTS))
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "50%", "100%"], max_concurrency=2, failure_tolerance="1")

    def stack(self, tenant: Tenant) -> Bed:
        return Bed(client=tenant.id)


@pytest.mark.parametrize("enough", range(1, TENANTS + 1))
async def test_a_roll_out_goes_on_where_it_was_stopped(tmp_path: Path, enough: int) -> None:
    YARD.__init__()  # type: ignore[misc]
    YARD.enough = enough
    settings = Settings(project="tests", store=f"sqlite:{tmp_path}/state.db")
    async with Orbits(settings) as first:
        execution = await first.start(Orchard())
        await YARD.reached.wait()
    async with Orbits(settings) as second, asyncio.timeout(60):
        report = await second.execution(execution.id)
    assert isinstance(report, Report)
    assert list(report.tenants) == [f"t{number}" for number in range(TENANTS)]
    assert list(report.failed) == ["t3"]
    again = Counter(YARD.done)
    under_way = 2  # those in `main` when it was stopped may begin again, with the same token
    assert sum(count - 1 for count in again.values()) <= under_way
    assert set(again) == set(report.tenants)


async def test_a_fleet_that_was_asked_for_twice_is_rolled_out_once(tmp_path: Path) -> None:
    YARD.__init__()  # type: ignore[misc]
    async with Orbits(Settings(project="tests", store=f"sqlite:{tmp_path}/state.db")) as orbits:
        one, two = await orbits.start(Orchard()), await orbits.start(Orchard())
        assert one.id == two.id
        assert await one == await two
    assert len(YARD.done) == TENANTS


async def test_all_that_failed_is_an_ordinary_result_of_the_roll_out(tmp_path: Path) -> None:
    YARD.__init__()  # type: ignore[misc]

    class Stony(Orchard):
        source: ClassVar[Source] = ListSource(["t3"])

    async with Orbits(Settings(project="tests", store=f"sqlite:{tmp_path}/state.db")) as orbits:
        report = await orbits.run(Stony())
        with pytest.raises(ExecutionFailed):
            await orbits.run(Bed(client="t3"))
    assert report.exit_code() == 1
