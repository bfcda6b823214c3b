"""What `self.execution` is in a previewed definition: it takes up what would be done, and does nothing."""

import asyncio
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeVar

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.labels import TENANT, merged
from orbits_iac.engine.names import Name, known_as, record_kind
from orbits_iac.engine.naming import key_of, returns_of, subject_of
from orbits_iac.engine.placing import may_move
from orbits_iac.engine.revisions import read_revision
from orbits_iac.engine.sharing import refuse_others
from orbits_iac.engine.unbuilt import refuse_unbuilt
from orbits_iac.engine.wanted import each_of
from orbits_iac.model.below import Below
from orbits_iac.model.errors import Refused, UsageError
from orbits_iac.model.ids import StepKey, new_id
from orbits_iac.model.news import Stop
from orbits_iac.model.outputs import Event
from orbits_iac.model.plans import Change
from orbits_iac.model.rows import Difference, Json, RecordRow
from orbits_iac.model.standing import Rest, Standing
from orbits_iac.model.target import Target
from orbits_iac.steps.execution import Flow, Left
from orbits_iac.steps.options import OnDrift, StepOptions
from orbits_iac.steps.resource import Command, Resource, Revision
from orbits_iac.steps.step import Step, bind, kinds_of, result_type
from orbits_iac.steps.workflow import Workflow

if TYPE_CHECKING:
    from orbits_iac.engine.preview_definition import Looking

T = TypeVar("T")
TG = TypeVar("TG", bound=Target)
E = TypeVar("E", bound=Event)


@dataclass(kw_only=True, eq=False)
class Asked:
    """A `do` of a previewed definition, and what came of it."""

    ref: str
    name: str  # its `key=`
    step: Step[Any]
    subject: Step[Any]  # a fresh instance; of a command, the Resource
    command: str
    kind: str
    key: StepKey
    digest: str
    kinds: dict[str, str]  # of what is done once: today's and former, with their digests
    identity: str | None
    once: bool
    targets: dict[str, Json]
    options: StepOptions
    tenant: str | None
    future: "asyncio.Future[Any]"
    change: Change | None = None


