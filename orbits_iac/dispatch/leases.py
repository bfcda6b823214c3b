"""A worker's lease: one row that a thread of its own keeps renewing, and the judgement that another's has run out.

No clock is compared between machines. A worker is dead if its process is gone from the same machine, or if its counter
has not moved for a lease's length on the watcher's own monotonic clock while the store could be reached.
"""

import asyncio
import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow, amended
from orbits_iac.store.contract import Store, Transaction

log = logging.getLogger(__name__)

LAST_WORD = 5.0
"""Seconds that a worker which ends gives the store to answer; one that is gone is not waited for any longer."""


def this_process(worker: WorkerId, build: str, kinds: frozenset[str]) -> WorkerRow:
    """The row of a worker in this process."""
    pid = os.getpid()
    return WorkerRow(
        id=worker,
        build=build,
        kinds=tuple(sorted(kinds)),
        boot=boot(),
        pid=pid,
        pid_started=_started(pid) or 0.0,
        counter=1,
        wall=time.time(),
        host=platform.node(),
        orbits=version("orbits-iac"),
    )


def is_gone(row: WorkerRow) -> bool:
    """Whether the worker's process is known to have ended: same boot and pid namespace, and no such process."""
    if row.boot != boot() or not row.boot:
        return False
    started = _started(row.pid)
    return started is None or abs(started - row.pid_started) > 1


def is_here(row: WorkerRow) -> bool:
    """Whether the worker's process is known to live: same boot and pid namespace, and there it is."""
    return bool(row.boot) and row.boot == boot() and not is_gone(row)


def _started(pid: int) -> float | None:
    """When a process began, in a measure that stays the same; None if it has ended.

    On Linux in ticks since the boot: seconds since the epoch change with the clock, and a living process would be taken
    for another one with its number.
    """
    try:
        line = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_elsewhere(pid)
    except ProcessLookupError:
        return None
    fields = line.rpartition(")")[2].split()  # the name before may hold anything
    return None if fields[0] in "ZX" else float(fields[19])


def _started_elsewhere(pid: int) -> float | None:
    import psutil  # which Linux can do without, and whose import costs a command that only reads a tenth of its time

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def boot() -> str:
    """The machine's boot id and pid namespace; empty where they cannot be had."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        import psutil

        return f"{os.uname().nodename} {psutil.boot_time():.0f}"


class Lease:
    """Renews a worker's row from a thread of its own until it is stopped."""

    def __init__(self, store: Store, row: WorkerRow, length: float, elapsed: Callable[[], float] | None = None) -> None:
        self.row = row
        self._store = store
        self._length = length
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"lease {row.id}", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None  # of the thread, for all of its life
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()  # to renew at once, or to stop
        self._kinds, self._draining = row.kinds, row.draining
        self._elapsed = elapsed or passed
        self._renewed = self._steady = self._elapsed()

    def start(self) -> None:
        """Begin renewing; the row has been written since this was made."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing and wait for the thread; a renewal under way has `LAST_WORD` to end."""
        self._stopping = True
        self._tell(self._woken.set)
        self._thread.join(LAST_WORD)
        if self._thread.is_alive():
            self._tell(self._cancel)
            self._thread.join()

    def elapsed(self) -> float:
        return self._elapsed()

    def age(self) -> float:
        """Seconds since the last renewal was asked for."""
        return self._elapsed() - self._renewed

    def is_certain(self, since: float) -> bool:
        """Whether nobody can have taken over what was claimed, or found to be still held, at `since`.

        That is so if every renewal since then came in time, and the last one is younger than half a lease. A renewal
        counts from before it was asked for: for longer, nobody has seen the counter as it was.
        """
        return self.age() < self._length / 2 and since >= self._steady

    def declare(self, kinds: frozenset[str]) -> None:
        """Let the row say from the next renewal on that the worker has these kinds."""
        self._kinds = tuple(sorted(kinds))

    def drain(self) -> None:
        """Let the row say at once that the worker claims nothing more."""
        self._draining = True
        self._tell(self._woken.set)

    def _tell(self, what: Callable[[], object]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the thread has ended, and its loop with it
                self._loop.call_soon_threadsafe(what)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self) -> None:
        loop = self._loop
        with (
            asyncio.Runner(loop_factory=lambda: loop or asyncio.new_event_loop()) as runner,
            suppress(asyncio.CancelledError),
        ):
            runner.run(self._keep())

    async def _keep(self) -> None:
        self._task = asyncio.current_task()
        while not self._stopping:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._length / 4):
                    await self._woken.wait()
            self._woken.clear()
            if self._stopping:
                return
            try:
                await self.renew()
            except StoreError as error:
                log.warning("the lease of worker %s could not be renewed: %s", self.row.id, error)

    async def renew(self) -> None:
        """Raise the counter of the row."""
        asked = self._elapsed()
        row = amended(
            self.row, counter=self.row.counter + 1, kinds=self._kinds, draining=self._draining, wall=time.time()
        )
        await self._store.commit(Transaction(put=[row]))
        done = self._elapsed()
        if done - self._renewed > self._length:  # too late: what was held before may be another's by now
            self._steady = done
        self.row, self._renewed = row, asked


class Watch:
    """What one worker has seen of the others' counters."""

    def __init__(self, length: float, elapsed: Callable[[], float] | None = None) -> None:
        self._length = length
        self._elapsed = elapsed or passed
        self._seen: dict[WorkerId, tuple[int, float]] = {}
        self._looked = self._elapsed()

    def dead(self, rows: Sequence[WorkerRow]) -> list[WorkerRow]:
        """Those of the other workers' rows whose executions may be taken over now.

        Time counts only while one looks: who could not read the store for a lease's length, or was stopped itself,
        begins to count anew, because the others may not have been able to renew either.
        """
        now = self._elapsed()
        if now - self._looked >= self._length:
            self._seen.clear()
        self._looked = now
        before, self._seen = self._seen, {}
        for row in rows:
            counter, since = before.get(row.id, (None, now))
            self._seen[row.id] = (row.counter, since if counter == row.counter else now)
        return [row for row in rows if is_gone(row) or now - self._seen[row.id][1] > self._length]


def passed() -> float:
    """Seconds that have passed since some moment, those in which the machine slept included where that can be had."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)
