"""Processes whose clock is wrong: libfaketime answers them when they ask for the time of day.

What measures how long something takes (the monotonic clocks) is left alone: no machine sets those.
"""

import sys
from pathlib import Path

import pytest


def library() -> Path:
    """What is loaded into a process so that its time of day is another's; the test is skipped where it cannot be."""
    if not sys.platform.startswith("linux"):
        pytest.skip("a clock can be deceived on Linux alone: the package libfaketime")
    libfaketime = pytest.importorskip("libfaketime", reason="needs the package libfaketime: `make install`")
    folder = Path(str(libfaketime.__file__)).parent
    return next(folder.rglob("libfaketime.so.1"))


def forget(pid: int) -> None:
    """Remove what the library has left in shared memory for a process that was killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        Path("/dev/shm", name).unlink(missing_ok=True)


def wrong_by(offset: str) -> dict[str, str]:
    """The environment of a process whose clock is ahead or behind all its life: `+1h`, `-90s`."""
    return {"LD_PRELOAD": str(library()), "DONT_FAKE_MONOTONIC": "1", "FAKETIME": offset}
