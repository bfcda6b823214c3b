"""Crashing an engine at a chosen write, and going on with another one on the same store and world."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from pydantic import SecretStr

from orbits_iac import Orbits, Settings, Step
from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import EntryRow, ExecutionRow, WorkerRow
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.memory import MemoryStore

from .world import WORLD

SETTINGS = Settings(
    project="tests", store="memory:", secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
)


class Process:
    """A store as one process has it: lost at its n-th commit, before that is written, or after it with no answer."""

    def __init__(self, kept: MemoryStore, *, at: int | None = None, written: bool = False) -> None:
        self.commits = 0
        self.died = asyncio.Event()
        self._kept = kept
        self._at = at
        self._written = written
        self._buried = False

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
        if self.commits == self._at:
            if self._written:
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


async def run_with_crash(
    make: Callable[[], Step[Any]], *, at: int | None, written: bool = False
) -> tuple[ExecutionRow, list[str]] | None:
    """Run a step, crash at commit `at`, and go on in a second process.

    How it ended, and the tokens of steps that were finished at the crash and done again; None if there was no such
    commit.
    """
    kept = MemoryStore()
    await kept.open()
    process = Process(kept, at=at, written=written)
    if not await _crashed(process, make):
        return None
    before = len(WORLD.tokens)
    finished = {entry.token for entry in await _entries(kept) if entry.seq is not None and entry.token}
    for row in await kept.find(WorkerRow):
        await kept.release(row.id, now=0.0)
        await kept.commit(Transaction(delete=[row]))
    async with Orbits(SETTINGS, store=Process(kept).as_store()) as second:
        second.registry.know(type(make()))
        roots = [row for row in await kept.find(ExecutionRow) if row.parent is None]
        execution = second.execution(roots[0].id) if roots else await second.start(make())
        async with asyncio.timeout(20):
            ended = await execution.ended()
            await second.settled()
        return ended, [token for token in WORLD.tokens[before:] if token in finished]


async def _entries(store: Store) -> list[EntryRow]:
    """The journal entries of every execution."""
    found: list[EntryRow] = []
    for execution in await store.find(ExecutionRow):
        found += await store.find(EntryRow, execution=execution.id)
    return found


async def run_without_crash(make: Callable[[], Step[Any]]) -> tuple[ExecutionRow, MemoryStore]:
    """Run a step to its end in one process."""
    kept = MemoryStore()
    await kept.open()
    async with Orbits(SETTINGS, store=Process(kept).as_store()) as orbits:
        ended = await (await orbits.start(make())).ended()
        await orbits.settled()
        return ended, kept


async def _crashed(process: Process, make: Callable[[], Step[Any]]) -> bool:
    async def live() -> None:
        async with Orbits(SETTINGS, store=process.as_store()) as orbits:
            await (await orbits.start(make())).ended()
            await orbits.settled()

    life, death = asyncio.ensure_future(live()), asyncio.ensure_future(process.died.wait())
    await asyncio.wait([life, death], return_when=asyncio.FIRST_COMPLETED, timeout=20)
    process.bury()
    for task in (life, death):
        task.cancel()
        with suppress(asyncio.CancelledError, StoreError):
            await task
    return process.died.is_set()
