"""Turns at one file between the processes that write to it.

SQLite alone lets whoever asks most often win: beside a process that commits group after group, another one's commit
waited for seconds. So a writer first takes the *turn*, then, holding it, waits for the *pen*, and lets go of the turn
as soon as it has the pen. Whoever has just written finds the turn taken by the one who waited, and comes after it.

Both are `flock`s on files beside the store: the kernel lets go of them when their holder dies. They are about
fairness alone; that only one writes is SQLite's own doing.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

_EAGER, _EAGER_TRIES, _PATIENT = 0.0002, 250, 0.002  # seconds between tries: at first, how many, and from then on


class Turnstile:
    """The pair of locks, as one open file each. Not shared between threads."""

    def __init__(self, store: Path, *, patience: float) -> None:
        self._patience = patience
        self._turn = self._pen = -1
        try:
            self._turn = _lock_file(store, "turn")
            self._pen = _lock_file(store, "pen")
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Wait for one's turn; a TimeoutError if another process keeps the pen for longer than `patience` seconds."""
        end = time.monotonic() + self._patience
        _take(self._turn, end)
        try:
            _take(self._pen, end)
        finally:
            fcntl.flock(self._turn, fcntl.LOCK_UN)
        return self

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._pen, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of both files. They are left in place: removing one could part two waiters."""
        for file in (self._turn, self._pen):
            with suppress(OSError):
                os.close(file)


def _lock_file(store: Path, what: str) -> int:
    return os.open(store.with_name(f"{store.name}-{what}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(file: int, end: float) -> None:
    tries = 0
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError from None
        else:
            return
        tries += 1
        time.sleep(_EAGER if tries < _EAGER_TRIES else _PATIENT)
