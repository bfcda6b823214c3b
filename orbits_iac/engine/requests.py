"""Asking for a Resource's command: join the equal one in flight, or make one and let it wait its turn.

Creating or joining, the subscription, and the child's id in the parent's journal are one transaction, which also
writes the record: so an ending command, which writes the record too, misses no subscriber. Letting go of a child writes
the record likewise.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from orbits_iac.engine.attempts import Done
from orbits_iac.engine.rings import Ring, find_ring
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
    RevisionRow,
    Row,
    SubscriberRow,
    TaskRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
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
    priority: int = 0
    fail_on_conflict: bool = False
    retain: bool = False
    protect: bool = False
    who: str
    parent: ExecutionRow | None = None
    user: str = "direct"


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
        who=execution.who,
        parent=execution,
        priority=request.options.get("priority", 0),
        fail_on_conflict=request.options.get("on_conflict") == "fail",
        retain=request.options.get("retain", False),
        protect=request.options.get("protect", False),
        user=f"{execution.kind} {execution.identity}" if execution.identity is not None else "direct",
    )
    entry = EntryRow(
        execution=execution.id,
        key=request.key,
        kind=request.kind,
        command=request.command,
        digest=request.digest,
        started_at=run.now(),
        link=Child(
            ref="/".join(refs(request.key)),
            kind=request.kind,
            identity=request.identity or "",
            owned=request.owned,
            revision=None,
            installed=request.key.startswith("install/"),
            retain=asked.retain,
            protect=asked.protect,
        ),
    )
    while True:
        try:
            rows = await _rows(engine, asked, request.key)
        except Refused as error:
            run.pages.put(entry, at=run.now())
            run.refuse(request.key, error)
            return
        if rows is None:
            run.pages.put(entry, at=run.now(), why="busy: skipped")
            run.arrived.append((request.key, Done(result="null")))
            return
        made, child = rows
        run.pages.put(amended(entry, child=child), at=run.now(), why=f"is execution {child}")
        refused = run.pages.transaction(also=made.rows)
        try:
            await engine.commit(amended(refused, events=[*refused.events, *made.events]), wake=made.wake)
        except Conflict:
            run.pages.restore()
            continue
        break
    ring = await find_ring(engine, execution.id, request.key, child)
    if ring is not None:
        await _break_ring(run, ring)


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


async def leave_ring(run: "Run", message: MessageRow) -> None:
    """Take a step back that would wait for itself. Its child goes on if others wait for it too."""
    entry = run.pages.entries.get(message.key or StepKey(""))
    if entry is None or entry.seq is not None or entry.child is None:
        return
    text = json.loads(message.body)
    run.pages.delete(SubscriberRow(execution=entry.child, subscriber=run.pages.execution.id, key=entry.key))
    run.refuse(entry.key, Refused(f"{refs(entry.key)[-1]}: this would wait for itself: {text}"))
    row = await run.engine.store.get(ExecutionRow, entry.child)
    waiting = await run.engine.store.find(SubscriberRow, execution=entry.child)
    if row is not None and row.parent == run.pages.execution.id and len(waiting) == 1:
        run.pages.add(MessageRow(execution=entry.child, id="cancel", what="cancel"), entry.child)
        await run.engine.commit(run.pages.transaction(at=run.now()), wake=[entry.child])


async def let_go(run: "Run", request: "Request") -> None:
    """A `do` of a child was given up: the child is asked to cancel, unless others wait for it; then it is left to them.

    One that is asked to cancel still tells how it ended; one that is left to others counts as ended here.
    """
    engine, me = run.engine, run.pages.execution.id
    while True:
        entry = run.pages.entries[request.key]
        row = await engine.store.get(ExecutionRow, entry.child) if entry.child is not None else None
        if row is None or row.state in ENDED or entry.seq is not None or row.identity is None:
            return
        record = await engine.store.get(RecordRow, row.kind, row.identity)
        touched = [amended(record, version=record.version + 1)] if record is not None else []
        waiting = await engine.store.find(SubscriberRow, execution=row.id)
        wake: list[ExecutionId] = []
        shared = row.parent != me or any(other.subscriber != me for other in waiting)
        if shared:
            run.pages.delete(SubscriberRow(execution=row.id, subscriber=me, key=request.key))
        else:
            run.pages.add(MessageRow(execution=row.id, id="cancel", what="cancel"), row.id)
            wake = [row.id]
        try:
            await engine.commit(run.pages.transaction(also=touched, at=run.now()), wake=wake)
        except Conflict:
            run.pages.restore()
            continue
        if shared:
            run.refuse(request.key, Refused(f"given up here; execution {row.id} goes on for others who wait for it"))
        return


async def ask_root(engine: "Engine", asked: Asked, *, with_it: Sequence[Row] = ()) -> ExecutionId:
    """Create the execution that somebody asks for from outside, or join the equal one in flight; its id.

    `with_it` is written in the same transaction; if somebody has changed one of its rows, or the record, first, this
    raises Conflict.
    """
    while True:
        rows = await _rows(engine, asked, None)
        if rows is None:
            raise Refused(f"{asked.kind} {asked.identity} is busy: its {asked.command} was skipped")
        made, execution = rows
        try:
            await engine.commit(Transaction(put=[*made.rows, *with_it], events=made.events), wake=made.wake)
        except Conflict:
            if with_it:
                raise
            continue
        return execution


@dataclass(frozen=True, slots=True)
class _Made:
    rows: list[Row]
    events: list[EventRow]
    wake: list[ExecutionId]


async def _rows(engine: "Engine", asked: Asked, key: StepKey | None) -> tuple[_Made, ExecutionId] | None:
    """The rows that create or join it, and the execution's id; None if a cycle is skipped because it is busy."""
    if asked.identity is None:
        return _create(engine, asked, key, queued=False)
    record = await engine.store.get(RecordRow, asked.kind, asked.identity)
    if record is None:
        record = RecordRow(kind=asked.kind, identity=asked.identity, version=0)
    _check_place(record, asked)
    asked = replace(asked, tenant=asked.tenant or record.tenant)
    inside = await _held_above(engine, asked)
    await _refuse_other_argument(engine, record, asked)
    if not inside:
        if asked.command == "cycle" and record.queue:
            return None
        joined = await _equal(engine, record, asked)
        if joined is not None:
            subscriber = _subscribe(asked, key, joined)
            return _Made([_used(record, asked), *subscriber], [], []), joined
        if record.queue and asked.fail_on_conflict:
            raise Refused(
                f"{asked.kind} {asked.identity} is busy with execution {record.queue[0]}, and on_conflict='fail'"
            )
    made, execution = _create(engine, asked, key, queued=bool(record.queue) and not inside)
    used = _used(record, asked)
    fresh = record.revision is None and not record.queue and record.made_by is None
    made_by = asked.parent.id if asked.parent is not None else execution
    used = amended(
        used,
        queue=used.queue if inside else (*used.queue, execution),
        made_by=made_by if fresh else record.made_by,
        tenant=record.tenant or asked.tenant,
        retain=record.retain or asked.retain,
        protect=record.protect or asked.protect,
    )
    return _Made([used, *made.rows], made.events, made.wake), execution


