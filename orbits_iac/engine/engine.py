"""The parts put together: what a dispatcher asks of the engine, and what the engine has in memory."""

import asyncio
import math
import random
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol

from orbits_iac.codec import Codec
from orbits_iac.drift.project import DriftSettings
from orbits_iac.engine.broken_off import is_next, knows_more, take_over
from orbits_iac.engine.clock import Clock
from orbits_iac.engine.course import Ended, Parked, ReloadError, advance
from orbits_iac.engine.hosts import Hosts
from orbits_iac.engine.loop import DefinitionLoop
from orbits_iac.engine.resting import Resting
from orbits_iac.engine.run import Run
from orbits_iac.engine.suspects import Suspects
from orbits_iac.engine.threads import Threads
from orbits_iac.engine.watchdog import Watchdog
from orbits_iac.measures import OFF, Measures
from orbits_iac.model.builds import is_same_code
from orbits_iac.model.errors import Fenced, Refused
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import BuildRow, ExecutionRow, TaskRow, amended
from orbits_iac.notify.settings import NotifySettings
from orbits_iac.registry import Registry
from orbits_iac.steps.execution import Shared
from orbits_iac.store.contract import Store, Transaction

ADVANCED: ContextVar[TaskRow | None] = ContextVar("orbits_advanced", default=None)
"""The execution that what runs here is done for, where it is for one: what is logged belongs to it."""


class Lease(Protocol):
    """What the engine asks of the lease that its dispatcher keeps."""

    def elapsed(self) -> float:
        """Seconds that have passed since some moment."""
        ...

    def is_certain(self, since: float) -> bool:
        """Whether nobody can have taken over what was claimed, or found to be still held, at `since`."""
        ...


