"""No hook is called unless the claim is certain at that moment, though it had to wait for a thread until then."""

import asyncio

import pytest

from orbits_iac import ExecutionFailed, Orbits, Settings, action
from orbits_iac.engine import attempts
from orbits_iac.handles import Execution
from orbits_iac.model.states import State
from orbits_iac.provider import NotHeld, current
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


LEASE = Doubtful()


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
    async with asyncio.timeout(60):
        while not orbits.engine.threads.waiting:
            await orbits.store.changed(0.01)
    lease.certain = False
    WORLD.gate.set()
    await first
    async with asyncio.timeout(60):
        while orbits.engine.threads.waiting:
            await orbits.store.changed(0.01)
    assert WORLD.log == []
    lease.certain = True
    assert await second == "second"
    assert WORLD.log == ["second"]


@action(idempotent=True)
def changing(text: str) -> str:
    """Reads, and changes something if it may, after the gate was opened."""
    WORLD.reached.set()
    assert WORLD.gate.wait(10)
    WORLD.did(f"read {text}")
    execution = current()
    assert execution is not None
    execution.hold()
    WORLD.did(f"changed {text}")
    return text


@action(idempotent=True)
async def changing_on_the_loop() -> str:
    """Changes something if it may, without a thread of its own."""
    execution = current()
    assert execution is not None
    LEASE.certain = False
    execution.hold()
    return "changed"


async def begun(orbits: Orbits) -> tuple[Doubtful, Execution[str]]:
    """A hook that has read and is about to change something, and the lease of its worker."""
    WORLD.clear()
    lease = orbits.engine.lease = Doubtful()
    started = await orbits.start(changing("it"))
    assert await asyncio.to_thread(WORLD.reached.wait, 10)
    return lease, started


async def test_nothing_is_changed_once_the_lease_was_not_renewed_and_reads_go_on(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "PATIENCE", 0.05)
    lease, started = await begun(orbits)
    lease.certain = False
    WORLD.gate.set()
    with pytest.raises(ExecutionFailed, match="The lease of this worker was not renewed in time") as failed:
        await started
    assert failed.value.caused_by(NotHeld)
    assert WORLD.log == ["read it"]


async def test_a_lease_that_is_renewed_late_lets_the_change_be_made(orbits: Orbits) -> None:
    lease, started = await begun(orbits)
    lease.certain = False
    WORLD.gate.set()
    async with asyncio.timeout(60):
        while not WORLD.log:
            await orbits.store.changed(0.01)
    lease.certain = True
    assert await started == "it"
    assert WORLD.log == ["read it", "changed it"]


async def test_a_hook_on_the_loop_does_not_wait_for_the_lease(orbits: Orbits) -> None:
    LEASE.certain = True
    orbits.engine.lease = LEASE
    started = await orbits.start(changing_on_the_loop())
    with pytest.raises(ExecutionFailed, match="the next change was not made"):
        await started


@action(idempotent=True)
def pausing() -> None:
    """Waits for an hour."""
    WORLD.reached.set()
    execution = current()
    assert execution is not None
    execution.pause(3600)


async def test_a_pause_in_a_thread_ends_when_it_is_cancelled(orbits: Orbits) -> None:
    WORLD.clear()
    started = await orbits.start(pausing())
    assert await asyncio.to_thread(WORLD.reached.wait, 10)
    await started.cancel()
    async with asyncio.timeout(60):
        assert (await started.ended()).state is State.CANCELLED


def test_outside_of_hooks_nothing_is_current() -> None:
    assert current() is None
