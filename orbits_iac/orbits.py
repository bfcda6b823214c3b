"""Orbits: the one place that puts the parts together, and what Python code runs steps with."""

import asyncio
import getpass
import json
import socket
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, cast

from typing_extensions import TypeVar

from orbits_iac.codec import Codec, secret_key
from orbits_iac.dispatch.worker import Worker
from orbits_iac.engine.clock import Clock
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.naming import identity_of
from orbits_iac.engine.preview import preview
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.engine.revisions import last_argument, read_revision
from orbits_iac.model.errors import ExecutionFailed, Failure, Refused, UsageError
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.outputs import Outputs
from orbits_iac.model.plans import Plan
from orbits_iac.model.rows import (
    BuildRow,
    Difference,
    ExecutionRow,
    LookRow,
    MessageRow,
    RecordRow,
    RevisionRow,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.model.target import Target
from orbits_iac.registry import Registry, build_of, source_of
from orbits_iac.settings import Settings
from orbits_iac.steps.resource import Command, Resource, Revision, command_result_type
from orbits_iac.steps.step import Step, kind_of, options_of, result_type
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction

T = TypeVar("T")
R = TypeVar("R", default=None)
O = TypeVar("O", bound=Outputs | None, default=None)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """What a look at one record found."""

    kind: str
    identity: str
    at: float
    differences: tuple[Difference, ...]
    unchecked: tuple[str, ...]
    checked: int
    error: str | None = None


class DriftReport:
    """What a look at a record and everything below it found."""

    def __init__(self, looks: Sequence[Drift]) -> None:
        self.looks = tuple(looks)

    @property
    def in_sync(self) -> bool:
        """Whether nothing that was compared differs, and every look worked."""
        return not any(look.error or any(not d.remediated for d in look.differences) for look in self.looks)

    @property
    def drifted(self) -> list[tuple[Drift, Difference]]:
        """Every property that differs, with the look that found it."""
        return [(look, d) for look in self.looks for d in look.differences if not d.remediated]

    @property
    def remediated(self) -> list[tuple[Drift, Difference]]:
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
        return DriftReport(await self.looks())

    async def rollback(self, to: int | None = None) -> O:
        """Bring it back to revision `to`, or to the one before the current one."""
        return cast("O", await self._command("rollback", {} if to is None else {"to": to}))

    async def uninstall(self) -> None:
        """Remove it."""
        await self._command("uninstall", {})

    async def looks(self) -> list[Drift]:
        """The last look at it and at everything below it, without looking again."""
        found: dict[tuple[str, str], Drift] = {}
        await self._looks(await self.row(), found)
        return list(found.values())

    async def _looks(self, row: RecordRow, found: dict[tuple[str, str], Drift]) -> None:
        for look in await self._orbits.store.find(LookRow, kind=row.kind, identity=row.identity):
            found[row.kind, row.identity] = Drift(
                kind=row.kind,
                identity=row.identity,
                at=look.at,
                differences=look.differences,
                unchecked=look.unchecked,
                checked=look.checked,
                error=look.error,
            )
        for child in row.children:
            below = await self._orbits.store.get(RecordRow, child.kind, child.identity)
            if below is not None and (child.kind, child.identity) not in found:
                await self._looks(below, found)

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


class Orbits:
    """Runs steps durably: opens the store, advances executions in this process, and answers questions about both.

    `work=False` only asks and reads: executions are then advanced by workers elsewhere.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        work: bool = True,
        who: str | None = None,
        modules: Sequence[str] = (),
    ) -> None:
        """`modules`: what another process has to import to go on; without them, where the project's steps are now."""
        self.settings = settings or Settings()
        self.who = who or _who()
        self.store: Store = store or open_store(self.settings.store)
        self.registry = Registry()
        self._clock = clock
        self._work = work
        self._modules = tuple(modules)
        self._told: dict[ExecutionId, asyncio.Future[ExecutionRow]] = {}
        self._engine: Engine | None = None
        self._worker: Worker | None = None

    @property
    def engine(self) -> Engine:
        """The engine; there between `async with` and its end."""
        if self._engine is None:
            raise Refused("Orbits is not open: use `async with Orbits() as orbits:`")
        return self._engine

    async def __aenter__(self) -> Self:
        await self.store.open()
        try:
            codec = Codec(secret_key(self.settings.secret_key, self.settings.folder()))
            self._engine = Engine(
                self.store,
                codec,
                self.registry,
                project=self.settings.project,
                build=build_of(self.registry.modules()),
                clock=self._clock,
                threads=self.settings.threads,
                grace=self.settings.grace.total_seconds(),
            )
            self._engine.on_end(self.tell)
            if self._work:
                await self._register_build()
                self._worker = Worker(
                    self._engine, concurrency=self.settings.concurrency, lease=self.settings.lease, who=self.who
                )
                await self._worker.start()
        except BaseException:
            await self.store.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            try:
                if self._worker is not None:
                    await self._worker.stop()
            finally:
                await self.engine.close()
        finally:
            await self.store.close()

    async def run(self, step: Step[T], *, target: Target | None = None) -> T:
        """Run a step to its end and return its result.

        Raises:
            ExecutionFailed: it ended badly.
            Refused: it is not allowed; nothing was done.

        """
        return await (await self.start(step, target=target))

    async def start(self, step: Step[T], *, target: Target | None = None, retain: bool = False) -> Execution[T]:
        """Start a step durably, or join the equal one in flight, and return at once."""
        command, options, subject = "update" if isinstance(step, Resource) else "run", "{}", cast("Step[Any]", step)
        if isinstance(step, Command):
            command, subject = step.command, step.resource
            options = self.engine.codec.encode(step.arguments, dict[str, Any])
        else:
            await asyncio.to_thread(step.check_inputs)
        self.registry.know(type(subject))
        self.registry.find(kind_of(type(subject)))  # once for all: not when it is under way
        identity = None
        if isinstance(subject, Resource):
            identity, _ = identity_of(subject, None, StepKey(""), kind_of(type(subject)), None)
        codec, cls = self.engine.codec, type(subject)
        targets = {} if target is None else {type(target).__name__: codec.encode(target, type(target))}
        places = {} if target is None else {type(target).__name__: target.place()}
        asked = Asked(
            kind=kind_of(cls),
            command=command,
            argument=codec.encode(subject, cls),
            identity=identity,
            options=options,
            digest=codec.digest(kind_of(cls), command, subject, options),
            targets=targets,
            places=places,
            who=self.who,
            priority=options_of(cls).get("priority", 0),
            retain=retain,
        )
        return Execution(self, await ask_root(self.engine, asked))

    async def preview(self, step: Step[Any], *, target: Target | None = None) -> Plan:
        """What running the step would do, found out by reading alone."""
        await asyncio.to_thread(step.check_inputs)
        return await preview(self.engine, step, target)

    async def settled(self) -> None:
        """Wait until nothing is due any more and nothing is being advanced in this process."""
        if self._worker is not None:
            await self._worker.settled()

    def execution(self, id: str) -> Execution[Any]:  # noqa: A002 - the name in every table of ours
        """The execution with this id."""
        return Execution(self, ExecutionId(id))

    def record(self, kind: type[Resource[O]], identity: str) -> Record[O]:
        """The record of a Resource: by its class, and the identity that it names."""
        return Record(self, kind_of(kind), identity)

    def returns(self, row: ExecutionRow) -> Any:
        """The type of an execution's result."""
        cls = self.registry.find(row.kind)
        if cls is None:
            return Any
        if row.command in {"run", "update", "rollback"}:
            return result_type(cls)
        if row.command in {"cycle", "uninstall"}:
            return type(None)
        return command_result_type(cast("type[Resource[Any]]", cls), row.command)

    def told(self, execution: ExecutionId) -> "asyncio.Future[ExecutionRow]":
        """A future that is done when the execution ends in this process."""
        known = self._told.get(execution)
        if known is None or known.done():
            known = self._told[execution] = asyncio.get_running_loop().create_future()
        return known

    def tell(self, row: ExecutionRow) -> None:
        """An execution has ended: whoever waits for that here is told."""
        waiting = self._told.pop(row.id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(row)

    async def _register_build(self) -> None:
        known = {row.digest: row for row in await self.store.find(BuildRow)}
        order = 1 + max((row.order for row in known.values()), default=0)
        row = known.get(self.engine.build) or BuildRow(digest=self.engine.build, order=order)
        modules = self._modules or tuple(source_of(module) for module in sorted(self.registry.modules()))
        row = replace(row, modules=tuple(dict.fromkeys((*row.modules, *modules))))
        if row != known.get(row.digest):
            await self.store.commit(Transaction(put=[row]))


def run(step: Step[T], *, target: Target | None = None, settings: Settings | None = None) -> T:
    """Run a step to its end from a program without an event loop, and return its result."""

    async def main() -> T:
        async with Orbits(settings) as orbits:
            return await orbits.run(step, target=target)

    return asyncio.run(main())


def _who() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return socket.gethostname()
