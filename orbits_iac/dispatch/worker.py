"""A worker: claims executions that are due, lets the engine advance them, and takes over from workers that died."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from orbits_iac.dispatch.agreement import agree
from orbits_iac.dispatch.bell import LONGEST_PAUSE, Bell
from orbits_iac.dispatch.builds import Builds
from orbits_iac.dispatch.contract import Condition, Dispatcher
from orbits_iac.dispatch.fairness import Ask, Fairness
from orbits_iac.dispatch.leases import LAST_WORD, Lease, Watch, is_gone, this_process
from orbits_iac.dispatch.limits import Permits
from orbits_iac.dispatch.neighbours import Neighbours
from orbits_iac.dispatch.own import claim_own
from orbits_iac.dispatch.schedules import Schedules
from orbits_iac.dispatch.sharing import Sharing
from orbits_iac.dispatch.stranded import Stranded, go_on_here
from orbits_iac.engine.course import Ended
from orbits_iac.engine.engine import Engine
from orbits_iac.model.errors import Conflict, Error, Fenced, Refused, StoreError
from orbits_iac.model.happenings import taken_over
from orbits_iac.model.ids import ExecutionId, WorkerId, new_id
from orbits_iac.model.limits import Limits
from orbits_iac.model.rows import ImportRow, TaskRow, WorkerRow, amended
from orbits_iac.store.contract import Fence, Park, Transaction

if TYPE_CHECKING:
    from orbits_iac.settings import Settings

log = logging.getLogger(__name__)

LONGEST_WAIT = 1.0
"""Seconds after which a worker looks by itself, should a hint be lost."""


class Worker(Dispatcher):
    """Advances executions of one store in this process, up to `concurrency` at a time.

    Its row is its lease: who sees that unchanged for long, or that its process has ended, takes over what it holds.
    """

    @classmethod
    def of(cls, engine: Engine, settings: "Settings", *, who: str) -> Self:
        return cls(
            engine,
            concurrency=settings.concurrency,
            per_tenant=settings.concurrency_per_tenant,
            limits=Limits(settings.limits),
            labels=settings.labels,
            lease=settings.lease,
            grace=settings.drain,
            who=who,
        )

    def __init__(
        self,
        engine: Engine,
        *,
        concurrency: int = 64,
        per_tenant: int | None = None,
        limits: Limits | None = None,
        labels: Sequence[str] = (),
        lease: timedelta = timedelta(seconds=10),
        grace: timedelta = timedelta(minutes=5),
        who: str = "",
    ) -> None:
        """`labels`: what it is fit for. `grace`: how long it waits, when it ends, for what it may not let go of."""
        self.id = WorkerId(f"{who or 'worker'}-{new_id(engine.clock.now())[-8:]}")
        self._engine = engine
        self._concurrency = concurrency
        self._fairness = Fairness(concurrency, per_tenant)
        self._sharing = Sharing(engine.store, self.id)
        self._permits = Permits(engine, limits or Limits({}))
        self._labels = tuple(sorted(set(labels)))
        self._grace = grace.total_seconds()
        self._lease_length = lease.total_seconds()
        self._watch = Watch(self._lease_length)
        self._neighbours = Neighbours(self._somebody_died)
        self._builds = Builds(engine)
        self._schedules = Schedules(engine, self._builds, self.id)
        self._stranded = Stranded(engine, self._builds, self.id, patience=self._lease_length)
        self._living: list[WorkerRow] = []  # as of the last sweep, this one among them
        self._kinds: frozenset[str] = frozenset()  # as of the last sweep
        self._active: dict[ExecutionId, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # those of `_active`, and those that later claims replaced
        self._freed = asyncio.Event()
        self._bell = Bell(engine.store)
        self._quiet = asyncio.Event()  # it has just looked, and nothing was due
        self._looks = self._nothing = 0  # how often it has looked; the last look that found nothing
        self._claims = 0  # how often it has claimed anything
        self._stopping = False
        self._swept = self._watched = 0.0
        self._next: float | None = None  # when something is due, as of then
        self._left_over: tuple[float | None, float] = (None, 0.0)  # what was due and for others, and when that was seen
        self._lease: Lease | None = None
        self._own: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Register, and begin to claim."""
        row = amended(
            this_process(self.id, self._engine.build, self._engine.registry.kinds()),
            concurrency=self._concurrency,
            labels=self._labels,
            lease=self._lease_length,
            alone=self._engine.own is not None,
            started_at=self._engine.clock.now(),
        )
        self._lease = Lease(self._engine.store, row, self._lease_length)
        try:
            await self._engine.store.commit(Transaction(absent=[ImportRow()], put=[row]))
        except Conflict as error:
            raise Refused(
                f"an import into {self._engine.store.url} has begun just now: start again once it has finished"
            ) from error
        self._lease.start()
        self._engine.lease = self._lease
        self._engine.shared = self._sharing.shared
        self._engine.on_due(self._bell.poke)
        running = asyncio.get_running_loop()
        self._own = [
            running.create_task(self._run(), name=f"worker {self.id}"),
            running.create_task(self._bell.listen(LONGEST_WAIT), name=f"hints of worker {self.id}"),
        ]

    @property
    def holds(self) -> int:
        return len(self._active)

    async def drain(self) -> tuple[ExecutionId, ...]:
        elapsed = asyncio.get_running_loop().time
        ends = elapsed() + self._grace
        self._stopping = True
        if self._lease is not None:
            self._lease.drain()
        self._engine.leave()  # before anything is waited for: what is under way meanwhile begins nothing more
        await _cancelled(self._own)
        self._neighbours.close()
        try:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._grace)
        finally:
            for execution in self._active:
                log.warning(
                    "execution %s was not done with in time: its next worker asks what was under way", execution
                )
            await _cancelled(list(self._tasks))
        return await self._engine.quiet(max(LONGEST_WAIT, ends - elapsed()))

    async def stop(self) -> None:
        if not self._stopping:
            await self.drain()
        if self._lease is None:
            return
        await asyncio.to_thread(self._lease.stop)
        try:
            async with asyncio.timeout(LAST_WORD):
                await self._sharing.leave()
                await self._engine.store.release(self.id, now=self._engine.clock.now())
        except TimeoutError:
            raise StoreError(
                f"worker {self.id} could not deregister, as the store has not answered for {LAST_WORD:g} s: what it "
                f"held is taken over once its lease has run out"
            ) from None

    async def go_on_here(self, execution: ExecutionId, *, who: str) -> None:
        """Let the code that is here go on with an execution, though it be older; `Refused` if another worker does."""
        await go_on_here(self._engine, self._builds, self.id, execution, who=who)

    async def why_stranded(self, execution: ExecutionId) -> str | None:
        """Why no living worker may go on with an execution, and what to do; None if one may."""
        task = await self._engine.store.get(TaskRow, execution)
        if task is None:
            return None
        await self._builds.refresh([task.build])
        others = [row for row in await self._engine.store.find(WorkerRow) if row.id != self.id]
        return self._builds.why_stranded(task, [*others, await self._present()])

    def condition(self) -> Condition:
        lease = self._lease
        return Condition(
            concurrency=self._concurrency,
            leaving=self._stopping,
            certain=lease is not None and lease.is_certain(lease.elapsed()),
            lease_age=None if lease is None else lease.age(),
        )

    async def settled(self) -> None:
        """Wait until nothing is due and nothing is being advanced here; for tests that hold the clock."""
        while True:
            idle, claims = not self._active, self._claims  # what is advanced while it looks may make more due
            next_ = self._looks + 1  # a look that has begun already may not have seen it all
            while self._nothing < next_:
                self._quiet.clear()
                self._bell.poke()
                await self._quiet.wait()
            if self._active:
                await asyncio.wait(self._active.values())
            elif idle and self._claims == claims:
                return

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._take_over()
                await self._sweep()
                if not await self._look():
                    self._nothing = self._looks
                    self._quiet.set()
                    await self._wait()
            except StoreError as error:
                log.warning("worker %s: %s; it tries again", self.id, error)
                await asyncio.sleep(LONGEST_WAIT)
            except Exception:
                log.exception("worker %s goes on, though this is a defect of Orbits", self.id)
                await asyncio.sleep(LONGEST_WAIT)

    async def _look(self) -> bool:
        """Claim what is due and ask for the cycles that are, both at once; whether there was any."""
        engine = self._engine
        self._looks += 1
        self._bell.looking()
        self._next = due = await engine.store.next_due()
        is_due = due is not None and due <= engine.clock.now()
        # Schedules come first: by looking at them builds get known that may be claimed.
        fired = [] if engine.own is not None else [self._schedules.fire_due(self._living, is_due=is_due)]
        looks = [*fired, *([self._claim()] if is_due else [])]
        found = await asyncio.gather(*looks, return_exceptions=True)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        self._bell.has_looked()
        return any(found)

    async def _claim(self) -> bool:
        """Claim what is due, as far as there is room; whether anything was."""
        if len(self._active) >= self._concurrency:
            return False
        assert self._lease is not None  # noqa: S101 - for the checkers: only a worker that was started claims
        asked = self._lease.elapsed()
        if not self._lease.is_certain(asked):  # others may think it dead, and its row may be gone
            await asyncio.sleep(LONGEST_PAUSE)
            return True
        found = await self._fairness.fill(partial(self._take, asked))
        return found or await self._left_to_others()

    async def _take(self, asked: float, what: Ask) -> list[TaskRow]:
        """Claim this, and begin to advance what was claimed."""
        engine, labels = self._engine, frozenset(self._labels)
        if engine.own is not None:
            claimed = await claim_own(engine, self.id, what, builds=self._builds.claims, labels=labels)
        else:
            claimed = await engine.store.claim(
                self.id,
                now=engine.clock.now(),
                limit=what.limit,
                kinds=engine.registry.kinds(),
                builds=self._builds.claims,
                labels=labels,
                without=what.without,
                least=what.least,
            )
        if claimed:
            engine.measures.claimed(len(claimed))
            self._claims += 1
        for task in claimed:
            made = asyncio.get_running_loop().create_task(self._advance(task, asked), name=task.id)
            self._active[task.id] = made
            self._tasks.add(made)
            made.add_done_callback(self._tasks.discard)
        return claimed

    async def _left_to_others(self) -> bool:
        """What is due was not for this worker: see whether it is for any; whether there is more to claim here now."""
        seen = (self._next, self._engine.clock.monotonic())
        if seen[0] == self._left_over[0] and seen[1] - self._left_over[1] < LONGEST_WAIT:
            return False
        self._left_over = seen
        return await self._stranded.look(self._living)

    async def _wait(self) -> None:
        """Until something may be due, or there is room again, or the others' leases are to be looked at."""
        most = max(0.0, self._watched + self._watch_every() - asyncio.get_running_loop().time())
        if len(self._active) >= self._concurrency:
            self._freed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(most):
                    await self._freed.wait()
            return
        due, now = self._next, self._engine.clock.now()
        # What is due already, and was not claimed, is for others: its code is not here.
        seconds = most if due is None or due <= now else min(most, due - now)
        await self._bell.wait(seconds)

    async def _advance(self, task: TaskRow, claimed_at: float) -> None:
        try:
            while not await self._is_over(task, claimed_at):
                await asyncio.sleep(LONGEST_WAIT)
                if self._active.get(task.id) is not asyncio.current_task():
                    return  # it had parked: only the answer was lost
        finally:
            if self._active.get(task.id) is asyncio.current_task():  # it may have been claimed again since it parked
                del self._active[task.id]
                if self._fairness.passed_over():  # whose turn it may be now
                    self._bell.poke()
                self._fairness.let_go(task.id)
            self._freed.set()

    async def _is_over(self, task: TaskRow, claimed_at: float) -> bool:
        """Advance an execution; whether its claim is given back, or lost.

        It is kept while what came of the execution is known here alone: another process would not know what was done.
        """
        try:
            if not await self._permits.admit(task):
                return True
            outcome = await self._engine.advance(task, claimed_at=claimed_at)
            if isinstance(outcome, Ended):
                await self._permits.ended(task)
        except Fenced:
            self._engine.measures.claim_lost()
            log.warning("execution %s was taken over by another worker", task.id)
        except StoreError as error:
            log.warning("execution %s waits for the store: %s", task.id, error)
            if self._engine.knows_more(task.id):
                return False
            await self._let_go(task, LONGEST_WAIT)
        except Error as error:
            log.warning("execution %s cannot go on here: %s", task.id, error)
            await self._let_go(task, self._lease_length)
        except Exception:
            log.exception("execution %s cannot go on: this is a defect of Orbits", task.id)
            await self._let_go(task, self._lease_length)
        return True

    async def _let_go(self, task: TaskRow, seconds: float) -> None:
        """Give the execution back, to be tried again after so many seconds."""
        park = Park(due=self._engine.clock.now() + seconds)
        try:
            await self._engine.store.commit(Transaction(fence=Fence(execution=task.id, token=task.token), park=park))
        except StoreError as error:
            log.warning("execution %s could not be given back: %s", task.id, error)

    def _watch_every(self) -> float:
        """Seconds between two looks at the others' leases: they add to the time until a dead one is found to be so."""
        return min(LONGEST_WAIT / 2, self._lease_length / 8)

    async def _take_over(self) -> None:
        """Look at the others' leases, and take over from workers that are dead."""
        now = asyncio.get_running_loop().time()
        if self._watched and now - self._watched < self._watch_every():
            return
        self._watched = now
        store = self._engine.store
        workers = await store.find(WorkerRow)
        await agree(self._engine.clock, store, [row for row in workers if row.id != self.id])
        dead = self._watch.dead([row for row in workers if row.id != self.id])
        self._living = [row for row in workers if row not in dead and row.id != self.id]
        self._neighbours.watch(self._living)
        self._living.append(await self._present())
        for row in dead:
            taken = await store.release(row.id, now=self._engine.clock.now(), counter=row.counter)
            self._engine.measures.taken_over(len(taken))
            if taken:
                await self._say_taken_over(row, len(taken))

    def _somebody_died(self) -> None:
        if len(self._active) >= self._concurrency:
            return  # who has room is told, too, and a full one looks as it always does
        self._watched = 0.0
        self._bell.poke()

    async def _sweep(self) -> None:
        """Share with the others what is shared, and tell the runs here of messages from other processes."""
        now = asyncio.get_running_loop().time()
        if self._swept and now - self._swept < min(LONGEST_WAIT, self._lease_length / 4):
            return
        self._swept = now
        await self._permits.sweep()
        await self._sharing.sweep(self._living)
        await self._engine.forget_strangers()
        before = set(self._active)
        for holding in await self._engine.store.holding(self.id):
            task = holding.task
            if task.id in self._active:
                if holding.told:
                    self._engine.poke(task.id)
            elif task.id not in before:  # nor has it ended since: it could not be given back when the store was gone
                await self._let_go(task, 0)

    async def _say_taken_over(self, row: WorkerRow, count: int) -> None:
        why = "its process has ended" if is_gone(row) else f"silent for {self._lease_length:g} s"
        log.warning("worker %s is dead (%s): %d executions taken over", row.id, why, count)
        event = taken_over(row.id, by=self.id, at=self._engine.clock.now(), why=why, count=count)
        await self._engine.store.commit(Transaction(events=[event]))

    async def _present(self) -> WorkerRow:
        """This worker's own row, with the kinds that it has by now; who waited for a new one is made due."""
        assert self._lease is not None  # noqa: S101 - for the checkers: only a worker that was started sweeps
        self._engine.registry.look_again()
        kinds = self._engine.registry.kinds()
        if kinds != self._kinds:
            self._kinds = kinds
            self._lease.declare(kinds)
            if self._engine.own is None:
                await self._stranded.welcome(kinds, self._labels)
        return amended(self._lease.row, kinds=tuple(kinds))


async def _cancelled(tasks: Sequence[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
