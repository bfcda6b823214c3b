"""Durable steps on MongoDB, majority and journaled, by one worker and by several, beside DBOS on PostgreSQL.

Also how soon the first step of an execution begins that another process asks for, while nothing else happens. The
server is a replica set of one node, on a disk, as tests/servers starts it.

python -m benchmarks.bench_mongodb [folder] [address of another store]
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.bench_steps import STEPS
from benchmarks.measures import Bar, Table, folder_of
from benchmarks.postgres import RIVAL, postgres
from benchmarks.stores import Stores, stores
from benchmarks.workers import Workers, once_each
from benchmarks.workload import Probe, Steps
from orbits_iac import Orbits, Settings
from orbits_iac.dispatch.garbage import collect_new_alone

CONCURRENCY = 64
EXECUTIONS = 640
BACKLOG = 960
"""Executions that wait for workers."""
ROUNDS = 5
"""Of one, two and four workers, in turns: what is compared was measured side by side."""
NOISE = 0.03
"""By so much the medians of two such runs of the same differ: less than that is no loss."""
PROBES = 60


async def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as name, stores(Path(name), sys.argv[2:]) as found:
        table = Table("mongodb", Path(name))
        collect_new_alone()  # as `orbits worker` does
        ours = max([await _many(found.address(f"many{number}")) for number in range(3)])
        table.add(f"steps a second, {CONCURRENCY} executions of {STEPS} at a time, one process", ours, "/s")
        _beside_dbos(table, Path(name), ours)
        await _several(table, found)
        await _first_step(table, found)
        if found.measured:
            table.write()


def _opened(address: str, *, work: bool = True) -> Orbits:
    return Orbits(Settings(store=address, concurrency=CONCURRENCY), work=work)


async def _many(address: str) -> float:
    """Steps a second of a process that asks for executions, so many at a time, and does them."""
    async with _opened(address) as orbits:
        await _run(orbits, CONCURRENCY)
        start = time.perf_counter()
        await _run(orbits, EXECUTIONS)
        return EXECUTIONS * STEPS / (time.perf_counter() - start)


async def _run(orbits: Orbits, executions: int) -> None:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one() -> None:
        async with slots:
            await orbits.run(Steps(steps=STEPS))

    await asyncio.gather(*(one() for _ in range(executions)))


def _beside_dbos(table: Table, folder: Path, ours: float) -> None:
    if not RIVAL.exists():
        print("DBOS is not installed (make bench does so): left out")
        return
    script = Path(__file__).with_name("dbos_steps.py")
    found: list[dict[str, Any]] = []
    with postgres(folder) as (address, version):
        for concurrency in (CONCURRENCY, CONCURRENCY // 2):
            command = [str(RIVAL), str(script), address, str(concurrency), str(STEPS)]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found.append(json.loads(said.splitlines()[-1]))
            on = f"DBOS {found[-1]['version']} on PostgreSQL {version}"
            table.add(f"{on}: steps a second, {concurrency} executions at a time", found[-1]["many"], "/s")
    theirs = max(each["many"] for each in found)
    table.add("steps a second, to the better one of DBOS", ours / theirs, "times", Bar(5, at_least=True))
    table.add(f"{on}: one step alone", min(each["alone"] for each in found) * 1e3, "ms")


async def _several(table: Table, found: Stores) -> None:
    """Worker processes that find executions waiting for them: from the first claim to the last end."""
    counts = (1, 2, 4)
    rounds = [[await _backlog(found.address(f"backlog{n}-{count}"), count) for count in counts] for n in range(ROUNDS)]
    for count, rates in zip(counts, zip(*rounds, strict=True), strict=True):
        what = f"steps a second of {BACKLOG} executions that wait, worker processes: {count}; median"
        table.add(what, statistics.median(rates), "/s")
    ratio = statistics.median(rates[-1] / rates[0] for rates in rounds)
    table.add(
        "of 4 worker processes, to those of one beside them: median", ratio, "times", Bar(1 - NOISE, at_least=True)
    )


async def _backlog(address: str, count: int) -> float:
    async with _opened(address, work=False) as asking:
        await asyncio.gather(*(asking.start(Steps(steps=STEPS)) for _ in range(BACKLOG)))
    async with Workers(address, count, concurrency=CONCURRENCY) as workers:
        start = time.perf_counter()
        await workers.begin()
        ended = await workers.said("ended", BACKLOG)
        once_each([line.name for line in ended])
        return BACKLOG * STEPS / (max(line.at for line in ended) - start)


async def _first_step(table: Table, found: Stores) -> None:
    """One process asks, now and then; another one does it: from the asking, and from its being kept, to main()."""
    address = found.address("idle")
    asked: list[float] = []
    kept: list[float] = []
    async with Workers(address, 1) as workers, _opened(address, work=False) as asking:
        await workers.begin()
        for number in range(-5, PROBES):
            await asyncio.sleep(0.05 + 0.013 * (number % 10))  # so that it meets no rhythm of the worker's
            start = time.perf_counter()
            await asking.start(Probe(number=number))
            durable = time.perf_counter()
            [began] = await workers.said("step", 1)
            await workers.said("ended", 1)
            if number >= 0:  # the first ones open connections and the like
                asked.append((began.at - start) * 1e3)
                kept.append((began.at - durable) * 1e3)
    what = "idle: another process asks, a worker's first step begins"
    table.add(f"{what}: median", statistics.median(asked), "ms")
    table.add("    from when the execution is kept: median", statistics.median(kept), "ms", Bar(20))
    table.add("    from when the execution is kept: 9 of 10 within", statistics.quantiles(kept, n=10)[-1], "ms")


if __name__ == "__main__":
    asyncio.run(main())
