"""Waiting for what another process does."""

import time
from collections.abc import Callable

LONGEST = 60.0  # seconds


def until(holds: Callable[[], bool], what: str, *, every: float = 0.05) -> None:
    """Return when it holds; SystemExit if that takes longer than `LONGEST`."""
    end = time.monotonic() + LONGEST
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"after {LONGEST:.0f} s still not: {what}")
        time.sleep(every)
