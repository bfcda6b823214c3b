"""The hosts that an engine has opened, its runs and artifacts there, and the end of runs that are nobody's any more.

What always holds: a run is ended and cleaned only when the store has what came of its attempt, or has gone on to
another. Its folder says whose it is, so any process on the same store can tell, a later one too.
"""

import asyncio
import logging
import tempfile
from pathlib import Path

import msgspec

from orbits_iac.executors.artifacts import Artifacts
from orbits_iac.executors.contract import Host, ProcessExecutor
from orbits_iac.executors.documents import OWNER, Owner
from orbits_iac.executors.subprocess import Subprocess
from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.model.states import ENDED
from orbits_iac.store.contract import Store

log = logging.getLogger(__name__)

LONGEST_GRACE = 30.0
"""Seconds between the request to end and the kill, or half the step's own grace if that is shorter."""

HERE = Subprocess()
"""Where a shell command runs if nothing else is said."""

_LAST_GRACE = 1.0  # seconds for what still runs when a store in memory is closed, which nobody can find again


class Hosts:
    """One host for each executor in use, with the files of one store in `folder`."""

    def __init__(self, store: Store, folder: Path | None) -> None:
        """`folder`: beside the store; None for a store that ends with this process, and its runs with it."""
        self._store = store
        self._folder = folder
        self._fleeting: tempfile.TemporaryDirectory[str] | None = None
        self._hosts: dict[ProcessExecutor, Host] = {}
        self._sweeps: set[asyncio.Task[None]] = set()
        self._used_by: set[ExecutionId] = set()  # that have looked for runs here

    @property
    def know_all(self) -> bool:
        """Whether a run that is not found has never begun: its folder is beside the store, wherever a worker is."""
        return self._folder is not None

    async def open(self) -> None:
        """Begin to clean what earlier processes have left."""
        if self._folder is not None and (self._folder / "runs").is_dir():
            self._sweep_beside(self.of(HERE))

    def of(self, executor: ProcessExecutor) -> Host:
        """The host of an executor."""
        if executor not in self._hosts:
            self._hosts[executor] = executor.host(self._place() / "runs")
        return self._hosts[executor]

    def artifacts(self) -> Artifacts:
        """The artifacts of this store."""
        return Artifacts(self._place() / "artifacts")

    async def sweep(self, host: Host, execution: str = "") -> None:
        """End and clean the runs of an execution, or of all, that are nobody's any more."""
        for run in await host.runs():
            if run.startswith(execution) and await self._is_nobodys(host, run):
                await host.stop(run, LONGEST_GRACE)
                await host.clean(run)

    def used(self, execution: ExecutionId) -> None:
        """An execution has runs, or looks for some that it may have."""
        self._used_by.add(execution)

    def ended(self, execution: ExecutionId) -> None:
        """An execution has ended: so have its runs. One that had none here costs nothing."""
        if execution not in self._used_by:
            return
        self._used_by.discard(execution)
        for host in self._hosts.values():
            self._sweep_beside(host, execution)

    async def close(self) -> None:
        """Let go of the hosts. Runs go on, and are found again; those of a store in memory are ended."""
        await asyncio.gather(*self._sweeps)
        for host in self._hosts.values():
            if self._fleeting is not None:
                for run in await host.runs():
                    await host.stop(run, _LAST_GRACE)
            await host.close()
        self._hosts.clear()
        if self._fleeting is not None:
            await asyncio.to_thread(self._fleeting.cleanup)
            self._fleeting = None

    def _sweep_beside(self, host: Host, execution: str = "") -> None:
        async def sweep() -> None:
            try:
                await self.sweep(host, execution)
            except (OSError, StoreError) as error:
                log.warning("runs were left in %s: %s", self._folder, error)

        task = asyncio.get_running_loop().create_task(sweep(), name=f"sweep {execution}")
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    def _place(self) -> Path:
        if self._folder is not None:
            return self._folder
        if self._fleeting is None:
            self._fleeting = tempfile.TemporaryDirectory(prefix="orbits-")
        return Path(self._fleeting.name)

    async def _is_nobodys(self, host: Host, run: str) -> bool:
        text = await host.read(run, OWNER)
        if text is None:
            return False
        owner = msgspec.json.decode(text, type=Owner)
        entry = await self._store.get(EntryRow, owner.execution, owner.key)
        if entry is None or entry.seq is not None or (entry.token, entry.attempt) != (owner.token, owner.attempt):
            return True
        execution = await self._store.get(ExecutionRow, owner.execution)
        return execution is None or execution.state in ENDED