class Engine:
    """Advances executions of one build, on one store, in one process.

    `advance` is the seam to whoever hands out work: it goes on with a claimed execution until it has ended, waits until
    a time, or waits for a message. The definitions that waited last stay in memory, `suspended` of them; one is used
    again only if nobody else has claimed its execution in between.
    """

    def __init__(  # noqa: PLR0913 - the parts, each by its name
        self,
        store: Store,
        codec: Codec,
        registry: Registry,
        *,
        project: str,
        build: str,
        clock: Clock | None = None,
        threads: int = 32,
        suspended: int = 1000,
        threads_per_tenant: int | None = None,
        longest_block: float = 1.0,
        block_ends: float = 60.0,
        files: Path | None = None,
        grace: float = 300.0,
        chance: Callable[[], float] = random.random,
        drift: DriftSettings | None = None,
        notify: NotifySettings | None = None,
        measures: Measures = OFF,
    ) -> None:
        self.store = store
        self.codec = codec
        self.registry = registry
        self.project = project
        self.build = build
        self.clock = clock or Clock()
        self.grace = grace
        self.chance = chance
        self.drift = drift or DriftSettings()
        self.notify = notify or NotifySettings()
        self.measures = measures
        self.lease: Lease | None = None  # of the worker here
        self.shared: Callable[[str, float | None], Shared] = lambda _, __: Shared()  # likewise
        self.own: set[ExecutionId] | None = None  # what was asked for here, where nothing else is to be advanced here
        self.threads = Threads(threads, threads_per_tenant)
        self.hosts = Hosts(store, files)
        self.suspects = Suspects()
        self._watchdog = Watchdog(longest_block, block_ends, self._run_of)
        self._runs: dict[ExecutionId, Run] = {}
        self._resting = Resting(suspended)  # those of `_runs` that wait
        self._broken_off: dict[ExecutionId, Run] = {}  # those that know what the store does not
        self._leaving = False
        self._left: dict[ExecutionId, set[asyncio.Task[Any]]] = {}  # attempts of runs that were abandoned
        self._ended: list[Callable[[ExecutionRow], None]] = []
        self._due: list[Callable[[], None]] = []
        self._builds: dict[str, BuildRow] = {}

    async def open(self) -> None:
        """Get ready to advance executions."""
        await self.hosts.open()
        self._watchdog.start()

    async def close(self) -> None:
        """Let go of every definition in memory and of the threads; executions go on from the store."""
        await self._watchdog.stop()
        for run in [*self._runs.values(), *self._broken_off.values()]:
            run.abandon()
        self._runs.clear()
        self._broken_off.clear()
        await asyncio.sleep(0)  # the definitions end in callbacks
        await self.threads.close()
        await asyncio.gather(*(task for tasks in self._left.values() for task in tasks), return_exceptions=True)
        await self.hosts.close()

    def leave(self) -> None:
        """Let every run begin nothing more, and park once nothing is under way that another could not begin again."""
        self._leaving = True
        for run in self._runs.values():
            run.leave()

    async def quiet(self, seconds: float) -> tuple[ExecutionId, ...]:
        """Wait until nothing that was let go of is under way here; the executions of what is, after so many seconds."""
        left = {task for tasks in self._left.values() for task in tasks}
        if left:
            await asyncio.wait(left, timeout=seconds)
        return tuple(sorted(self._left))

    def knows_more(self, execution: ExecutionId) -> bool:
        """Whether something that came of an execution here is not in the store: another process would never know."""
        return execution in self._broken_off

    def asked_for(self, execution: ExecutionId) -> None:
        """Something here, or an execution that is advanced here, is about to ask for this one."""
        if self.own is not None:
            self.own.add(execution)

    def on_due(self, tell: Callable[[], None]) -> None:
        """Tell whenever something that was written here may have made an execution due."""
        self._due.append(tell)

    def on_end(self, tell: Callable[[ExecutionRow], None]) -> None:
        """Tell of every execution that ends here."""
        self._ended.append(tell)

    async def advance(self, task: TaskRow, *, claimed_at: float = 0.0) -> Parked | Ended:
        """Go on with a claimed execution until it waits or has ended. `claimed_at`: just before, by its lease's clock.

        Raises `Fenced` when the claim was lost; `Refused` or `UsageError` when its code cannot run it: then its claim
        stands and the caller decides.
        """
        ADVANCED.set(task)
        run = self._runs.get(task.id)
        self._resting.take(task.id)
        if run is None or run.pages.token != task.token - 1:
            if run is not None:
                run.abandon()
            run = await self._load(task)
        run.claimed_at = claimed_at
        try:
            try:
                outcome = await advance(run, task)
            except ReloadError:
                self._broken_off[task.id] = run
                run = await self._load(task)
                run.claimed_at = claimed_at
                outcome = await advance(run, task)
        except BaseException as error:
            if self._runs.get(task.id) is run:
                del self._runs[task.id]
            if isinstance(error, Exception) and not isinstance(error, Fenced) and knows_more(run):
                self._broken_off[task.id] = run
            raise
        if isinstance(outcome, Ended) or run.main is None:
            self._runs.pop(task.id, None)
        elif run.pages.token == task.token:  # it was not claimed again meanwhile
            self._drop(self._resting.add(run))
        if isinstance(outcome, Ended):
            self.hosts.ended(task.id)
            self.measures.execution_ended(outcome.execution)
            for tell in self._ended:
                tell(outcome.execution)
        return outcome

    @property
    def suspended(self) -> int:
        """How many definitions of executions that wait are in memory."""
        return len(self._resting)

    async def commit(self, transaction: Transaction, *, wake: Sequence[ExecutionId] = ()) -> None:
        """Write, and tell the runs of this process that were woken by it."""
        if wake:
            transaction = amended(transaction, wake=wake, wake_at=self.clock.now())
        await self.store.commit(transaction)
        for execution in wake:
            self.poke(execution)
        if wake or transaction.park is not None or TaskRow in map(type, transaction.put):
            for tell in self._due:
                tell()

    async def order_of(self, build: str) -> float:
        """The place of a build in the order in which builds came; of one that no worker had yet, after all others.

        One that is the same code as the build here has the same place.
        """
        row = await self._build_row(self.build if await self.is_same_build(build) else build)
        return math.inf if row is None else row.order

    async def is_same_build(self, build: str) -> bool:
        """Whether a build is this one, or the same code with other modules imported beside it."""
        own, other = await self._build_row(self.build), await self._build_row(build)
        return build == self.build or (own is not None and other is not None and is_same_code(own, other))

    async def _build_row(self, build: str) -> BuildRow | None:
        if build not in self._builds:
            row = await self.store.get(BuildRow, build)
            if row is None:
                return None
            self._builds[build] = row
        return self._builds[build]

    def poke(self, execution: ExecutionId) -> None:
        """There may be a message for an execution that is being advanced here."""
        run = self._runs.get(execution)
        if run is not None:
            run.poke()

    def leave_behind(self, execution: ExecutionId, attempts: Iterable[asyncio.Task[Any]]) -> None:
        """Cancel attempts that nobody waits for; the execution is not taken up anew here before they have ended."""
        left = self._left.setdefault(execution, set())
        for task in attempts:
            left.add(task)
            task.cancel()
            task.add_done_callback(lambda done: self._forget(execution, done))

    def _run_of(self, loop: DefinitionLoop) -> Run | None:
        return next((run for run in list(self._runs.values()) if run.loop is loop), None)

    def _forget(self, execution: ExecutionId, done: asyncio.Task[None]) -> None:
        left = self._left.get(execution, set())
        left.discard(done)
        if not left:
            self._left.pop(execution, None)

    def is_certain(self, run: Run) -> bool:
        """Whether nobody can have taken over a run's execution; from any thread."""
        return self.lease is None or self.lease.is_certain(run.claimed_at)

    async def hold(self, run: Run) -> None:
        """Return when a run's claim is certain: just before an Action's hook is called, which no fence protects.

        Raises `Fenced` if it was lost while the worker's lease was not renewed in time.
        """
        while self.lease is not None and not self.is_certain(run := run.current):
            asked = self.lease.elapsed()
            if self.lease.is_certain(asked):
                await self.store.commit(Transaction(fence=run.pages.fence))
                run.claimed_at = asked
            else:
                await asyncio.sleep(0.05)  # a thread renews it

    async def forget_strangers(self) -> None:
        """Let go of definitions whose executions other processes have gone on with or ended."""
        self._drop(await self._resting.strangers(self.store))

    def _drop(self, runs: Sequence[Run]) -> None:
        for run in runs:
            execution = run.pages.execution.id
            self._resting.take(execution)
            if self._runs.get(execution) is run:
                del self._runs[execution]
            run.abandon()

    async def _load(self, task: TaskRow) -> Run:
        before = self._broken_off.get(task.id)
        if before is not None and not is_next(before, task):
            before.abandon()
            del self._broken_off[task.id]
            before = None
        if task.id in self._left:
            await asyncio.wait(self._left[task.id])
        journal = await self.store.load(task.id)
        if journal is None:
            raise Refused(f"there is no execution {task.id}")
        run = Run(self, journal)
        run.leaving = self._leaving
        if before is not None:
            del self._broken_off[task.id]
            take_over(run, before)
        self._runs[task.id] = run
        return run
