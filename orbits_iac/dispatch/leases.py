"""A worker's lease: one row that a thread of its own keeps renewing, and the judgement that another's has run out.

No clock is compared between machines. A worker is dead if its process is gone from the same machine, or if its counter
has not moved for a lease's length on the watcher's own monotonic clock while the store could be reached.
"""

import asyncio
import logging
import os
import threading
import time
from pathlib import Path

import psutil

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow, amended
from orbits_iac.store.contract import Store, Transaction

log = logging.getLogger(__name__)


def this_process(worker: WorkerId, build: str, kinds: frozenset[str]) -> WorkerRow:
    """The row of a worker in this process."""
    pid = os.getpid()
    return WorkerRow(
        id=worker,
        build=build,
        kinds=tuple(sorted(kinds)),
        boot=_boot(),
        pid=pid,
        pid_started=psutil.Process(pid).create_time(),
        counter=1,
    )


def is_gone(row: WorkerRow) -> bool:
    """Whether the worker's process is known to have ended: same boot and pid namespace, and no such process."""
    if row.boot != _boot() or not row.boot:
        return False
    try:
        process = psutil.Process(row.pid)
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - row.pid_started) > 1
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _boot() -> str:
    """The machine's boot id and pid namespace; empty where they cannot be had."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{os.uname().nodename} {psutil.boot_time():.0f}"


class Lease:
    """Renews a worker's row from a thread of its own until it is stopped."""

    def __init__(self, store: Store, row: WorkerRow, length: float) -> None:
        self.row = row
        self._store = store
        self._length = length
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease {row.id}", daemon=True)
        self._renewed = time.monotonic()

    def start(self) -> None:
        """Begin renewing; the row is already there."""
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing and wait for the thread."""
        self._stop.set()
        self._thread.join()

    def used(self) -> float:
        """How much of the lease has passed since the last renewal that the store has confirmed, 0 to 1 and above."""
        return (time.monotonic() - self._renewed) / self._length

    def _run(self) -> None:
        while not self._stop.wait(self._length / 4):
            row = amended(self.row, counter=self.row.counter + 1)
            try:
                asyncio.run(self._store.commit(Transaction(put=[row])))
            except StoreError as error:
                log.warning("the lease of worker %s could not be renewed: %s", row.id, error)
                continue
            self.row, self._renewed = row, time.monotonic()


class Watch:
    """What one worker has seen of the others' counters."""

    def __init__(self, length: float) -> None:
        self._length = length
        self._seen: dict[WorkerId, tuple[int, float]] = {}

    def is_dead(self, row: WorkerRow) -> bool:
        """Whether a worker's executions may be taken over now."""
        if is_gone(row):
            return True
        now = time.monotonic()
        counter, since = self._seen.get(row.id, (None, now))
        if counter != row.counter:
            self._seen[row.id] = (row.counter, now)
            return False
        return now - since > self._length
