"""What one tenant does, whatever it is, fails that tenant alone: ten ways at once among healthy ones, in one worker."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks.poisoned import HUNG, POISONS, Market
from orbits_iac import Action, Options, Orbits, Resource, Settings
from orbits_iac.model.rows import ExecutionRow
from orbits_tenants import ListSource, Report, Rollout, Source, Tenant, Tenants

HEALTHY = 20
SAID = {
    "failure": "Permanent: the door is stuck",
    "hang": "TimeoutError",
    "retry": "poison: ",  # its last error, or that its deadline was over
    "throttled": "poison: ",
    "credentials": "PermissionError: InvalidClientTokenId",
    "result": "returned: str is 100.0 million characters as JSON, and at most 10.5 are kept",
    "slow": "TimeoutError",
    "exit": "ended before it had an outcome: exit status 3",
    "crash": "ended before it had an outcome: ended by signal 11",
    "memory": "more than the 700 MB of address space that its executor gives it",
}


@pytest.fixture
async def report(tmp_path: Path) -> AsyncIterator[Report]:
    """What came of a fleet in which each poison is one tenant; what hangs goes on until the healthy ones have ended."""
    poisoned = [Tenant(id=poison, labels={"poison": poison}) for poison in POISONS]
    Market.source = ListSource([*poisoned, *(f"t{number}" for number in range(HEALTHY))])
    left = {f"t{number}" for number in range(HEALTHY)}
    HUNG.clear()

    def ended(row: ExecutionRow) -> None:
        left.discard(row.identity or "")
        if not left:
            HUNG.set()

    async with Orbits(Settings(store=f"sqlite:{tmp_path / 'state.db'}", threads=8)) as orbits:
        orbits.engine.on_end(ended)
        yield await orbits.run(Market())


async def test_each_poison_fails_its_own_tenant_and_nobody_else(report: Report) -> None:
    assert report.failed.keys() == set(POISONS)
    for poison, said in SAID.items():
        assert said in report.failed[poison]
    assert {report.tenants[f"t{number}"].state.value for number in range(HEALTHY)} == {"updated"}


class Forever(Action):
    """Never ends, unless it is asked to."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        await asyncio.Event().wait()


class Deaf(Action):
    """Does not end when it is asked to."""

    options = Options(idempotent=True)

    def main(self) -> None:
        HUNG.wait(30)


class Booth(Resource[None]):
    options = Options(grace=timedelta(seconds=0.05))
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        if self.client == "endless":
            await self.do("forever", Forever())
        elif self.client == "deaf":
            await self.do("deaf", Deaf())


class Fair(Tenants[Booth]):
    source: ClassVar[Source] = ListSource(["endless", "deaf", "acme"])
    rollout: ClassVar[Rollout] = Rollout(
        waves=["1", "2", "100%"], failure_tolerance="2", tenant_timeout=timedelta(seconds=0.5)
    )

    def stack(self, tenant: Tenant) -> Booth:
        return Booth(client=tenant.id)


async def test_no_wave_waits_for_a_tenant_that_takes_too_long(orbits: Orbits) -> None:
    HUNG.clear()
    try:
        report = await orbits.run(Fair())
    finally:
        HUNG.set()
    assert report.tenants["acme"].state.value == "updated"
    late = "TimeoutError: it took longer than its time limit of 0.5 s"
    assert report.failed.keys() == {"endless", "deaf"}
    assert report.failed["endless"].startswith(late)
    assert report.failed["deaf"] == f"{late} → tenant: still under way after 0.05 s"
