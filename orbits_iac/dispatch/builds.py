"""The builds that a store has seen, as one worker knows them: which executions its code may go on with."""

from collections.abc import Iterable

from orbits_iac.engine.engine import Engine
from orbits_iac.model.builds import has_code, is_same_code, may_run, why_nobody
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

    def has_code(self, worker: WorkerRow, *, kind: str, build: str) -> bool:
        """Whether a worker may go on with executions of this kind and build."""
        return has_code(worker, self._rows, kind=kind, build=build)

    def why_stranded(self, task: TaskRow, workers: Iterable[WorkerRow], *, root: str = "") -> str | None:
        """Why none of these workers may go on with an execution, and what to do; None if one may."""
        return why_nobody(task, workers, self._rows, root=root)
