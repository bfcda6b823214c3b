"""What a check looks at: all rows of one execution or of one record, with what they rest on of others.

Read through the store's contract, row by row and whole, so that a repair can say what must not have changed since.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orbits_iac.model.ids import ExecutionId, RecordId
from orbits_iac.model.rows import (
    BuildRow,
    EntryRow,
    ExecutionRow,
    LineRow,
    LookRow,
    MessageRow,
    OnceRow,
    PermitRow,
    ReaderRow,
    RecordRow,
    RevisionRow,
    ScheduleRow,
    SubscriberRow,
    TaskRow,
    WaitRow,
    WorkerRow,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Store


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution."""

    id: ExecutionId
    row: ExecutionRow | None
    open: Sequence[EntryRow] = ()  # without an outcome
    entries: int = 0
    messages: Sequence[MessageRow] = ()
    subscribers: Sequence[SubscriberRow] = ()  # who waits for it
    waits: Sequence[WaitRow] = ()
    permits: Sequence[PermitRow] = ()
    lines: Sequence[LineRow] = ()
    task: TaskRow | None = None
    others: Mapping[ExecutionId, ExecutionRow | None] = field(default_factory=dict)  # whom its rows name
    theirs: Mapping[ExecutionId, TaskRow | None] = field(default_factory=dict)  # the tasks of who waits for it
    subscribed: Sequence[SubscriberRow] = ()  # it waits for others
    record: RecordRow | None = None
    inside: bool = False  # of a command above that holds the same record
    owner_known: bool = True  # the worker that holds it has a row
    build_known: bool = True
    told: State | None = None  # the last state that its events tell of; None: there are none

    @property
    def root(self) -> ExecutionId:
        return self.row.root if self.row is not None else self.id

    @property
    def over(self) -> bool:
        """Whether nobody goes on with it: it has ended, or there is no such execution."""
        return self.row is None or self.row.state in ENDED

    @property
    def name(self) -> str:
        """What it is, for people."""
        if self.row is None:
            return "there is no such execution"
        return " ".join(filter(None, (self.row.kind, self.row.identity, self.row.command)))


@dataclass(frozen=True, kw_only=True)
class Record:
    """One record."""

    id: RecordId
    row: RecordRow | None
    numbers: frozenset[int] = frozenset()  # of its revisions
    schedule: ScheduleRow | None = None
    look: LookRow | None = None
    once: Sequence[OnceRow] = ()
    queue: Mapping[ExecutionId, ExecutionRow | None] = field(default_factory=dict)
    turn: TaskRow | None = None  # the task of the one that holds it
    in_line: bool = False  # that one waits for a permit
    children: Mapping[RecordId, bool] = field(default_factory=dict)  # whether there is such a record
    lost: frozenset[tuple[RecordId, int]] = frozenset()  # revisions of children that are not there
    users: Mapping[str, bool] = field(default_factory=dict)
    readers: Sequence[ReaderRow] = ()


async def read_execution(store: Store, id: ExecutionId, told: State | None) -> Execution:  # noqa: A002 - as everywhere
    """All of one execution; `told`: the last state that its events tell of."""
    row = await store.get(ExecutionRow, id)
    entries = await store.find(EntryRow, execution=id, whole=False)
    open_ = [entry for entry in entries if entry.seq is None]
    subscribers = await store.find(SubscriberRow, execution=id)
    children = list(dict.fromkeys(entry.child for entry in open_ if entry.child is not None))
    task = await store.get(TaskRow, id)
    record = await store.get(RecordRow, row.kind, row.identity) if row is not None and row.identity else None
    named = {*children, *(one.subscriber for one in subscribers)}
    if row is not None:
        named |= {row.root, *((row.parent,) if row.parent is not None else ())}
    return Execution(
        id=id,
        row=row,
        open=open_,
        entries=len(entries),
        messages=await store.find(MessageRow, execution=id),
        subscribers=subscribers,
        waits=await store.find(WaitRow, execution=id),
        permits=await store.find(PermitRow, execution=id),
        lines=await store.find(LineRow, execution=id),
        task=task,
        others={one: await store.get(ExecutionRow, one) for one in sorted(named - {id})},
        theirs={one.subscriber: await store.get(TaskRow, one.subscriber) for one in subscribers},
        subscribed=[
            one
            for child in children
            for one in await store.find(SubscriberRow, execution=child)
            if one.subscriber == id
        ],
        record=record,
        inside=row is not None and row.state not in ENDED and await _is_inside(store, row),
        owner_known=task is None or task.owner is None or await store.get(WorkerRow, task.owner) is not None,
        build_known=task is None or await store.get(BuildRow, task.build) is not None,
        told=told,
    )


async def read_record(store: Store, id: RecordId) -> Record:  # noqa: A002 - as everywhere
    """All of one record."""
    row = await store.get(RecordRow, *id)
    revisions = await store.find(RevisionRow, kind=id.kind, identity=id.identity)
    queue = row.queue if row is not None else ()
    turn = await store.get(TaskRow, queue[0]) if queue else None
    children = row.children if row is not None else ()
    readers = await store.find(ReaderRow, kind=id.kind, identity=id.identity)
    return Record(
        id=id,
        row=row,
        numbers=frozenset(one.number for one in revisions),
        schedule=await store.get(ScheduleRow, *id),
        look=await store.get(LookRow, *id),
        once=await store.find(OnceRow, kind=id.kind, identity=id.identity),
        queue={one: await store.get(ExecutionRow, one) for one in queue},
        turn=turn,
        in_line=turn is not None and bool(await store.find(LineRow, execution=turn.id, limit=1)),
        children={
            RecordId(child.kind, child.identity): await store.get(RecordRow, child.kind, child.identity) is not None
            for child in children
        },
        lost=frozenset(await _lost(store, row)) if row is not None else frozenset(),
        users={
            user: await store.get(RecordRow, *RecordId.named(user)) is not None
            for user in dict.fromkeys([*(row.users if row is not None else ()), *(one.reader for one in readers)])
            if user != "direct"
        },
        readers=readers,
    )


async def _lost(store: Store, row: RecordRow) -> Iterable[tuple[RecordId, int]]:
    found: list[tuple[RecordId, int]] = []
    for child in row.children:
        if child.revision is None:
            continue
        if await store.get(RevisionRow, child.kind, child.identity, child.revision) is None:
            found.append((RecordId(child.kind, child.identity), child.revision))
    return found


async def _is_inside(store: Store, row: ExecutionRow) -> bool:
    """Whether a command above has the same record."""
    above, seen = row.parent, {row.id}
    while above is not None and above not in seen:
        seen.add(above)
        one = await store.get(ExecutionRow, above)
        if one is None:
            return False
        if (one.kind, one.identity) == (row.kind, row.identity):
            return True
        above = one.parent
    return False
