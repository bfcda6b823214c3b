"""A dispatcher for tests: it advances whatever is due in this process, with no lease, no thread and no waiting.

It stands on the engine's one operation for dispatchers, `Engine.advance`, as the worker does. It takes an execution as
soon as it is due, nobody holds it and its code is here, in the order of the store; on a held loop (`held`) the course
of a test is therefore always the same. It believes to be the only process: what others held when it came is taken from
them at once, and neither limits nor turns of tenants are kept.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from orbits_iac.dispatch.builds import Builds
from orbits_iac.dispatch.contract import Condition, Dispatcher
from orbits_iac.dispatch.fairness import Ask
from orbits_iac.dispatch.own import claim_own
from orbits_iac.dispatch.schedules import Schedules
from orbits_iac.dispatch.stranded import go_on_here
from orbits_iac.engine.engine import Engine
from orbits_iac.model.errors import Error, Fenced, StoreError
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import TaskRow, WorkerRow
from orbits_iac.settings import Settings
from orbits_iac.store.contract import Fence, Park, Transaction

T = TypeVar("T")

log = logging.getLogger(__name__)

AGAIN = 1.0
"""Seconds after which it tries again what could not go on."""

MOST = 1_000_000
"""Executions that are claimed at a time: all."""


class Inline(Dispatcher):
    """Advances an engine's executions from `start` to `stop`; or in `async with`, at whose end the process dies.

    One that dies leaves what it held as held, which the next one finds.
    """

    def __init__(self, engine: Engine, *, look_every: float | None = None) -> None:
        """`look_every`: seconds after which it looks by itself, as where others write too or a hint may be lost."""
        self.id = WorkerId("inline")
        self._engine = engine
        self._look_every = look_every
        self._builds = Builds(engine)
        self._schedules = Schedules(engine, self._builds, self.id)
        self._active: dict[ExecutionId, asyncio.Task[None]] = {}
        self._poked = asyncio.Event()
        self._quiet = asyncio.Event()  # it has just looked, and nothing was due
        self._leaving = False
        self._loop: asyncio.Task[None] | None = None
        self._defects: list[Exception] = []
        self._defect = asyncio.Event()

    @classmethod
    def of(cls, engine: Engine, settings: Settings, *, who: str) -> Self:
        del settings, who
        return cls(engine, look_every=AGAIN)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _cancelled([*([self._loop] if self._loop is not None else []), *self._active.values()])

    async def start(self) -> None:
        """Take what others held, and begin to claim."""
        store = self._engine.store
        for owner in {task.owner for task in await store.find(TaskRow)} - {None}:
            await store.release(WorkerId(str(owner)), now=self._engine.clock.now())
        self._engine.on_due(self._poked.set)
        self._loop = asyncio.get_running_loop().create_task(self._run(), name="inline")

    @property
    def holds(self) -> int:
        return len(self._active)

    async def drain(self) -> tuple[ExecutionId, ...]:
        self._leaving = True
        if self._loop is not None:
            await _cancelled([self._loop])
        self._engine.leave()
        try:
            if self._active:
                await asyncio.wait(list(self._active.values()), timeout=self._engine.grace)
        finally:
            await _cancelled(list(self._active.values()))
        return await self._engine.quiet(AGAIN)

    async def stop(self) -> None:
        await self.drain()
        await self._engine.store.release(self.id, now=self._engine.clock.now())

    def condition(self) -> Condition:
        return Condition(concurrency=None, leaving=self._leaving, certain=True, lease_age=None)

    async def why_stranded(self, execution: ExecutionId) -> str | None:
        task = await self._engine.store.get(TaskRow, execution)
        if task is None:
            return None
        await self._builds.refresh([task.build])
        kinds = tuple(self._engine.registry.kinds())
        return self._builds.why_stranded(task, [WorkerRow(id=self.id, build=self._engine.build, kinds=kinds)])

    async def go_on_here(self, execution: ExecutionId, *, who: str) -> None:
        await go_on_here(self._engine, self._builds, self.id, execution, who=who)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which waits for executions; a defect of the engine meanwhile is raised here."""
        task, defect = asyncio.ensure_future(work), asyncio.ensure_future(self._defect.wait())
        try:
            await asyncio.wait([task, defect], return_when=asyncio.FIRST_COMPLETED)
            if self._defects:
                raise self._defects[0]
            return await task
        finally:
            task.cancel()
            defect.cancel()
            await asyncio.gather(task, defect, return_exceptions=True)

    async def settled(self) -> None:
        while True:
            idle = not self._active  # what is advanced while it looks may make more due
            self._quiet.clear()
            self._poked.set()
            await self._quiet.wait()
            if self._active:
                await asyncio.wait(self._active.values())
            elif idle:
                return

    async def _run(self) -> None:
        engine = self._engine
        while True:
            self._poked.clear()
            try:
                due, now = await engine.store.next_due(), engine.clock.now()
                if due is not None and due <= now and await self._claim(now):
                    continue
                if engine.own is None and await self._schedules.fire_due([]):
                    continue
                self._quiet.set()
                # What is due and was left is not for the code here, and hides what comes after it.
                until = now + AGAIN if due is not None and due <= now else due
                if self._look_every is None:
                    await engine.clock.wait(self._poked, until)
                    continue
                look = now + self._look_every
                await engine.clock.wait(self._poked, look if until is None else min(look, until))
                await self._sweep()
            except StoreError as error:
                log.info("the store did not answer: %s", error)
                await asyncio.sleep(AGAIN)

    async def _claim(self, now: float) -> bool:
        """Claim what is due; whether anything was, or more builds are known than before."""
        engine, builds = self._engine, self._builds.claims
        if engine.own is not None:
            claimed = await claim_own(engine, self.id, Ask(MOST), builds=builds)
        else:
            claimed = await engine.store.claim(
                self.id, now=now, limit=MOST, kinds=engine.registry.kinds(), builds=builds
            )
        for task in claimed:
            self._active[task.id] = asyncio.get_running_loop().create_task(self._advance(task), name=task.id)
        if claimed:
            return True
        due = await engine.store.due(TaskRow, now=now, limit=MOST)
        return bool(due) and await self._builds.refresh(task.build for task in due)

    async def _advance(self, task: TaskRow) -> None:
        try:
            await self._engine.advance(task)
        except Fenced:
            log.info("execution %s was taken over", task.id)
        except (Error, StoreError) as error:
            log.info("execution %s cannot go on now: %s", task.id, error)
            await self._let_go(task)
        except Exception as error:  # noqa: BLE001 - raised where it is seen
            self._defects.append(error)
            self._defect.set()
        finally:
            if self._active.get(task.id) is asyncio.current_task():  # it may have been claimed again since it parked
                del self._active[task.id]
            self._poked.set()

    async def _sweep(self) -> None:
        """Give back what was claimed by a claim whose answer was lost, and let runs look whose hint was."""
        for task in await self._engine.store.find(TaskRow, owner=self.id):
            if task.id in self._active:
                self._engine.poke(task.id)
            else:
                await self._let_go(task)

    async def _let_go(self, task: TaskRow) -> None:
        """Give the execution back, to be tried again; what was written meanwhile may have ended the claim already."""
        park = Park(due=self._engine.clock.now() + AGAIN)
        while True:
            try:
                await self._engine.store.commit(
                    Transaction(fence=Fence(execution=task.id, token=task.token), park=park)
                )
            except Fenced:
                return
            except StoreError as error:
                log.info("execution %s could not be given back: %s", task.id, error)
                await asyncio.sleep(AGAIN)
            else:
                return


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
