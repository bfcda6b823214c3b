"""Worker processes of a benchmark: each is ready before it is told to begin, and says what happens in it, and when.

Times are of the machine's monotonic clock, which all of its processes share.

python -m benchmarks.workers address concurrency
"""

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Self

from benchmarks.workload import say
from orbits_iac import Orbits, Settings
from orbits_iac.dispatch.garbage import collect_new_alone
from orbits_iac.model.rows import ExecutionRow

LONGEST = 180.0  # seconds without a word, while one is waited for


@dataclass(frozen=True)
class Said:
    """One line of a worker: `ended` and an execution's id, or `step` and a probe's number; and when."""

    what: str
    name: str
    at: float


class Workers:
    """So many processes on one store; leaving the context ends them, as SIGTERM would."""

    def __init__(self, address: str, count: int, *, concurrency: int = 64) -> None:
        self._command = [sys.executable, "-m", "benchmarks.workers", address, str(concurrency)]
        self._count = count
        self._processes: list[asyncio.subprocess.Process] = []
        self._readers: list[asyncio.Task[None]] = []
        self._said: asyncio.Queue[Said] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        pipe = asyncio.subprocess.PIPE
        for _ in range(self._count):
            self._processes.append(await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe))
        self._readers = [asyncio.create_task(self._read(process)) for process in self._processes]
        await self.said("ready", self._count)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            await process.wait()
        await asyncio.gather(*self._readers)

    async def begin(self) -> None:
        """Let them open the store and claim; they do when this returns."""
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.write(b"begin\n")
        await self.said("claims", self._count)

    async def said(self, what: str, count: int) -> list[Said]:
        """The next so many lines of this sort; others are passed over."""
        found: list[Said] = []
        while len(found) < count:
            async with asyncio.timeout(LONGEST):
                line = await self._said.get()
            if line.what == "gone":
                raise SystemExit("a worker is gone: see what it wrote")
            if line.what == what:
                found.append(line)
        return found

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        async for line in process.stdout:
            what, name, at = line.decode().split()
            self._said.put_nowait(Said(what, name, float(at)))
        self._said.put_nowait(Said("gone", "", 0.0))


def once_each(names: list[str]) -> None:
    """SystemExit if anything was done twice."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise SystemExit(f"done twice: {', '.join(twice[:5])}")


async def _work(address: str, concurrency: int) -> None:
    async with Orbits(Settings(store=address), work=False):
        say("ready", "-")  # all is imported

    await asyncio.to_thread(sys.stdin.readline)
    collect_new_alone()  # as `orbits worker` does

    def ended(row: ExecutionRow) -> None:
        say("ended", row.id)

    async with Orbits(Settings(store=address, concurrency=concurrency)) as orbits:
        orbits.engine.on_end(ended)
        say("claims", "-")
        await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], int(sys.argv[2])))
