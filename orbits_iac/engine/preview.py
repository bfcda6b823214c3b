"""What an update would do, found out by reading alone.

The definition is run with a `do` that reads records instead of doing: a Resource is previewed in turn and gives the
outputs that stand; an Action would run, so whatever needs its result ends there; no value is invented and nothing is
written.
"""

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.loop import definition_loop
from orbits_iac.engine.naming import identity_of, returns_of, subject_of
from orbits_iac.engine.preview_flow import Asked, PreviewFlow
from orbits_iac.engine.revisions import StoredRevision, read_revision
from orbits_iac.model.errors import ExecutionFailed
from orbits_iac.model.ids import StepKey, refs
from orbits_iac.model.plans import Change, Plan, Verb
from orbits_iac.model.rows import Json, OnceRow, RecordRow
from orbits_iac.model.target import Target
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import Step, bind, kind_of, options_of
from orbits_iac.steps.workflow import Workflow

_NOTHING = object()


async def preview(engine: Engine, step: Step[Any], target: Target | None) -> Plan:
    """What running `step` would do; writes nothing."""
    targets = {} if target is None else {type(target).__name__: engine.codec.encode(target, type(target))}
    subject, command = subject_of(step)
    if isinstance(subject, Resource) and command == "update":
        identity, _ = identity_of(subject, None, StepKey(""), kind_of(type(subject)), None)
        change, _ = await _resource(engine, subject, identity, targets, None)
        return Plan(change)
    if isinstance(subject, Workflow):
        looking = _Looking(engine, None, targets, {})
        below, unknown = await looking.follow(subject, subject.define)
        return Plan(Change(verb=Verb.RUN, kind=kind_of(type(subject)), below=below, detail=unknown))
    return Plan(Change(verb=Verb.RUN, kind=kind_of(type(subject)), detail="" if command == "main" else command))


async def _resource(
    engine: Engine, resource: Resource[Any], identity: str, targets: dict[str, Json], tenant: str | None
) -> tuple[Change, Any]:
    """What updating a Resource would do, and its outputs as they stand (or `_NOTHING`)."""
    kind = kind_of(type(resource))
    record = await engine.store.get(RecordRow, kind, identity)
    standing = None
    if record is not None and record.revision is not None:
        standing = await read_revision(engine, kind, identity, record.revision)
    once = {row.place: row for row in await engine.store.find(OnceRow, kind=kind, identity=identity)}
    looking = _Looking(engine, (kind, identity), targets, once, standing=standing, tenant=tenant)
    outputs = standing.outputs if standing is not None else _NOTHING
    bind(resource, looking.flow)
    change = await _called(resource.define_preview, standing)
    if change is None:
        wanted = options_of(type(resource)).get("install_version", 1)
        installs = record is None or wanted > record.install_version
        change = await _composite(looking, resource, standing, installs=installs)
    return replace(change, kind=kind, identity=identity), outputs


async def _composite(
    looking: "_Looking", resource: Resource[Any], standing: StoredRevision | None, *, installs: bool
) -> Change:
    below: tuple[Change, ...] = ()
    if installs:
        below, _ = await looking.follow(resource, resource.define_install, "install")
    more, unknown = await looking.follow(resource, resource.define_update, "update")
    below = (*below, *more)
    if not unknown and standing is not None:
        below = (*below, *looking.removed(standing))
    if standing is None:
        return Change(verb=Verb.CREATE, below=below, detail=unknown)
    if not any(below) and not unknown and looking.same_argument(resource, standing):
        return Change(verb=Verb.UNCHANGED, below=below)
    return Change(
        verb=Verb.UPDATE, below=below, detail=unknown or f"revision {standing.number} → {standing.number + 1}"
    )


async def _called(hook: Callable[..., Any], *arguments: Any) -> Any:
    if inspect.iscoroutinefunction(hook):
        return await hook(*arguments)
    return await asyncio.to_thread(hook, *arguments)


