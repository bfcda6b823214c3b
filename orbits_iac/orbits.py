"""Orbits: the one place that puts the parts together, and what Python code runs steps with."""

import asyncio
import getpass
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from weakref import WeakValueDictionary

from typing_extensions import TypedDict, TypeVar, Unpack

from orbits_iac.codec import open_codec
from orbits_iac.dispatch.agreement import AgreedClock, agree
from orbits_iac.dispatch.contract import Dispatcher
from orbits_iac.dispatch.named import dispatcher_named
from orbits_iac.engine.adopting import check_adopts
from orbits_iac.engine.approving import refuse_changed, under_way
from orbits_iac.engine.clock import Clock
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.events import emit
from orbits_iac.engine.names import record_kind
from orbits_iac.engine.naming import identity_of, refuse_secrets, result_of
from orbits_iac.engine.preview import preview
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.engine.unbuilt import refuse_unbuilt
from orbits_iac.handles import Execution, Record
from orbits_iac.measures import OFF, Measures
from orbits_iac.model.approvals import Approval, approval_of
from orbits_iac.model.builds import REGISTERED_AGAIN
from orbits_iac.model.conflict import OnConflict
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.outputs import Event, Outputs
from orbits_iac.model.plans import Plan
from orbits_iac.model.rows import BuildRow, ExecutionRow, RecordRow, amended
from orbits_iac.model.target import Target
from orbits_iac.registry import Registry, build_of, source_of, sources_of
from orbits_iac.settings import Settings
from orbits_iac.steps.resource import Command, Resource
from orbits_iac.steps.step import Step, kind_of, kinds_of, options_of
from orbits_iac.store import open_store
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.measured import MeasuredStore
from orbits_iac.unfinished import refuse_unfinished

if TYPE_CHECKING:
    from orbits_iac.dispatch.outbox import Outbox

T = TypeVar("T")
R = TypeVar("R", default=None)
O = TypeVar("O", bound=Outputs | None, default=None)


class Approving(TypedDict, total=False):
    """What may be approved with a step that is run, beyond bringing things to what they should be."""

    plan: Plan | None  # what it shows is done, removals too, and nothing else
    approve_deferred: bool  # with a plan: what it could not show, because it follows from what is done before it, too
    prune: bool  # whatever an update no longer does is removed
    accept_loss: Sequence[str]  # what is stateful or protected and may be replaced or removed, by identity
    take_over: str  # a project: what is marked as its own is made this one's
    force: bool  # nothing of a fleet is passed over because it seems unchanged
    rebuild: bool  # records are made again of what is there, and nothing else is done


