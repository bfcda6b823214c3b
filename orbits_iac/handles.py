"""What `Orbits` hands out: a durable run to await, a record to ask and command, and what a look at it found."""

import asyncio
import json
import logging
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from orbits_iac import queries
from orbits_iac.engine import operations, replaying
from orbits_iac.engine.events import Sent, send
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.engine.revisions import last_argument, read_revision
from orbits_iac.model.approvals import Approval
from orbits_iac.model.errors import ExecutionFailed, Failure, Refused, Unreachable, UsageError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.outputs import Event, Outputs
from orbits_iac.model.plans import Plan
from orbits_iac.model.records import of_one_thing
from orbits_iac.model.rows import Difference, ExecutionRow, LookRow, RecordRow, RevisionRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.queries import Found, Wait
from orbits_iac.steps.resource import Revision
from orbits_iac.users import users_of

if TYPE_CHECKING:
    from orbits_iac.orbits import Orbits

log = logging.getLogger(__name__)

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
    def ignored(self) -> list[str]:
        """What differs, or may, and does not count, and why: it is not known to be in sync."""
        return [f"{look.kind} {look.identity}: {what}" for look in self.looks for what in look.ignored]

    @property
    def stopped(self) -> list[str]:
        """What was not brought back though that was asked for, and why."""
        return [f"{look.kind} {look.identity}: {look.stopped}" for look in self.looks if look.stopped]

    @property
    def checked(self) -> int:
        """How many properties were compared."""
        return sum(look.checked for look in self.looks)


class Execution(Generic[R]):
    """A durable run: await it for its result."""

    def __init__(
        self,
        orbits: "Orbits",
        id: ExecutionId,  # noqa: A002 - the name in every table of ours
        *,
        told: "asyncio.Future[ExecutionRow] | None" = None,
    ) -> None:
        """`told`: what `Orbits.told` has given for it since before it could end."""
        self.id = id
        self._orbits = orbits
        self._told = told

    def __await__(self) -> Generator[Any, None, R]:
        return self._result().__await__()

    async def row(self) -> ExecutionRow:
        """What is recorded of it; UsageError if there is none."""
        row = await self._orbits.store.get(ExecutionRow, self.id)
        if row is None:
            raise UsageError(f"there is no execution {self.id} in {self._orbits.store.url}")
        return row

    async def ended(self) -> ExecutionRow:
        """Wait until it has ended, wherever it is advanced; its last row.

        While the store cannot be reached it waits as well: the execution goes on, or will.
        """
        told, self._told = self._told, None
        if told is not None and told.done():
            told = None  # it may have been begun again since
        while told is None or not (await asyncio.wait([told], timeout=self._orbits.look_every))[0]:
            told = self._orbits.told(self.id)
            try:
                row = await self.row()
            except Unreachable as error:
                log.warning("execution %s is waited for: %s", self.id, error)
                continue
            if row.state in ENDED:
                self._orbits.tell(row)
                return row
        return told.result()

    async def cancel(self) -> None:
        """Ask it to cancel; it settles, goes back, and ends as CANCELLED. UsageError if it has ended."""
        await operations.cancel(self._orbits.engine, self.id, self._orbits.who)

    async def pause(self) -> None:
        """Let it begin no more steps, with what it alone waits for; what is under way comes to its outcome first.

        Raises UsageError if it has ended.
        """
        await operations.pause(self._orbits.engine, self.id, self._orbits.who)

    async def answer(self, event: Event) -> None:
        """Send it an event; returns when that is durable. `Refused` if it has ended."""
        await self._orbits.emit(event, to=self.id)

    async def answer_by_name(self, event: str, fields: Mapping[str, Any]) -> None:
        """Send it an event whose class is not imported here, by name; its class checks it when it arrives."""
        engine = self._orbits.engine
        sent = Sent(kind=event, value=engine.codec.encode(dict(fields), dict[str, Any]))
        await send(engine, sent, self.id, self._orbits.who)

    async def waits(self) -> Sequence[Wait]:
        """What it, and everything below it, waits for from outside."""
        return queries.waits(await queries.picture(self._orbits.store, self.id))

    async def resume(self, *, here: bool = False) -> None:
        """Let it go on: one that is paused, or that waits for a worker. UsageError if it has ended.

        `here`: with the code of this process, though it be older than the execution's; likewise what it waits for.

        Raises:
            Refused: no worker that runs has its code; or, for `here`, another one goes on with it.

        """
        await self.row()
        if here:
            await self._orbits.dispatcher.go_on_here(self.id, who=self._orbits.who)
        elif self._orbits.works and (why := await self._orbits.dispatcher.why_stranded(self.id)) is not None:
            raise Refused(why)
        await operations.resume(self._orbits.engine, self.id, self._orbits.who)

    async def preview(self) -> Plan:
        """What it is still to do, as far as that is known now. UsageError if it has ended."""
        return await operations.preview(self._orbits.engine, self.id, self._orbits.who)

    async def approve(self, plan: Plan | None = None, *, accept_loss: Sequence[str] = ()) -> None:
        """Approve what it waits for: what `plan` shows, made by `preview`; without one, all that follows, unseen.

        `Refused` if that would lose what is not accepted by name, here or when it was started.
        """
        await operations.approve(self._orbits.engine, self.id, self._orbits.who, plan, tuple(accept_loss))

    async def end(self, state: State, *, path: str = "", result: Any = None, why: str = "") -> None:
        """End it, or its step at `path`, as SUCCESS (with its result), ERROR or CANCELLED, whatever its code would do.

        What is under way is stopped first, and nothing is brought back. UsageError if it has ended, or cannot end so.
        """
        await operations.end(
            self._orbits.engine, self.id, state, path=path, result=result, why=why, who=self._orbits.who
        )

    async def set_handle(self, path: str, handle: Any) -> None:
        """Give the step at `path` another handle; `watch` is called with it next. UsageError if it has ended."""
        await operations.set_handle(self._orbits.engine, self.id, path, handle, self._orbits.who)

    async def replay(self, path: str = "") -> None:
        """Let it go on again after its end: from the step at `path` (`deploy.migrate`, or a name), or from the start.

        That step and all whose outcome came after it are done again, each with a new token; the others stay finished.
        `Refused` if it is under way, or its record has moved on.
        """
        await replaying.replay(self._orbits.engine, self.id, path, self._orbits.who)

    async def accept(self, why: str = "") -> None:
        """Decide that what a QUARANTINED execution has left may stand; it ends as ERROR. `Refused` if it is not one."""
        await replaying.accept(self._orbits.engine, self.id, self._orbits.who, why)

    async def bring_back_again(self) -> None:
        """Let a QUARANTINED execution try once more to bring back what was left. `Refused` if that cannot be."""
        await replaying.bring_back_again(self._orbits.engine, self.id, self._orbits.who)

    async def _result(self) -> R:
        row = await self.ended()
        if row.state is State.SUCCESS:
            return cast("R", self._orbits.engine.codec.decode(row.result or "null", self._orbits.returns(row)))
        raise ExecutionFailed(row.failure or Failure(error_type=row.state.value, message=f"it ended {row.state.value}"))


