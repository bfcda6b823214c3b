"""Events that are about no execution: a worker that was taken over, a schedule that somebody has paused.

They stand under a root that no execution has, so that they are found together, the newest first. Pure: written by who
causes them, read by `orbits workers` and by whoever audits a store.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow

NO_EXECUTION = ExecutionId("")
"""What such an event says that it is of."""

_WORKER = "worker"


@dataclass(frozen=True, kw_only=True)
class TakenOver:
    """A worker that was found dead, and whose executions another one has made due again."""

    worker: WorkerId
    by: WorkerId
    at: float
    why: str


def taken_over(worker: WorkerId, *, by: WorkerId, at: float, why: str, count: int) -> EventRow:
    """The event that a worker was dead, because of `why`, and held so many executions."""
    said = f"{why}; it held {count:,} execution{'s' if count != 1 else ''}"
    return EventRow(at=at, execution=NO_EXECUTION, root=NO_EXECUTION, kind=_WORKER, key=worker, who=by, why=said)


def of_schedule(kind: str, identity: str, *, at: float, who: str, why: str) -> EventRow:
    """The event that somebody has changed the schedule of a record."""
    return EventRow(at=at, execution=NO_EXECUTION, root=NO_EXECUTION, kind=kind, key=identity, who=who, why=why)


def takeovers(events: Iterable[EventRow]) -> Iterator[TakenOver]:
    """The takeovers among such events."""
    for event in events:
        if event.kind == _WORKER:
            yield TakenOver(worker=WorkerId(event.key), by=WorkerId(event.who), at=event.at, why=event.why)
