"""Asking for a Resource's command: join the equal one in flight, or make one and let it wait its turn.

Creating or joining, the subscription, and the child's id in the parent's journal are one transaction, which also
writes the record: so an ending command, which writes the record too, misses no subscriber. `letting_go` takes a request
back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from orbits_iac.engine.attempts import Done
from orbits_iac.engine.labels import WORKER, handed_down, labels_of, said
from orbits_iac.engine.placing import placed
from orbits_iac.engine.rings import Ring, find_ring
from orbits_iac.engine.sharing import instead, others_of, refuse_others, tenant_of, used
from orbits_iac.model.approvals import Approval
from orbits_iac.model.conflict import OnConflict
from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.ids import ExecutionId, StepKey, new_id, refs
from orbits_iac.model.rows import (
    Child,
    EntryRow,
    EventRow,
    ExecutionRow,
    Json,
    MessageRow,
    RecordRow,
    Reference,
    Row,
    SubscriberRow,
    TaskRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.steps.step import options_of
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.request import Request
    from orbits_iac.engine.run import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for a step of its own claim: a root step, or a Resource's command."""

    kind: str
    command: str
    argument: Json
    digest: str
    identity: str | None = None
    options: Json = "{}"
    ref: str = ""
    targets: Mapping[str, Json] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    tenant: str | None = None
    labels: Mapping[str, str] | None = None  # of its `do`; None: it is asked for beside one
    references: Mapping[str, Reference] = field(default_factory=dict)
    adopt: bool = False
    priority: int = 0
    on_conflict: OnConflict = "wait"
    retain: bool = False
    protect: bool = False
    shared: bool = False
    executor: Json | None = None  # that its `do` hands down to it
    who: str
    why: str = ""
    record: RecordRow | None = None  # as it was read just now, if it was: else it is read
    parent: ExecutionRow | None = None
    user: str = "direct"
    approval: Approval = field(default_factory=Approval)


async def ask_for(run: "Run", request: "Request") -> None:
    """Create or join the child execution that a `do` asks for, and write its id into the parent's journal."""
    engine, execution = run.engine, run.pages.execution
    asked = Asked(
        kind=request.kind,
        command=request.command,
        argument=request.argument,
        digest=request.digest,
        identity=request.identity,
        options=request.extra,
        ref=request.ref,
        targets=request.targets,
        places=request.places,
        tenant=request.tenant or execution.tenant,
        labels=None if request.step is None else labels_of(request.options),
        who=execution.who,
        parent=execution,
        references=request.references,
        adopt=request.command == "update" and request.options.get("adopt", False),
        priority=request.options.get("priority", execution.priority),
        on_conflict=request.options.get("on_conflict", "wait"),
        retain=request.options.get("retain", False),
        protect=request.options.get("protect", False),
        shared=request.options.get("shared", False),
        executor=request.hands_down,
        approval=_approval(run, request),
        user=f"{execution.kind} {execution.identity}" if execution.identity is not None else "direct",
    )
    named_here = request.owned and request.step is not None  # by a `do`, not by the record alone
    link = Child(
        ref=request.place or "/".join(refs(request.key)),
        kind=request.kind,
        identity=request.identity or "",
        owned=request.owned,
        revision=None,
        installed=request.key.startswith("install/"),
        retain=asked.retain,
        protect=asked.protect,
        place=run.names.place_beside(request.key, request.identity or "") if named_here else "",
    )
    entry = EntryRow(
        execution=run.pages.execution.id,
        key=request.key,
        kind=request.kind,
        command=request.command,
        digest=request.digest,
        started_at=run.now(),
        link=link,
    )
    while True:
        try:
            made = await _made(engine, asked, request.key)
        except Refused as error:
            run.pages.put(entry, at=run.now())
            run.refuse(request.key, error)
            return
        if made.child is not None:
            engine.asked_for(made.child)
        entry = amended(entry, child=made.child, link=replace(link, revision=made.revision))
        run.pages.put(entry, at=run.now(), why=made.why or f"is execution {made.child}")
        written = run.pages.transaction(also=made.rows)
        try:
            await engine.commit(amended(written, events=[*written.events, *made.events]), wake=made.wake)
        except Conflict:
            run.pages.restore()
            continue
        break
    if made.child is None:
        run.arrived.append((request.key, Done(result=made.outputs)))
        return
    ring = await find_ring(engine, execution.id, request.key, made.child)
    if ring is not None:
        await _break_ring(run, ring)


