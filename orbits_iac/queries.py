"""What people ask of a store: an execution with all below it, a record with its revisions and looks, what is recent.

Reads alone, from rows alone: no class of the user is imported, and no secret is decrypted. Called by the command line
and the web.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orbits_iac.model.approvals import read_approval
from orbits_iac.model.builds import also_called
from orbits_iac.model.errors import UsageError
from orbits_iac.model.happenings import drift_of
from orbits_iac.model.ids import ExecutionId, RecordId, refs
from orbits_iac.model.marks import masked
from orbits_iac.model.records import of_one_thing
from orbits_iac.model.rows import (
    BuildRow,
    Child,
    EntryRow,
    EventRow,
    ExecutionRow,
    Json,
    LookRow,
    RecordRow,
    RevisionRow,
    Row,
    ScheduleRow,
    TaskRow,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Store
from orbits_iac.subtree import subtree
from orbits_iac.users import users_of

_PAGE = 1000  # events read at a time
_STACKS = " (a stack is named as module:Class or file.py:Class, or by a name in orbits.toml)"
_REVISIONS = 100  # read at a time, each with what it keeps


@dataclass(kw_only=True)
class Picture:
    """An execution and everything below it, as far as it was read."""

    root: ExecutionId
    executions: dict[ExecutionId, ExecutionRow] = field(default_factory=dict)
    entries: dict[ExecutionId, tuple[EntryRow, ...]] = field(default_factory=dict)
    began: dict[tuple[ExecutionId, str], float] = field(default_factory=dict)  # when a step was first heard of
    events: list[EventRow] = field(default_factory=list)  # only if they were asked for
    notes: dict[tuple[ExecutionId, str], str] = field(default_factory=dict)  # the last word of a definition

    @property
    def execution(self) -> ExecutionRow:
        """The one that it is about."""
        return self.executions[self.root]


async def payloads(store: Store, name: str) -> AsyncIterator[Json]:
    """What revisions of all records keep under a model's name, as the codec encodes it; also those gone back from."""
    after: Sequence[str | int] = ()
    while rows := await store.find(RevisionRow, limit=_REVISIONS, after=after):
        for row in rows:
            kept = json.loads(row.payload).get(name)
            if kept is not None:
                yield kept
        after = (rows[-1].kind, rows[-1].identity, rows[-1].number)


class Follower:
    """Keeps a picture up to date by reading what has changed since the last time."""

    def __init__(self, store: Store, root: ExecutionId) -> None:
        self.picture = Picture(root=root)
        self._store = store
        self._after = 0
        self._top: ExecutionId | None = None

    async def refresh(self) -> list[EventRow]:
        """Read what is new; the new events, in order. UsageError if there is no such execution."""
        if self._top is None:
            await self._begin()
        new = await self._news()
        if self.picture.execution.state in ENDED:  # its last events may have come between the events and the rows
            new += await self._news()
        return new

    async def _news(self) -> list[EventRow]:
        new: list[EventRow] = []
        while page := await self._store.tail(self._after, root=self._top, limit=_PAGE):
            new += page
            self._after = page[-1].seq
            if len(page) < _PAGE:
                break
        self._listen(new)
        stale = {event.execution for event in new}
        stale |= {row.id for row in self.picture.executions.values() if row.state not in ENDED}
        await self._read(stale)
        return new

    async def _begin(self) -> None:
        row = await execution(self._store, self.picture.root)
        self._top = row.root
        for one in await self._store.find(ExecutionRow, root=row.root, whole=False):
            self.picture.executions[one.id] = one
        await self._read(set(self.picture.executions))

    def _listen(self, events: Sequence[EventRow]) -> None:
        for event in events:
            self.picture.began.setdefault((event.execution, event.key), event.at)
            if event.after is None and event.why:
                self.picture.notes[event.execution, event.key] = event.why

    async def _read(self, executions: set[ExecutionId]) -> None:
        picture, waiting, seen = self.picture, list(executions), set[ExecutionId]()
        while waiting:
            one = waiting.pop()
            if one in seen:
                continue
            seen.add(one)
            rows = await self._store.find(ExecutionRow, id=one, whole=one == picture.root)
            if not rows:
                continue
            picture.executions[one] = rows[0]
            picture.entries[one] = tuple(await self._store.find(EntryRow, execution=one, whole=False))
            waiting += [e.child for e in picture.entries[one] if e.child and e.child not in picture.executions]


