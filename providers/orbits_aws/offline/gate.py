"""Calls go through together, and who needs the AWS to stand still goes alone: a state is copied and replaced whole."""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Condition


class Gate:
    """Any number of calls at a time, or one that is alone; safe to use from any thread."""

    def __init__(self) -> None:
        """Start with nobody inside."""
        self._condition = Condition()
        self._calls = 0
        self._alone = False

    @contextmanager
    def call(self) -> Generator[None]:
        """Go through with others; wait while somebody is alone."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._calls += 1
        try:
            yield
        finally:
            with self._condition:
                self._calls -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Generator[None]:
        """Wait until the calls inside are through, and let none in until done."""
        with self._condition:
            self._condition.wait_for(lambda: not self._alone)
            self._alone = True
            self._condition.wait_for(lambda: self._calls == 0)
        try:
            yield
        finally:
            with self._condition:
                self._alone = False
                self._condition.notify_all()
