"""The time limits of an Action: until when an attempt, and all attempts, may take.

`timeout` counts from the moment at which an attempt's EXECUTING is durable, through main and watch, polls included.
`deadline` counts from the first attempt's, through all others and the waits in between. Both go on through downtime and
while a hook waits for a thread; neither counts the time in which the execution was paused. The limits of Workflows and
Resources are kept by the definition that does them (`attempting`).
"""

from orbits_iac.engine.request import Request
from orbits_iac.model.rows import EntryRow


def attempt_ends_at(request: Request, entry: EntryRow) -> float | None:
    """When the attempt that is under way is over at the latest; None: never by itself."""
    timeout, deadline = request.timeout, request.options.get("deadline")
    if timeout is None and deadline is None:
        return None
    limits = ((entry.started_at, timeout), (entry.asked_at, deadline))
    ends = [began + limit.total_seconds() for began, limit in limits if began is not None and limit is not None]
    return min(ends, default=None)


def may_begin_at(request: Request, entry: EntryRow, at: float) -> bool:
    """Whether another attempt may still begin then."""
    deadline = request.options.get("deadline")
    return deadline is None or entry.asked_at is None or at < entry.asked_at + deadline.total_seconds()


def moved(entry: EntryRow, seconds: float) -> dict[str, float]:
    """What of an entry that has no outcome is later by so many seconds, because it was paused for as long."""
    times = {"started_at": entry.started_at, "asked_at": entry.asked_at}
    return {name: at + seconds for name, at in times.items() if at is not None}
