"""The processes of a soak: three nodes behind a network, and three workers. They are broken here, and mended.

A worker has a name of its own for MongoDB, so the network and the servers can be bad to it alone; who comes in the
place of one that was killed has its name again.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from cryptography.fernet import Fernet

from tests.servers.network import NONE, Network, Trouble
from tests.servers.replica_set import ReplicaSet

from .effects import Log
from .faults import WORKERS, Fault

DATABASE = "soak"


class Scene:
    """All of them; for `with`."""

    def __init__(self, folder: Path, *, lease: float) -> None:
        self.log = Log(folder / "log")
        self.said = folder / "said"
        self._file = folder / "log"
        self._lease = lease
        self._secret_key = Fernet.generate_key().decode()
        self._stack = ExitStack()
        self._network = Network()
        self._servers = ReplicaSet(3, advertised=lambda node: self._network.to(node.address))
        self._workers: dict[int, int] = {}  # number to pid
        self._zygote: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.enter_context(self._network)
            self._stack.enter_context(self._servers)
            said = self._stack.enter_context(self.said.open("wb"))
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.soak.zygote"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
            )
            self._stack.callback(self._end)
            for number in range(1, WORKERS + 1):
                self._fork(number)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def settings(self, name: str) -> dict[str, Any]:
        """For whoever uses the store under this name."""
        return {
            "store": self._servers.url(DATABASE, appname=name),
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
            await asyncio.to_thread(self._servers.step_down)
            await asyncio.sleep(fault.seconds)
            return
        primary = await asyncio.to_thread(self._servers.primary)
        (primary.kill if fault.what == "kill primary" else primary.pause)()
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(primary.start if fault.what == "kill primary" else primary.resume)

    async def _failing(self, fault: Fault, name: str) -> None:
        how = dict(fault.how)
        command, times = how.pop("command"), how.pop("times")
        if fault.worker:
            how["appName"] = name
        primary = await asyncio.to_thread(self._servers.primary)
        await asyncio.to_thread(primary.fail, command, times=times, **how)
        await asyncio.sleep(fault.seconds)
        await asyncio.to_thread(primary.heal)

    def mend(self) -> None:
        """Nothing is broken any more."""
        self._network.heal()
        self._servers.primary()
        self._servers.heal()

    def stop(self) -> None:
        """End the workers."""
        for pid in self._workers.values():
            os.kill(pid, signal.SIGKILL)
        self._workers.clear()

    def _fork(self, number: int) -> None:
        name = f"worker-{number}"
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        told = {"name": name, "log": str(self._file), "settings": self.settings(name)}
        self._zygote.stdin.write(json.dumps(told).encode() + b"\n")
        self._zygote.stdin.flush()
        self._workers[number] = int(self._zygote.stdout.readline())

    def _end(self) -> None:
        for pipe in (self._zygote.stdin, self._zygote.stdout):
            if pipe is not None:
                pipe.close()
        self._zygote.wait(10)


def _trouble(fault: Fault) -> Trouble:
    return Trouble(
        delay=fault.how.get("delay", 0.0),
        refused=fault.what == "refuse",
        deaf=fault.what == "deaf",
        mute=fault.what == "mute",
    )
