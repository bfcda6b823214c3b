"""Executions that are due and that no living worker is fit for: shown as PAUSED, and taken up when one is.

What always holds: it is paused under a claim of its own, so that a worker that could go on with it comes first or
second, and never gets lost; whoever starts looks for what waits for its code, and whoever pauses looks for who has
started meanwhile.
"""

import logging
from collections.abc import Sequence

from orbits_iac.dispatch.builds import Builds
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.labels import WORKER
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, TaskRow, WorkerRow, amended
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Fence, Park, Transaction

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Executions that are looked at in one go."""


class Stranded:
    """What one worker knows of them."""

    def __init__(self, engine: Engine, builds: Builds, worker: WorkerId, *, patience: float) -> None:
        """`patience`: seconds for which nobody may have the code, as while workers are replaced."""
        self._engine = engine
        self._builds = builds
        self._worker = worker
        self._patience = patience
        self._since: dict[ExecutionId, float] = {}

    async def look(self, workers: Sequence[WorkerRow]) -> bool:
        """Pause what none of the living `workers` may go on with; whether this one has more to claim."""
        engine, passed = self._engine, self._engine.clock.monotonic()
        due = await engine.store.due(TaskRow, now=engine.clock.now(), limit=AT_ONCE)
        if await self._builds.refresh(task.build for task in due):
            return True
        before, self._since = self._since, {}
        for task in due:
            if self._builds.why_stranded(task, workers) is None:
                continue
            since = before.get(task.id, passed)
            if passed - since < self._patience:
                self._since[task.id] = since
            elif self._builds.why_stranded(task, await engine.store.find(WorkerRow)) is not None:
                await self._pause(task, workers)
        return False

    async def welcome(self, kinds: frozenset[str], labels: Sequence[str]) -> None:
        """Make due what waited for the code that is here now, and for a worker with these labels."""
        paused = [row for row in await self._engine.store.find(ExecutionRow, state=State.PAUSED) if row.stranded]
        await self._builds.refresh(row.build for row in paused)
        may = self._builds.may_claim
        fit = {None, *labels}
        wake = [
            row.id
            for row in paused
            if row.kind in kinds and row.labels.get(WORKER) in fit and may(row.build, own=row.own_build)
        ]
        if wake:
            await self._engine.commit(Transaction(), wake=wake)

    async def _pause(self, task: TaskRow, workers: Sequence[WorkerRow]) -> None:
        store, at = self._engine.store, self._engine.clock.now()
        claimed = await store.claim(self._worker, now=at, limit=1, builds={task.build: task.build}, only=task.id)
        row = await store.get(ExecutionRow, task.id)
        if not claimed or row is None:
            return  # somebody goes on with it after all
        seen = frozenset(message.id for message in await store.find(MessageRow, execution=task.id))
        why = self._builds.why_stranded(task, workers, root=row.root) or ""
        said = row.state is State.PAUSED and row.stranded
        event = EventRow(
            at=at,
            execution=row.id,
            root=row.root,
            kind=row.kind,
            before=row.state,
            after=State.PAUSED,
            who=self._worker,
            why=why,
        )
        await store.commit(
            Transaction(
                fence=Fence(execution=task.id, token=claimed[0].token),
                put=[] if said else [amended(row, state=State.PAUSED, stranded=True)],
                events=[] if said else [event],
                park=Park(due=None, seen=seen),
            )
        )
        if not said:
            log.warning("execution %s is paused: %s", task.id, why)
        if self._builds.why_stranded(task, await store.find(WorkerRow)) is None:
            await self._engine.commit(Transaction(), wake=[task.id])


async def go_on_here(engine: Engine, builds: Builds, worker: WorkerId, execution: ExecutionId, *, who: str) -> None:
    """Let this build go on with an execution, and with what it waits for below, though theirs be later ones.

    Raises `Refused` if another worker is going on with one of them.
    """
    waiting, seen = [execution], set[ExecutionId]()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        row = await engine.store.get(ExecutionRow, one)
        if row is None or row.state in ENDED:
            continue
        entries = await engine.store.find(EntryRow, execution=one, whole=False)
        waiting += [entry.child for entry in entries if entry.child is not None and entry.seq is None]
        await builds.refresh([row.build])
        if not builds.may_claim(row.build, own=row.own_build):
            await _rewrite(engine, worker, row, who)


async def _rewrite(engine: Engine, worker: WorkerId, row: ExecutionRow, who: str) -> None:
    now = engine.clock.now()
    builds = {row.build: engine.build}
    claimed = await engine.store.claim(worker, now=now, limit=1, builds=builds, only=row.id)
    current = await engine.store.get(ExecutionRow, row.id)
    if not claimed or current is None:
        task = await engine.store.get(TaskRow, row.id)
        by = f"worker {task.owner}" if task is not None and task.owner else "another worker"
        raise Refused(f"{row.kind} {row.identity or row.id}: {by} goes on with it; stop that one first")
    event = EventRow(
        at=now,
        execution=row.id,
        root=row.root,
        kind=row.kind,
        who=who,
        why=f"goes on with build {engine.build} instead of its own, {row.build}",
    )
    await engine.commit(
        Transaction(
            fence=Fence(execution=row.id, token=claimed[0].token),
            put=[amended(current, build=engine.build)],
            events=[event],
            park=Park(due=now),
        )
    )