def _approval(run: "Run", request: "Request") -> Approval:
    """What is approved of a child: what is of the run, unless its `do` has it recorded as it is found."""
    given = run.approval.below(request.key, request.digest)
    names = request.options.get("as_found") if request.command == "update" else None
    return given if names is None else amended(given, rebuild=True, adopts=dict(names))


async def _break_ring(run: "Run", ring: Ring) -> None:
    """Nobody in a ring would ever go on: the youngest is told that what it asked for fails."""
    youngest = ring.youngest()
    message = MessageRow(
        execution=youngest.execution,
        id=f"ring {youngest.key}",
        what="ring",
        key=youngest.key,
        body=json.dumps(ring.text),
    )
    await run.engine.commit(Transaction(put=[message]), wake=[youngest.execution])


async def ask_root(engine: "Engine", asked: Asked, *, with_it: Sequence[Row] = ()) -> ExecutionId:
    """Create the execution that somebody asks for from outside, or join the equal one in flight; its id.

    `with_it` is written in the same transaction; if somebody has changed one of its rows, or the record, first, this
    raises Conflict.
    """
    while True:
        made = await _made(engine, asked, None)
        if made.child is None:
            raise Refused(f"{asked.kind} {asked.identity} is busy: its {asked.command} was skipped")
        engine.asked_for(made.child)
        try:
            await engine.commit(Transaction(put=[*made.rows, *with_it], events=made.events), wake=made.wake)
        except Conflict:
            if with_it:
                raise
            asked = replace(asked, record=None)
            continue
        return made.child


def creation(engine: "Engine", asked: Asked) -> Transaction:
    """What creates an execution without a record that is asked for from outside: to be written with its cause."""
    execution = new_id(engine.clock.now())
    engine.asked_for(execution)
    made = _create(engine, asked, None, execution, None, before=())
    return Transaction(put=made.rows, events=made.events)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """The rows that create or join an execution; or, with no `child`, what the request gets without one."""

    rows: list[Row]
    events: list[EventRow] = field(default_factory=list)
    child: ExecutionId | None = None
    outputs: Json = "null"
    revision: int | None = None
    why: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    wake: list[ExecutionId] = field(default_factory=list)


