"""Crashing an engine at a chosen write or effect, and going on with another one on the same store and world."""

import asyncio
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import SecretStr

from orbits_iac import Orbits, Plan, Settings, Step
from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import (
    EntryRow,
    ExecutionRow,
    MessageRow,
    RecordRow,
    SubscriberRow,
    TaskRow,
    WorkerRow,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore

from .world import WORLD

SETTINGS = Settings(
    project="tests", store="memory:", secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
)


_BEFORE = "whoever was here before"


class Died(BaseException):
    """What a hook gets whose process dies under it."""


@dataclass(frozen=True)
class Crash:
    """The n-th commit, before it is written or after it with no answer; or the n-th moment around an effect."""

    at: int
    where: Literal["before", "after", "effect"]


class Process:
    """A store as one process has it, until that dies at its crash."""

    def __init__(self, kept: MemoryStore, crash: Crash | None = None) -> None:
        self.commits = 0
        self.effects = 0
        self.died = asyncio.Event()
        self._kept = kept
        self._crash = crash
        self._loop = asyncio.get_running_loop()
        self._dead = False
        self._buried = False

    @property
    def url(self) -> str:
        return self._kept.url

    def as_store(self) -> Store:
        """This, for whom a store is asked of."""
        return cast("Store", self)

    def effect(self) -> None:
        """A moment before or after an effect; from any thread."""
        if self._dead:
            raise Died
        self.effects += 1
        if self._crash is not None and self._crash.where == "effect" and self._crash.at == self.effects:
            self._dead = True
            self._loop.call_soon_threadsafe(self.died.set)
            raise Died

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
        if self._crash is not None and self._crash.where != "effect" and self.commits == self._crash.at:
            if self._crash.where == "after":
                await self._kept.commit(transaction)
            self._dead = True
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
        if self._dead:
            await asyncio.get_running_loop().create_future()


@dataclass(frozen=True)
class Outcome:
    """How it ended, what stands then, and what was done twice."""

    state: State
    result: str | None
    failure: tuple[str, str, tuple[str, ...], State] | None
    things: dict[str, int | str]
    done: frozenset[str]  # what was done at least once
    made: Counter[str]  # what was made, and how often
    records: frozenset[tuple[str, str, int | None, frozenset[str], bool]]
    left: int  # tasks, messages and subscriptions
    repeated: tuple[str, ...]  # tokens of steps that were finished at a crash and done again


async def run_with_crashes(
    make: Callable[[], Step[Any]], crashes: Sequence[Crash] = (), *, first: Step[Any] | None = None
) -> Outcome | None:
    """Run a step, crashing once for each of `crashes`, each in the process after the last.

    None if there was no such commit or effect any more. With `first`, that was run before, and the step is run under
    the plan that its preview then gives.
    """
    kept = MemoryStore()
    await kept.open()
    plan = await _planned(kept, make, first) if first is not None else None
    repeated: list[str] = []
    for crash in crashes:
        before, finished = len(WORLD.tokens), await _finished(kept)
        if not await _crashed(Process(kept, crash), make, plan):
            return None
        repeated += [token for token in WORLD.tokens[before:] if token in finished]
        for row in await kept.find(WorkerRow):
            await kept.release(row.id, now=0.0)
    before, finished = len(WORLD.tokens), await _finished(kept)
    ended = await _live(Process(kept), make, plan)
    repeated += [token for token in WORLD.tokens[before:] if token in finished]
    return await _outcome(kept, ended, repeated)


async def _finished(kept: MemoryStore) -> set[str]:
    """The tokens of the steps whose outcome is durable."""
    found: set[str] = set()
    for execution in await kept.find(ExecutionRow):
        entries = await kept.find(EntryRow, execution=execution.id)
        found |= {entry.token for entry in entries if entry.seq is not None and entry.token}
    return found


async def _planned(kept: MemoryStore, make: Callable[[], Step[Any]], first: Step[Any]) -> Plan:
    """Run what comes before; then the plan for what comes."""
    async with Orbits(SETTINGS, store=Process(kept).as_store(), who=_BEFORE) as orbits:
        _know(orbits, make)
        await orbits.run(first)
        return await orbits.preview(make())


async def _live(process: Process, make: Callable[[], Step[Any]], plan: Plan | None) -> ExecutionRow:
    """Go on with what is there, or start it, until nothing is left to do."""
    WORLD.crash = process.effect
    store = process.as_store()
    async with Orbits(SETTINGS, store=store) as orbits:
        WORLD.emit = orbits.emit
        _know(orbits, make)
        roots = [row for row in await store.find(ExecutionRow) if row.parent is None and row.who != _BEFORE]
        first = min(roots, key=lambda row: row.created_at, default=None)  # the others were set off by it
        execution = orbits.execution(first.id) if first is not None else await orbits.start(make(), plan=plan)
        async with asyncio.timeout(20):
            if plan is not None:
                await orbits.settled()
                if (await execution.row()).state not in ENDED:  # it waits for approval
                    await execution.approve()
            ended = await execution.ended()
            await orbits.settled()
        return ended


def _know(orbits: Orbits, make: Callable[[], Step[Any]]) -> None:
    """All steps of the scenario's module: other tests may have classes of the same kinds."""
    for found in vars(sys.modules[type(make()).__module__]).values():
        if inspect.isclass(found) and issubclass(found, Step):
            orbits.registry.know(found)


async def _crashed(process: Process, make: Callable[[], Step[Any]], plan: Plan | None) -> bool:
    life = asyncio.ensure_future(_live(process, make, plan))
    death = asyncio.ensure_future(process.died.wait())
    await asyncio.wait([life, death], return_when=asyncio.FIRST_COMPLETED, timeout=20)
    process.bury()
    for task in (life, death):
        task.cancel()
        with suppress(asyncio.CancelledError, StoreError):
            await task
    return process.died.is_set()


async def _outcome(kept: MemoryStore, ended: ExecutionRow, repeated: list[str]) -> Outcome:
    failure, records = ended.failure, await kept.find(RecordRow)
    left = [len(await kept.find(table)) for table in (TaskRow, MessageRow, SubscriberRow)]
    return Outcome(
        state=ended.state,
        result=ended.result,
        failure=None if failure is None else (failure.error_type, failure.message, failure.path, failure.state),
        things={**WORLD.things, **WORLD.buckets, **WORLD.mounts},
        done=frozenset(WORLD.log),
        made=Counter(line for line in WORLD.log if line.startswith("create")),
        records=frozenset(
            (row.kind, row.identity, row.revision, frozenset(row.users), row.held is not None) for row in records
        ),
        left=sum(left) + sum(len(row.queue) for row in records),
        repeated=tuple(repeated),
    )
