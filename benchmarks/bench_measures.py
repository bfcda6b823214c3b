"""What it costs to be measured: steps on SQLite with nobody measuring, with metrics, and with spans too.

python -m benchmarks.bench_measures [folder]

What is compared is the processor time of a step, which hardly depends on what else the machine does. The three take
turns, and a ratio is the median of those of the rounds. Spans are made, handed on in batches, and dropped.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.bench_steps import CONCURRENCY, STEPS, Steps
from benchmarks.measures import Bar, Table, folder_of
from orbits_iac import Orbits, Settings
from orbits_iac.dispatch.garbage import collect_new_alone
from orbits_iac.measures import Measures
from orbits_iac.telemetry.counting import Counted

EXECUTIONS = 200
ROUNDS = 9


async def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as name:
        table = Table("measures", Path(name))
        collect_new_alone()
        rounds = [
            [await _step(Path(name) / f"{what} {number}.db", what) for what in ("off", "metrics", "spans")]
            for number in range(ROUNDS)
        ]
        off = statistics.median(off for off, _, _ in rounds)
        table.add("processor time of a step, nobody measuring", off * 1e6, "us")
        metrics = statistics.median(metrics / off for off, metrics, _ in rounds)
        table.add("the same with metrics, to that", metrics, "times", Bar(1.05))
        spans = statistics.median(spans / off for off, _, spans in rounds)
        table.add("the same with metrics and a span a step, to that", spans, "times")
        table.write()


async def _step(file: Path, what: str) -> float:
    """Seconds of processor time that a step takes."""
    settings = Settings(store=f"sqlite:{file}", concurrency=CONCURRENCY)
    async with _measures(what) as measures, Orbits(settings, measures=measures) as orbits:
        await _run(orbits, CONCURRENCY)
        start = time.process_time()
        await _run(orbits, EXECUTIONS)
        return (time.process_time() - start) / EXECUTIONS / STEPS


@asynccontextmanager
async def _measures(what: str) -> AsyncGenerator[Measures | None]:
    if what != "spans":
        yield Counted() if what == "metrics" else None
        return
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    from orbits_iac.telemetry.tracing import Spans

    class Dropped(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    made = Spans([Dropped()], {})
    yield Counted(made)
    await asyncio.to_thread(made.close)


async def _run(orbits: Orbits, executions: int) -> None:
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one() -> None:
        async with slots:
            await orbits.run(Steps(steps=STEPS))

    await asyncio.gather(*(one() for _ in range(executions)))


if __name__ == "__main__":
    asyncio.run(main())
