"""Ends what keeps the event loop from turning, where Python can: an error is raised in the user's code that does.

The loop's thread is sent a signal, whose handler runs there, between two steps of Python or in place of a sleep, and
sees where that thread is at the moment. It raises only if that is still the hook or definition that was found blocking,
in code of the user's or below it, and the loop has not turned since: so nothing of the engine is ever cut off, nor
another hook. Python calls handlers in its main thread alone: a loop that runs elsewhere is only watched. Code that
neither returns to Python nor sleeps, such as an endless regular expression, cannot be ended but with its process.

Called by the watchdog.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

SIGNAL = signal.SIGURG
"""Ignored unless somebody asks for it."""


class BlockedError(BaseException):
    """Raised in a hook or definition that has kept the event loop from turning for too long.

    No Exception: code that goes on whatever fails does not go on with this.
    """


class _Due(NamedTuple):
    """What is to be ended."""

    is_there: Callable[[FrameType | None], bool]
    turned: threading.Event
    why: str


_due: _Due | None = None
_users = 0
_before: Any = None


class Breaker:
    """Ends what blocks the loop of the thread that it is started in."""

    def __init__(self) -> None:
        self._thread: int | None = None

    def start(self) -> None:
        """Listen for the signal; nothing where that cannot be, or somebody else does."""
        global _users, _before  # noqa: PLW0603 - a process has one handler of a signal
        if threading.current_thread() is not threading.main_thread():
            return
        if _users == 0:
            if signal.getsignal(SIGNAL) not in (signal.SIG_DFL, signal.SIG_IGN):
                return
            _before = signal.signal(SIGNAL, _handle)
        _users += 1
        self._thread = threading.get_ident()

    def stop(self) -> None:
        """Listen no more; in the thread that it was started in."""
        global _users, _due  # noqa: PLW0603
        if self._thread is None:
            return
        self._thread = None
        _users -= 1
        if _users == 0:
            _due = None
            signal.signal(SIGNAL, _before)

    def end(self, is_there: Callable[[FrameType | None], bool], turned: threading.Event, why: str) -> None:
        """Raise `BlockedError` in the loop's thread, if what `is_there` finds is still there and nothing has `turned`.

        From another thread; nothing if this was not started.
        """
        global _due  # noqa: PLW0603
        if self._thread is not None:
            _due = _Due(is_there, turned, why)
            signal.pthread_kill(self._thread, SIGNAL)


def _handle(_: int, frame: FrameType | None) -> None:
    global _due
    due, _due = _due, None
    if due is not None and not due.turned.is_set() and due.is_there(frame):
        raise BlockedError(due.why)
