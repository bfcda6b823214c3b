"""What `Orbits` hands out: a durable run to await, a record to ask and command, and what a look at it found."""

import asyncio
import json
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from orbits_iac import queries
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.engine.revisions import last_argument, read_revision
from orbits_iac.model.errors import ExecutionFailed, Failure, Refused, UsageError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.outputs import Event, Outputs
from orbits_iac.model.rows import Difference, ExecutionRow, LookRow, MessageRow, RecordRow, RevisionRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.queries import Found
from orbits_iac.steps.resource import Revision
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.orbits import Orbits

R = TypeVar("R", default=None)
O = TypeVar("O", bound=Outputs | None, default=None)


class DriftReport:
    """What a look at a record and everything below it found."""

    def __init__(self, found: Sequence[Found]) -> None:
        self.looks: tuple[LookRow, ...] = tuple(one.look for one in found if one.look is not None)

    @property
    def in_sync(self) -> bool:
        """Whether nothing that was compared differs, and every look worked."""
        return not self.drifted and not any(look.error for look in self.looks)

    @property
    def drifted(self) -> list[tuple[LookRow, Difference]]:
        """Every property that differs, with the look that found it."""
        return [(look, d) for look in self.looks for d in look.differences if not d.remediated]

    @property
    def remediated(self) -> list[tuple[LookRow, Difference]]:
        """Every property that differed and was brought back by this look."""
        return [(look, d) for look in self.looks for d in look.differences if d.remediated]

    @property
    def unchecked(self) -> list[str]:
        """What was not compared, and why: it is not known to be in sync."""
        return [f"{look.kind} {look.identity}: {what}" for look in self.looks for what in look.unchecked]

    @property
    def checked(self) -> int:
        """How many properties were compared."""
        return sum(look.checked for look in self.looks)


class Execution(Generic[R]):
    """A durable run: await it for its result."""

    def __init__(self, orbits: "Orbits", id: ExecutionId) -> None:  # noqa: A002 - the name in every table of ours
        self.id = id
        self._orbits = orbits

    def __await__(self) -> Generator[Any, None, R]:
        return self._result().__await__()

    async def row(self) -> ExecutionRow:
        """What is recorded of it; UsageError if there is none."""
        row = await self._orbits.store.get(ExecutionRow, self.id)
        if row is None:
            raise UsageError(f"there is no execution {self.id} in {self._orbits.settings.store}")
        return row

    async def ended(self) -> ExecutionRow:
        """Wait until it has ended, wherever it is advanced; its last row."""
        while True:
            told = self._orbits.told(self.id)
            row = await self.row()
            if row.state in ENDED:
                self._orbits.tell(row)
                return row
            await asyncio.wait([told], timeout=0.5)

    async def cancel(self) -> None:
        """Ask it to cancel; it settles, goes back, and ends as CANCELLED. One that has ended stays as it is."""
        if (await self.row()).state in ENDED:
            return
        message = MessageRow(execution=self.id, id="cancel", what="cancel")
        await self._orbits.engine.commit(Transaction(put=[message]), wake=[self.id])
        if (await self.row()).state in ENDED:  # meanwhile; nobody reads it any more
            await self._orbits.store.commit(Transaction(delete=[message]))

    async def answer(self, event: Event) -> None:
        """Send it an event; returns when that is durable. `Refused` if it has ended."""
        await self._orbits.emit(event, to=self.id)

    async def resume(self) -> None:
        """Make it due now: one that is paused, or that waits for a worker, goes on."""
        await self._orbits.engine.commit(Transaction(), wake=[self.id])

    async def _result(self) -> R:
        row = await self.ended()
        if row.state is State.SUCCESS:
            return cast("R", self._orbits.engine.codec.decode(row.result or "null", self._orbits.returns(row)))
        raise ExecutionFailed(row.failure or Failure(error_type=row.state.value, message=f"it ended {row.state.value}"))


class Record(Generic[O]):
    """What is kept of one Resource beyond its executions."""

    def __init__(self, orbits: "Orbits", kind: str, identity: str) -> None:
        self.kind = kind
        self.identity = identity
        self._orbits = orbits

    async def row(self) -> RecordRow:
        """What is recorded of it; UsageError if nothing is."""
        row = await self._orbits.store.get(RecordRow, self.kind, self.identity)
        if row is None:
            raise UsageError(f"there is no record of {self.kind} {self.identity!r} in {self._orbits.settings.store}")
        return row

    async def outputs(self) -> O:
        """The outputs of its current revision; `Refused` if nothing stands."""
        row = await self.row()
        if row.revision is None:
            raise Refused(f"{self.kind} {self.identity} has no outputs: nothing of it stands")
        revision = await read_revision(self._orbits.engine, self.kind, self.identity, row.revision)
        return cast("O", revision.outputs)

    async def history(self) -> Sequence[Revision[O]]:
        """Its revisions that were good, the oldest first; those that were gone back from are left out."""
        await self.row()
        rows = await self._orbits.store.find(RevisionRow, kind=self.kind, identity=self.identity)
        good = [row.number for row in rows if not row.abandoned]
        return [await read_revision(self._orbits.engine, self.kind, self.identity, number) for number in good]

    async def drift(self) -> DriftReport:
        """Look now, at it and everything below it, and change nothing."""
        return await self.cycle(on_drift="report")

    async def cycle(self, *, on_drift: str = "report") -> DriftReport:
        """Look now, and do about drift what `on_drift` says."""
        row = await self.row()
        if row.revision is None:
            raise Refused(f"{self.kind} {self.identity} has nothing to look at: nothing of it stands")
        await self._command("cycle", {"on_drift": on_drift})
        return await self.looks()

    async def rollback(self, to: int | None = None) -> O:
        """Bring it back to revision `to`, or to the one before the current one."""
        return cast("O", await self._command("rollback", {} if to is None else {"to": to}))

    async def uninstall(self) -> None:
        """Remove it."""
        await self._command("uninstall", {})

    async def looks(self) -> DriftReport:
        """The last look at it and at everything below it, without looking again."""
        return DriftReport(await queries.looks(self._orbits.store, self.kind, self.identity))

    async def start(self, command: str, options: dict[str, Any]) -> "Execution[Any]":
        """Start a command on it with the argument of its current revision, or of its last update if that failed."""
        row = await self.row()
        argument = await last_argument(self._orbits.engine, row)
        if argument is None:
            raise Refused(f"{self.kind} {self.identity} was never installed: there is nothing to {command}")
        engine, text = self._orbits.engine, json.dumps(options, sort_keys=True)
        asked = Asked(
            kind=self.kind,
            command=command,
            argument=argument,
            identity=self.identity,
            options=text,
            digest=engine.codec.digest(self.kind, command, argument, text),
            targets=row.targets,
            places=row.places,
            tenant=row.tenant,
            who=self._orbits.who,
        )
        return Execution(self._orbits, await ask_root(engine, asked))

    async def _command(self, command: str, options: dict[str, Any]) -> Any:
        return await (await self.start(command, options))
