"""The one transaction that ends an execution: its state, the record and its revision, and everyone who waits for it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from orbits_iac.engine import schedules
from orbits_iac.engine.events import WAITS, joined, to_all
from orbits_iac.engine.looking import record_after, tell
from orbits_iac.engine.noticing import notices
from orbits_iac.engine.revisions import make_revision
from orbits_iac.engine.sharing import reader_of, reading, released
from orbits_iac.model.errors import Conflict, ExecutionFailed, Failure
from orbits_iac.model.ids import ExecutionId, RecordId
from orbits_iac.model.rows import (
    Child,
    ExecutionRow,
    Held,
    LookRow,
    MessageRow,
    OnceRow,
    ReaderRow,
    RecordRow,
    RevisionRow,
    Row,
    ScheduleRow,
    SubscriberRow,
    TaskRow,
    WaitRow,
    amended,
)
from orbits_iac.model.states import State

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


async def end(run: "Run") -> ExecutionRow:
    """Write how the execution ended; returns its last row."""
    result, failure, state = _outcome(run)
    news = await tell(run)
    to_tell = await notices(run, result, failure, state, news)
    while True:
        rows, deletes, ended = await _rows(run, result, failure, state)
        made = run.pages.transaction(also=rows)
        task = TaskRow(id=ended.id, kind=ended.kind, build=ended.build)
        subscribers = await _subscribers(run, ended)
        messages = [
            MessageRow(execution=s.subscriber, id=f"{ended.id} {s.key}", what="ended", key=s.key, child=ended.id)
            for s in subscribers
        ]
        deletes += [*_not_waited_for(run), *subscribers, task]
        made = amended(made, put=[*made.put, *messages, *to_tell], delete=[*made.delete, *deletes])
        wake = [s.subscriber for s in subscribers]
        if news is not None:
            sent, waiting = await to_all(run.engine, news, run.pages.execution.who)
            made = joined(made, sent)
            wake += waiting
        try:
            await run.engine.commit(made, wake=[*wake, *_next_in_turn(rows, ended)])
        except Conflict:
            run.pages.restore()
            continue
        return ended


async def _subscribers(run: "Run", ended: ExecutionRow) -> list[SubscriberRow]:
    if ended.parent is None and ended.identity is None:
        return []  # nobody but its first requester ever names one of these
    return await run.engine.store.find(SubscriberRow, execution=ended.id)


def _not_waited_for(run: "Run") -> list[Row]:
    """What would still be told to it of children and events that it does not wait for any more."""
    me = run.pages.execution.id
    rows: list[Row] = []
    for entry in run.pages.entries.values():
        if entry.command == WAITS and entry.seq is None:
            rows.append(WaitRow(event=entry.kind, execution=me, key=entry.key, root=run.pages.execution.root))
        if entry.child is not None and entry.seq is None:
            key = entry.subscribed or entry.key
            rows.append(SubscriberRow(execution=entry.child, subscriber=me, key=key))
    return rows


def _outcome(run: "Run") -> tuple[str | None, Failure | None, State]:
    main = run.main
    assert main is not None  # noqa: S101 - only a run that was begun gets here
    if run.told.forced is not None:
        failure = run.told.forced.failure
        return None if failure is not None else run.told.forced.result, failure, run.told.forced.state
    error = None if main.cancelled() else main.exception()
    if main.cancelled() or (error is not None and run.was_cancelled(error)):
        state = State.QUARANTINED if run.destination is not None else State.CANCELLED
        return None, Failure(error_type="Cancelled", message="it was cancelled", state=state), state
    if error is None:
        return main.result(), None, State.SUCCESS
    failure = run.failure(error)
    if isinstance(error, ExecutionFailed) and run.pages.execution.command == "update":
        return None, failure, failure.state
    if failure.left or run.destination is not None:
        return None, replace(failure, state=State.QUARANTINED), State.QUARANTINED
    state = State.REVERTED if run.undone else State.ERROR
    if run.passed() and run.pages.execution.identity is None:
        state = State.QUARANTINED
    return None, replace(failure, state=state), state


async def _rows(
    run: "Run", result: str | None, failure: Failure | None, state: State
) -> tuple[list[Row], list[Row], ExecutionRow]:
    """The rows to write and to delete, and the execution's last row."""
    now = run.now()
    rows: list[Row] = []
    deletes: list[Row] = []
    changed, revision = False, None
    record = await _record(run)
    if record is not None:
        after = amended(
            record,
            version=record.version + 1,
            queue=tuple(execution for execution in record.queue if execution != run.pages.execution.id),
        )
        after, more, deletes = await _record_after(run, after, result, failure, state)
        if state is State.QUARANTINED:
            after = amended(after, unsettled=run.pages.execution.id)
        changed = after.revision != record.revision
        revision = after.revision
        rows = [after, *more]
    changed = changed or any(entry.changed for entry in run.pages.entries.values())
    run.pages.change(
        at=now,
        state=state,
        ended_at=now,
        result=result,
        failure=failure,
        changed=changed,
        revision=revision,
        no_return=run.passed(),
        token=run.pages.token,
        why=failure.message if failure is not None else "",
    )
    return rows, deletes, run.pages.execution


