"""Which executions and records are worth a look: found by reading every table once, page by page.

In memory are ids and numbers, never rows. What has ended, and is named by nothing that is under way, is not looked at
any further: an old store is surveyed in the time that reading it takes. Rows that cannot be read are passed over, and
told of.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TypeVar

from orbits_iac.model.errors import Unreadable
from orbits_iac.model.happenings import NO_EXECUTION
from orbits_iac.model.ids import ExecutionId, RecordId
from orbits_iac.model.rows import (
    TABLES,
    EntryRow,
    EventRow,
    ExecutionRow,
    LineRow,
    LookRow,
    MessageRow,
    OnceRow,
    PermitRow,
    ReaderRow,
    RecordRow,
    RevisionRow,
    Row,
    ScheduleRow,
    SubscriberRow,
    TaskRow,
    WaitRow,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Store
from orbits_iac.store.rules import key_of

R = TypeVar("R", bound=Row)

_PAGE = 200  # rows read at a time
_ABOUT_EXECUTIONS: tuple[type[MessageRow | SubscriberRow | WaitRow | PermitRow | LineRow], ...] = (
    *(MessageRow, SubscriberRow, WaitRow),
    *(PermitRow, LineRow),
)
_ABOUT_RECORDS: tuple[type[OnceRow | LookRow | ScheduleRow], ...] = (OnceRow, LookRow, ScheduleRow)
_LOOKED_AT = {
    *(*_ABOUT_EXECUTIONS, *_ABOUT_RECORDS),
    *(EventRow, ExecutionRow, EntryRow, TaskRow),
    *(RecordRow, RevisionRow, ReaderRow),
}


@dataclass(kw_only=True)
class Survey:
    """What was found worth a look."""

    executions: set[ExecutionId] = field(default_factory=set)
    records: set[RecordId] = field(default_factory=set)
    unreadable: list[Unreadable] = field(default_factory=list)
    told: dict[ExecutionId, State] = field(default_factory=dict)  # the last state that events tell of
    rows: int = 0


async def survey(store: Store) -> Survey:
    """Read everything once."""
    found = Survey()
    for table in [table for table in TABLES if table not in _LOOKED_AT]:
        async with aclosing(_rows(store, table, found)) as rows:
            async for _ in rows:
                pass
    await _look_at_events(store, found)
    await _look_at_executions(store, found)
    await _look_at_records(store, found)
    return found


async def _look_at_events(store: Store, found: Survey) -> None:
    async with aclosing(_rows(store, EventRow, found)) as events:
        async for event in events:
            if event.after is not None and not event.key:
                found.told[event.execution] = event.after
    if found.unreadable:  # it may be one of these that tells the last state
        found.told.clear()


async def _look_at_executions(store: Store, found: Survey) -> None:
    """Those that have not ended, that something under way names, or whose own row and events do not fit."""
    known, above = set[ExecutionId](), dict[ExecutionId, ExecutionId]()
    async with aclosing(_rows(store, ExecutionRow, found)) as executions:
        async for row in executions:
            known.add(row.id)
            above.update((one, row.id) for one in (row.parent, row.root) if one is not None and one != row.id)
            ended = row.state in ENDED
            if not ended or row.ended_at is None or found.told.get(row.id, row.state) is not row.state:
                found.executions.add(row.id)
    found.executions |= {below for one, below in above.items() if one not in known}
    for table in _ABOUT_EXECUTIONS:
        async with aclosing(_rows(store, table, found)) as rows:
            async for one in rows:
                if one.execution == NO_EXECUTION:
                    continue  # a notice, which is told of by whichever worker sends
                found.executions.add(one.execution)
                if isinstance(one, SubscriberRow):
                    found.executions.add(one.subscriber)
    async with aclosing(_rows(store, TaskRow, found)) as tasks:
        async for task in tasks:
            found.executions.add(task.id)
    async with aclosing(_rows(store, EntryRow, found)) as entries:
        async for entry in entries:
            if entry.execution not in known:
                found.executions.add(entry.execution)


async def _look_at_records(store: Store, found: Survey) -> None:
    """Those that are busy, that name what is not there, or that rows are of which do not fit."""
    last, standing, counted = dict[RecordId, int](), set[tuple[RecordId, int]](), set[RecordId]()
    named, made_of = dict[RecordId, RecordId](), dict[tuple[RecordId, int], RecordId]()
    async with aclosing(_rows(store, RecordRow, found)) as records:
        async for row in records:
            name = RecordId(row.kind, row.identity)
            last[name] = row.last_number
            if row.revision is not None:
                standing.add((name, row.revision))
            if row.queue:
                found.records.add(name)
            if row.has_readers:
                counted.add(name)
            named.update((RecordId.named(user), name) for user in row.users if user != "direct")
            for child in row.children:
                one = RecordId(child.kind, child.identity)
                named[one] = name
                if child.revision is not None:
                    made_of[one, child.revision] = name
    async with aclosing(_rows(store, RevisionRow, found)) as revisions:
        async for revision in revisions:
            name = RecordId(revision.kind, revision.identity)
            standing.discard((name, revision.number))
            made_of.pop((name, revision.number), None)
            if revision.number > last.get(name, -1):
                found.records.add(name)
    found.records |= {name for name, _ in standing}
    found.records |= set(made_of.values())
    await _look_at_readers(store, found, named, counted)
    found.records |= {by for name, by in named.items() if name not in last}
    for table in _ABOUT_RECORDS:
        async with aclosing(_rows(store, table, found)) as rows:
            async for one_of in rows:
                if RecordId(one_of.kind, one_of.identity) not in last:
                    found.records.add(RecordId(one_of.kind, one_of.identity))


async def _look_at_readers(
    store: Store, found: Survey, named: dict[RecordId, RecordId], counted: set[RecordId]
) -> None:
    """What they read, if that does not say so (as those of `counted` do); `named` learns of them."""
    async with aclosing(_rows(store, ReaderRow, found)) as readers:
        async for row in readers:
            name = RecordId(row.kind, row.identity)
            named[RecordId.named(row.reader)] = name
            if name not in counted:
                found.records.add(name)


async def _rows(store: Store, table: type[R], found: Survey) -> AsyncGenerator[R]:
    """The rows of a table, but for those that cannot be read."""
    after, limit = tuple[str | int, ...](), _PAGE
    while True:
        try:
            page = await store.find(table, limit=limit, after=after, whole=False)
        except Unreadable as error:
            if limit > 1:
                limit = 1  # those before it are read one by one
                continue
            found.unreadable.append(error)
            after, limit = error.key, _PAGE
            continue
        if not page:
            return
        found.rows += len(page)
        after = key_of(page[-1])
        for row in page:
            yield row
