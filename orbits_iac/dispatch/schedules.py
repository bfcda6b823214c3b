"""Schedules: the cycle of each record that is due, asked for once by whichever worker gets there first.

What always holds:
- a cycle and its schedule's move to the next slot are one transaction, by compare-and-set: a slot is used once over all
  workers, crashed ones included;
- nothing piles up: a record that is busy skips its slot, and after a downtime there is one cycle, not those missed.

The wall clock may be set. *Ahead*: what is due then comes at once, and the slots that were jumped over are not made up
for. *Back*: a cron schedule's slots are names of times, so none comes again, unless the clock was wrong by more than
three hours (`LONGEST_REPEAT`); an interval is a time that passes, so a worker that lived through it asks when that has
passed by its monotonic clock, and one that comes later waits for the interval at most. A schedule that was changed or
removed in the code is brought in line by the next update, or when a worker of that code starts.
"""

import asyncio
import heapq
import json
import logging
import zlib
from collections.abc import Coroutine, Iterable, Sequence
from datetime import timedelta
from typing import Any

from orbits_iac.dispatch.builds import Builds
from orbits_iac.engine import schedules
from orbits_iac.engine.clock import Clock
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.model.errors import Conflict, Refused, UsageError
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import RecordRow, RevisionRow, ScheduleRow, WorkerRow
from orbits_iac.steps.step import Step
from orbits_iac.store.contract import Transaction

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Cycles that are asked for at a time."""

MOST = 1000
"""Schedules that are looked at to find those, however many workers there are."""

LATE = 5.0
"""Seconds after which a worker that has nothing left to ask for asks for what another one should have."""

TOLERANCE = 1.0
"""Seconds that a clock may be behind the time that has passed, and not be taken to have been set back."""


class Schedules:
    """The schedules of a store, as one worker looks after them."""

    def __init__(self, engine: Engine, builds: Builds, worker: WorkerId) -> None:
        self._engine = engine
        self._worker = worker
        self._builds = builds
        self._wall = WallClock(engine.clock)
        self._in_line = False
        self._out_of_line: list[Transaction] = []
        self._passing: list[tuple[float, str, str, int]] = []  # a heap: when, by the monotonic clock; which version

    async def fire_due(self, workers: Sequence[WorkerRow], *, is_due: bool = True) -> bool:
        """Ask for the cycles that are due; whether there were any.

        A schedule of a later build is for the `workers` of that build, as long as one lives. `is_due`: something may
        be due; if it is known that nothing is, the store is not asked.
        """
        engine, by = self._engine, self._wall.set_back()
        if by:
            log.warning("the clock was set back by %.0f s", by)
        if by or not self._in_line:
            self._out_of_line = await self._look_over(engine.clock.now() + by if by else None)
            self._in_line = True
        if self._out_of_line:  # so many at each call, for whoever calls has other things to do
            await _all(_write(engine, one) for one in self._out_of_line[:AT_ONCE])
            del self._out_of_line[:AT_ONCE]
            return True
        due = await self._due(workers) if is_due else []
        asked = [_fire(engine, row, from_now=False) for row in due]
        asked += [_fire(engine, row, from_now=True) for row in await self._passed()]
        await _all(asked)
        return bool(asked)

    async def _due(self, workers: Sequence[WorkerRow]) -> list[ScheduleRow]:
        """Those that are due and this worker's to ask for, up to `AT_ONCE`."""
        engine, now = self._engine, self._engine.clock.now()
        limit = min(MOST, AT_ONCE * max(1, len(workers)))
        due = await engine.store.due(ScheduleRow, now=now, limit=limit, kinds=engine.registry.kinds())
        await self._builds.refresh(row.build for row in due)
        fit: dict[tuple[str, str], list[WorkerId]] = {}
        mine: list[ScheduleRow] = []
        late: list[ScheduleRow] = []
        for row in due:
            code = (row.kind, row.build)
            if code not in fit:
                fit[code] = self._fit_for(row, workers)
            if row.timing is None or (fit[code] and self._worker not in fit[code]):
                continue
            if not fit[code] or _share(row, fit[code]) == self._worker:
                mine.append(row)
            elif now - row.due > LATE:
                late.append(row)
        return mine[:AT_ONCE] or late[-AT_ONCE:]  # from the other end than whoever they are for

    def _fit_for(self, row: ScheduleRow, workers: Sequence[WorkerRow]) -> list[WorkerId]:
        """The workers that may ask for cycles of this kind and build, in an order that all of them agree on."""
        having = [worker for worker in workers if self._builds.has_code(worker, kind=row.kind, build=row.build)]
        found = {worker.id for worker in having if not (worker.draining or worker.alone)}
        return sorted(found | {self._worker} if workers and row.build in self._builds.claims else found)

    async def _look_over(self, before: float | None) -> list[Transaction]:
        """Read them all; what brings them in line with the code and the clock, which stood at `before` until just now.

        What is to come of an interval then is remembered until the time for it has passed.
        """
        engine, now, passed = self._engine, self._engine.clock.now(), self._engine.clock.monotonic()
        rows = await engine.store.find(ScheduleRow)
        await self._builds.refresh(row.build for row in rows)
        found: list[Transaction] = []
        for row in rows:
            cls = _class_of(engine, row.kind)
            if cls is None or row.build not in self._builds.claims:
                continue
            every = schedules.schedule_of(cls)
            if every is None:
                found.append(Transaction(delete=[row]))
                continue
            policy = schedules.policy_of(cls)
            wanted = schedules.changed(row, every, build=engine.build, now=now, chance=engine.chance(), policy=policy)
            if wanted is None and before is not None and isinstance(every.every, timedelta):
                heapq.heappush(self._passing, (passed + row.due - before, row.kind, row.identity, row.version))
                continue
            wanted = wanted or schedules.after_set_back(row, now=now)
            if wanted is not None:
                found.append(Transaction(put=[wanted]))
        return found

    async def _passed(self) -> list[ScheduleRow]:
        """The remembered ones for which the time has passed, unless they were moved meanwhile."""
        found: list[ScheduleRow] = []
        while self._passing and self._passing[0][0] <= self._engine.clock.monotonic():
            _, kind, identity, version = heapq.heappop(self._passing)
            row = await self._engine.store.get(ScheduleRow, kind, identity)
            if row is not None and row.version == version and not row.paused:
                found.append(row)
        return found


