"""What executions cost that wait, and how soon they go on when all are due at once: on SQLite, in one process.

python -m benchmarks.bench_waiting [folder] [executions]
"""

import asyncio
import gc
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from benchmarks.measures import Bar, Table, folder_of
from orbits_iac import Action, Event, InProgress, Options, Orbits, Resource, Settings
from orbits_iac.dispatch.garbage import collect_new_alone
from orbits_iac.model.rows import ExecutionRow, TaskRow
from orbits_iac.model.states import State
from orbits_iac.testing import Clock

EXECUTIONS = 10_000
WAIT = timedelta(hours=1)
WAYS = ("sleep", "watch", "event")


class Go(Event):
    """What the last third waits for."""


class Job(Action[int, int]):
    """Is looked at once before its time, and once after."""

    options = Options(idempotent=True)

    async def main(self) -> InProgress[int]:
        return InProgress(0, poll=WAIT)

    async def watch(self, handle: int, /) -> int:
        return handle


class Leaf(Resource):
    """Waits in one of the ways."""

    way: str

    async def define_update(self) -> None:
        if self.way == "sleep":
            await asyncio.sleep(WAIT.total_seconds())
        elif self.way == "watch":
            await self.do("job", Job())
        else:
            await self.execution.wait_for("go", Go)
        WOKEN.append(time.perf_counter())


class Root(Resource):
    """Waits for a leaf."""

    number: int

    def identity(self) -> str:
        return str(self.number)

    async def define_update(self) -> None:
        await self.do("leaf", Leaf(way=WAYS[self.number % len(WAYS)]))


WOKEN: list[float] = []


async def main() -> None:
    """Start them, let them wait, make all due, and print a table."""
    executions = int(sys.argv[2]) if len(sys.argv) > 2 else EXECUTIONS
    with folder_of(sys.argv) as folder:
        table = Table("waiting", Path(folder))
        clock = Clock()
        async with Orbits(Settings(store=f"sqlite:{Path(folder) / 'waiting.db'}"), clock=clock) as orbits:
            await orbits.settled()
            collect_new_alone()  # as `orbits worker` does
            empty = _resident()
            table.add("resident, before", empty / 1e6, "MB")
            start = time.perf_counter()
            await asyncio.gather(*(orbits.start(Root(number=number)) for number in range(executions // 2)))
            await orbits.settled()
            table.add(f"{executions:,} started, two levels deep, until all wait", time.perf_counter() - start, "s")
            waiting = _resident()
            table.add(f"resident, while {executions:,} wait", waiting / 1e6, "MB", Bar(200))
            table.add("of which each", (waiting - empty) / executions / 1e3, "kB")
            await _all_wait(orbits, executions)
            start = time.perf_counter()
            await asyncio.gather(clock.set(2 * WAIT), orbits.emit(Go()))
            async with asyncio.timeout(120):
                await orbits.settled()
            table.add("all due at once: the last one woken after", max(WOKEN) - start, "s", Bar(5))
            table.add("all due at once: the last one ended after", time.perf_counter() - start, "s")
            table.add("resident, at the end", _resident() / 1e6, "MB")
            ended = await orbits.store.find(ExecutionRow, state=State.SUCCESS)
            if len(ended) != executions or len(WOKEN) != executions // 2:
                raise SystemExit(f"{len(ended)} ended, {len(WOKEN)} woken")
            if executions == EXECUTIONS:
                table.write()


async def _all_wait(orbits: Orbits, executions: int) -> None:
    tasks = await orbits.store.find(TaskRow)
    if len(tasks) != executions or any(task.owner is not None for task in tasks):
        raise SystemExit("not all of them wait")


def _resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    asyncio.run(main())