async def _record(run: "Run") -> RecordRow | None:
    if run.record_id is None:
        return None
    return await run.engine.store.get(RecordRow, *run.record_id)


async def _record_after(
    run: "Run", record: RecordRow, result: str | None, failure: Failure | None, state: State
) -> tuple[RecordRow, list[Row], list[Row]]:
    """The record as the command leaves it, with what else it writes and deletes."""
    match run.pages.execution.command, state:
        case "update", State.SUCCESS:
            after, rows, deletes = await _updated(run, record, result or "null")
            return after, [*rows, *await _not_restorable(run, after)], deletes
        case "update", _:
            return await _failed(run, record, failure, state)
        case "rollback", State.SUCCESS:
            return await _rolled_back(run, record, result or "null")
        case "uninstall", State.SUCCESS:
            return await _uninstalled(run, record)
        case "cycle", _:
            looked = [run.look] if run.look is not None and record.revision is not None else []  # or it was removed
            return record_after(run, record), [*looked, *_made_anew(run)], []
        case _:
            return record, [], []


async def _updated(run: "Run", record: RecordRow, outputs: str) -> tuple[RecordRow, list[Row], list[Row]]:
    children = _not_removed(run, _children(run, record))
    made = make_revision(run, record, outputs, children)
    installed_with = record.installed_with if run.installed is None else run.installed_with
    uses = tuple(dict.fromkeys([*installed_with, *map(str, run.reads)]))
    number = made.number if made is not None else record.revision
    after = amended(
        record,
        revision=number,
        last_number=max(made.number, record.last_number) if made is not None else record.last_number,
        since=made.at if made is not None else record.since,
        by=made.who if made is not None else record.by,
        install_version=run.installed or record.install_version,
        held=None,
        remediated=(),
        reads=tuple(run.reads.values()),
        uses=uses,
        installed_with=installed_with,
        unsettled=None,
        build=run.pages.execution.build,
        brought_by=run.pages.execution.id,
        adopted=run.approval.adopts is not None and (record.adopted or record.revision is None),
        targets=run.pages.execution.targets,
        children=_with_earlier(children, _not_removed(run, record.children)),
    )
    stands = made if made is not None or run.standing is None else run.standing.row
    rows: list[Row] = [amended(stands, uses=uses)] if stands is not None and stands.uses != uses else []
    done = {f"{child.kind} {child.identity}" for child in after.children}
    let_go, readers = await _let_go(run, record, (name for name in record.uses if name not in {*uses, *done}))
    schedule, unscheduled = await _schedule(run, record)
    moved, forgotten = run.names.moved(run.once)
    return after, [*rows, *let_go, *schedule, *moved], [*readers, *unscheduled, *forgotten]


async def _let_go(run: "Run", record: RecordRow, names: Iterable[str]) -> tuple[list[Row], list[Row]]:
    """What is written and deleted so that this one is no user any more of those with these names: it reads them not."""
    user, there = f"{record.kind} {record.identity}", await _records(run, names)
    return [released(row, user) for row in there if user in row.users], [reader_of(row, user) for row in there]


