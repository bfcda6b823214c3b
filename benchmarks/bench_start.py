"""How soon the command line answers: the middle of several calls, each a new process.

python -m benchmarks.bench_start [folder]
"""

import asyncio
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.measures import Bar, Table, folder_of
from orbits_iac import Orbits, Settings, Workflow

CALLS = 11


class Empty(Workflow):
    """Nothing to do."""

    async def define(self) -> None:
        """Nothing."""


async def main() -> None:
    """Measure, print a table, and keep it."""
    with folder_of(sys.argv) as name:
        folder = Path(name)
        table = Table("start", folder)
        async with Orbits(Settings(store=f"sqlite:{folder / 'state.db'}")) as orbits:
            execution = await orbits.start(Empty())
            await execution
        table.add("orbits --help", _middle(["--help"], folder), "ms", Bar(200))
        table.add("orbits get ID", _middle(["get", execution.id, "--store=sqlite:state.db"], folder), "ms", Bar(400))
        table.add("python -c pass", _middle([], folder), "ms")
        table.write()


def _middle(arguments: list[str], folder: Path) -> float:
    """Milliseconds of a call of `orbits`, or, without arguments, of a Python that does nothing."""
    python = [sys.executable, "-c", "pass"]
    command = [str(Path(sys.executable).with_name("orbits")), *arguments] if arguments else python
    took: list[float] = []
    for _ in range(CALLS):
        start = time.perf_counter()
        subprocess.run(command, cwd=folder, env=os.environ, check=True, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - start) * 1e3)
    return statistics.median(took)


if __name__ == "__main__":
    asyncio.run(main())
