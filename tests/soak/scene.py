"""The processes of a soak: nodes behind a network, and three workers. They are broken here, and mended.

A worker has a name of its own for MongoDB, so the network and the servers can be bad to it alone; who comes in the
place of one that was killed has its name again.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from cryptography.fernet import Fernet

from tests.servers import clocks as deceived
from tests.servers.network import NONE, Network, Trouble
from tests.servers.replica_set import ReplicaSet

from .effects import Log
from .faults import WORKERS, Fault

DATABASE = "soak"


class Scene:
    """All of them; for `with`."""

    def __init__(
        self,
        folder: Path,
        *,
        lease: float,
        nodes: int = 3,
        options: Mapping[str, str] | None = None,
        clocks: Mapping[int, Mapping[str, str]] | None = None,
    ) -> None:
        """`options`: of the store's URL. `clocks`: the environments of those whose clock is wrong, by their number."""
        self.log = Log(folder / "log")
        self.said = folder / "said"
        self._file = folder / "log"
        self._lease = lease
        self._secret_key = Fernet.generate_key().decode()
        self._stack = ExitStack()
        self._network = Network()
        self.servers = ReplicaSet(nodes, advertised=lambda node: self._network.to(node.address))
        self.pids: set[int] = set()  # of all workers that there were
        self._options = dict(options or {})
        self._clocks = clocks or {}
        self._workers: dict[int, int] = {}  # number to pid
        self._zygotes: dict[int, subprocess.Popen[bytes]] = {}  # one for each clock; 0: the right one

    def __enter__(self) -> Self:
        with self._stack:
            said = self._stack.enter_context(self.said.open("wb"))
            self._stack.callback(self._end)
            for number in {number if number in self._clocks else 0 for number in range(1, WORKERS + 1)}:
                self._zygotes[number] = subprocess.Popen(
                    [sys.executable, "-m", "tests.soak.zygote"],
                    env={**os.environ, **self._clocks.get(number, {})},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                )
            self._stack.enter_context(self._network)
            self._stack.enter_context(self.servers)
            for number in range(1, WORKERS + 1):
                self._fork(number)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def settings(self, name: str, **options: str) -> dict[str, Any]:
        """For whoever uses the store under this name; `options`: of its URL, over those of all."""
        return {
            "store": self.servers.url(DATABASE, appname=name, **{**self._options, **options}),
            "secret_key": self._secret_key,
            "concurrency": 16,
            "suspended": 5,
            "lease": f"PT{self._lease}S",
            "grace": "PT60S",
        }

    async def suffer(self, fault: Fault) -> None:
        """Break something, wait as long as it says, and mend it."""
        name = f"worker-{fault.worker}"
        match fault.what:
            case "kill":
                os.kill(self._workers[fault.worker], signal.SIGKILL)
                await asyncio.sleep(fault.seconds)
                await asyncio.to_thread(self._fork, fault.worker)
            case "stop":
                os.kill(self._workers[fault.worker], signal.SIGSTOP)
                await asyncio.sleep(fault.seconds)
                os.kill(self._workers[fault.worker], signal.SIGCONT)
            case "cut":
                self._network.cut(name)
                await asyncio.sleep(fault.seconds)
                self._network.cut(name)
            case "delay" | "refuse" | "deaf" | "mute":
                self._network.trouble(name, _trouble(fault))
                if fault.what == "refuse":
                    self._network.cut(name)
                await asyncio.sleep(fault.seconds)
                self._network.trouble(name, NONE)
            case "kill primary" | "pause primary" | "step down":
                await self._without_primary(fault)
            case _:
                await self._failing(fault, name)

    async def _without_primary(self, fault: Fault) -> None:
        if fault.what == "step down":
            await asyncio.to_thread(self.servers.step_down)
            await asyncio.sleep(fault.seconds)
            return
        primary = await asyncio.to_thread(self.servers.primary)
        (primary.kill if fault.what == "kill primary" else primary.pause)()
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(primary.start if fault.what == "kill primary" else primary.resume)

    async def _failing(self, fault: Fault, name: str) -> None:
        how = dict(fault.how)
        command, times = how.pop("command"), how.pop("times")
        if fault.worker:
            how["appName"] = name
        primary = await asyncio.to_thread(self.servers.primary)
        await asyncio.to_thread(primary.fail, command, times=times, **how)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(primary.heal)

    def workers(self) -> list[int]:
        """The pids of those that are there."""
        return list(self._workers.values())

    def mend(self) -> None:
        """Nothing is broken any more."""
        self._network.heal()
        self.servers.primary()
        self.servers.heal()

    def stop(self) -> None:
        """End the workers."""
        for pid in self._workers.values():
            os.kill(pid, signal.SIGKILL)
        self._workers.clear()

    def _fork(self, number: int) -> None:
        name = f"worker-{number}"
        zygote = self._zygotes[number if number in self._clocks else 0]
        assert zygote.stdin is not None
        assert zygote.stdout is not None
        told = {"name": name, "log": str(self._file), "settings": self.settings(name)}
        zygote.stdin.write(json.dumps(told).encode() + b"\n")
        zygote.stdin.flush()
        self._workers[number] = int(zygote.stdout.readline())
        self.pids.add(self._workers[number])

    def _end(self) -> None:
        for zygote in self._zygotes.values():
            for pipe in (zygote.stdin, zygote.stdout):
                if pipe is not None:
                    pipe.close()
            zygote.wait(10)
        for pid in self.pids | {zygote.pid for zygote in self._zygotes.values()}:
            deceived.forget(pid)


def _trouble(fault: Fault) -> Trouble:
    return Trouble(
        delay=fault.how.get("delay", 0.0),
        refused=fault.what == "refuse",
        deaf=fault.what == "deaf",
        mute=fault.what == "mute",
    )
