"""The states of an execution and of a step, and which of them end it."""

from enum import StrEnum


class State(StrEnum):
    """Where an execution or step stands. Every change is a compare-and-set with an event."""

    SLEEPING = "SLEEPING"  # waits for its turn, a time or the next attempt
    EXECUTING = "EXECUTING"  # durable before `main()` or a definition starts
    IN_PROGRESS = "IN_PROGRESS"  # has a durable handle; `watch` is called with it
    PAUSED = "PAUSED"  # goes on only when told to
    SUCCESS = "SUCCESS"  # ended well
    ERROR = "ERROR"  # ended badly, with nothing to bring back
    CANCELLED = "CANCELLED"  # ended because somebody asked for it
    REVERTING = "REVERTING"  # failed; what it did is being brought back
    REVERTED = "REVERTED"  # failed; what it did was brought back
    QUARANTINED = "QUARANTINED"  # failed; something is left that needs a decision


ENDED = frozenset(
    {State.SUCCESS, State.ERROR, State.CANCELLED, State.REVERTED, State.QUARANTINED},
)
