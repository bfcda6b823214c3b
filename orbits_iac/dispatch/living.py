"""Which workers are alive, for whoever needs that none is: a store that is moved, or looked over."""

import asyncio

from orbits_iac.dispatch.leases import Watch, is_here
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow
from orbits_iac.store.contract import Store

_LOOKS = 20  # in a lease's length


async def living(store: Store, lease: float) -> list[WorkerRow]:
    """The workers that are alive, or may be for all that can be told; it may take a lease's length, in seconds.

    Those of this machine are known at once; another's counter has to move, or to stand still for so long.
    """
    rows, first = await store.find(WorkerRow), dict[WorkerId, int]()
    watch = Watch(max([lease, *(row.lease for row in rows)]))
    while True:
        rows = await store.find(WorkerRow)
        dead = {row.id for row in watch.dead(rows)}
        left = [row for row in rows if row.id not in dead]
        alive = [row for row in left if is_here(row) or first.setdefault(row.id, row.counter) != row.counter]
        if alive or not left:
            return alive
        await asyncio.sleep(lease / _LOOKS)
