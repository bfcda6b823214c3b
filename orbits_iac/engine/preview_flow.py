"""What `self.execution` is in a previewed definition: it takes up what would be done, and does nothing."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Protocol, cast
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypeVar

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.loop import DefinitionLoop
from orbits_iac.engine.naming import identity_of, key_of, subject_of
from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import StepKey, new_id
from orbits_iac.model.outputs import Event
from orbits_iac.model.plans import Change
from orbits_iac.model.rows import Difference, Json, RecordRow
from orbits_iac.model.standing import Standing
from orbits_iac.model.target import Target
from orbits_iac.steps.execution import Flow
from orbits_iac.steps.options import OnDrift, StepOptions
from orbits_iac.steps.resource import Resource, Revision
from orbits_iac.steps.step import Step, bind, kind_of, options_of
from orbits_iac.steps.workflow import Workflow

T = TypeVar("T")
TG = TypeVar("TG", bound=Target)
E = TypeVar("E", bound=Event)


@dataclass(eq=False)
class Asked:
    """A `do` of a previewed definition, and what came of it."""

    ref: str
    step: Step[Any]
    key: StepKey
    identity: str | None
    once: bool
    targets: dict[str, Json]
    options: StepOptions
    future: "asyncio.Future[Any]"
    change: Change | None = None


class Looking(Protocol):
    """The preview of one definition, as its flows need it."""

    engine: Engine
    record: tuple[str, str] | None
    tenant: str | None
    standing: StoredRevision | None
    loop: DefinitionLoop

    def ask(self, asked: Asked) -> None:
        """Take up a `do` of the definition."""


class PreviewFlow(Flow):
    """What `self.execution` is in a previewed definition, and in `define_preview`."""

    previewing = True

    def __init__(self, looking: Looking, targets: dict[str, Json]) -> None:
        self._looking = looking
        self._targets = targets
        self._chance = Random(0)  # noqa: S311 - nothing is kept of a preview
        self.id = new_id(looking.engine.clock.now())
        self.token = "preview"  # noqa: S105 - an idempotency token, for calls that are never made
        self.attempt = 1
        self.tenant = looking.tenant
        self.project = looking.engine.project
        self.record = looking.record

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
        del ref, event, where, timeout
        return cast("E", await asyncio.get_running_loop().create_future())

    async def outputs(self, kind: type[Resource[Any]], identity: str) -> Any:
        raise Refused(f"{kind_of(kind)} {identity}: reading another's outputs is not previewed yet in this version")

    async def keep(self, payload: BaseModel) -> None:
        """Nothing is kept."""

    @property
    def revision(self) -> Revision[Any] | None:
        return self._looking.standing

    @property
    def on_drift(self) -> OnDrift:
        return "report"

    async def standing(self, ref: str, resource: Resource[Any], *, key: str | None) -> Standing:
        kind = kind_of(type(resource))
        identity, _ = identity_of(resource, self._looking.record, ABOVE.get(), ref, key)
        record = await self._looking.engine.store.get(RecordRow, kind, identity)
        return Standing(revision=None if record is None else record.revision, changed=False, places=())

    async def cycle_children(self) -> None:
        """Nothing is cycled."""

    async def restore_children(self, to: Revision[Any]) -> None:
        """Nothing is brought back."""

    async def uninstall_children(self) -> None:
        """Nothing is uninstalled."""

    async def looked(
        self, *, differences: Sequence[Difference], unchecked: Sequence[str], checked: int, error: str | None = None
    ) -> None:
        """Nothing is recorded."""

    @contextmanager
    def scope(self, name: str) -> Generator[None]:
        mark = ABOVE.set(StepKey(f"{ABOVE.get()}/{name}"))
        try:
            yield
        finally:
            ABOVE.reset(mark)

    async def do(
        self,
        ref: str,
        step: Step[T],
        *,
        key: str | None,
        once: bool,
        undo: Step[Any] | Callable[[T], Step[Any]] | None,
        target: Target | None,
        was: str | None,
        options: StepOptions,
    ) -> T:
        del undo, was
        looking, above = self._looking, ABOVE.get()
        codec = looking.engine.codec
        subject, command = subject_of(step)
        identity, owned = None, False
        if isinstance(subject, Resource):
            identity, owned = identity_of(subject, looking.record, above, ref, key)
        targets = dict(self._targets)
        if target is not None:
            targets[type(target).__name__] = codec.encode(target, type(target))
        fresh = codec.decode(codec.encode(subject, type(subject)), type(subject))
        asked = Asked(
            ref=ref,
            step=step if subject is not step else fresh,
            key=key_of(above, ref, kind_of(type(subject)), command, key, None if owned else identity),
            identity=identity,
            once=once,
            targets=targets,
            options=cast("StepOptions", {**options_of(type(subject)), **options}),
            future=looking.loop.create_future(),
        )
        looking.ask(asked)
        if isinstance(fresh, Workflow):
            return cast("T", await self._nested(fresh, asked))
        return cast("T", await asked.future)

    async def _nested(self, workflow: Workflow[Any], asked: Asked) -> Any:
        bind(workflow, PreviewFlow(self._looking, asked.targets))
        mark = ABOVE.set(asked.key)
        try:
            result = await workflow.define()
        finally:
            ABOVE.reset(mark)
        asked.future.set_result(result)
        return result