async def _used_again(run: "Run", record: RecordRow, names: Iterable[str]) -> list[Row]:
    """The records, by these names, of which this one is a user once more: what it goes back to has read them."""
    user = f"{record.kind} {record.identity}"
    used = [row for row in await _records(run, names) if user not in row.users]
    return [each for row in used for each in await reading(run.engine.store, row, user)]


async def _records(run: "Run", names: Iterable[str]) -> list[RecordRow]:
    """Those of these names that there are."""
    found = [await run.engine.store.get(RecordRow, *RecordId.named(name)) for name in names]
    return [row for row in found if row is not None]


async def _not_restorable(run: "Run", after: RecordRow) -> list[Row]:
    """The earlier revisions that cannot be brought back any more, because what they held is lost."""
    if not run.lost and not run.approval.losses:
        return []
    find, get = run.engine.store.find, run.engine.store.get
    rows: list[Row] = []
    for row in await find(RevisionRow, kind=after.kind, identity=after.identity):
        gone = {(after.kind, after.identity)} & run.lost
        for child in row.children:
            had = await get(RevisionRow, child.kind, child.identity, child.revision or 0)
            if (child.kind, child.identity) in run.lost or (had is not None and had.not_restorable):
                gone.add((child.kind, child.identity))
        if gone and row.number != after.revision and row.not_restorable is None:
            names = ", ".join(" ".join(record) for record in sorted(gone))
            rows.append(amended(row, not_restorable=f"what {names} held is lost"))
    return rows


async def _schedule(run: "Run", record: RecordRow) -> tuple[list[Row], list[Row]]:
    """The record's schedule as its class has it now: the row to write or to delete, if it is not so already."""
    engine, now = run.engine, run.now()
    cls = engine.registry.resource(record.kind)
    every, policy = schedules.schedule_of(cls), schedules.policy_of(cls)
    if every is None and record.revision is None and not record.last_number:
        return [], []  # its first update: it never had one
    row = await engine.store.get(ScheduleRow, record.kind, record.identity)
    if every is None:
        return [], [row] if row is not None else []
    if row is None:
        kind, identity, chance = record.kind, record.identity, engine.chance()
        made = schedules.first(kind, identity, every, build=engine.build, now=now, chance=chance, policy=policy)
        return [made], []
    changed = schedules.changed(row, every, build=engine.build, now=now, chance=engine.chance(), policy=policy)
    return [changed] if changed is not None else [], []


async def _failed(
    run: "Run", record: RecordRow, failure: Failure | None, state: State
) -> tuple[RecordRow, list[Row], list[Row]]:
    after = amended(
        record,
        install_version=run.installed or record.install_version,
        installed_with=record.installed_with if run.installed is None else run.installed_with,
        children=await _with_later(run, record.children, _children(run, record)),
    )
    if record.revision is None:
        after = amended(after, targets=run.pages.execution.targets)
    if failure is not None and failure.no_return and state is State.QUARANTINED:
        after = amended(after, held=Held(by=run.pages.execution.id, steps=failure.no_return, at=run.now()))
    again = _made_anew(run)
    if run.standing is not None and again:
        after = amended(after, revision=run.standing.number)
    return after, again, await _forgotten(run, {run.pages.execution.id})


def _made_anew(run: "Run") -> list[Row]:
    """The standing revision with the outputs that it has now, if it was brought back or remediated."""
    if run.standing is None or run.outputs is None:
        return []
    return [amended(run.standing.row, outputs=run.outputs)]


async def _rolled_back(run: "Run", record: RecordRow, outputs: str) -> tuple[RecordRow, list[Row], list[Row]]:
    to = run.destination
    if to is None:
        return record, [], []
    revisions = await run.engine.store.find(RevisionRow, kind=record.kind, identity=record.identity)
    abandoned = [row for row in revisions if row.number > to.number and not row.abandoned]
    executions = {row.execution for row in abandoned if row.execution is not None}
    again = [name for name in to.row.uses or () if name not in record.uses]
    after = amended(
        record,
        revision=to.number,
        brought_by=run.pages.execution.id,
        since=run.now(),
        by=run.pages.execution.who,
        remediated=(),
        reads=None,
        uses=(*record.uses, *again),  # what it has read since is let go of by the next update
        unsettled=None,
        adopted=to.number == 0,
        children=_with_earlier(to.row.children, record.children),
        targets=to.row.targets,
    )
    given_up: list[Row] = [amended(row, abandoned=True) for row in abandoned]
    given_up += [amended(to.row, outputs=outputs, abandoned=False), *await _used_again(run, record, again)]
    return after, given_up, await _forgotten(run, executions)