async def picture(store: Store, root: str) -> Picture:
    """An execution and everything below it, now."""
    follower = Follower(store, ExecutionId(root))
    follower.picture.events = await follower.refresh()
    return follower.picture


@dataclass(frozen=True, kw_only=True)
class Wait:
    """A step that waits for an event, and what it is called from the execution that was asked for."""

    what: str
    entry: EntryRow


def waits(picture: Picture) -> list[Wait]:
    """What an execution, and everything below it, waits for from outside."""
    found: list[Wait] = []
    waiting: list[tuple[tuple[str, ...], ExecutionId]] = [((), picture.root)]
    seen: set[ExecutionId] = set()
    while waiting:
        above, one = waiting.pop(0)
        if one in seen or one not in picture.executions or picture.executions[one].state in ENDED:
            continue
        seen.add(one)
        for entry in sorted(picture.entries.get(one, ()), key=lambda entry: entry.started_at or 0.0):
            path = (*above, *refs(entry.key))
            if entry.command == "event" and entry.seq is None:
                found.append(Wait(what=".".join(path), entry=entry))
            elif entry.child is not None:
                waiting.append((path, entry.child))
    return found


def how_to_answer(entry: EntryRow) -> str:
    """The command line that sends a waiting step its event, with the fields that have to be given."""
    needed = [f"{name}=..." for name in json.loads(entry.argument or "{}").get("required", ())]
    return " ".join(("orbits answer", entry.execution, entry.kind, *needed))


async def execution(store: Store, id: str) -> ExecutionRow:  # noqa: A002 - the name in every table of ours
    """The execution with this id; UsageError if there is none."""
    row = await store.get(ExecutionRow, id)
    if row is None:
        raise UsageError(f"there is no execution {id!r}: `orbits get` lists the recent ones")
    return row


async def below(store: Store, row: ExecutionRow, *, limit: int | None = None) -> list[ExecutionRow]:
    """The executions that an execution has asked for, those that have ended included; at most so many, the newest."""
    return await store.find(ExecutionRow, parent=row.id, newest=limit is not None, limit=limit, whole=False)


async def rests(store: Store, row: ExecutionRow) -> bool:
    """Whether nobody goes on with an execution, and nothing makes it due: it has ended, or somebody has to say so."""
    task = await store.get(TaskRow, row.id)
    return task is None or (task.owner is None and task.due is None)


async def unapproved(store: Store, rows: Iterable[ExecutionRow]) -> list[ExecutionRow]:
    """Those of these executions that wait for somebody's approval, once nothing else of them goes on by itself."""
    open_ = [row for row in rows if row.state not in ENDED]
    held = [row for row in open_ if row.state is State.PAUSED and row.paused_at is None and _is_bound(row)]
    return held if held and all([await rests(store, row) for row in open_]) else []


def _is_bound(row: ExecutionRow) -> bool:
    """Whether it is held to a plan."""
    return bool(read_approval(row.approval).plan)


