"""Every metric, with its unit, labels and meaning: the one place that they are named in.

Labels come from the project's code (kinds, commands) or from a fixed set (states, operations), never from what users
hand in; a tenant is a label of the queue's lag alone, and only for the tenants that wait longest.
"""

import sys
from dataclasses import dataclass
from typing import Literal

FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: the upper bounds of a histogram of what should take milliseconds."""

SLOW = (0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0)
"""Seconds: of what may take hours."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric. `name` is OpenTelemetry's; `for_prometheus` the one that it is scraped by."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    unit: str  # of UCUM: "s", or what is counted in braces
    means: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()

    @property
    def for_prometheus(self) -> str:
        """The name under which Prometheus has it, without the `_bucket`, `_sum` and `_count` of a histogram."""
        seconds = "_seconds" if self.unit == "s" else ""
        return f"{self.name.replace('.', '_')}{seconds}{'_total' if self.type == 'counter' else ''}"


METRICS = (
    Metric(
        name="orbits.steps",
        type="counter",
        unit="{step}",
        labels=("kind", "outcome"),
        means="Steps that came to an outcome in this worker: success, error, or skipped because done once already.",
    ),
    Metric(
        name="orbits.step.retries",
        type="counter",
        unit="{attempt}",
        labels=("kind",),
        means="Attempts that failed and are followed by another.",
    ),
    Metric(
        name="orbits.step.duration",
        type="histogram",
        unit="s",
        labels=("kind",),
        bounds=SLOW,
        means="From the beginning of a step's last attempt to its outcome, waiting and polls included.",
    ),
    Metric(
        name="orbits.executions.ended",
        type="counter",
        unit="{execution}",
        labels=("kind", "command", "state"),
        means="Executions that ended in this worker, by how they ended.",
    ),
    Metric(
        name="orbits.execution.duration",
        type="histogram",
        unit="s",
        labels=("kind", "command"),
        bounds=SLOW,
        means="From the request for an execution to its end.",
    ),
    Metric(
        name="orbits.drift.found",
        type="counter",
        unit="{difference}",
        labels=("kind",),
        means="Differences from the record that a cycle found and that were not there at the look before.",
    ),
    Metric(
        name="orbits.notifications",
        type="counter",
        unit="{attempt}",
        labels=("target", "outcome"),
        means="Messages that this worker has sent, and attempts that failed, by the target's place in `to` and scheme.",
    ),
    Metric(
        name="orbits.claims",
        type="counter",
        unit="{execution}",
        means="Executions that this worker has claimed, each time that it did.",
    ),
    Metric(
        name="orbits.claims.lost",
        type="counter",
        unit="{execution}",
        means="Executions that another worker took over while this one was advancing them.",
    ),
    Metric(
        name="orbits.takeovers",
        type="counter",
        unit="{worker}",
        means="Dead workers that this one released.",
    ),
    Metric(
        name="orbits.takeovers.executions",
        type="counter",
        unit="{execution}",
        means="Executions that dead workers had held when this one released them.",
    ),
    Metric(
        name="orbits.schedules.fired",
        type="counter",
        unit="{slot}",
        labels=("outcome",),
        means="Slots of schedules that this worker used: a cycle was asked, or skipped because its record was busy.",
    ),
    Metric(
        name="orbits.schedule.delay",
        type="histogram",
        unit="s",
        bounds=SLOW,
        means="From the time at which a schedule was due to the request for its cycle.",
    ),
    Metric(
        name="orbits.store.duration",
        type="histogram",
        unit="s",
        labels=("operation",),
        bounds=FAST,
        means="Time that the store took to answer, the wait for a group of writes included.",
    ),
    Metric(
        name="orbits.store.errors",
        type="counter",
        unit="{call}",
        labels=("operation", "error"),
        means="Calls that the store answered with an error. Fenced and Conflict are refusals that workers expect.",
    ),
    Metric(
        name="orbits.store.groups",
        type="counter",
        unit="{group}",
        means="Groups in which this process's writes reached the store; absent where each is written by itself.",
    ),
    Metric(
        name="orbits.executions",
        type="gauge",
        unit="{execution}",
        labels=("state",),
        means="Executions in the store that have not ended, and those that ended quarantined, by state.",
    ),
    Metric(
        name="orbits.queue.lag",
        type="gauge",
        unit="s",
        labels=("tenant",),
        means="How long the earliest execution of a tenant has been due and unclaimed.",
    ),
    Metric(
        name="orbits.queue.due",
        type="gauge",
        unit="{execution}",
        means="Executions that are due and unclaimed, counted up to 1,000.",
    ),
    Metric(
        name="orbits.limits.held",
        type="gauge",
        unit="{permit}",
        labels=("limit",),
        means="Permits of limited kinds, labels and tenants that executions hold, by limit.",
    ),
    Metric(
        name="orbits.limits.waiting",
        type="gauge",
        unit="{execution}",
        labels=("limit",),
        means="Executions that wait for such a permit.",
    ),
    Metric(
        name="orbits.schedules.lag",
        type="gauge",
        unit="s",
        means="How long the earliest schedule has been due; 0 if none is.",
    ),
    Metric(
        name="orbits.workers",
        type="gauge",
        unit="{worker}",
        means="Workers that are registered in the store.",
    ),
    Metric(
        name="orbits.worker.active",
        type="gauge",
        unit="{execution}",
        means="Executions that this worker is advancing.",
    ),
    Metric(
        name="orbits.worker.concurrency",
        type="gauge",
        unit="{execution}",
        means="Executions that this worker advances at a time, at most.",
    ),
    Metric(
        name="orbits.worker.suspended",
        type="gauge",
        unit="{execution}",
        means="Waiting executions whose definitions this worker keeps in memory.",
    ),
    Metric(
        name="orbits.worker.threads",
        type="gauge",
        unit="{hook}",
        labels=("state",),
        means="Hooks that run in a thread (busy), and that wait for one (waiting).",
    ),
    Metric(
        name="orbits.worker.lease.age",
        type="gauge",
        unit="s",
        means="Time since this worker last renewed its lease.",
    ),
    Metric(
        name="orbits.worker.loop.age",
        type="gauge",
        unit="s",
        means="Time since this worker's event loop last turned, give or take a second.",
    ),
    Metric(
        name="orbits.worker.draining",
        type="gauge",
        unit="{worker}",
        means="1 once this worker claims nothing more because it is stopping.",
    ),
)


def named(name: str) -> Metric:
    """The metric with this name."""
    return next(metric for metric in METRICS if metric.name == name)


def as_markdown() -> str:
    """The table of docs/metrics.md."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(f"| `{metric.for_prometheus}` | {metric.type} | {labels} | {metric.means} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(as_markdown())
