"""A process that has imported everything and forks workers, so that one is there within milliseconds; and their steps.

Told `{"fork": {...settings}, "log": FILE}` on a line of its input, it forks a worker with these settings and answers
with its pid; told `{"kill": PID, "after": SECONDS}`, it waits, kills that one, and answers with how it ended; told
`{"kill": [PID, ...]}`, it kills them all at once and answers with how many are gone by then. Each step leaves a line in
the log, outside of the store: what it did, its token, and the pid of who did it.

With `"holds": true` steps that may hold a worker do so. With `"alone": true` a worker is on a machine of its own, so
far as it can tell: nobody sees that its process has ended. With `"looks": FILE` it leaves a line there for each look at
the others' leases.
"""

import asyncio
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from orbits_iac import Action, Every, InProgress, Options, Orbits, Outputs, Resource, Settings, Workflow
from orbits_iac.dispatch import leases
from orbits_iac.dispatch.leases import Watch, passed
from orbits_iac.model.rows import WorkerRow

LOG = [Path("log")]
HOLDS = [False]
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def note(what: str, token: str) -> None:
    """Leave one line, whole."""
    with LOG[0].open("ab", buffering=0) as log:
        log.write(f"{what}\t{token}\t{os.getpid()}\n".encode())


class Mark(Action[int]):
    """Leaves a line, in a thread."""

    options = Options(idempotent=True)
    what: str
    number: int = 1

    def main(self) -> int:
        note(self.what, self.execution.token)
        return self.number


class MarkLater(Action[int, int]):
    """Leaves a line, and is looked at until it is done."""

    options = Options(idempotent=True)
    what: str
    looks: int = 3

    async def main(self) -> InProgress[int]:
        note(self.what, self.execution.token)
        return InProgress(0, poll=timedelta(milliseconds=2))

    async def watch(self, looks: int, /) -> int | InProgress[int]:
        return looks if looks == self.looks else InProgress(looks + 1, poll=timedelta(milliseconds=2))


class KilledChain(Workflow[int]):
    """Steps one after the other, each made of what came before."""

    name: str

    async def define(self) -> int:
        total = 0
        for number in range(6):
            total += await self.do("step", Mark(what=f"{self.name} {number}", number=total + 1), key=str(number))
        return total


class KilledGather(Workflow[int]):
    """Steps side by side, a race among them, and a timer."""

    name: str

    async def define(self) -> int:
        numbers = await asyncio.gather(
            *(self.do("side", Mark(what=f"{self.name} {n}", number=n), key=str(n)) for n in range(4)),
            self.do("later", MarkLater(what=f"{self.name} later")),
        )
        await asyncio.sleep(0.01)
        race = [asyncio.ensure_future(self.do("race", Mark(what=f"{self.name} {n}"), key=n)) for n in "ab"]
        await asyncio.wait(race, return_when=asyncio.FIRST_COMPLETED)
        return sum(numbers) + sum(await asyncio.gather(*race))


class Part(Outputs):
    """What a part is worth."""

    worth: int


class KilledPart(Resource[Part]):
    """A part: of its place, or named and shared."""

    name: str | None = None
    worth: int

    def identity(self) -> str | None:
        return self.name

    async def define_update(self) -> Part:
        return Part(worth=await self.do("made", Mark(what=f"part {self.name}", number=self.worth)))


class KilledSite(Resource[Part]):
    """Parts of its own, one that all share, and a step that is done once for all its versions."""

    name: str
    version: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> Part:
        await self.do("seed", Mark(what=f"once {self.name}"), once=True)
        parts = await asyncio.gather(
            *(self.do("own", KilledPart(worth=self.version), key=str(n)) for n in range(2)),
            self.do("shared", KilledPart(name="shared", worth=7)),
        )
        await self.do("later", MarkLater(what=f"{self.name} later"))
        return Part(worth=sum(part.worth for part in parts))


class KilledCycle(Resource):
    """Looked after every hour."""

    options = Options(schedule=Every(timedelta(hours=1)))
    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        """Nothing."""

    async def define_cycle(self) -> None:
        """Nothing either."""


class RingEnd(Resource):
    """Waits until the file beside the log is there, and then needs the other end, which needs this one."""

    name: str
    other: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        await self.do("here", UntilTold(what=f"here {self.name}"))
        await self.do("other", RingEnd(name=self.other, other=self.name))


class UntilTold(Action[None, int]):
    """Ends when the file beside the log is there; holds its worker until then."""

    options = Options(idempotent=True)
    what: str

    async def main(self) -> InProgress[int]:
        note(self.what, self.execution.token)
        return InProgress(0, poll=timedelta(milliseconds=1))

    async def watch(self, handle: int, /) -> InProgress[int] | None:
        return None if LOG[0].with_suffix(".go").exists() else InProgress(handle, poll=timedelta(milliseconds=1))


class HoldsOut(Action[str]):
    """Is never done with in a worker that was told to hold on; elsewhere at once."""

    options = Options(idempotent=True)
    name: str

    async def main(self) -> str:
        note(self.name, self.execution.token)
        if HOLDS[0]:
            await asyncio.Event().wait()
        return self.name


class KilledHolder(Workflow[str]):
    """Is under way until it is taken over."""

    name: str

    async def define(self) -> str:
        return await self.do("hold", HoldsOut(name=self.name))


def look_into(file: Path) -> None:
    """Leave a line there for each look at the leases: when, the counters that were seen, and who is taken for dead."""
    judged = Watch.dead

    def dead(self: Watch, rows: Sequence[WorkerRow]) -> list[WorkerRow]:
        at, found = passed(), judged(self, rows)
        look = {"at": at, "seen": {row.id: row.counter for row in rows}, "dead": [row.id for row in found]}
        with file.open("ab", buffering=0) as looks:
            looks.write(json.dumps(look).encode() + b"\n")
        return found

    Watch.dead = dead  # type: ignore[method-assign] # it still judges


async def work(settings: dict[str, Any]) -> None:
    """Advance whatever is there, until killed."""
    async with Orbits(Settings(**settings)):
        await asyncio.Event().wait()


def end_with_parent() -> None:
    """Let the kernel kill this process when the one that forked it is gone: no worker outlives a test."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Do as told, a line at a time."""
    for line in sys.stdin:
        told = json.loads(line)
        if "fork" in told:
            answer = os.fork()
            if not answer:
                end_with_parent()
                LOG[0] = Path(told["log"])
                HOLDS[0] = told.get("holds", False)
                if told.get("alone"):
                    leases.boot = lambda: f"machine {os.getpid()}"
                if "looks" in told:
                    look_into(Path(told["looks"]))
                asyncio.run(work(told["fork"]))
        elif isinstance(told["kill"], list):
            for pid in told["kill"]:
                os.kill(pid, signal.SIGKILL)
            answer = sum(os.waitpid(pid, 0)[0] == pid for pid in told["kill"])
        else:
            time.sleep(told["after"])
            os.kill(told["kill"], signal.SIGKILL)
            _, status = os.waitpid(told["kill"], 0)
            answer = os.waitstatus_to_exitcode(status)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
