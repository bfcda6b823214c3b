"""10,000 schedules that come due within one minute, on MongoDB: how late their cycles are asked for, and end.

The records are written into the store as they are after a first update; two worker processes find them there.

python -m benchmarks.bench_schedules [folder] [address of another store] [schedules]
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measures import Bar, Table, folder_of
from benchmarks.stores import fill, stores
from benchmarks.workers import Workers, once_each
from benchmarks.workload import Hourly
from orbits_iac import Orbits, Settings
from orbits_iac.engine import schedules as rules
from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import ExecutionRow, RecordRow, RevisionRow, Row, ScheduleRow, amended

SCHEDULES = 10_000
MINUTE = 60.0
LATE = 10.0  # seconds after it that the last may be fired
WORKERS = 2
AHEAD = 10.0  # seconds for this to be written and the workers to begin, before the minute does


async def main() -> None:
    """Measure, print a table, and keep it."""
    count = int(sys.argv[3]) if len(sys.argv) > 3 else SCHEDULES
    with folder_of(sys.argv) as name, stores(Path(name), sys.argv[2:3]) as found:
        table, address = Table("schedules", Path(name)), found.address("schedules")
        async with Orbits(Settings(store=address), work=False) as orbits:
            await orbits.register_build()
            start = time.perf_counter()
            await fill(orbits.store, _records(count, orbits.engine.build))
            table.add(f"{count:,} records with a schedule each, written", time.perf_counter() - start, "s")
            async with Workers(address, WORKERS) as workers:
                due = await _make_due(orbits, count)
                await workers.begin()
                if time.time() > min(due.values()):
                    raise SystemExit("the workers were not there when the minute began: raise AHEAD")
                ended = await workers.said("ended", count)
            last = time.time() - time.perf_counter() + max(line.at for line in ended) - min(due.values())
            once_each([line.name for line in ended])
            await _judge(table, orbits, due)
            table.add("the last one ended, from the beginning of the minute", last, "s")
        if found.measured and count == SCHEDULES:
            table.write()


def _records(count: int, build: str) -> Iterator[Row]:
    at, every = time.time(), Hourly.options.get("schedule")
    assert every is not None, "Hourly has a schedule"  # noqa: S101 - for the checkers
    for number in range(count):
        record = RecordId("Hourly", str(number))
        yield RecordRow(kind=record.kind, identity=record.identity, revision=1, last_number=1, build=build)
        yield RevisionRow(
            kind=record.kind, identity=record.identity, number=1, argument=f'{{"number":{number}}}', build=build, at=at
        )
        yield rules.first(*record, every, build=build, now=at, chance=0.0)


async def _make_due(orbits: Orbits, count: int) -> dict[str, float]:
    """Spread them over the minute that begins soon; when each is due, by its identity."""
    begin = time.time() + AHEAD
    due = {str(number): begin + MINUTE * number / count for number in range(count)}
    rows = await orbits.store.find(ScheduleRow)
    await fill(
        orbits.store,
        (amended(row, version=row.version + 1, due=due[row.identity], slot=due[row.identity]) for row in rows),
    )
    return due


async def _judge(table: Table, orbits: Orbits, due: dict[str, float]) -> None:
    cycles = await orbits.store.find(ExecutionRow, kind="Hourly")
    once_each([row.identity or "" for row in cycles])
    if {row.identity for row in cycles} != set(due):
        raise SystemExit(f"{len(cycles)} cycles were asked for, of {len(due)} schedules")
    late = [row.created_at - due[row.identity or ""] for row in cycles]
    table.add("asked for after it was due: median", statistics.median(late), "s")
    table.add("    the latest", max(late), "s")
    fired = max(row.created_at for row in cycles) - min(due.values())
    table.add("the last one asked for, from the beginning of the minute", fired, "s", Bar(MINUTE + LATE))


if __name__ == "__main__":
    asyncio.run(main())
