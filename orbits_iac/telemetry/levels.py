"""What is read when somebody looks: of the worker, and of the store.

The worker is looked at each time, in memory; the store every `LOOK_EVERY` seconds, however many look. The store's
levels are the same whichever worker they are read by. If it does not answer they are left out, rather than told as they
were; that it does not is told by `orbits.store.errors`, and by `/readyz`.
"""

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import NOBODYS
from orbits_iac.model.rows import ExecutionRow, LineRow, PermitRow, Row, ScheduleRow, TaskRow, WorkerRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.telemetry.counting import OTHER, Labels
from orbits_iac.telemetry.health import Health

if TYPE_CHECKING:
    from orbits_iac.orbits import Orbits

Levels = dict[str, Mapping[Labels, float]]
"""By metric, by labels."""

LOOK_EVERY = 10.0
"""Seconds for which what was read of the store stands."""

PATIENCE = 5.0
"""Seconds after which a store that does not answer is not waited for any more."""

MOST_DUE = 1000
"""Executions that are due and are looked at: those that have waited longest."""

MOST_TENANTS = 20
"""Tenants whose lag is told of each; the longest of all others' is told of `OTHER`."""

MOST_LIMITS = 50
"""Limits that are told of each; all others are told of together, as `OTHER`."""


class Reading:
    """Reads the levels of one worker and its store; from any thread."""

    def __init__(self, orbits: "Orbits", health: Health) -> None:
        self._orbits = orbits
        self._health = health
        self._lock = threading.Lock()
        self._read: tuple[float, Levels] | None = None

    def levels(self) -> Levels:
        """All levels; it may wait for the store, no longer than `PATIENCE`."""
        return {**self._of_the_worker(), **self._of_the_store()}

    def _of_the_worker(self) -> Levels:
        condition, engine = self._orbits.dispatcher.condition(), self._orbits.engine
        found: dict[str, float | None] = {
            "orbits.worker.active": self._orbits.dispatcher.holds,
            "orbits.worker.concurrency": condition.concurrency,
            "orbits.worker.suspended": engine.suspended,
            "orbits.worker.lease.age": condition.lease_age,
            "orbits.worker.loop.age": self._health.standstill,
            "orbits.worker.draining": float(condition.leaving),
            "orbits.store.groups": self._groups(),
        }
        threads: dict[Labels, float] = {
            ("busy",): float(engine.threads.busy),
            ("waiting",): float(engine.threads.waiting),
        }
        return {
            "orbits.worker.threads": threads,
            **{name: {(): value} for name, value in found.items() if value is not None},
        }

    def _groups(self) -> int | None:
        try:
            return self._orbits.store.groups
        except StoreError:  # it is not open any more
            return None

    def _of_the_store(self) -> Levels:
        with self._lock:  # who comes meanwhile gets what is being read
            if self._read is None or time.monotonic() - self._read[0] > LOOK_EVERY:
                try:
                    levels = asyncio.run(self._look())
                except (StoreError, TimeoutError):
                    levels = {}
                self._read = (time.monotonic(), levels)
            return self._read[1]

    async def _look(self) -> Levels:
        async with asyncio.timeout(PATIENCE):
            return await self._found()

    async def _found(self) -> Levels:
        store, now = self._orbits.store, self._orbits.engine.clock.now()
        states = [state for state in State if state not in ENDED or state is State.QUARANTINED]
        counts: dict[Labels, float] = {
            (state.lower(),): float(await store.count(ExecutionRow, state=state)) for state in states
        }
        due = await store.due(TaskRow, now=now, limit=MOST_DUE)
        schedules = await store.due(ScheduleRow, now=now, limit=1)
        late = [now - row.due for row in schedules]
        return {
            "orbits.executions": counts,
            "orbits.queue.lag": lags(due, now),
            "orbits.queue.due": {(): len(due)},
            "orbits.limits.held": await self._by_limit(PermitRow),
            "orbits.limits.waiting": await self._by_limit(LineRow),
            "orbits.schedules.lag": {(): max([0.0, *late])},
            "orbits.workers": {(): await store.count(WorkerRow)},
        }

    async def _by_limit(self, table: type[Row]) -> Mapping[Labels, float]:
        """How many rows there are of each limit that the settings name one value of, and of all others."""
        store, found = self._orbits.store, dict[Labels, float]()
        for name in [name for name in self._orbits.settings.limits if _is_of_one(name)][:MOST_LIMITS]:
            found[name,] = await store.count(table, name=name)
        return {**found, (OTHER,): await store.count(table) - sum(found.values())}


def _is_of_one(limit: str) -> bool:
    """Whether it is that of one kind, tenant or label, rather than of each."""
    what, _, value = limit.partition(":")
    return "=" in value if what == "label" else bool(value)


def lags(due: list[TaskRow], now: float) -> Mapping[Labels, float]:
    """How long each tenant has waited: of those that wait longest, and of all others."""
    found: dict[str, float] = {}
    for task in due:  # the earliest first
        name = task.tenant or NOBODYS
        if name not in found and len(found) >= MOST_TENANTS:
            name = OTHER
        found.setdefault(name, max(0.0, now - (now if task.due is None else task.due)))
    return {(name,): lag for name, lag in found.items()}
