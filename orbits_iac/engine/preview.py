"""What running a step would do, found out by reading alone.

A definition is run with a `do` that reads records instead of doing: a Resource is previewed in turn and gives the
outputs that stand; an Action would run, so whatever needs its result ends there. Branches go as far as each can. No
value is invented and nothing is written, to the store or to the world.

Called by `Orbits.preview`; and, for one thing that is about to be changed under a plan, by `approving`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from orbits_iac.codec import Codec
from orbits_iac.engine.changed_fields import changed_fields
from orbits_iac.engine.engine import Engine
from orbits_iac.engine.names import record_kind
from orbits_iac.engine.naming import identity_of, subject_of
from orbits_iac.engine.preview_definition import NOTHING, Looking, called, then
from orbits_iac.engine.preview_records import command_change, removal
from orbits_iac.engine.revisions import StoredRevision, read_revision
from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import StepKey
from orbits_iac.model.plans import Change, Plan, PropertyChange, Verb
from orbits_iac.model.rows import ExecutionRow, Json, OnceRow, RecordRow
from orbits_iac.model.target import Target
from orbits_iac.registry import source_of, sources_of
from orbits_iac.steps.resource import Command, Resource
from orbits_iac.steps.step import Step, bind, kind_of, kinds_of, options_of
from orbits_iac.steps.workflow import Workflow
from orbits_iac.store.contract import Journal
from orbits_iac.users import users_of


async def preview(engine: Engine, step: Step[Any], target: Target | None, *, who: str, takes_over: str = "") -> Plan:
    """What running `step` would do; what is marked as the project `takes_over`'s counts as this one's.

    Raises `ExecutionFailed`, with the path of the step, where a definition fails before it would do anything wrong.
    """
    targets = {} if target is None else {type(target).__name__: engine.codec.encode(target, type(target))}
    return await _plan(Preview(engine, takes_over=takes_over), step, targets, who)


async def preview_under_way(engine: Engine, executions: Sequence[ExecutionRow], who: str) -> Plan:
    """What the first of these executions, which has not ended, is still to do; the others are below it.

    `Refused` if it is no update and no single step.
    """
    row = executions[0]
    cls = engine.registry.find(row.kind)
    if cls is None or row.command not in {"update", "run"}:
        raise Refused(f"execution {row.id} is {row.command} of {row.kind}: only an update, or a step, is previewed")
    journals: dict[tuple[str, str], Journal] = {}
    for execution in executions:
        journal = await engine.store.load(execution.id)
        if journal is not None:
            journals[execution.kind, execution.identity or ""] = journal
    return await _plan(Preview(engine, journals), engine.codec.decode(row.argument, cls), row.targets, who)


async def _plan(preview: "Preview", step: Step[Any], targets: dict[str, Json], who: str) -> Plan:
    engine, codec = preview.engine, preview.engine.codec
    subject, command = subject_of(step)
    cls = type(subject)
    options = codec.encode(step.arguments, dict[str, Any]) if isinstance(step, Command) else "{}"
    return Plan(
        root=await root_change(preview, step, targets),
        project=engine.project,
        stack=f"{source_of(cls.__module__)}:{cls.__qualname__}",
        kind=kind_of(cls),
        command=command if isinstance(subject, Resource) else "run",
        argument=codec.encode(subject, cls),
        options=options,
        targets=targets,
        build=engine.build,
        sources=sources_of(engine.registry.modules()),
        at=engine.clock.now(),
        who=who,
    )


async def look_at(
    engine: Engine,
    resource: Resource[Any],
    record: tuple[str, str],
    standing: StoredRevision | None,
    targets: Any,
    *,
    takes_over: str,
    adopt: bool,
    name: str,
) -> Change | None:
    """What an update would do to a thing that says it by itself, as it stands now; None for a composite."""
    looking = Looking(Preview(engine, takes_over=takes_over), record, targets, standing=standing, name=name)
    looking.flow.may_adopt = adopt and standing is None
    bind(resource, looking.flow)
    change = await called(engine, None, resource.define_preview, standing)
    return None if change is None else _masked(engine.codec, change)


async def root_change(preview: "Preview", step: Step[Any], targets: dict[str, Json]) -> Change:
    """What would happen to a step and below it, as this preview looks at it."""
    subject, command = subject_of(step)
    kind = kind_of(type(subject))
    if isinstance(subject, Resource):
        identity, _ = identity_of(subject, None, StepKey(""), kind, None)
        if command == "update":
            adopt = options_of(type(subject)).get("adopt", False)
            change, _ = await preview.resource(subject, identity, targets, adopt=adopt)
            return change
        return await command_change(preview.engine, step, identity)
    digest = preview.engine.codec.digest(kind, "run", subject, "{}")
    if not isinstance(subject, Workflow):
        return Change(verb=Verb.RUN, kind=kind, digest=digest, whole=True)
    looking = Looking(preview, None, targets, journal=preview.journals.get((kind, "")))
    below, waits = await looking.follow(subject, subject.define, "run")
    verb = Verb.RUN if any(below) or waits else Verb.UNCHANGED
    return Change(verb=verb, kind=kind, digest=digest, below=below, waits=waits, detail=then(waits))


MAY_ADOPT = "may adopt what is there"


class Preview:
    """One preview: what was found in it so far is not looked at again."""

    def __init__(
        self, engine: Engine, journals: Mapping[tuple[str, str], Journal] | None = None, *, takes_over: str = ""
    ) -> None:
        self.engine = engine
        self.takes_over = takes_over
        self.journals = journals or {}  # of what is under way: what it has done stands
        self.updated: set[tuple[str, str]] = set()  # records that would be updated
        self.changing: set[tuple[str, str]] = set()  # those of them of which something would be otherwise
        self.removed: set[str] = set()  # those, as users of others, that would be removed
        self._found: dict[tuple[str, str, str], tuple[Change, Any]] = {}

    async def resource(
        self,
        resource: Resource[Any],
        identity: str,
        targets: dict[str, Json],
        *,
        tenant: str | None = None,
        above: tuple[tuple[str, str], ...] = (),
        adopt: bool = False,
        adopts: Mapping[str, str] | None = None,
    ) -> tuple[Change, Any]:
        """What updating a Resource would do, and its outputs as they stand (or `NOTHING`)."""
        kind = await record_kind(self.engine.store, kinds_of(type(resource)), identity)
        me = (kind, identity)
        if me in above:
            ring = " -> ".join(" ".join(one) for one in (*above, me))
            raise Refused(f"this does itself again: {ring}")
        self.updated.add(me)
        record = await self.engine.store.get(RecordRow, kind, identity)
        digest = self.engine.codec.digest(kind, "update", resource, "{}")
        if (kind, identity, digest) not in self._found:
            found = await self._look(
                resource, record, targets, tenant=tenant, above=(*above, me), adopt=adopt, adopts=adopts
            )
            self._found[kind, identity, digest] = found
        change, outputs = self._found[kind, identity, digest]
        if change:
            self.changing.add(me)
        if adopt and change.revision is None:  # whether anything is there is looked at when it is done
            change = replace(change, detail="; ".join(filter(None, (change.detail, MAY_ADOPT))))
        asking = {"direct", *(" ".join(one) for one in above[-1:])}
        users = await users_of(self.engine.store, record) if record is not None and change else ()
        users = tuple(user for user in users if user not in asking)
        return replace(change, kind=kind, identity=identity, digest=digest, users=users), outputs

    async def _look(
        self,
        resource: Resource[Any],
        record: RecordRow | None,
        targets: dict[str, Json],
        *,
        tenant: str | None,
        above: tuple[tuple[str, str], ...],
        adopt: bool,
        adopts: Mapping[str, str] | None,
    ) -> tuple[Change, Any]:
        kind, identity = above[-1]
        standing = None
        if record is not None and record.revision is not None:
            standing = await read_revision(self.engine, kind, identity, record.revision)
        once = {row.place: row for row in await self.engine.store.find(OnceRow, kind=kind, identity=identity)}
        looking = Looking(
            self,
            above[-1],
            targets,
            once=once,
            standing=standing,
            children=record.children if record is not None else (),
            tenant=tenant,
            above=above,
            journal=self.journals.get(above[-1]),
            adopts=adopts if standing is None else None,
            name=record.called if record is not None else "",
        )
        looking.flow.may_adopt = (adopt or adopts is not None) and standing is None
        bind(resource, looking.flow)
        change = await called(self.engine, tenant, resource.define_preview, standing)
        if change is not None:
            change = replace(_masked(self.engine.codec, change), whole=True)
        else:
            change = await self._composite(looking, resource, record)
        change = replace(
            change,
            revision=standing.number if standing is not None else None,
            protected=record is not None and record.protect,
            fields=changed_fields(self.engine.codec, resource, standing),
            places=tuple(dict.fromkeys(record.places.values())) if record and standing else change.places,
        )
        if standing is not None:
            return change, standing.outputs
        there = adopts is not None and change.whole and change.verb is not Verb.CREATE
        return change, await looking.found(resource) if there else NOTHING

    async def _composite(self, looking: Looking, resource: Resource[Any], record: RecordRow | None) -> Change:
        """What the steps of a Resource's definitions would do, and what of it is no longer done."""
        standing = looking.standing
        wanted = options_of(type(resource)).get("install_version", 1)
        installs = record is None or wanted > record.install_version
        below: tuple[Change, ...] = ()
        waits: tuple[str, ...] = ()
        done: set[tuple[str, str]] = set()
        if installs:
            below, waits = await looking.follow(resource, resource.define_install, "install")
            done |= looking.done
        more, further = await looking.follow(resource, resource.define_update, "update")
        below, waits = (*below, *more), (*waits, *further)
        done |= looking.done
        for child in reversed(record.children if record is not None else ()):
            me = (child.kind, child.identity)
            among = [looking.keeps[ref] for ref in (child.ref, None) if ref in looking.keeps]
            kept = me in done or any(these is None or me in these for these in among)
            if me in looking.lets_go or not (waits or kept or (child.installed and not installs)):
                gone = await removal(self.engine, child, looking.record, self.removed)
                below = (*below, gone) if gone is not None else below
        read = ", ".join(dict.fromkeys(looking.before_update))
        remarks = tuple(dict.fromkeys(looking.remarks))
        said = _said(f"by what {read} publishes before its update" if read else "", *remarks)
        change = Change(verb=Verb.UPDATE, below=below, waits=waits, remarks=remarks)
        if standing is None:
            return replace(change, verb=Verb.CREATE, detail=_said(then(waits), said))
        if not any(below) and not waits and _same_argument(self.engine.codec, resource, standing):
            return replace(change, verb=Verb.UNCHANGED, detail=said)
        detail = then(waits) or f"revision {standing.number} → {standing.number + 1}"
        return replace(change, detail=_said(detail, said))


def _said(*parts: str) -> str:
    return "; ".join(filter(None, parts))


def _same_argument(codec: Codec, resource: Resource[Any], standing: StoredRevision) -> bool:
    text = codec.encode(resource, type(resource))
    return bool(codec.decode(text, Any) == codec.decode(standing.row.argument, Any))


def _masked(codec: Codec, change: Change) -> Change:
    """What a hook has said, without the secrets that it has let through."""

    def text(value: str | None) -> Any:
        return None if value is None else codec.mask_json(value)

    properties = tuple(
        PropertyChange(path=one.path, before=text(one.before), after=text(one.after), live=text(one.live))
        for one in change.properties
    )
    below = tuple(_masked(codec, one) for one in change.below)
    return replace(change, detail=codec.mask(change.detail), properties=properties, below=below)
