"""What durable steps cost: on SQLite with synchronous=FULL, async hooks; beside DBOS on its SQLite.

python -m benchmarks.bench_steps [folder]

Throughput and the step alone are the best of three runs, of DBOS too: what else the machine does only takes from them.
`make bench` installs DBOS into an environment of its own; without it its rows are left out.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measures import Bar, Table, folder_of
from orbits_iac import Action, Options, Orbits, Settings, Workflow
from orbits_iac.dispatch.garbage import collect_new_alone
from orbits_iac.model.rows import EntryRow

CONCURRENCY = 32
STEPS = 10  # of an execution
EXECUTIONS = 600
RIVAL = Path(__file__).parents[1] / ".venv" / "rivals" / "bin" / "python"


class Step(Action[int]):
    """The cheapest step that there is."""

    options = Options(idempotent=True)
    number: int

    async def main(self) -> int:
        return self.number


class Steps(Workflow[int]):
    """So many of them, one after the other; then it waits for the gate, if there is one."""

    steps: int
    gated: bool = False

    async def define(self) -> int:
        for number in range(self.steps):
            await self.do("step", Step(number=number), key=str(number))
        if self.gated:
            await self.do("gate", Gate())
        return self.steps


class Gate(Action):
    """Says when it is reached; ends when it may."""

    options = Options(idempotent=True)

    async def main(self) -> None:
        REACHED.set()
        await OPEN.wait()


REACHED, OPEN = asyncio.Event(), asyncio.Event()


async def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as name:
        folder = Path(name)
        table = Table("steps", folder)
        collect_new_alone()  # as `orbits worker` does
        ours = max([await _many(folder / f"many{number}.db") for number in range(3)])
        table.add(
            f"steps a second, {CONCURRENCY} executions of {STEPS} at a time", ours, "/s", Bar(10_000, at_least=True)
        )
        table.add("the same, in commits of one row by plain SQLite", ours / _plain(table), "times")
        two = max([await _two(folder / f"two{number}.db") for number in range(3)])
        table.add("the same, by two processes on one file, from the first start to the last end", two, "/s")
        _beside_dbos(table, folder, ours)
        alone = min([await _alone(folder / f"alone{number}.db", steps=1_000) for number in range(3)])
        table.add("one step alone, the next after it", alone * 1e3, "ms", Bar(0.5))
        for steps in (1_000, 10_000, 100_000):
            before = await _long(folder / f"before {steps}.db", 100)
            each = await _long(folder / f"{steps}.db", steps)
            after = await _long(folder / f"after {steps}.db", 100)
            table.add(f"one execution of {steps:,} steps: each", each * 1e3, "ms")
            ratio = each / statistics.mean((before, after))
            table.add("    to a step of executions of 100, just before and after", ratio, "times", Bar(1.2))
        recovery = await _recovery(folder / "recovery.db", 10_000)
        table.add("recovery of an execution of 10,000 finished steps", recovery * 1e3, "ms", Bar(1_000))
        table.write()


def _plain(table: Table) -> float:
    return float(table.machine["plain_sqlite_commits_a_second"])


def _opened(file: Path) -> Orbits:
    return Orbits(Settings(store=f"sqlite:{file}", concurrency=CONCURRENCY))


async def _many(file: Path) -> float:
    """Steps a second of executions of ten steps, `CONCURRENCY` at a time."""
    async with _opened(file) as orbits:
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


async def _two(file: Path) -> float:
    """Steps a second of two processes that share a file, each as busy as one alone."""
    async with _opened(file):
        pass
    command = [sys.executable, "-m", "benchmarks.bench_steps", "--many", str(file)]
    both = [
        await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
        for _ in range(2)
    ]
    for process in both:
        if process.stdout is not None:
            await process.stdout.readline()  # it is ready
    start = time.perf_counter()
    await asyncio.gather(*(process.communicate(b"go\n") for process in both))
    return 2 * EXECUTIONS * STEPS / (time.perf_counter() - start)


def _beside_dbos(table: Table, folder: Path, ours: float) -> None:
    if not RIVAL.exists():
        print("DBOS is not installed (make bench does so): left out")
        return
    script = Path(__file__).with_name("dbos_steps.py")
    command = [str(RIVAL), str(script), f"sqlite:///{folder / 'dbos.db'}", str(CONCURRENCY), str(STEPS)]
    theirs = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    table.add(f"DBOS {theirs['version']} on SQLite: steps a second", theirs["many"], "/s")
    table.add("steps a second, to those of DBOS", ours / theirs["many"], "times", Bar(10, at_least=True))
    table.add(f"DBOS {theirs['version']} on SQLite: one step alone", theirs["alone"] * 1e3, "ms")


async def _alone(file: Path, *, steps: int) -> float:
    """Seconds of one step after the other, each an execution's next."""
    async with _opened(file) as orbits:
        await orbits.run(Steps(steps=STEPS))
        start = time.perf_counter()
        await orbits.run(Steps(steps=steps))
        return (time.perf_counter() - start) / steps


async def _long(file: Path, steps: int) -> float:
    """Seconds a step of one execution of many; of short ones as many as give a figure."""
    executions = max(1, 2_000 // steps)
    async with _opened(file) as orbits:
        await orbits.run(Steps(steps=STEPS))
        start = time.perf_counter()
        for _ in range(executions):
            await orbits.run(Steps(steps=steps))
        return (time.perf_counter() - start) / steps / executions


async def _recovery(file: Path, steps: int) -> float:
    """Seconds that an execution of many finished steps takes to its next one in another process."""
    async with _opened(file) as orbits:
        execution = await orbits.start(Steps(steps=steps, gated=True))
        await REACHED.wait()
        REACHED.clear()
    start = time.perf_counter()
    async with _opened(file) as orbits:
        await REACHED.wait()
        took = time.perf_counter() - start
        OPEN.set()
        await orbits.execution(execution.id)
        if len(await orbits.store.find(EntryRow, execution=execution.id)) != steps + 1:
            raise SystemExit("a step was lost, or done again")
    return took


async def _half(file: Path) -> None:
    """One of two processes: says that it is ready, waits for a line, and does its share."""
    collect_new_alone()
    async with _opened(file) as orbits:
        await _run(orbits, CONCURRENCY)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await _run(orbits, EXECUTIONS)


if __name__ == "__main__":
    asyncio.run(_half(Path(sys.argv[2])) if sys.argv[1:2] == ["--many"] else main())
