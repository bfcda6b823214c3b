"""What durable steps cost: on SQLite with synchronous=FULL, async hooks, one process.

python benchmarks/bench_steps.py [folder]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from orbits_iac import Action, Options, Orbits, Settings, Workflow
from orbits_iac.model.rows import EntryRow

CONCURRENCY = 32
ROWS = "{:<58} {:>12} {:>12}"


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
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        print(ROWS.format("", "each", "a second"))
        await _many(Path(folder) / "many.db", executions=300)
        await _alone(Path(folder) / "alone.db", steps=500)
        for steps in (100, 1_000, 10_000):
            await _long(Path(folder) / f"{steps}.db", steps)
        await _recovery(Path(folder) / "recovery.db", 10_000)


def _opened(file: Path) -> Orbits:
    return Orbits(Settings(store=f"sqlite:{file}", concurrency=CONCURRENCY))


async def _many(file: Path, *, executions: int) -> None:
    """Executions of ten steps, `CONCURRENCY` at a time."""
    async with _opened(file) as orbits:
        slots = asyncio.Semaphore(CONCURRENCY)

        async def one() -> None:
            async with slots:
                await orbits.run(Steps(steps=10))

        start = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(executions)))
        _print(f"executions of 10 steps, {CONCURRENCY} at a time", time.perf_counter() - start, executions * 10)


async def _alone(file: Path, *, steps: int) -> None:
    """One step after the other, each an execution's next."""
    async with _opened(file) as orbits:
        await orbits.run(Steps(steps=10))
        start = time.perf_counter()
        await orbits.run(Steps(steps=steps))
        _print("one step alone, the next after it", time.perf_counter() - start, steps)


async def _long(file: Path, steps: int) -> None:
    """One execution of many steps."""
    async with _opened(file) as orbits:
        start = time.perf_counter()
        await orbits.run(Steps(steps=steps))
        _print(f"one execution of {steps:,} steps", time.perf_counter() - start, steps)


async def _recovery(file: Path, steps: int) -> None:
    """How long an execution of many finished steps takes to its next one in another process."""
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
    print(ROWS.format(f"recovery of an execution of {steps:,} finished steps", f"{took * 1e3:,.0f} ms", ""))


def _print(what: str, took: float, steps: int) -> None:
    print(ROWS.format(what, f"{took / steps * 1e3:.3f} ms", f"{steps / took:,.0f}"))


if __name__ == "__main__":
    asyncio.run(main())