async def _uninstalled(run: "Run", record: RecordRow) -> tuple[RecordRow, list[Row], list[Row]]:
    after = amended(
        record,
        revision=None,
        since=run.now(),
        by=run.pages.execution.who,
        children=(),
        users=(),
        has_readers=False,
        places={},
        targets={},
        install_version=0,
        held=None,
        made_by=None,
        retain=False,
        protect=False,
        retained_by=(),
        protected_by=(),
        adopted=False,
        called="",
        remediated=(),
        reads=None,
        uses=(),
        installed_with=(),
        unsettled=None,
    )
    users, reads = await _let_go(run, record, record.uses)
    found = await run.engine.store.get(RevisionRow, record.kind, record.identity, 0)
    if found is not None:  # what was there before is gone: what is made by the same name later on was not
        users.append(amended(found, abandoned=True))
    readers = await run.engine.store.find(ReaderRow, kind=record.kind, identity=record.identity)
    once = await run.engine.store.find(OnceRow, kind=record.kind, identity=record.identity)
    looks = await run.engine.store.find(LookRow, kind=record.kind, identity=record.identity)
    schedules = await run.engine.store.find(ScheduleRow, kind=record.kind, identity=record.identity)
    return after, users, [*reads, *readers, *once, *looks, *schedules]


async def _forgotten(run: "Run", executions: set[ExecutionId]) -> list[Row]:
    """The `once` successes of what was gone back from; those of no return stand."""
    if run.record_id is None:
        return []
    rows = await run.engine.store.find(OnceRow, kind=run.record_id[0], identity=run.record_id[1])
    return [row for row in rows if row.execution in executions and not row.no_return]


def _children(run: "Run", record: RecordRow) -> tuple[Child, ...]:
    """What install and update did in this execution, and what an earlier install did if none ran now."""
    found: dict[tuple[str, str], Child] = {}
    for entry in run.links():
        link = entry.link
        if link is None:
            continue
        before = found.get((link.kind, link.identity))
        found[link.kind, link.identity] = (
            link
            if before is None
            else replace(
                link,
                installed=link.installed and before.installed,
                retain=link.retain or before.retain,
                protect=link.protect or before.protect,
            )
        )
    if run.installed is None:
        for child in record.children:
            if child.installed:
                found.setdefault((child.kind, child.identity), child)
    return tuple(found.values())


def _not_removed(run: "Run", children: tuple[Child, ...]) -> tuple[Child, ...]:
    return tuple(child for child in children if (child.kind, child.identity) not in run.removed)


def _with_earlier(children: tuple[Child, ...], earlier: tuple[Child, ...]) -> tuple[Child, ...]:
    """`children`, and before them what earlier revisions did and nobody has removed since."""
    now = {(child.kind, child.identity) for child in children}
    return (*(child for child in earlier if (child.kind, child.identity) not in now), *children)


async def _with_later(run: "Run", children: tuple[Child, ...], later: tuple[Child, ...]) -> tuple[Child, ...]:
    """`children` as they stand, and after them what stands of what a failed update did beside: it is removed later."""
    before = {(child.kind, child.identity) for child in children}
    new = [child for child in later if (child.kind, child.identity) not in before]
    records = [await run.engine.store.get(RecordRow, child.kind, child.identity) for child in new]
    stand = [
        child
        for child, row in zip(new, records, strict=True)
        if row is not None and (row.revision is not None or row.children)
    ]
    return (*children, *stand)


def _next_in_turn(rows: list[Row], ended: ExecutionRow) -> list[ExecutionId]:
    record: Any = rows[0] if rows and isinstance(rows[0], RecordRow) else None
    if record is None or not record.queue or ended.id in record.queue:
        return []
    return [record.queue[0]]
