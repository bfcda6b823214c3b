"""One synthesis at a time, and none for ever: jsii is one Node process, which is not thread-safe.

A synthesis that takes longer than `ORBITS_CDK_TIMEOUT` (seconds, 300 by default) is ended with its Node process, if it
is Node that it waits for, and the next one begins a new one. Python code cannot be ended from outside: whoever waits
for its turn behind such code is told which line it is at.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from orbits_cdk.errors import SynthesisFailed
from orbits_cdk.node import end_node
from orbits_cdk.sources import is_users_code

_LOOK = 1.0  # seconds between looks at whoever has the turn
_GRACE = 10.0  # seconds that a synthesis may take to notice that its Node process was ended


def longest() -> float:
    """How long a synthesis may take, in seconds."""
    text = os.environ.get("ORBITS_CDK_TIMEOUT", "300")
    try:
        return float(text)
    except ValueError:
        raise SynthesisFailed(f"ORBITS_CDK_TIMEOUT is {text!r}; it has to be a number of seconds.") from None


@dataclass(frozen=True, kw_only=True)
class _Holder:
    what: str
    thread: int
    began: float


class Turns:
    """Who may synthesise now. Reentrant: the thread that has the turn may take it again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.RLock()
        self._clock = clock
        self._holder: _Holder | None = None

    @contextmanager
    def take(self, what: str) -> Generator[None]:
        """Wait for the turn and have it; SynthesisFailed if whoever has it does not come to an end."""
        while not self._lock.acquire(timeout=_LOOK):
            self._refuse_stuck(what)
        outer = self._holder
        try:
            if outer is not None:
                yield
                return
            self._holder = _Holder(what=what, thread=threading.get_ident(), began=self._clock())
            with self._limited(self._holder):
                yield
        finally:
            self._holder = outer
            self._lock.release()

    @contextmanager
    def _limited(self, holder: _Holder) -> Generator[None]:
        """End Node where it takes too long, and say so in place of what is then raised."""
        seconds, lines = longest(), list[str]()

        def end() -> None:
            lines.append(_line_of(holder.thread))
            end_node()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception as error:
            if not lines:
                raise
            raise SynthesisFailed(
                f"{holder.what} was not synthesised within {seconds:g} seconds, and its Node process was ended"
                f"{lines[0]}\nIf it needs longer, set ORBITS_CDK_TIMEOUT."
            ) from error
        finally:
            timer.cancel()

    def _refuse_stuck(self, what: str) -> None:
        holder = self._holder
        if holder is None or self._clock() - holder.began < longest() + _GRACE:
            return
        raise SynthesisFailed(
            f"{what} cannot be synthesised: {holder.what} has been at it for {self._clock() - holder.began:.0f} s "
            f"in this process, and cannot be ended{_line_of(holder.thread)}\nEnd this process, and start it anew."
        )


def _line_of(thread: int) -> str:
    """Where the user's code is in a thread that goes on meanwhile."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the one way to look at another thread
    found = [] if frame is None else traceback.extract_stack(frame)
    users = [each for each in found if is_users_code(each.filename)]
    return f":\n  {users[-1].filename}:{users[-1].lineno}, in {users[-1].name}\n    {users[-1].line}" if users else "."