class _Looking:
    """The preview of one definition and of the Workflows in it."""

    def __init__(
        self,
        engine: Engine,
        record: tuple[str, str] | None,
        targets: dict[str, Json],
        once: dict[str, OnceRow],
        *,
        standing: StoredRevision | None = None,
        tenant: str | None = None,
    ) -> None:
        self.engine = engine
        self.record = record
        self.targets = targets
        self.tenant = tenant
        self.standing = standing
        self.flow = PreviewFlow(self, targets)
        self.loop = definition_loop(engine.clock.now())
        self._once = once
        self._asked: list[Asked] = []
        self._new: list[Asked] = []

    async def follow(
        self, step: Step[Any], definition: Callable[[], Any], scope: str = "run"
    ) -> tuple[tuple[Change, ...], str]:
        """Run a definition as far as records carry it: what it would do, and what stands in the way of knowing more."""
        self._asked = []
        bind(step, self.flow)

        async def main() -> Any:
            ABOVE.set(StepKey(scope))
            return await definition()

        task = self.loop.create_task(main())
        while not task.done():
            await self.loop.run_dry()
            new, self._new = self._new, []
            for asked in new:
                await self._answer(asked)
            if not new and not task.done():
                timer = self.loop.next_timer()
                if timer is None:
                    break
                self.loop.stand_at(timer)
                self.loop.fire()
        changes = tuple(asked.change for asked in self._asked if asked.change is not None)
        unknown = "" if task.done() else _reason(self._asked)
        if task.done() and not task.cancelled() and (error := task.exception()) is not None:
            raise error
        self.loop.abandon()
        return changes, unknown

    def ask(self, asked: Asked) -> None:
        """Take up a `do` of the definition."""
        self._asked.append(asked)
        self._new.append(asked)

    def removed(self, standing: StoredRevision) -> list[Change]:
        """The children of the standing revision that the definition no longer does."""
        now = {(kind_of(type(asked.step)), asked.identity) for asked in self._asked}
        return [
            Change(verb=Verb.REMOVE, ref=child.ref, kind=child.kind, identity=child.identity)
            for child in standing.row.children
            if not child.installed and (child.kind, child.identity) not in now
        ]

    def same_argument(self, resource: Resource[Any], standing: StoredRevision) -> bool:
        """Whether the standing revision was asked for with the same argument."""
        codec = self.engine.codec
        text = codec.encode(resource, type(resource))
        return bool(codec.decode(text, Any) == codec.decode(standing.row.argument, Any))

    async def _answer(self, asked: Asked) -> None:
        subject, command = subject_of(asked.step)
        kind = kind_of(type(subject))
        if isinstance(subject, Workflow):
            asked.change = Change(verb=Verb.RUN, ref=asked.ref, kind=kind)
            return
        if not isinstance(subject, Resource) or command != "update":
            self._action(asked, kind, "" if command == "main" else command)
            return
        try:
            change, outputs = await _resource(self.engine, subject, asked.identity or "", asked.targets, self.tenant)
        except ExecutionFailed as failed:
            asked.future.set_exception(failed)
            return
        asked.change = replace(change, ref=asked.ref)
        if outputs is _NOTHING and returns_of(asked.step) is type(None):
            outputs = None
        if outputs is not _NOTHING and not asked.future.done():
            asked.future.set_result(outputs)

    def _action(self, asked: Asked, kind: str, detail: str) -> None:
        no_return = bool(asked.options.get("no_return"))
        standing = self._once.get("/".join(refs(asked.key))) if asked.once else None
        digest = self.engine.codec.digest(kind, "main", asked.step, "{}")
        if standing is not None and standing.digest == digest:
            asked.change = Change(verb=Verb.SKIP, ref=asked.ref, kind=kind, detail="done once already")
            asked.future.set_result(self.engine.codec.decode(standing.result, returns_of(asked.step)))
            return
        asked.change = Change(verb=Verb.RUN, ref=asked.ref, kind=kind, detail=detail, no_return=no_return)
        if returns_of(asked.step) is type(None):
            asked.future.set_result(None)


def _reason(asked: Sequence[Asked]) -> str:
    waiting = [a.ref for a in asked if not a.future.done()]
    return f"then what depends on {', '.join(waiting)}" if waiting else "then what depends on something outside"
