"""The builds that a store has seen, as one worker knows them: which executions its code may go on with."""

from collections.abc import Iterable

from orbits_iac.engine.engine import Engine
from orbits_iac.model.builds import is_same_code, may_run
from orbits_iac.model.rows import BuildRow, TaskRow, WorkerRow


class Builds:
    """The builds of a store, seen from the engine's own. One that nobody has registered counts as the earliest."""

    def __init__(self, engine: Engine) -> None:
        self.claims: dict[str, str] = {engine.build: engine.build}
        """For each build that this code may go on with, the one that its executions are of then."""
        self._engine = engine
        self._own = engine.build
        self._rows: dict[str, BuildRow] = {}

    async def refresh(self, seen: Iterable[str] = ()) -> bool:
        """Read them again if one of `seen` is unknown; whether there is more to claim now."""
        wanted = {self._engine.build, *seen}
        if wanted <= self._rows.keys() and self._own == self._engine.build:
            return False
        self._own = self._engine.build
        before, rows = self.claims, {row.digest: row for row in await self._engine.store.find(BuildRow)}
        self._rows = rows | {name: BuildRow(digest=name, order=0) for name in wanted - rows.keys()}
        own = self._rows[self._own]
        mine = [row for row in self._rows.values() if may_run(own, row)]
        self.claims = {row.digest: row.digest if is_same_code(own, row) else self._own for row in mine}
        return self.claims != before

    def may_claim(self, build: str, *, own: bool) -> bool:
        """Whether the code here may go on with executions of this build; `own`: with those of its own build alone."""
        return build in self.claims and not (own and self.claims[build] != build)

    def has_code(self, worker: WorkerRow, *, kind: str, build: str, own: bool = False) -> bool:
        """Whether a worker may go on with executions of this kind and build; `own`: of its own build alone."""
        if kind not in worker.kinds:
            return False
        theirs, its = self._rows.get(worker.build), self._rows.get(build)
        return theirs is None or its is None or (is_same_code if own else may_run)(theirs, its)

    def why_stranded(self, task: TaskRow, workers: Iterable[WorkerRow], *, root: str = "") -> str | None:
        """Why none of these workers may go on with an execution, and what to do; None if one may.

        `root`: the one that it is part of, by which a person goes on with both.
        """
        living = list(workers)
        if any(self.has_code(worker, kind=task.kind, build=task.build, own=task.own_build) for worker in living):
            return None
        row = self._rows.get(task.build)
        code = f" that imports {', '.join(row.modules)}" if row is not None and row.modules else ""
        if not any(task.kind in worker.kinds for worker in living):
            return f"no worker that runs has the kind {task.kind}: start one{code}"
        builds = ", ".join(sorted({worker.build for worker in living if task.kind in worker.kinds}))
        others, go_on = ("others", "the code that is here") if task.own_build else ("earlier ones", "the older code")
        return (
            f"it is of build {task.build}, and the workers that run are of {others} ({builds}): start a worker of "
            f"that code{code}, or go on with {go_on}: orbits resume {root or task.id} --here"
        )
