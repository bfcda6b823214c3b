"""One poller for all stacks of an account and region: what is in progress there, asked once for everybody who waits.

A stack that the shared answer shows in progress needs no call of its own. One that it does not show is looked at by
itself: an answer that is old, or was refused, never ends a deployment. Few stacks are looked at one by one: that takes
no more calls. The events of a stack, which are for people
alone while it is in progress, are read for a few stacks at each poll, those first whose turn was longest ago.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orbits_aws.errors import AwsRefused

_IN_PROGRESS = [
    "CREATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "ROLLBACK_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
]
_FEW = 2  # stacks
_EVENTS = 4  # stacks of which the events are read, for each poll
_REMEMBERED = 1024  # places


@dataclass
class Poller:
    """What is known of the stacks of one account and region."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: float = float("-inf")
    _waiting: dict[str, float] = field(default_factory=dict[str, float])  # when each stack was asked for last
    _statuses: Mapping[str, str] = field(default_factory=dict[str, str])
    _turns: dict[str, float] = field(default_factory=dict[str, float])  # when each stack's events were read last
    _read: int = 0  # stacks whose events were read since the answer came

    def in_progress(self, cfn: Any, stack_id: str, now: float, interval: float) -> str | None:
        """The state of a stack that is in progress; None where that has to be found out by looking at it alone.

        `now` and `interval` in seconds: an answer counts for less than one interval.
        """
        with self._lock:  # whoever comes while it is asked gets the same answer
            self._waiting = {name: at for name, at in self._waiting.items() if 0 <= now - at < 3 * interval}
            self._waiting[stack_id] = now
            if len(self._waiting) <= _FEW:
                return None
            if not 0 <= now - self._asked < interval:
                self._statuses, self._asked, self._read = _ask(cfn), now, 0
            return self._statuses.get(stack_id)

    def may_read_events(self, stack_id: str, now: float) -> bool:
        """Whether it is this stack's turn; it is taken to have read them then."""
        with self._lock:
            self._turns = {name: at for name, at in self._turns.items() if name in self._statuses}
            waiting = sorted(self._statuses, key=lambda name: (self._turns.get(name, float("-inf")), name))
            if self._read >= _EVENTS or stack_id not in waiting[: _EVENTS - self._read]:
                return False
            self._turns[stack_id] = now
            self._read += 1
            return True


def _ask(cfn: Any) -> dict[str, str]:
    try:
        found = cfn.items("list_stacks", "StackSummaries", StackStatusFilter=_IN_PROGRESS)
        return {each["StackId"]: each["StackStatus"] for each in found}
    except AwsRefused:
        return {}  # then each looks for itself, and says what it may not do


_POLLERS: dict[tuple[str, ...], Poller] = {}
_LOCK = threading.Lock()


def poller_of(*place: str) -> Poller:
    """The poller of an account and region, as seen by one role."""
    with _LOCK:
        if place not in _POLLERS and len(_POLLERS) >= _REMEMBERED:
            del _POLLERS[next(iter(_POLLERS))]
        return _POLLERS.setdefault(place, Poller())
