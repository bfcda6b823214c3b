"""Who is there, as far as one who looks can know it: no clock of another machine is read."""

from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow, amended
from orbits_iac.roster import Member, Presence, Roster
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore


class Passing:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_worker_of_another_machine_is_alive_once_it_was_seen_to_renew_and_dead_once_silent_for_a_lease() -> (
    None
):
    passing, store = Passing(), MemoryStore()
    await store.open()
    roster = Roster(store, passing)
    row = WorkerRow(id=WorkerId("far"), build="b", boot="another", pid=1, counter=4, lease=10.0, started_at=9e9)

    async def look(row: WorkerRow) -> Member:
        await store.commit(Transaction(put=[row]))
        [member] = (await roster.look(now=0.0)).members
        return member

    assert (await look(row)).presence is Presence.UNSEEN
    passing.now += 3
    assert (await look(row)).silent == 3
    renewed = await look(amended(row, counter=5))
    assert (renewed.presence, renewed.renewed) == (Presence.ALIVE, 0)
    passing.now += 10
    draining = await look(amended(row, counter=5, draining=True))
    assert (draining.presence, draining.renewed) == (Presence.DRAINING, 10)
    passing.now += 1
    assert (await look(amended(row, counter=5, draining=True))).presence is Presence.DEAD
