"""The other workers of this machine: the kernel tells when the process of one ends, so that nobody has to look for it.

A hint alone: who is dead is judged by `leases`. Where the kernel cannot tell (it is not Linux, or no file can be opened
any more) a dead one is found at the next look.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Sequence

from orbits_iac.dispatch.leases import is_here
from orbits_iac.model.ids import WorkerId
from orbits_iac.model.rows import WorkerRow


class Neighbours:
    """The processes of one machine that one worker is told of."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._files: dict[WorkerId, int | None] = {}  # None: of another machine, or it cannot be had

    def watch(self, rows: Sequence[WorkerRow]) -> None:
        """Be told of the ends of these workers' processes, and of no others."""
        for worker in self._files.keys() - {row.id for row in rows}:
            self._forget(worker)
        for row in rows:
            if row.id not in self._files:
                self._files[row.id] = self._opened(row)

    def close(self) -> None:
        """Be told of nobody any more."""
        for worker in list(self._files):
            self._forget(worker)

    def _opened(self, row: WorkerRow) -> int | None:
        if sys.platform != "linux" or row.pid == os.getpid() or not is_here(row):
            return None
        try:
            file = os.pidfd_open(row.pid)
        except OSError:
            return None
        if not is_here(row):  # it has ended meanwhile, and its number may be another's
            os.close(file)
            return None
        asyncio.get_running_loop().add_reader(file, self._ended, row.id)
        return file

    def _ended(self, worker: WorkerId) -> None:
        self._forget(worker)
        self._files[worker] = None  # not again, until its row is gone
        self._tell()

    def _forget(self, worker: WorkerId) -> None:
        file = self._files.pop(worker)
        if file is not None:
            asyncio.get_running_loop().remove_reader(file)
            os.close(file)