class PreviewFlow(Flow):
    """What `self.execution` is in a previewed definition, and in `define_preview`."""

    previewing = True

    def __init__(self, looking: "Looking", targets: dict[str, Json]) -> None:
        self._looking = looking
        self._targets = targets
        self._chance = Random(0)  # noqa: S311 - nothing is kept of a preview
        self.id = new_id(looking.engine.clock.now())
        self.token = "preview"  # noqa: S105 - an idempotency token, for calls that are never made
        self.attempt = 1
        self.tenant = looking.tenant
        self.project = looking.engine.project
        self.record = looking.record
        self.called = looking.called
        self.takes_over = looking.preview.takes_over

    def progress(self, message: str, share: float | None = None) -> None:
        """A preview says nothing on its way."""

    def target(self, kind: type[TG]) -> TG:
        text = self._targets.get(kind.__name__)
        if text is None:
            raise Refused(f"a target of type {kind.__name__} is needed, and none was given here or above")
        return cast("TG", self._looking.engine.codec.decode(text, kind))

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._looking.loop.time(), UTC)

    def uuid(self) -> UUID:
        return UUID(int=self._chance.getrandbits(128), version=4)

    def random(self) -> Random:
        return self._chance

    async def wait_for(
        self, ref: str, event: type[E], *, where: Callable[[E], bool] | None = None, timeout: timedelta | None = None
    ) -> E:
        del event, where, timeout
        return cast("E", await self._looking.wait_outside(ref))

    async def outputs(self, kind: type[Resource[Any]], identity: str) -> Any:
        looking = self._looking
        name = await self._record_kind(kind, identity)

        async def read() -> Json | None:
            record = await looking.engine.store.get(RecordRow, name, identity)
            if record is None or record.revision is None:
                return None
            refuse_others(record, self.tenant, "its outputs are not for")
            return (await read_revision(looking.engine, name, identity, record.revision)).row.outputs

        text = await looking.question(read)
        if text is not None:
            if (name, identity) in looking.preview.changing:
                looking.before_update.append(f"{name} {identity}")
            return looking.engine.codec.decode(text, result_type(kind))
        if (name, identity) in looking.preview.updated:
            return await looking.wait_outside(f"{name} {identity}")
        raise Refused(f"{name} {identity} has no outputs: it was not installed, or was uninstalled")

    async def revision_of(self, kind: type[Resource[Any]], identity: str) -> int | None:
        name = await self._record_kind(kind, identity)
        record = await self._looking.engine.store.get(RecordRow, name, identity)
        return None if record is None else record.revision

    async def keep(self, payload: BaseModel) -> None:
        """Nothing is kept."""

    @property
    def revision(self) -> Revision[Any] | None:
        return self._looking.standing

    @property
    def on_drift(self) -> OnDrift:
        return "report"

    @property
    def asked_with(self) -> Mapping[str, Any]:
        return {}

    @property
    def largest_value(self) -> int:
        return self._looking.engine.codec.largest

    @property
    def superseded(self) -> asyncio.Future[str]:
        """Nothing takes the place of a preview."""
        return self._looking.loop.create_future()

    async def standing(
        self, ref: str, resource: Resource[Any], *, key: str | None, again: str = "", since: int | None = None
    ) -> Standing:
        del since
        name = await self._name(ref, resource, "update", key, None)
        store = self._looking.engine.store
        record = await self._looking.question(lambda: store.get(RecordRow, name.kind, name.identity or ""))
        return Standing(revision=None if record is None else record.revision, changed=False, places=())

    async def may_move(self, ref: str, resource: Resource[Any], *, key: str | None) -> bool:
        name = await self._name(ref, resource, "update", key, None)
        engine = self._looking.engine
        return bool(await self._looking.question(lambda: may_move(engine, name.kind, name.identity or "")))

    async def pass_over(self, ref: str, ones: Mapping[str, Left]) -> Mapping[str, Rest]:
        """Nothing is passed over: a preview looks at everything."""
        return {}

    async def look_ahead(
        self, ref: str, ones: Mapping[str, Left], judge: Callable[[str, Change], str]
    ) -> Mapping[str, str]:
        """What this preview has found, and looks at anyway."""
        return await self._looking.look_ahead(ref, ones.keys(), judge)

    async def keep_children(self, ref: str | None = None, *, among: Collection[tuple[str, str]] | None = None) -> None:
        registry = self._looking.engine.registry
        self._looking.keeps[ref] = None if among is None else frozenset(known_as(registry, among))

    def remark(self, message: str) -> None:
        self._looking.remarks.append(message)

    async def let_go(self, kind: str, identity: str) -> Sequence[str] | None:
        self._looking.lets_go |= known_as(self._looking.engine.registry, [(kind, identity)])
        return ()

    async def cycle_children(self) -> None:
        """Nothing is cycled."""

    async def standing_children(self) -> Sequence[Below]:
        """Nothing is cycled."""
        return ()

    async def cycle_child(self, child: Below, *, on_drift: OnDrift) -> bool:
        """Nothing is cycled."""
        return False

    async def drifted(self, below: Sequence[Below]) -> Sequence[int]:
        """Nothing is cycled."""
        return ()

    async def restore_children(self, to: Revision[Any]) -> None:
        """Nothing is brought back."""

    async def uninstall_children(self) -> None:
        """Nothing is uninstalled."""

    def counted(self, differences: Sequence[Difference]) -> Sequence[Difference]:
        kind, _ = self.record or ("", "")
        return self._looking.engine.drift.sorted_out(differences, kind, self.tenant)[0]

    async def looked(
        self,
        *,
        differences: Sequence[Difference],
        unchecked: Sequence[str],
        checked: int,
        ignored: Sequence[str] = (),
        error: str | None = None,
        left: str = "",
        stopped: Sequence[Stop] = (),
        outputs: BaseModel | None = None,
    ) -> Sequence[Difference]:
        """Nothing is recorded, and nothing brought back."""
        return ()

    def opens(self, target: Target) -> None:
        """A preview is bound to nothing: it only reads, where its hooks are."""

    def leaves(self, *things: str) -> None:
        """A preview leaves nothing."""

    def allow_loss(self, what: str, *, part: str = "") -> None:
        """A preview loses nothing; it shows what would be lost."""

    @contextmanager
    def scope(self, name: str) -> Generator[None]:
        mark = ABOVE.set(StepKey(f"{ABOVE.get()}/{name}"))
        try:
            yield
        finally:
            ABOVE.reset(mark)

    @contextmanager
    def admitted(self) -> Generator[None]:
        """A preview shows what it comes to."""
        yield

    async def do(
        self,
        ref: str,
        step: Step[T],
        *,
        key: str | None,
        once: bool,
        undo: Step[Any] | Callable[[T], Step[Any]] | None,
        target: Target | Sequence[Target] | None,
        was: str | None,
        options: StepOptions,
    ) -> T:
        if not isinstance(step, Step):
            raise UsageError(f"do({ref!r}, ...) takes a step, and got {type(step).__name__}")
        del undo
        subject, command = subject_of(step)
        refuse_unbuilt(ref, subject, options)
        name = await self._name(ref, subject, command, key, was)
        asked = self._taken_up(ref, step, name, key=key, once=once, target=target, options=options)
        if was is not None:
            named = None if name.owned else name.identity
            self._looking.names.rename(asked.key, key_of(ABOVE.get(), was, name.kind, command, key, named))
        self._looking.ask(asked)
        if isinstance(asked.subject, Workflow) and not self._looking.is_done(asked):
            return cast("T", await self._nested(asked.subject, asked))
        return cast("T", await asked.future)

    async def repeat(
        self, ref: str, step: Step[T], *, every: timedelta, until: Callable[[T], bool], options: StepOptions
    ) -> T:
        del every
        result = await self.do(ref, step, key=None, once=False, undo=None, target=None, was=None, options=options)
        return result if until(result) else cast("T", await self._looking.wait_outside(ref))

    async def _name(self, ref: str, subject: Step[Any], command: str, key: str | None, was: str | None) -> Name:
        """What a step is known by, as in a run."""
        name = self._looking.names.find(subject, command, ABOVE.get(), ref, key, was)
        if name.sure or name.identity is None:
            return name
        return replace(name, kind=await self._record_kind(type(subject), name.identity))

    async def _record_kind(self, cls: type[Step[Any]], identity: str) -> str:
        question = partial(record_kind, self._looking.engine.store, kinds_of(cls), identity)
        return cast("str", await self._looking.question(question))

    def _taken_up(
        self,
        ref: str,
        step: Step[Any],
        name: Name,
        *,
        key: str | None,
        once: bool,
        target: Target | Sequence[Target] | None,
        options: StepOptions,
    ) -> Asked:
        """What a run would make of a `do`: its key, and the argument as it is recorded."""
        looking, above = self._looking, ABOVE.get()
        codec = looking.engine.codec
        subject, command = subject_of(step)
        cls = type(subject)
        extra = codec.encode(step.arguments, dict[str, Any]) if isinstance(step, Command) else "{}"
        targets = dict(self._targets)
        targets |= {type(one).__name__: codec.encode(one, type(one)) for one in each_of(target)}
        fresh: Step[Any] = codec.decode(codec.encode(subject, cls), cls)
        given = merged(cls, options)
        return Asked(
            ref=ref,
            name=key or "",
            step=step,
            subject=fresh,
            command=command,
            kind=name.kind,
            key=key_of(above, ref, name.kind, command, key, None if name.owned else name.identity),
            digest=codec.digest(name.kind, command, fresh, extra),
            kinds={kind: codec.digest(kind, command, fresh, extra) for kind in (name.kind, *kinds_of(cls)) if once},
            identity=name.identity,
            once=once,
            targets=targets,
            options=given,
            tenant=given.get("labels", {}).get(TENANT),
            future=looking.loop.create_future(),
        )

    async def _nested(self, workflow: Workflow[Any], asked: Asked) -> Any:
        codec = self._looking.engine.codec
        bind(workflow, PreviewFlow(self._looking, asked.targets))
        mark = ABOVE.set(asked.key)
        try:
            result = await workflow.define()
        except Exception as error:
            asked.future.set_result(None)  # nobody waits for it: what it raises goes up from here
            raise self._looking.failed_at(asked, error) from error
        finally:
            ABOVE.reset(mark)
        asked.future.set_result(None)
        returns = returns_of(asked.step)
        return codec.decode(codec.encode(result, returns), returns)