class Record(Generic[O]):
    """What is kept of one Resource beyond its executions."""

    def __init__(self, orbits: "Orbits", kind: str, identity: str, *, former: Sequence[str] = ()) -> None:
        """`former`: kinds that this one was called before; the record may be kept under one of them."""
        self.kind = kind
        self.identity = identity
        self._orbits = orbits
        self._former = tuple(former)

    async def row(self) -> RecordRow:
        """What is recorded of it; UsageError if nothing is."""
        row = await self._found()
        if row is None:
            raise UsageError(f"there is no record of {self.kind} {self.identity!r} in {self._orbits.store.url}")
        return row

    async def users(self) -> Sequence[str]:
        """Who uses it, by kind and identity: those who do it ("direct": a request), then those who read its outputs."""
        return await users_of(self._orbits.store, await self.row())

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

    async def uninstall(self, *, accept_loss: Sequence[str] = ()) -> Sequence[str]:
        """Remove it; `accept_loss` names what may be lost with it, as in `Orbits.start`. Returns what stays."""
        return await (await self.start("uninstall", {}, accept_loss=accept_loss)) or ()

    async def looks(self) -> DriftReport:
        """The last look at it and at everything below it, without looking again."""
        await self._found()
        return DriftReport(await queries.looks(self._orbits.store, self.kind, self.identity))

    async def _found(self) -> RecordRow | None:
        """Its row; from then on its kind is the one that the record is kept under."""
        store, kinds = self._orbits.store, (self.kind, *self._former)
        row = of_one_thing([await store.get(RecordRow, kind, self.identity) for kind in kinds])
        if row is not None:
            self.kind, self._former = row.kind, ()
        return row

    async def start(
        self, command: str, options: dict[str, Any], *, accept_loss: Sequence[str] = ()
    ) -> "Execution[Any]":
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
            approval=Approval(losses=tuple(accept_loss)),
        )
        await self._orbits.register_build()
        return Execution(self._orbits, await ask_root(engine, asked))

    async def _command(self, command: str, options: dict[str, Any]) -> Any:
        return await (await self.start(command, options))
