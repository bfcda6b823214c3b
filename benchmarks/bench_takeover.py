"""How soon what a killed worker held has ended elsewhere: 50 SIGKILLs seen on the same machine, and 50 that are not.

Each worker holds one execution, whose step ends at once when it is begun again; one more looks at them. They are killed
one after the other at random, over a quarter of a lease. What counts is from a worker's death to the end of its
execution. On the same machine there are ten at a time: more than that are in each other's way on a machine with two
cores, which would be measured. Then all fifty, each as if on a machine of its own, so that only silence tells.

python -m benchmarks.bench_takeover [folder] [address of another store] [victims]
"""

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measures import Bar, Table, folder_of
from benchmarks.stores import stores
from orbits_iac import Orbits, Settings
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, TaskRow, WorkerRow
from tests.orbits_iac.dispatch.forking import Zygote
from tests.orbits_iac.dispatch.zygote import KilledHolder

VICTIMS = 50
TOGETHER = 10
"""Workers of one machine that are there at a time."""
LEASE = Settings().lease.total_seconds()
LONGEST = 300.0


async def main() -> None:
    """Measure, print a table, and keep it."""
    count = int(sys.argv[3]) if len(sys.argv) > 3 else VICTIMS
    with folder_of(sys.argv) as name, stores(Path(name), sys.argv[2:3]) as found:
        table = Table("takeover", Path(name))
        for what, alone, most in (("on the same machine", False, 1.0), ("silent", True, LEASE + 1.0)):
            took: list[float] = []
            while len(took) < count:
                folder = Path(name) / f"{'silent' if alone else 'here'}_{len(took)}"
                folder.mkdir()
                forking = Zygote(folder, store=found.address(f"takeover_{folder.name}"))
                try:
                    async with asyncio.timeout(LONGEST):
                        took += await _taken_over(forking, count if alone else min(TOGETHER, count), alone=alone)
                finally:
                    forking.close()
            took.sort()
            table.add(f"{count} killed, {what}: median until it has ended elsewhere", statistics.median(took), "s")
            table.add(f"{count} killed, {what}: 95th percentile", took[int(0.95 * (count - 1))], "s")
            table.add(f"{count} killed, {what}: the last", took[-1], "s", Bar(most))
        if found.measured and count == VICTIMS:
            table.write()


async def _taken_over(forking: Zygote, count: int, *, alone: bool) -> Sequence[float]:
    """Seconds from the death of each worker to the end of what it held."""
    async with Orbits(Settings(store=forking.store), work=False) as orbits:
        await orbits.register_build()
        for number in range(count):
            await orbits.start(KilledHolder(name=str(number)))
        pids = [await forking.fork(concurrency=1, alone=alone, holds=True) for _ in range(count)]
        while len(forking.lines()) < count:
            await orbits.store.changed(0.05)
        held = {task.owner: task.id for task in await orbits.store.find(TaskRow)}
        of = {row.pid: held[row.id] for row in await orbits.store.find(WorkerRow)}
        survivor = await forking.fork(alone=alone)
        await asyncio.sleep(LEASE / 2)  # until it has looked at all of them
        died: dict[ExecutionId, float] = {}
        chance = random.Random(1)  # noqa: S311 - moments
        for pid in chance.sample(pids, count):
            await forking.kill(pid, after=chance.uniform(0.0, LEASE / 2 / count))
            died[of[pid]] = time.time()
        ended: dict[ExecutionId, float] = {}
        while len(ended) < count:
            await orbits.store.changed(0.1)
            rows = await orbits.store.find(ExecutionRow, kind="KilledHolder")
            ended = {row.id: row.ended_at for row in rows if row.ended_at is not None}
        await forking.kill(survivor)
    return [ended[execution] - at for execution, at in died.items()]


if __name__ == "__main__":
    asyncio.run(main())