async def _made(engine: "Engine", asked: Asked, key: StepKey | None) -> _Made:
    """What a request makes; raises `Refused` if it is not allowed."""
    if asked.identity is None:
        return _create(engine, asked, key, new_id(engine.clock.now()), None, before=())
    record = asked.record or await engine.store.get(RecordRow, asked.kind, asked.identity)
    if record is None:
        record = RecordRow(kind=asked.kind, identity=asked.identity, version=0)
    record = await placed(engine, record, asked)
    if not asked.shared:
        refuse_others(record, asked.tenant, f"its {asked.command} is not for")
    asked = replace(asked, tenant=None if asked.shared else asked.tenant or record.tenant)
    inside = await _held_above(engine, asked)
    beside = is_beside(engine, asked.kind, asked.command)
    if beside and await _looks_still(engine, asked):
        return _Made(rows=[], why="busy: skipped")
    inside = inside or beside
    others = await others_of(engine.store, record, asked)
    given = await instead(engine, record, asked, others)
    if given is not None and given.join is None:
        why = f"a later build than {engine.build} has brought it to revision {given.revision}, which stands"
        return _Made(rows=[used(record, asked)], outputs=given.outputs, revision=given.revision, why=why)
    if not inside:
        if asked.command == "cycle" and record.queue:
            return _Made(rows=[], why="busy: skipped")
        joined = given.join if given is not None else await _equal(engine, record, asked)
        ahead = record.queue[: record.queue.index(joined)] if joined in record.queue else record.queue
        if ahead and asked.on_conflict == "fail" and (joined is None or joined in record.queue):
            raise Refused(f"{asked.kind} {asked.identity} is busy with execution {ahead[0]}, and on_conflict='fail'")
        if joined is not None:
            told = _supersede(asked, ahead if joined in record.queue else (), by=joined)
            rows = [used(record, asked), *_subscribe(asked, key, joined), *told]
            return _Made(rows=rows, child=joined, wake=[message.execution for message in told])
    execution = new_id(engine.clock.now())
    before = record.queue if not inside else ()
    made = _create(engine, asked, key, execution, record, before=before)
    settled = record.unsettled is None and record.held is None  # what earlier commands made of it was taken back
    fresh = record.revision is None and not record.queue and (record.made_by is None or settled)
    taken = used(record, asked)
    taken = amended(
        taken,
        queue=taken.queue if inside else (*taken.queue, execution),
        made_by=(asked.parent.id if asked.parent is not None else execution) if fresh else record.made_by,
        tenant=tenant_of(record, asked, others),
        labels=record.labels if asked.labels is None else made.labels,
        executor=record.executor if asked.labels is None else asked.executor,
    )
    told = _supersede(asked, before, by=execution)
    return replace(made, rows=[taken, *made.rows, *told], wake=[message.execution for message in told])


def _supersede(asked: Asked, before: Sequence[ExecutionId], *, by: ExecutionId) -> list[MessageRow]:
    """What tells those before it which one is to take their place; of several, the last one, if they have read of none.

    Nobody is told where that was not asked for.
    """
    body = json.dumps({"by": by, "who": asked.who})
    told = before if asked.on_conflict == "supersede" else ()
    return [MessageRow(execution=execution, id="supersede", what="supersede", body=body) for execution in told]


def _create(
    engine: "Engine",
    asked: Asked,
    key: StepKey | None,
    execution: ExecutionId,
    record: RecordRow | None,
    *,
    before: Sequence[ExecutionId],
) -> _Made:
    """The execution that is asked for; `before`: those whose end it waits for."""
    now = engine.clock.now()
    root = asked.parent.root if asked.parent is not None else execution
    row = ExecutionRow(
        id=execution,
        kind=asked.kind,
        command=asked.command,
        argument=asked.argument,
        options=_options(asked),
        identity=asked.identity,
        ref=asked.ref,
        targets=dict(asked.targets),
        references=dict(asked.references),
        parent=asked.parent.id if asked.parent is not None else None,
        root=root,
        tenant=asked.tenant,
        labels=handed_down(engine, asked.kind, asked.parent, asked.labels, {} if record is None else record.labels),
        priority=asked.priority,
        build=engine.build,
        who=asked.who,
        digest=asked.digest,
        approval=asked.approval.text(),
        created_at=now,
        own_build=_own_build(engine, asked),
        executor=record.executor if asked.labels is None and record is not None else asked.executor,
        beside=is_beside(engine, asked.kind, asked.command),
    )
    task = task_of(row, due=None if before else now)
    event = EventRow(
        at=now,
        execution=execution,
        root=root,
        kind=asked.kind,
        after=State.SLEEPING,
        who=asked.who,
        why=_why(asked, before),
    )
    return _Made(
        rows=[row, task, *_subscribe(asked, key, execution)], events=[event], child=execution, labels=row.labels
    )


def task_of(row: ExecutionRow, *, due: float | None) -> TaskRow:
    """What a dispatcher has to know of an execution that nobody holds, and that is due then."""
    return TaskRow(
        id=row.id,
        kind=row.kind,
        build=row.build,
        tenant=row.tenant,
        priority=row.priority,
        due=due,
        token=row.token,
        own_build=row.own_build,
        needs=row.labels.get(WORKER),
        labels=said(row),
    )


