"""Leases: when a claim is certain, and when a worker's executions may be taken over."""

import os
import subprocess
from pathlib import Path

import psutil
import pytest

from orbits_iac.dispatch import leases
from orbits_iac.dispatch.leases import Lease, Watch, is_gone, this_process
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow, amended
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

LENGTH = 10.0


class Passing:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def elsewhere(name: str, counter: int) -> WorkerRow:
    """A worker of another machine."""
    return WorkerRow(id=WorkerId(name), build="b", boot="another", pid=1, counter=counter)


class SlowStore(MemoryStore):
    """A store whose commits take as long as they are told."""

    def __init__(self, passing: Passing) -> None:
        super().__init__()
        self.before = self.after = 0.0
        self._passing = passing

    async def commit(self, transaction: Transaction) -> None:
        self._passing.now += self.before
        await super().commit(transaction)
        self._passing.now += self.after


async def leased(passing: Passing) -> tuple[Lease, SlowStore]:
    store = SlowStore(passing)
    await store.open()
    return Lease(store, elsewhere("me", 1), LENGTH, passing), store


async def test_a_claim_is_certain_for_half_a_lease_after_a_renewal() -> None:
    passing = Passing()
    lease, _ = await leased(passing)
    claimed = passing.now
    assert lease.is_certain(claimed)
    passing.now += LENGTH / 2
    assert not lease.is_certain(claimed)
    await lease.renew()
    assert lease.is_certain(claimed)


@pytest.mark.parametrize(("before", "after"), [(6.0, 0.0), (0.0, 6.0)])
async def test_a_renewal_counts_from_before_it_was_asked_for(before: float, after: float) -> None:
    passing = Passing()
    lease, store = await leased(passing)
    store.before, store.after = before, after
    await lease.renew()
    assert not lease.is_certain(passing.now)


async def test_what_was_claimed_before_a_lapse_is_not_certain_however_often_it_is_renewed_since() -> None:
    passing = Passing()
    lease, _ = await leased(passing)
    claimed = passing.now
    passing.now += LENGTH + 1
    await lease.renew()
    await lease.renew()
    assert not lease.is_certain(claimed)
    assert lease.is_certain(passing.now)


async def test_a_stop_between_a_renewal_and_its_answer_is_a_lapse() -> None:
    passing = Passing()
    lease, store = await leased(passing)
    claimed = passing.now
    store.after = LENGTH + 1
    await lease.renew()
    store.after = 0.0
    await lease.renew()
    assert not lease.is_certain(claimed)


def test_a_worker_is_dead_once_its_counter_has_stood_still_for_longer_than_a_lease() -> None:
    passing = Passing()
    watch = Watch(LENGTH, passing)
    for _ in range(10):
        assert watch.dead([elsewhere("a", 5), elsewhere("b", int(passing.now))]) == []
        passing.now += 1
    assert watch.dead([elsewhere("a", 5), elsewhere("b", int(passing.now))]) == []
    passing.now += 1
    assert watch.dead([elsewhere("a", 5), elsewhere("b", int(passing.now))]) == [elsewhere("a", 5)]
    assert watch.dead([elsewhere("a", 6)]) == []


def test_who_could_not_look_begins_to_count_anew() -> None:
    """The store was gone, or it was stopped itself: the others may not have been able to renew either."""
    passing = Passing()
    watch = Watch(LENGTH, passing)
    assert watch.dead([elsewhere("a", 5)]) == []
    passing.now += 1000
    assert watch.dead([elsewhere("a", 5)]) == []
    passing.now += LENGTH - 1
    assert watch.dead([elsewhere("a", 5)]) == []
    passing.now += 2
    assert watch.dead([elsewhere("a", 5)]) == [elsewhere("a", 5)]


def test_a_process_that_lives_is_not_gone_and_one_that_ended_is() -> None:
    row = this_process(WorkerId("me"), "b", frozenset())
    assert not is_gone(row)
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        other = amended(row, pid=child.pid, pid_started=leases._started(child.pid) or 0.0)
        assert not is_gone(other)
    assert is_gone(other)
    assert is_gone(amended(row, pid_started=row.pid_started - 5000))  # its number was given to another
    assert not is_gone(amended(other, boot="another"))
    assert not is_gone(amended(other, boot=""))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here: psutil is asked instead")
def test_when_a_process_began_does_not_change_with_the_clock() -> None:
    """It is counted from the boot: seconds since the epoch would change when the clock is set."""
    ticks = os.sysconf("SC_CLK_TCK")
    began = leases._started(os.getpid())
    assert began is not None
    assert began / ticks == pytest.approx(psutil.Process().create_time() - psutil.boot_time(), abs=2)
