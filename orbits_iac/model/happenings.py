"""Events that are about no execution: a worker that was taken over, a schedule that was paused, a record's drift.

They stand under a root that no execution has, so that they are found together: those of a record's drift under one for
each record, all others under one. Pure: written by who causes them, read by `orbits workers`, `orbits history` and by
whoever audits a store.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from orbits_iac.model.ids import ExecutionId, RecordId, WorkerId
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


class Turn(StrEnum):
    """What happened to a property, or to the whole thing, that is not as it was recorded."""

    FOUND = "found"  # a look has found it otherwise than recorded, for the first time
    CHANGED = "changed"  # it differs still, and has another value than at the look before
    HEALED = "healed"  # it is as it was recorded: somebody has set it back, or an update has
    BROUGHT_BACK = "brought back"  # by the cycle itself
    LEFT = "not brought back"  # though that is asked for, and why


def drift_of(record: RecordId) -> ExecutionId:
    """The root that the events of a record's drift stand under."""
    return ExecutionId(f"drift {record}")


def of_drift(
    record: RecordId, turn: Turn, place: str, *, at: float, execution: ExecutionId, who: str = "", why: str = ""
) -> EventRow:
    """The event that something happened to a record's drift, as `execution` has found; `who` has done it, if known."""
    return EventRow(at=at, execution=execution, root=drift_of(record), kind=turn.value, key=place, who=who, why=why)
