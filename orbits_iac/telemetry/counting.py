"""What is counted while the engine, workers and the store work, in plain Python.

A step is counted in about a microsecond (an instrument of OpenTelemetry takes six a value); `exporting` hands the sums
on when somebody asks. From any thread.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING

from orbits_iac.measures import Measures
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.telemetry.table import named

if TYPE_CHECKING:
    from orbits_iac.telemetry.tracing import Spans

Labels = tuple[str, ...]  # values, in the order of the metric's labels

MOST = 500
"""Combinations of labels that a metric has at most; what comes after them is counted under `OTHER`."""

OTHER = "other"


class Count:
    """A sum for each combination of labels."""

    def __init__(self, name: str) -> None:
        self.metric = named(name)
        self._sums: dict[Labels, float] = {} if self.metric.labels else {(): 0}
        self._lock = threading.Lock()

    def add(self, labels: Labels = (), by: float = 1) -> None:
        """Add to the sum of these labels."""
        with self._lock:
            try:
                self._sums[labels] += by
            except KeyError:
                if len(self._sums) >= MOST:
                    labels = (OTHER,) * len(labels)
                self._sums[labels] = self._sums.get(labels, 0) + by

    def sums(self) -> Mapping[Labels, float]:
        """The sums as they stand."""
        with self._lock:
            return dict(self._sums)


class Spread:
    """For each combination of labels how many values fell between two of the metric's bounds, and their sum."""

    def __init__(self, name: str) -> None:
        self.metric = named(name)
        self._bounds = self.metric.bounds
        self._found: dict[Labels, list[float]] = {}  # counts, and the sum behind them
        self._lock = threading.Lock()

    def take(self, value: float, labels: Labels = ()) -> None:
        """Count a value; one below 0, as after a clock was set back, counts as 0."""
        with self._lock:
            try:
                found = self._found[labels]
            except KeyError:
                found = self._new(labels)
            found[bisect_left(self._bounds, value)] += 1
            if value > 0:
                found[-1] += value

    def found(self) -> Mapping[Labels, tuple[list[int], float]]:
        """The counts, one more than bounds, and the sum of each."""
        with self._lock:
            return {labels: ([int(n) for n in found[:-1]], found[-1]) for labels, found in self._found.items()}

    def _new(self, labels: Labels) -> list[float]:
        if len(self._found) >= MOST:
            labels = (OTHER,) * len(labels)
        return self._found.setdefault(labels, [0.0] * (len(self._bounds) + 2))


class Counted(Measures):
    """Counts all that it is told; hands executions and steps on to `spans`, if somebody wants them."""

    def __init__(self, spans: "Spans | None" = None) -> None:
        self._spans = spans
        self.steps = Count("orbits.steps")
        self.retries = Count("orbits.step.retries")
        self.step_durations = Spread("orbits.step.duration")
        self.ended = Count("orbits.executions.ended")
        self.durations = Spread("orbits.execution.duration")
        self.drift = Count("orbits.drift.found")
        self.notifications = Count("orbits.notifications")
        self.claims = Count("orbits.claims")
        self.lost = Count("orbits.claims.lost")
        self.takeovers = Count("orbits.takeovers")
        self.taken = Count("orbits.takeovers.executions")
        self.slots = Count("orbits.schedules.fired")
        self.delays = Spread("orbits.schedule.delay")
        self.store_durations = Spread("orbits.store.duration")
        self.store_errors = Count("orbits.store.errors")

    def counts(self) -> list[Count]:
        """Every sum."""
        return [each for each in vars(self).values() if isinstance(each, Count)]

    def spreads(self) -> list[Spread]:
        """Every distribution."""
        return [each for each in vars(self).values() if isinstance(each, Spread)]

    def attempt_begins(self, execution: ExecutionRow, entry: EntryRow) -> None:
        if self._spans is not None:
            self._spans.enter(execution, entry)

    def attempt_failed(self, entry: EntryRow) -> None:
        self.retries.add((entry.kind,))

    def step_ended(self, execution: ExecutionRow, entry: EntryRow) -> None:
        self.steps.add((entry.kind, "skipped" if entry.skipped else entry.state.lower()))
        if entry.started_at is not None and entry.at is not None and not entry.skipped:
            self.step_durations.take(entry.at - entry.started_at, (entry.kind,))
        if self._spans is not None:
            self._spans.step(execution, entry)

    def execution_ended(self, execution: ExecutionRow) -> None:
        self.ended.add((execution.kind, execution.command, execution.state.lower()))
        ended_at = execution.ended_at or time.time()
        self.durations.take(ended_at - execution.created_at, (execution.kind, execution.command))
        if self._spans is not None:
            self._spans.execution(execution)

    def drift_found(self, kind: str, differences: int) -> None:
        self.drift.add((kind,), differences)

    def notified(self, target: str, outcome: str) -> None:
        self.notifications.add((target, outcome))

    def claimed(self, executions: int) -> None:
        self.claims.add(by=executions)

    def claim_lost(self) -> None:
        self.lost.add()

    def taken_over(self, executions: int) -> None:
        self.takeovers.add()
        self.taken.add(by=executions)

    def fired(self, late: float) -> None:
        self.slots.add(("asked",))
        self.delays.take(late)

    def passed_over(self) -> None:
        self.slots.add(("skipped",))

    def store_did(self, operation: str, took: float, error: str | None) -> None:
        self.store_durations.take(took, (operation,))
        if error is not None:
            self.store_errors.add((operation, error))