def is_beside(engine: "Engine", kind: str, command: str) -> bool:
    """Whether a command holds nothing of its record: a cycle that only asks its children's, where its class says so."""
    cls = engine.registry.find(kind) if command == "cycle" else None
    return cls is not None and options_of(cls).get("cycles_beside", False)


async def _looks_still(engine: "Engine", asked: Asked) -> bool:
    """Whether the cycle that a schedule has asked for before goes on still: they do not pile up."""
    if not is_scheduled(asked.options):
        return False
    for state in State:
        if state in ENDED:
            continue
        rows = await engine.store.find(ExecutionRow, kind=asked.kind, identity=asked.identity, state=state, whole=False)
        if any(row.beside and is_scheduled(row.options) for row in rows):
            return True
    return False


def is_scheduled(options: Json) -> bool:
    """Whether a cycle that was asked with these options is a schedule's."""
    return bool(json.loads(options).get("limited"))


def _own_build(engine: "Engine", asked: Asked) -> bool:
    """Whether only its own build goes on with it: an update that its class wants so, and all that is below one."""
    if asked.parent is not None and asked.parent.own_build:
        return True
    cls = engine.registry.find(asked.kind) if asked.command == "update" else None
    return cls is not None and options_of(cls).get("own_build", False)


def _options(asked: Asked) -> Json:
    """What the command is asked with; adopting is left to the record, so that requests differ by no more than that."""
    return json.dumps({**json.loads(asked.options), "adopt": True}) if asked.adopt else asked.options


def _why(asked: Asked, before: Sequence[ExecutionId]) -> str:
    """What there is to say of a request beyond who has made it."""
    said = [f"plan {asked.approval.plan}, approved by {asked.approval.by}"] if asked.approval.plan else []
    said += [asked.why] if asked.why else []
    if before and asked.on_conflict == "supersede":
        said.append(f"supersedes {', '.join(before)}")
    return "; ".join([*said, *(["waits its turn"] if before else [])])


def _subscribe(asked: Asked, key: StepKey | None, execution: ExecutionId) -> list[Row]:
    if asked.parent is None or key is None:
        return []
    return [SubscriberRow(execution=execution, subscriber=asked.parent.id, key=key)]


async def _held_above(engine: "Engine", asked: Asked) -> bool:
    """Whether an execution above holds the same record: then this runs inside that hold.

    Raises `Refused` if that is the same command: it would do itself again, for ever.
    """
    above, path = asked.parent, [f"{asked.kind} {asked.identity} {asked.command}"]
    while above is not None:
        path.append(f"{above.kind} {above.identity or ''}".rstrip() + f" {above.command}")
        if (above.kind, above.identity) == (asked.kind, asked.identity):
            if above.command == asked.command:
                raise Refused(f"{asked.ref}: this does itself again: {' -> '.join(reversed(path))}")
            return True
        above = await engine.store.get(ExecutionRow, above.parent) if above.parent is not None else None
    return False


async def _equal(engine: "Engine", record: RecordRow, asked: Asked) -> ExecutionId | None:
    """The execution in flight that was asked for the same, by the same build, if nothing else is to change it after."""
    for execution in reversed(record.queue):
        row = await engine.store.get(ExecutionRow, execution)
        if row is None or row.state in ENDED or row.state is State.REVERTING:
            continue
        same = (row.digest, row.approval) == (asked.digest, asked.approval.text())
        same = same and await engine.is_same_build(row.build)
        if same and not await _is_to_end(engine, row):
            return execution
        if row.command != "cycle":
            return None
    return None


async def _is_to_end(engine: "Engine", row: ExecutionRow) -> bool:
    """Whether somebody wants it to end before all of it is done."""
    if row.superseded_by is not None:
        return True
    told = [await engine.store.get(MessageRow, row.id, name) for name in ("cancel", "supersede")]
    return any(message is not None for message in told)
