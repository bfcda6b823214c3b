"""The tests' side of the process that forks workers, `zygote`."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import zygote


class Zygote:
    """The process that forks workers."""

    def __init__(self, folder: Path, *, store: str = "") -> None:
        self.store = store or f"sqlite:{folder / 'state.db'}"
        self.log = folder / "log"
        self.log.touch()
        self.errors = (folder / "errors").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, zygote.__file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors
        )

    async def fork(
        self, *, alone: bool = False, holds: bool = False, looks: Path | None = None, **settings: Any
    ) -> int:
        """The pid of a new worker; `alone` on its machine, as far as it can tell; it says in `looks` how it looks."""
        told: dict[str, Any] = {"fork": {"store": self.store, **settings}, "log": str(self.log)}
        told |= {"alone": alone, "holds": holds}
        return await self._tell(told if looks is None else {**told, "looks": str(looks)})

    async def kill(self, pid: int, *, after: float = 0.0) -> None:
        """Kill a worker after so many seconds; it has lived until then."""
        assert await self._tell({"kill": pid, "after": after}) == -signal.SIGKILL, self.said()

    async def kill_all(self, pids: Sequence[int]) -> None:
        """Kill these workers at once; they have lived until then, and are gone when this returns."""
        assert await self._tell({"kill": list(pids)}) == len(pids), self.said()

    def lines(self) -> list[list[str]]:
        """What the steps have done, in order: what, with which token, in which process."""
        return [line.split("\t") for line in self.log.read_text().splitlines()]

    def said(self) -> str:
        """What the workers have written to their standard error."""
        self.errors.seek(0)
        return self.errors.read().decode()

    async def _tell(self, told: dict[str, Any]) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(told).encode() + b"\n")
        self.process.stdin.flush()
        return int(await asyncio.to_thread(self.process.stdout.readline))

    def close(self) -> None:
        """End it, and whatever it has forked."""
        self.process.kill()
        self.process.wait()
        for file in (self.process.stdin, self.process.stdout, self.errors):
            if file is not None:
                file.close()
