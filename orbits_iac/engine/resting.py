"""Runs that wait in memory: the most recently used of them stay, with their definitions suspended.

Whatever is let go of here goes on from the store, as after a crash: memory is spent to save a replay, never relied on.
A run that waits costs about 25 kB. One whose execution others have gone on with, or ended, is of no use any more.
"""

import asyncio
from collections import OrderedDict

from orbits_iac.engine.run import Run
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import TaskRow
from orbits_iac.store.contract import Store

AT_ONCE = 20
"""Runs that are looked after at a time, about once a second: it saves memory, and costs a read each."""


class Resting:
    """The runs of one process that wait."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._runs: OrderedDict[ExecutionId, Run] = OrderedDict()  # the one that waits longest first
        self._unseen: list[ExecutionId] = []

    def __len__(self) -> int:
        return len(self._runs)

    def add(self, run: Run) -> list[Run]:
        """A run waits from now on; the runs that there is no room for any more."""
        self._runs[run.pages.execution.id] = run
        return [self._runs.popitem(last=False)[1] for _ in range(len(self._runs) - self._most)]

    def take(self, execution: ExecutionId) -> None:
        """A run goes on, or has ended."""
        self._runs.pop(execution, None)

    async def strangers(self, store: Store) -> list[Run]:
        """Of some of the runs, others at each call, those whose executions others have gone on with or ended."""
        if not self._unseen:
            self._unseen = list(self._runs)
        looked, self._unseen = self._unseen[:AT_ONCE], self._unseen[AT_ONCE:]
        found: list[Run] = []
        tasks = await asyncio.gather(*(store.get(TaskRow, execution) for execution in looked))
        for execution, task in zip(looked, tasks, strict=True):
            run = self._runs.get(execution)
            if run is not None and (task is None or task.token != run.pages.token):
                found.append(run)
        return found