def _share(row: ScheduleRow, workers: Sequence[WorkerId]) -> WorkerId:
    """The worker among these that asks for it: several would only get into each other's way."""
    return workers[zlib.crc32(f"{row.kind} {row.identity}".encode()) % len(workers)]


class WallClock:
    """The clock on the wall, watched for being set back."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lead = clock.now() - clock.monotonic()

    def set_back(self) -> float:
        """By how many seconds it was set back since the last call."""
        before, self._lead = self._lead, self._clock.now() - self._clock.monotonic()
        return before - self._lead if before - self._lead > TOLERANCE else 0.0


def _class_of(engine: Engine, kind: str) -> type[Step[Any]] | None:
    try:
        return engine.registry.find(kind)
    except UsageError as error:
        log.warning("schedules of %s wait: %s", kind, error)
        return None


async def _fire(engine: Engine, row: ScheduleRow, *, from_now: bool) -> None:
    """Ask for the cycle and move the schedule on, unless somebody else has just done so."""
    after = schedules.following(row, now=engine.clock.now(), chance=engine.chance(), from_now=from_now)
    try:
        asked = await cycle_of(engine, row, who="schedule")
        if asked is not None:
            await ask_root(engine, asked, with_it=[after])
            engine.measures.fired(engine.clock.now() - row.due)
            return
    except Conflict:
        return
    except Refused as error:
        log.info("a cycle of %s %s is skipped: %s", row.kind, row.identity, error)
    engine.measures.passed_over()
    await _write(engine, Transaction(put=[after]))


async def _write(engine: Engine, transaction: Transaction) -> None:
    try:
        await engine.store.commit(transaction)
    except Conflict:
        return  # somebody else has moved it


async def _all(calls: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of them; then raise what one of them raised."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def cycle_of(engine: Engine, row: ScheduleRow, *, who: str, why: str = "") -> Asked | None:
    """The request for a record's cycle, as its schedule wants it; None if nothing of it stands."""
    record = await engine.store.get(RecordRow, row.kind, row.identity)
    if record is None or record.revision is None:
        return None
    revision = await engine.store.get(RevisionRow, row.kind, row.identity, record.revision)
    if revision is None:
        return None
    options = json.dumps({"on_drift": row.on_drift, "limited": True})
    return Asked(
        kind=row.kind,
        command="cycle",
        argument=revision.argument,
        identity=row.identity,
        options=options,
        digest=engine.codec.digest(row.kind, "cycle", revision.argument, options),
        targets=record.targets,
        places=record.places,
        tenant=record.tenant,
        who=who,
        why=why,
        record=record,
    )
