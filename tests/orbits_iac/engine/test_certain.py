"""No hook is called unless the claim is certain at that moment, though it had to wait for a thread until then."""

import asyncio

import pytest

from orbits_iac import Orbits, Settings, action
from orbits_iac.testing import Clock

from .world import WORLD


class Doubtful:
    """A lease that is certain when a test says so."""

    def __init__(self) -> None:
        self.certain = True

    def elapsed(self) -> float:
        return 0.0

    def is_certain(self, since: float) -> bool:
        return self.certain


@pytest.fixture
def orbits_settings() -> Settings:
    return Settings(project="tests", store="memory:", threads=1)


@action(idempotent=True)
def occupying(text: str) -> str:
    """Keeps its thread until the gate is open."""
    WORLD.reached.set()
    assert WORLD.gate.wait(10)
    return text


@action(idempotent=True)
def called(text: str) -> str:
    """Leaves a trace."""
    WORLD.did(text)
    return text


async def test_a_call_that_waited_for_its_thread_is_made_only_while_the_claim_is_certain(
    orbits: Orbits, clock: Clock
) -> None:
    WORLD.clear()
    lease = orbits.engine.lease = Doubtful()
    first = await orbits.start(occupying("first"))
    assert await asyncio.to_thread(WORLD.reached.wait, 10)
    second = await orbits.start(called("second"))
    async with asyncio.timeout(10):
        while not orbits.engine.threads.waiting:
            await orbits.store.changed(0.01)
    lease.certain = False
    WORLD.gate.set()
    await first
    async with asyncio.timeout(10):
        while orbits.engine.threads.waiting:
            await orbits.store.changed(0.01)
    assert WORLD.log == []
    lease.certain = True
    assert await second == "second"
    assert WORLD.log == ["second"]
