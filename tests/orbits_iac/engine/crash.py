"""A process that dies at a chosen write, in real time: for what the crash harness cannot hold the time of.

`orbits_iac.testing.crash_everywhere` runs one process after the other on held time, and is the way to crash a scenario.
Here are child processes, which go on by themselves, two workers at once, and code that is another in the next life.
"""

import asyncio
import inspect
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, cast

from pydantic import SecretStr

from orbits_iac import Orbits, Settings, Step
from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import EntryRow, ExecutionRow, MessageRow, RecordRow, SubscriberRow, TaskRow, WorkerRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Store, Transaction

from .world import WORLD

SETTINGS = Settings(
    project="tests", store="memory:", secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
)
AT_ONCE = timedelta(milliseconds=1)
"""The grace of a process that is to die: it would otherwise wait for its store, to keep what came of its steps."""


@dataclass(frozen=True)
class Crash:
    """The n-th commit, before it is written or after it with no answer."""

    at: int
    where: Literal["before", "after"]


class Process:
    """A store as one process has it, until that dies at its crash."""

    def __init__(self, kept: Store, crash: Crash | None = None) -> None:
        self.commits = 0
        self.died = asyncio.Event()
        self._kept = kept
        self._crash = crash
        self._buried = False

    @property
    def url(self) -> str:
        return self._kept.url

    def as_store(self) -> Store:
        """This, for whom a store is asked of."""
        return cast("Store", self)

    def bury(self) -> None:
        """Whatever of the process still calls is told that the store is gone."""
        self._buried = True

    async def open(self) -> None:
        """The kept store is open already."""

    async def close(self) -> None:
        """The kept store stays open."""

    async def commit(self, transaction: Transaction) -> None:
        await self._alive()
        rows = [*transaction.put, *transaction.delete]
        if not rows or not all(isinstance(row, WorkerRow) for row in rows):
            self.commits += 1
        if self._crash is not None and self.commits == self._crash.at:
            if self._crash.where == "after":
                await self._kept.commit(transaction)
            self.died.set()
            await self._alive()
        await self._kept.commit(transaction)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*arguments: Any, **named: Any) -> Any:
            await self._alive()
            return await getattr(self._kept, name)(*arguments, **named)

        return call

    async def _alive(self) -> None:
        """A dead process does not go on; once it is buried, what is left of it gets an error."""
        if self._buried:
            raise StoreError("the process is dead")
        if self.died.is_set():
            await asyncio.get_running_loop().create_future()


@dataclass(frozen=True)
class Outcome:
    """How it ended, what was made, and what was done twice."""

    state: State
    made: Counter[str]  # what was made, and how often
    left: int  # tasks, messages, subscriptions and queues
    repeated: tuple[str, ...]  # tokens of steps that were finished at the crash and done again


async def run_with_crash(make: Callable[[], Step[Any]], crash: Crash, kept: Store) -> Outcome | None:
    """Run a step in a process that dies at `crash`, and go on in another; None if there was no such commit any more."""
    process = Process(kept, crash)
    dying = SETTINGS.model_copy(update={"grace": AT_ONCE, "drain": AT_ONCE})
    life, death = asyncio.ensure_future(_live(process, make, dying)), asyncio.ensure_future(process.died.wait())
    await asyncio.wait([life, death], return_when=asyncio.FIRST_COMPLETED, timeout=20)
    process.bury()
    for task in (life, death):
        task.cancel()
        with suppress(asyncio.CancelledError, StoreError):
            await task
    if not process.died.is_set():
        return None
    for worker in await kept.find(WorkerRow):
        await kept.release(worker.id, now=0.0)
    before, finished = len(WORLD.tokens), await _finished(kept)
    ended = await _live(Process(kept), make, SETTINGS)
    left = [len(await kept.find(table)) for table in (TaskRow, MessageRow, SubscriberRow)]
    return Outcome(
        state=ended.state,
        made=Counter(line for line in WORLD.log if line.startswith("create")),
        left=sum(left) + sum(len(row.queue) for row in await kept.find(RecordRow)),
        repeated=tuple(token for token in WORLD.tokens[before:] if token in finished),
    )


async def _finished(kept: Store) -> set[str]:
    """The tokens of the steps whose outcome is durable."""
    found: set[str] = set()
    for execution in await kept.find(ExecutionRow):
        entries = await kept.find(EntryRow, execution=execution.id)
        found |= {entry.token for entry in entries if entry.seq is not None and entry.token}
    return found


async def _live(process: Process, make: Callable[[], Step[Any]], settings: Settings) -> ExecutionRow:
    """Go on with what is there, or start it, until nothing is left to do."""
    store = process.as_store()
    async with Orbits(settings, store=store) as orbits:
        for found in vars(sys.modules[type(make()).__module__]).values():
            if inspect.isclass(found) and issubclass(found, Step):  # other tests may have classes of the same kinds
                orbits.registry.know(found)
        roots = [row for row in await store.find(ExecutionRow) if row.parent is None]
        execution = orbits.execution(roots[0].id) if roots else await orbits.start(make())
        async with asyncio.timeout(60):
            ended = await execution.ended()
            await orbits.settled()
        return ended
