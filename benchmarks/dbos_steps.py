"""The steps of bench_steps.py, done by DBOS, in an environment of its own; prints JSON.

Run by bench_steps.py on SQLite and by bench_mongodb.py on PostgreSQL.

python benchmarks/dbos_steps.py address concurrency steps
"""

import asyncio
import json
import sys
import time
from importlib.metadata import version

from dbos import DBOS  # only in that environment

ADDRESS, CONCURRENCY, STEPS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


@DBOS.step()
async def step(number: int) -> int:
    """The cheapest step that there is."""
    return number


@DBOS.workflow()
async def steps(count: int) -> int:
    """So many of them, one after the other."""
    for number in range(count):
        await step(number)
    return count


async def main() -> None:
    """Measure both."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one() -> None:
        async with slots:
            await steps(STEPS)

    await asyncio.gather(*(one() for _ in range(CONCURRENCY)))
    executions, many, alone = max(60, 2 * CONCURRENCY), 0.0, float("inf")
    for _ in range(3):
        start = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(executions)))
        many = max(many, executions * STEPS / (time.perf_counter() - start))
        start = time.perf_counter()
        await steps(100)
        alone = min(alone, (time.perf_counter() - start) / 100)
    print(json.dumps({"version": version("dbos"), "many": many, "alone": alone}))


if __name__ == "__main__":
    DBOS(
        config={
            "name": "orbits-bench",
            "system_database_url": ADDRESS,
            "log_level": "ERROR",
            "run_admin_server": False,
            "enable_otlp": False,
        }
    )
    DBOS.launch()
    asyncio.run(main())
    DBOS.destroy()
