"""What is old enough to go: executions that ended long ago, revisions that nothing needs any more, builds, old drift.

What always stays: executions that have not ended, or have left something for a decision; whatever one that has not
ended still waits for; of a record, the revision that stands, the last two good ones, what was there before, and every
revision that another record's revision is made of; the row of an execution that a record, a revision or a look names,
without its journal; the latest build, and every one that something which stays was made by, or that somebody may be
about to use.

Everything is read, and deleted, through the store's contract, in transactions of at most `_AT_ONCE` rows: whoever works
meanwhile is hardly held up, and a pruning that was cut off is gone on with by the next one. Called by the command line.
"""

from collections import Counter, defaultdict, deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orbits_iac.model.builds import STAYS_REGISTERED
from orbits_iac.model.errors import Conflict
from orbits_iac.model.happenings import drift_of
from orbits_iac.model.ids import ExecutionId, RecordId
from orbits_iac.model.rows import (
    TABLES,
    BuildRow,
    EntryRow,
    ExecutionRow,
    LookRow,
    RecordRow,
    RevisionRow,
    Row,
    ScheduleRow,
    TaskRow,
    WorkerRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Store, Transaction

_AT_ONCE = 500  # rows of a transaction
_PAGE = 500  # rows read at a time
_GOOD = 2  # the last good revisions that stay in any case: the one that stands, and the one to go back to
_JOURNAL = tuple(table for table in TABLES if "execution" in {table.KEY[0], *table.INDEXED})


class Numbered(NamedTuple):
    """A revision, by what it is kept under."""

    record: RecordId
    number: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What of a revision decides whether it may go."""

    at: float
    by: ExecutionId | None
    good: bool
    made_of: tuple[Numbered, ...]


@dataclass(kw_only=True)
class Survey:
    """The records and their revisions, as far as pruning needs them."""

    records: dict[RecordId, RecordRow] = field(default_factory=dict)
    revisions: dict[Numbered, Seen] = field(default_factory=dict)


@dataclass(kw_only=True)
class Gone:
    """What was deleted, or would be."""

    executions: set[ExecutionId] = field(default_factory=set)
    revisions: set[Numbered] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Tree:
    """An execution that somebody asked for from outside, with all below it, the lower ones first: what of it goes."""

    root: ExecutionRow
    goes: tuple[ExecutionRow, ...]
    stays: tuple[ExecutionRow, ...]  # the row alone


async def survey(store: Store) -> Survey:
    """Read every record with its revisions."""
    found, after = Survey(), tuple[str, ...]()
    while page := await store.find(RecordRow, limit=_PAGE, after=after):
        after = (page[-1].kind, page[-1].identity)
        for row in page:
            name = RecordId(row.kind, row.identity)
            found.records[name] = row
            for one in await store.find(RevisionRow, kind=row.kind, identity=row.identity):
                made_of = tuple(_made_of(one))
                seen = Seen(at=one.at, by=one.execution, good=not one.abandoned, made_of=made_of)
                found.revisions[Numbered(name, one.number)] = seen
    return found


async def prune_revisions(
    store: Store, known: Survey, *, keep: int, dry: bool = False
) -> AsyncGenerator[tuple[Numbered, Seen]]:
    """Delete the revisions that are neither among the last `keep` of their record nor needed; each once it is gone.

    One that others are made of goes after them, so that whoever goes back to one of these still finds it. A record that
    is busy, or becomes so, keeps all of its. `known` is left as the store is now. `dry`: what would go.
    """
    needed = Counter(name for seen in known.revisions.values() for name in seen.made_of)
    needed.update(name for record in known.records.values() for name in _made_of(record))
    old = set(_old(known, keep))
    ready = deque(sorted(name for name in old if not needed[name]))
    while ready:
        name = ready.popleft()
        if not dry and not await _forget(store, known, name):
            continue
        seen = known.revisions.pop(name)
        yield name, seen
        needed.subtract(seen.made_of)
        ready.extend(one for one in dict.fromkeys(seen.made_of) if one in old and not needed[one])


async def old_executions(store: Store, known: Survey, *, before: float) -> AsyncGenerator[Tree]:
    """The executions asked for from outside that have ended, with all below them, before `before`."""
    named = await _named(store, known)
    waited_for = await _waited_for(store)
    after = tuple[str, ...]()
    while page := await store.find(ExecutionRow, parent=None, limit=_PAGE, after=after):
        after = (page[-1].id,)
        for root in page:
            if root.created_at >= before:  # ids are in the order in which they were made
                return
            if root.ended_at is None or root.id in waited_for:
                continue
            rows = await store.find(ExecutionRow, root=root.id)
            if all(_is_old(row, before) for row in rows):
                tree = _parted(root, rows, named)
                if tree.goes or not await _is_done(store, tree.stays):
                    yield tree


async def prune_execution(store: Store, tree: Tree) -> bool:
    """Delete what goes of a tree; False if something of it was taken up again: then nothing more is deleted.

    First all of it is marked as pruned, if it is still as it was looked at: from then on whoever would go on with it is
    refused, and none goes on whose journal is half gone. The root goes last.
    """
    rows = (*tree.goes, *tree.stays)
    try:
        for some in _batches([row for row in reversed(rows) if not row.pruned]):
            await _commit(store, some, unchanged=some, put=[amended(row, pruned=True) for row in some])
        for row in rows:
            for table in _JOURNAL:
                while lines := await store.find(table, execution=row.id, limit=_AT_ONCE):
                    await _commit(store, [row], delete=lines)
        after = 0
        while events := await store.tail(after, root=tree.root.id, limit=_AT_ONCE):
            await _commit(store, [tree.root], delete=events)
            after = events[-1].seq
        for some in _batches(tree.goes):
            await _commit(store, some, delete=some)
    except Conflict:
        return False
    return True


async def prune_drift(store: Store, known: Survey, *, before: float, dry: bool = False) -> int:
    """Delete what happened to the drift of records before `before`; how many events. `dry`: how many would go."""
    gone = 0
    for record in known.records:
        after = 0
        while page := await store.tail(after, root=drift_of(record), limit=_AT_ONCE):
            after = page[-1].seq
            old = [event for event in page if event.at < before]
            if old and not dry:
                await store.commit(Transaction(delete=old))
            gone += len(old)
    return gone


async def prune_builds(store: Store, gone: Gone, *, now: float, dry: bool = False) -> list[BuildRow]:
    """Delete the builds that nothing refers to but what is `gone`, or would be; which ones. `dry`: what would go."""
    builds = await store.find(BuildRow)
    latest = max((row.order for row in builds), default=0)
    old = {row.digest: row for row in builds if row.order < latest and row.at < now - STAYS_REGISTERED}
    if old:
        for digest in await _used_builds(store, gone):
            old.pop(digest, None)
    pruned: list[BuildRow] = []
    for row in old.values():
        try:
            if not dry:
                await store.commit(Transaction(unchanged=[row], delete=[row]))
        except Conflict:  # it was registered again
            continue
        pruned.append(row)
    return pruned


async def _used_builds(store: Store, gone: Gone) -> set[str]:
    """The builds that something which stays was made by."""
    found = {row.build for row in await store.find(TaskRow)}
    found |= {row.build for row in await store.find(WorkerRow)}
    found |= {row.build for row in await store.find(ScheduleRow)}
    found |= {row.build for row in await store.find(RecordRow)}
    after = tuple[str, ...]()
    while page := await store.find(ExecutionRow, limit=_PAGE, after=after):
        after = (page[-1].id,)
        found |= {row.build for row in page if row.id not in gone.executions}
    place = tuple[str | int, ...]()
    while revisions := await store.find(RevisionRow, limit=_PAGE, after=place):
        place = (revisions[-1].kind, revisions[-1].identity, revisions[-1].number)
        found |= {
            row.build
            for row in revisions
            if Numbered(RecordId(row.kind, row.identity), row.number) not in gone.revisions
        }
    return found


def _made_of(row: RecordRow | RevisionRow) -> Iterable[Numbered]:
    return (
        Numbered(RecordId(child.kind, child.identity), child.revision)
        for child in row.children
        if child.revision is not None
    )


def _old(known: Survey, keep: int) -> Iterable[Numbered]:
    """What its record alone would let go of."""
    numbers: defaultdict[RecordId, list[int]] = defaultdict(list)
    for name in known.revisions:
        numbers[name.record].append(name.number)
    for record, all_of_it in numbers.items():
        row = known.records[record]
        if row.queue:
            continue
        all_of_it.sort(reverse=True)
        good = [number for number in all_of_it if known.revisions[Numbered(record, number)].good]
        stays = {*all_of_it[:keep], *good[:_GOOD], row.revision, row.last_number}
        if row.revision is not None:
            stays.add(0)  # what was there before: without it, going back to nothing would remove that
        yield from (Numbered(record, number) for number in all_of_it if number not in stays)


async def _forget(store: Store, known: Survey, name: Numbered) -> bool:
    """Delete one revision, unless its record has changed since it was looked at."""
    kind, identity = name.record
    row = known.records[name.record]
    row = amended(row, version=row.version + 1)
    gone = RevisionRow(kind=kind, identity=identity, number=name.number, argument="")
    try:
        await store.commit(Transaction(put=[row], delete=[gone]))
    except Conflict:
        return False
    known.records[name.record] = row
    return True


async def _named(store: Store, known: Survey) -> set[ExecutionId]:
    """The executions that say who made what stands, or what was last asked for."""
    found = {seen.by for seen in known.revisions.values()}
    for name, record in known.records.items():
        found |= {record.made_by, record.held.by if record.held is not None else None}
        if record.revision is None and Numbered(name, record.last_number) not in known.revisions:
            asked = await store.find(ExecutionRow, kind=record.kind, identity=record.identity)
            updates = [row for row in asked if row.command == "update"]
            found |= {row.id for row in sorted(updates, key=lambda row: (row.created_at, row.id))[-1:]}
    after = tuple[str, ...]()
    while page := await store.find(LookRow, limit=_PAGE, after=after):
        after = (page[-1].kind, page[-1].identity)
        found |= {look.execution for look in page}
    return {one for one in found if one is not None}


async def _waited_for(store: Store) -> set[ExecutionId]:
    """The roots of what those that have not ended still wait for."""
    found = set[ExecutionId]()
    for task in await store.find(TaskRow):
        for entry in await store.find(EntryRow, execution=task.id, whole=False):
            child = (
                await store.get(ExecutionRow, entry.child) if entry.child is not None and entry.seq is None else None
            )
            found |= {child.root} if child is not None else set()
    return found


async def _is_done(store: Store, rows: Sequence[ExecutionRow]) -> bool:
    """Whether an earlier pruning has taken all that there was: one that was cut off has marked what it did not take."""
    for row in rows:
        if not row.pruned:
            return False
        for table in _JOURNAL:
            if await store.find(table, execution=row.id, limit=1):
                return False
    return len(await store.tail(0, root=rows[-1].root, limit=2)) <= 1  # the newest of all stays


def _is_old(row: ExecutionRow, before: float) -> bool:
    ended = row.state in ENDED and row.state is not State.QUARANTINED
    return ended and row.ended_at is not None and row.ended_at < before


def _parted(root: ExecutionRow, rows: Sequence[ExecutionRow], named: set[ExecutionId]) -> Tree:
    """What goes and what stays: a row that is named, and those above it. The lower ones first."""
    by_id = {row.id: row for row in rows}
    stays = set[ExecutionId]()
    for row in rows:
        above: ExecutionRow | None = row if row.id in named else None
        while above is not None and above.id not in stays:
            stays.add(above.id)
            above = by_id.get(above.parent) if above.parent is not None else None
    downwards = [root]
    below: defaultdict[ExecutionId | None, list[ExecutionRow]] = defaultdict(list)
    for row in rows:
        if row.id != root.id:
            below[row.parent if row.parent in by_id else root.id].append(row)
    for row in downwards:
        downwards += below[row.id]
    upwards = tuple(reversed(downwards))
    return Tree(
        root=root,
        goes=tuple(row for row in upwards if row.id not in stays),
        stays=tuple(row for row in upwards if row.id in stays),
    )


async def _commit(
    store: Store,
    executions: Iterable[ExecutionRow],
    *,
    unchanged: Sequence[Row] = (),
    put: Sequence[Row] = (),
    delete: Sequence[Row] = (),
) -> None:
    """Write about executions that nobody goes on with; a `Conflict` if somebody does."""
    tasks = [TaskRow(id=row.id, kind=row.kind, build=row.build) for row in executions]
    await store.commit(Transaction(absent=tasks, unchanged=unchanged, put=put, delete=delete))


def _batches(rows: Sequence[ExecutionRow]) -> Iterable[Sequence[ExecutionRow]]:
    return (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