class Orbits:
    """Runs steps durably: opens the store, advances executions in this process, and answers questions about both.

    `work=False` only asks and reads: executions are then advanced by workers elsewhere. `alone`: nothing is advanced
    here but what is asked for here, and no schedule is fired.
    """

    def __init__(  # noqa: PLR0913 - what a process may be, each by its name
        self,
        settings: Settings | None = None,
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        work: bool = True,
        alone: bool = False,
        who: str | None = None,
        modules: Sequence[str] = (),
        measures: Measures | None = None,
        notifies: bool = False,
    ) -> None:
        """`modules`: what another process has to import to go on; without them, where the project's steps are now.

        `measures`: is told of what is done here. `notifies`: what `[notify]` asks for is sent from this process.
        """
        self.settings = settings or Settings()
        self.who = who or who_asks()
        found = store or open_store(self.settings.store)
        self.store: Store = found if measures is None else MeasuredStore(found, measures)
        self.registry = Registry()
        self.look_every: float | None = 0.5  # seconds between looks for the end of what is advanced elsewhere
        self._clock = clock or AgreedClock()
        self._measures = measures or OFF
        self.works = work
        self._alone = alone
        self._modules = tuple(modules)
        self._told: WeakValueDictionary[ExecutionId, asyncio.Future[ExecutionRow]] = WeakValueDictionary()
        self._build = BuildRow(digest="", order=0)
        self._engine: Engine | None = None
        self._dispatcher: Dispatcher | None = None
        self._notifies = notifies and bool(self.settings.notify.to)
        self.outbox: Outbox | None = None  # of what is sent from here

    @property
    def engine(self) -> Engine:
        """The engine; there between `async with` and its end."""
        if self._engine is None:
            raise Refused("Orbits is not open: use `async with Orbits() as orbits:`")
        return self._engine

    async def __aenter__(self) -> Self:
        await self.store.open()
        try:
            await agree(self._clock, self.store)
            await refuse_unfinished(self.store)
            sources = sources_of(self.registry.modules())
            self._build = BuildRow(digest=build_of(sources), order=0, sources=sources)
            codec = await open_codec(self.store, self.settings.secret_key, largest=self.settings.largest_value)
            self._engine = Engine(
                self.store,
                codec,
                self.registry,
                project=self.settings.project,
                build=build_of(sources),
                clock=self._clock,
                threads=self.settings.threads,
                suspended=self.settings.suspended,
                threads_per_tenant=self.settings.threads_per_tenant,
                longest_block=self.settings.longest_block.total_seconds(),
                block_ends=self.settings.block_ends.total_seconds(),
                grace=self.settings.grace.total_seconds(),
                files=_files(self.store),
                drift=self.settings.drift,
                notify=self.settings.notify,
                measures=self._measures,
            )
            self._engine.own = set() if self._alone else None
            self._engine.on_end(self.tell)
            if self.works:
                await self._engine.open()
                await self.register_build()
                self._dispatcher = dispatcher_named(self.settings.dispatcher).of(
                    self._engine, self.settings, who=self.who
                )
                with self._sending():
                    await self._dispatcher.start()
        except BaseException:
            self._dispatcher = None  # it has begun nothing
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            try:
                if self.outbox is not None:
                    await self.outbox.stop()
                if self._dispatcher is not None:
                    await self._dispatcher.drain()
            finally:
                if self._engine is not None:
                    await self._engine.close()
            if self._dispatcher is not None:  # what it holds is given back once nothing of it is under way here
                await self._dispatcher.stop()
        finally:
            await self.store.close()

    async def run(
        self,
        step: Step[T],
        *,
        target: Target | Sequence[Target] | None = None,
        on_conflict: OnConflict | None = None,
        **approved: Unpack[Approving],
    ) -> T:
        """Run a step to its end and return its result, as `start` starts it; what may be approved is in `Approving`.

        Raises:
            ExecutionFailed: it ended badly.
            Refused: it is not allowed; nothing was done.

        """
        return await (await self.start(step, target=target, on_conflict=on_conflict, **approved))

    async def start(
        self,
        step: Step[T],
        *,
        target: Target | Sequence[Target] | None = None,
        on_conflict: OnConflict | None = None,
        **approved: Unpack[Approving],
    ) -> Execution[T]:
        """Start a step durably, or join the equal one in flight, and return at once.

        `on_conflict`: what becomes of a Resource's command whose record is busy; without it, as its class says.

        Raises `Refused` where it is not allowed, or where a plan no longer holds, saying what has changed since.
        """
        command, options, subject = "update" if isinstance(step, Resource) else "run", "{}", cast("Step[Any]", step)
        if isinstance(step, Command):
            command, subject = step.command, step.resource
            options = self.engine.codec.encode(step.arguments, dict[str, Any])
        else:
            await self._check(step)
        refuse_unbuilt(kind_of(type(subject)), subject, {})
        if command == "update":
            check_adopts(kind_of(type(subject)), subject, {})
        self.registry.know(type(subject))
        self.registry.find(kind_of(type(subject)))  # once for all: not when it is under way
        identity = None
        if isinstance(subject, Resource):
            identity, _ = identity_of(subject, None, StepKey(""), kind_of(type(subject)), None)
        kind = await record_kind(self.store, kinds_of(type(subject)), identity) if identity else kind_of(type(subject))
        codec, cls = self.engine.codec, type(subject)
        given = [target] if isinstance(target, Target) else target or ()
        targets = {type(one).__name__: codec.encode(one, type(one)) for one in given}
        places = {type(one).__name__: one.place() for one in given}
        refuse_secrets(codec, lambda: "run", subject, identity)
        for one in given:
            refuse_secrets(codec, lambda: "run", one, *places.values())
        argument, settings = codec.encode(subject, cls), options_of(cls)
        known = codec.as_encoded(codec.decode(argument, cls), argument)
        asked = Asked(
            kind=kind,
            command=command,
            argument=argument,
            identity=identity,
            options=options,
            digest=codec.digest(kind, command, known, options),
            targets=targets,
            places=places,
            tenant=settings.get("labels", {}).get("tenant"),
            who=self.who,
            adopt=command == "update" and settings.get("adopt", False),
            priority=settings.get("priority", 0),
            on_conflict=on_conflict or settings.get("on_conflict", "wait"),
            retain=settings.get("retain", False),
            protect=settings.get("protect", False),
            shared=settings.get("shared", False),
        )
        await agree(self._clock, self.store)
        await self.register_build()
        if approved:
            asked = replace(asked, approval=await self._approval(step, asked, approved))
        execution = await ask_root(self.engine, asked)
        # What has no identity is joined by nobody: this call has made it, and its end is yet to be told.
        told = self.told(execution) if identity is None and self.works else None
        return Execution(self, execution, told=told)

    @property
    def dispatcher(self) -> Dispatcher:
        """What decides which executions are advanced in this process; `Refused` if none are."""
        if self._dispatcher is None:
            raise Refused("nothing is advanced in this process: it was opened with work=False")
        return self._dispatcher

    @contextmanager
    def _sending(self) -> Generator[None]:
        """What is begun inside sends what is to be told, if this process is to."""
        if not self._notifies:
            yield
            return
        from orbits_iac.dispatch.outbox import Outbox
        from orbits_iac.notify.steps import SENDER, Sender

        before = SENDER.set(Sender(settings=self.settings.notify, measures=self._measures))
        try:
            yield
            self.outbox = Outbox(self.engine, self.settings.notify)
            self.outbox.start()
        finally:
            SENDER.reset(before)

    async def _approval(self, step: Step[Any], asked: Asked, given: Approving) -> Approval:
        plan, losses = given.get("plan"), tuple(given.get("accept_loss", ()))
        approval = Approval()
        if plan is not None:
            standing = await under_way(self.engine, plan, asked)
            if standing is not None:
                return standing
            await refuse_changed(self.engine, plan, step, asked, losses)
            approval = amended(approval_of(plan, by=self.who), deferred=given.get("approve_deferred", False))
        taken, rebuild = given.get("take_over", ""), given.get("rebuild", False)
        if rebuild and (asked.identity is None or asked.command != "update"):
            raise Refused(f"{asked.kind}: records are made again of a Resource alone")
        approval = amended(approval, prune=given.get("prune", False), force=given.get("force", False))
        return amended(approval, losses=losses, take_over=taken, rebuild=rebuild)

    async def preview(self, step: Step[Any], *, target: Target | None = None, take_over: str = "") -> Plan:
        """What running the step would do, found out by reading alone; `take_over` as in `Approving`."""
        await self._check(step)
        return await preview(self.engine, step, target, who=self.who, takes_over=take_over)

    async def emit(self, event: Event, *, to: str | None = None) -> None:
        """Send an event to execution `to`, or to all: to every execution that waits for one of its class now.

        One that is sent to all sets off what the functions marked with `@on` say, as far as they are imported here.

        Returns when that is durable. One that was sent to an execution waits there until it is waited for; one that was
        sent to all, and fits no wait, is dropped.

        Raises:
            Refused: `to` has ended.
            UsageError: there is no execution `to`.

        """
        await emit(self.engine, event, to=None if to is None else ExecutionId(to), who=self.who)

    async def settled(self) -> None:
        """Wait until nothing is due any more and nothing is being advanced in this process."""
        if self._dispatcher is not None:
            await self._dispatcher.settled()
            while self.outbox is not None and await self.outbox.sweep():
                await self._dispatcher.settled()

    async def _check(self, step: Step[Any]) -> None:
        """Look at what a step is made from, in a thread where its class looks at anything; and at what is recorded."""
        if type(step).check_inputs is not Step.check_inputs:
            await asyncio.to_thread(step.check_inputs)
        await step.check_request(self._outputs)

    async def _outputs(self, kind: type[Resource[O]], identity: str) -> O | None:
        row = await self.store.get(RecordRow, kind_of(kind), identity)
        return None if row is None or row.revision is None else await self.record(kind, identity).outputs()

    def execution(self, id: str) -> Execution[Any]:  # noqa: A002 - the name in every table of ours
        """The execution with this id."""
        return Execution(self, ExecutionId(id))

    def record(self, kind: type[Resource[O]], identity: str) -> Record[O]:
        """The record of a Resource: by its class, and the identity that it names."""
        known, *former = kinds_of(kind)
        return Record(self, known, identity, former=former)

    def returns(self, row: ExecutionRow) -> Any:
        """The type of an execution's result."""
        cls = self.registry.find(row.kind)
        return Any if cls is None else result_of(cls, row.command)

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

    async def register_build(self) -> None:
        """Let the store know the build of the code that is here: before anything is asked for by it."""
        now = self.engine.clock.now()
        if self._build.order and now - self._build.at < REGISTERED_AGAIN:
            return
        known = {row.digest: row for row in await self.store.find(BuildRow)}
        order = 1 + max((row.order for row in known.values()), default=0)
        row = known.get(self._build.digest) or amended(self._build, order=order)
        modules = self._modules or tuple(source_of(module) for module in sorted(self.registry.modules()))
        row = amended(
            row,
            modules=tuple(dict.fromkeys((*row.modules, *modules))),
            renamed={**row.renamed, **self.registry.renamed()},
            at=row.at if now - row.at < REGISTERED_AGAIN else now,
        )
        if row != known.get(row.digest):
            await self.store.commit(Transaction(put=[row]))
        self._build = row


def run(step: Step[T], *, target: Target | None = None, settings: Settings | None = None) -> T:
    """Run a step to its end from a program without an event loop, and return its result."""

    async def main() -> T:
        async with Orbits(settings) as orbits:
            return await orbits.run(step, target=target)

    return asyncio.run(main())


def _files(store: Store) -> Path | None:
    """The folder beside a local store for what is no row: runs and artifacts; None for a store without one."""
    technology, _, where = store.url.partition(":")
    return Path(f"{where}-files") if technology == "sqlite" else None


def who_asks() -> str:
    """The person who runs this process, and where."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):
        return socket.gethostname()