async def recent(store: Store, limit: int = 20) -> list[ExecutionRow]:
    """The executions that somebody asked for from outside, the newest first."""
    rows = await store.find(ExecutionRow, parent=None, newest=True, limit=limit + _PAGE // 10, whole=False)
    return sorted(rows, key=lambda row: row.created_at, reverse=True)[:limit]  # ids have no order within a second


async def record(store: Store, kind: str, identity: str, *, former: Sequence[str] = ()) -> RecordRow:
    """A record, under its kind or another name of that; UsageError if there is none names others of it.

    `former`: what it was called before. Without the code, the builds tell that came to the store.
    """
    names = dict.fromkeys((kind, *(former or also_called(kind, await store.find(BuildRow)))))
    row = of_one_thing([await store.get(RecordRow, one, identity) for one in names])
    if row is None:
        others = [other.identity for other in await store.find(RecordRow, kind=kind, limit=10)]
        there = f"; of this kind there are: {', '.join(others)}" if others else f"; there is none of this kind{_STACKS}"
        raise UsageError(f"there is no record of {kind} {identity!r}{there}")
    return row


async def revisions(store: Store, kind: str, identity: str) -> list[RevisionRow]:
    """Every revision of a record, the oldest first, those that were gone back from included."""
    return await store.find(RevisionRow, kind=kind, identity=identity)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The last look at one record, and where the record stands below the one that was asked for."""

    path: tuple[str, ...]
    record: RecordRow
    look: LookRow | None


async def looks(store: Store, kind: str, identity: str) -> list[Found]:
    """The last look at a record that stands and at everything below it, the parents first, each record once."""
    top = RecordId(kind, identity)
    below = await subtree(store, top)
    rows = ((path, below.records[one], below.looks.get(one)) for path, one in below.under(top))
    return [Found(path=path, record=row, look=look) for path, row, look in rows if row.revision is not None]


@dataclass(frozen=True, kw_only=True)
class Turned:
    """Something that happened to the drift of a record, and where that stands below the one that was asked for."""

    path: tuple[str, ...]
    event: EventRow


async def drift_of_record(store: Store, record: RecordRow) -> list[Turned]:
    """What has happened to the drift of a record and of what is below it, the oldest first.

    What belongs to another tenant is left out: of a fleet, only its own is read.
    """
    top = RecordId(record.kind, record.identity)
    below = await subtree(store, top)
    found: list[Turned] = []
    for path, one in below.under(top):
        if below.records[one].tenant == record.tenant:
            found += [Turned(path=path, event=event) for event in await store.find(EventRow, root=drift_of(one))]
    return sorted(found, key=lambda one: one.event.seq)


async def no_longer_done(store: Store, kind: str, identity: str) -> list[tuple[tuple[str, ...], Child]]:
    """What the last update of a record, or of one that belongs to it, did not do again and nobody has removed.

    Each with the refs that lead to it.
    """
    found: list[tuple[tuple[str, ...], Child]] = []
    seen: set[tuple[str, str]] = set()
    waiting: list[tuple[tuple[str, ...], str, str]] = [((), kind, identity)]
    while waiting:
        path, one, name = waiting.pop(0)
        row = await store.get(RecordRow, one, name)
        if row is None or row.revision is None or (one, name) in seen:
            continue
        seen.add((one, name))
        revision = await store.get(RevisionRow, one, name, row.revision)
        done = {(child.kind, child.identity) for child in revision.children} if revision is not None else set()
        for child in row.children:
            below = (*path, *child.ref.split("/"))
            if (child.kind, child.identity) in done:
                waiting.append((below, child.kind, child.identity))
            elif await _stands(store, child):
                found.append((below, child))
    return found


async def _stands(store: Store, child: Child) -> bool:
    """Whether there is anything of a child."""
    row = await store.get(RecordRow, child.kind, child.identity)
    return row is not None and (row.revision is not None or bool(row.children))


async def users(store: Store, record: RecordRow) -> tuple[str, ...]:
    """Who uses a record: those who do it, then those who read its outputs."""
    return await users_of(store, record)


async def schedules(store: Store, kind: str | None = None) -> list[ScheduleRow]:
    """The schedules of all records or of those of a kind: what is due next first, what is paused last."""
    rows = await (store.find(ScheduleRow) if kind is None else store.find(ScheduleRow, kind=kind))
    return sorted(rows, key=lambda row: (row.paused, row.due, row.kind, row.identity))


async def modules(store: Store, builds: Iterable[str]) -> tuple[str, ...]:
    """What has to be imported to have what these builds had."""
    found: dict[str, None] = {}
    for build in dict.fromkeys(builds):
        row = await store.get(BuildRow, build)
        found.update(dict.fromkeys(row.modules if row is not None else ()))
    return tuple(found)


async def all_modules(store: Store) -> tuple[str, ...]:
    """What has to be imported to have what any build had, the newest build's first."""
    rows = sorted(await store.find(BuildRow), key=lambda row: -row.order)
    return tuple(dict.fromkeys(module for row in rows for module in row.modules))


def document(row: Row) -> dict[str, Any]:
    """A row as JSON's own types, with the values of users in it read and their secrets masked."""
    named = {name: msgspec.to_builtins(getattr(row, name)) for name in row.__struct_fields__ if name not in _LEFT_OUT}
    return {name: _shown(name, value) for name, value in named.items()}


_LEFT_OUT = frozenset({"payload", "digest", "version", "has_readers"})  # for machines alone
_TEXTS = frozenset({"argument", "options", "result", "handle", "outputs", "undo", "recorded", "live"})


def _shown(name: str, value: Any) -> Any:
    if name in _TEXTS and isinstance(value, str):
        return masked(value)
    if name == "approval" and isinstance(value, str):
        return {key: item for key, item in json.loads(value).items() if key != "change"}
    if name == "targets" and isinstance(value, Mapping):
        return {kind: masked(text) for kind, text in value.items()}
    if isinstance(value, Mapping):
        return {key: _shown(str(key), item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_shown("", item) for item in value]
    return value