def _create(engine: "Engine", asked: Asked, key: StepKey | None, *, queued: bool) -> tuple[_Made, ExecutionId]:
    now = engine.clock.now()
    execution = new_id(now)
    root = asked.parent.root if asked.parent is not None else execution
    row = ExecutionRow(
        id=execution,
        kind=asked.kind,
        command=asked.command,
        argument=asked.argument,
        options=asked.options,
        identity=asked.identity,
        ref=asked.ref,
        targets=dict(asked.targets),
        parent=asked.parent.id if asked.parent is not None else None,
        root=root,
        tenant=asked.tenant,
        build=engine.build,
        who=asked.who,
        digest=asked.digest,
        created_at=now,
    )
    task = TaskRow(
        id=execution,
        kind=asked.kind,
        build=engine.build,
        tenant=asked.tenant,
        priority=asked.priority,
        due=None if queued else now,
    )
    event = EventRow(
        at=now,
        execution=execution,
        root=root,
        kind=asked.kind,
        after=State.SLEEPING,
        who=asked.who,
        why="waits its turn" if queued else "",
    )
    return _Made([row, task, *_subscribe(asked, key, execution)], [event], []), execution


def _subscribe(asked: Asked, key: StepKey | None, execution: ExecutionId) -> list[Row]:
    if asked.parent is None or key is None:
        return []
    return [SubscriberRow(execution=execution, subscriber=asked.parent.id, key=key)]


def _used(record: RecordRow, asked: Asked) -> RecordRow:
    users = record.users
    if asked.command == "update" and asked.user not in users:
        users = (*users, asked.user)
    return amended(
        record,
        version=record.version + 1,
        users=users,
        places={**record.places, **asked.places},
    )


def _check_place(record: RecordRow, asked: Asked) -> None:
    for kind, place in asked.places.items():
        known = record.places.get(kind)
        if known is not None and known != place:
            raise Refused(
                f"{asked.kind} {asked.identity} is in {known} ({kind}), and was asked for in {place}: a record keeps "
                f"its place. Uninstall it there first, or give it another identity."
            )


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


async def _refuse_other_argument(engine: "Engine", record: RecordRow, asked: Asked) -> None:
    """Raise `Refused` if others use the record with another argument, in this same build.

    Whoever asked for it first leads, and so does a request on the record itself; a later build brings it forward.
    """
    others = [user for user in record.users if user not in {"direct", asked.user}]
    if asked.command != "update" or asked.user == "direct" or not others or record.users[0] == asked.user:
        return
    stands = await _standing_argument(engine, record)
    if stands is None:
        return
    argument, build = stands
    codec = engine.codec
    if build == engine.build and codec.decode(argument, Any) != codec.decode(asked.argument, Any):
        raise Refused(
            f"{asked.kind} {asked.identity} is used by {', '.join(others)} too, with another argument: give it the "
            f"same one everywhere, or update {asked.kind} {asked.identity} itself"
        )


async def _standing_argument(engine: "Engine", record: RecordRow) -> tuple[Json, str] | None:
    """The argument that the record has, or will have after what is in flight, and the build that asked for it."""
    for execution in reversed(record.queue):
        row = await engine.store.get(ExecutionRow, execution)
        if row is not None and row.command == "update":
            return row.argument, row.build
    if record.revision is None:
        return None
    revision = await engine.store.get(RevisionRow, record.kind, record.identity, record.revision)
    return (revision.argument, revision.build) if revision is not None else None


async def _equal(engine: "Engine", record: RecordRow, asked: Asked) -> ExecutionId | None:
    """The execution in flight that was asked for the same, by the same build."""
    for execution in record.queue:
        row = await engine.store.get(ExecutionRow, execution)
        if row is None or row.state in ENDED or row.state is State.REVERTING:
            continue
        if row.digest != asked.digest or row.build != engine.build:
            continue
        if await engine.store.get(MessageRow, execution, "cancel") is None:
            return execution
    return None
