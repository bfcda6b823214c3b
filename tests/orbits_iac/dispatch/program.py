"""A program that is killed: it runs, or goes on with, a workflow whose steps write to a file outside the store.

`program.py STORE LOG start N` starts N workflows, `program.py STORE LOG update` one Resource, which waits for the file
`LOG.go`; `program.py STORE LOG work` advances whatever is there; `program.py STORE LOG halt N` starts too, and waits
for that file where the beginning of its first steps is durable and none is called. All end when nothing is left to do.
"""

import asyncio
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

from orbits_iac import Action, InProgress, Options, Orbits, Resource, Settings, Workflow
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.run import Run
from orbits_iac.model.rows import ExecutionRow
from orbits_iac.model.states import ENDED

STORE, LOG = sys.argv[1], Path(sys.argv[2])
GO = LOG.with_suffix(".go")


def note(line: str) -> None:
    """Append one line, whole, and say it too."""
    with LOG.open("ab", buffering=0) as log:
        log.write(f"{line}\n".encode())
    os.write(1, f"{line}\n".encode())


class Effect(Action[int, int]):
    """Leaves a line, and is looked at twice."""

    options = Options(idempotent=True)
    workflow: int
    number: int

    def main(self) -> InProgress[int]:
        note(f"main {self.workflow} {self.number} {self.execution.token} {os.getpid()}")
        return InProgress(0, poll=timedelta(milliseconds=1))

    def watch(self, looks: int, /) -> int | InProgress[int]:
        return self.number if looks == 1 else InProgress(looks + 1, poll=timedelta(milliseconds=1))


class Steps(Workflow[int]):
    """Twenty effects, five at a time."""

    workflow: int

    async def define(self) -> int:
        total = 0
        for batch in range(4):
            numbers = range(batch * 5, batch * 5 + 5)
            total += sum(
                await asyncio.gather(
                    *(self.do("effect", Effect(workflow=self.workflow, number=n), key=str(n)) for n in numbers)
                )
            )
            note(f"batch {self.workflow} {batch}")
        return total


class Waits(Action[int, int]):
    """Leaves a line, and is in progress until the file is there."""

    options = Options(idempotent=True)

    def main(self) -> InProgress[int]:
        note(f"main waits {self.execution.token} {os.getpid()}")
        return InProgress(0, poll=timedelta(milliseconds=1))

    def watch(self, handle: int, /) -> int | InProgress[int]:
        return 1 if GO.exists() else InProgress(handle, poll=timedelta(milliseconds=1))


class Shared(Resource):
    """One thing that several processes ask for."""

    def identity(self) -> str:
        return "one"

    async def define_update(self) -> None:
        await self.do("waits", Waits())


async def halted(engine: Engine, run: Run) -> None:
    """Stand still, the first time that steps are about to be called, and go on once the lease is renewed again.

    It is stopped from outside: another of its threads may be committing, which only who stops it can see.
    """
    assert engine.lease is not None
    if not HALTED:
        HALTED.append(run)
        note(f"halts {os.getpid()}")
        while not GO.exists():
            time.sleep(0.01)  # noqa: ASYNC251 - nothing of it may go on
    while not engine.lease.is_certain(engine.lease.elapsed()):  # noqa: ASYNC110 - a thread renews it
        await asyncio.sleep(0.01)
    try:
        await HOLD(engine, run)
        note(f"calls {os.getpid()}")
    finally:
        JUDGED.set()


HOLD, HALTED, JUDGED = Engine.hold, list[Run](), asyncio.Event()


async def main() -> None:
    if sys.argv[3] == "halt":
        Engine.hold = halted  # type: ignore[assignment,method-assign] # it is called with an engine
    async with Orbits(Settings(store=STORE)) as orbits:
        if sys.argv[3] in {"start", "halt"}:
            for number in range(int(sys.argv[4])):
                await orbits.start(Steps(workflow=number))
        if sys.argv[3] == "update":
            execution = await orbits.start(Shared())
            note(f"asked {execution.id}")
            await execution
        note(f"ready {os.getpid()}")
        if sys.argv[3] == "halt":
            await JUDGED.wait()
        while True:
            rows = await orbits.store.find(ExecutionRow)
            open_ = [row.id for row in rows if row.state not in ENDED]
            if not open_:
                break
            await orbits.execution(open_[0]).ended()
    note(f"done {os.getpid()}")


if __name__ == "__main__":
    asyncio.run(main())
