"""Letting an execution that has ended go on again: a replay, or another try at bringing back what was left.

It goes on in place, under its own id. The generation of each step that is to be done again is closed: its next attempt
has a new token, and what the journal said of it is gone; all other steps stay finished. A path that leads through a
Resource's command reopens each execution on the way, in one transaction.

What always holds: one that is under way is refused; so is one whose record has moved on since, and one that was pruned;
nothing is reopened unless its row still is what was decided on. A step of no return that has succeeded is done again
only if it is the one that is named; `once` successes stand, but for that of the named step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orbits_iac.engine.naming import once_at
from orbits_iac.engine.outcomes import token
from orbits_iac.engine.requests import task_of
from orbits_iac.engine.steps_of import Found, execution_of, find_step
from orbits_iac.model.errors import Conflict, Refused, UsageError
from orbits_iac.model.ids import UNDO, ExecutionId
from orbits_iac.model.rows import (
    EntryRow,
    EventRow,
    ExecutionRow,
    OnceRow,
    RecordRow,
    Row,
    SubscriberRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

_OWN = frozenset({"ask", "timer", "cancel", "supersede"})  # the engine's own entries: they are made anew
_BACK = (f"{UNDO}/", "rollback/")


@dataclass(slots=True)
class _Written:
    """What reopening writes."""

    put: list[Row] = field(default_factory=list)
    delete: list[Row] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    absent: list[Row] = field(default_factory=list)
    unchanged: list[Row] = field(default_factory=list)


async def replay(engine: "Engine", execution: ExecutionId, path: str, who: str) -> None:
    """Let an execution go on again from the step at `path`, or from its beginning.

    UsageError if there is no such step; `Refused` says why it is not possible now. Nothing was done then.
    """
    while True:
        root = await execution_of(engine.store, execution)
        await _check(engine, root, first=True)
        rows: list[tuple[ExecutionRow, Found | None]]
        if path:
            found = await _step(engine, execution, path)
            steps = [*found.above, found]
            rows = [(step.execution, step) for step in steps]
        else:
            rows = [(root, None)]
        written = _Written()
        why = f"replayed from {path}" if path else "replayed"
        for row, step in rows:
            if row.id != execution:
                await _check(engine, row, first=False)
            await _reopen(engine, row, _Rewind(row, step, last=row is rows[-1][0]), written, who, why)
        try:
            await _commit(engine, written, execution)
        except Conflict:
            continue
        return


async def bring_back_again(engine: "Engine", execution: ExecutionId, who: str) -> None:
    """Let a QUARANTINED execution try once more to bring back what was left. `Refused` where that is not possible."""
    while True:
        row = await _quarantined(engine, execution)
        if row.failure is not None and row.failure.no_return:
            raise Refused(
                f"execution {execution} has passed {', '.join(row.failure.no_return)}: nothing is brought back over "
                f"that. Update again, or accept it as it is: orbits answer {execution} accept"
            )
        written = _Written()
        await _check(engine, row, first=True)
        await _reopen(engine, row, _BackAgain(row), written, who, "another try at bringing back what was left")
        try:
            await _commit(engine, written, execution)
        except Conflict:
            continue
        return


async def accept(engine: "Engine", execution: ExecutionId, who: str, why: str) -> None:
    """Let what a QUARANTINED execution has left stand as it is: it ends as ERROR, and its record is held no more."""
    while True:
        row = await _quarantined(engine, execution)
        said = f"what was left is accepted{f': {why}' if why else ''}"
        put: list[Row] = [amended(row, state=State.ERROR)]
        if row.identity is not None:
            record = await engine.store.get(RecordRow, row.kind, row.identity)
            if record is not None and record.held is not None and record.held.by == row.id:
                put.append(amended(record, version=record.version + 1, held=None))
        event = _event(engine, row, State.ERROR, who, said)
        try:
            await engine.commit(Transaction(absent=[task_of(row, due=None)], unchanged=[row], put=put, events=[event]))
        except Conflict:
            continue
        return


class _Rewind:
    """What becomes of each entry of an execution that goes on from a step (None: from the beginning)."""

    def __init__(self, row: ExecutionRow, step: Found | None, *, last: bool) -> None:
        self.whole = step is None
        self._row = row
        self._key = None if step is None else step.entry.key
        self._point = None if step is None else step.entry.seq
        self._last = last  # its step is the one that is named; otherwise the step leads there
        self._undone: list[str] = []

    def look_at(self, entries: Sequence[EntryRow]) -> None:
        """Take in all the entries, before it is asked about each."""
        self._undone = [entry.key for entry in entries if entry.undone]

    def attaches(self, entry: EntryRow) -> bool:
        """Whether it goes on waiting for the child that is reopened too."""
        return entry.key == self._key and not self._last

    def closes(self, entry: EntryRow) -> bool:
        if entry.key == self._key:
            return True
        if entry.no_return and entry.state is State.SUCCESS:
            return False
        went_back = self._row.command == "update" and self._row.state is not State.SUCCESS
        return (
            self._key is None
            or entry.seq is None
            or (self._point is not None and entry.seq > self._point)
            or entry.undone
            or any(key.startswith(f"{entry.key}/") for key in self._undone)
            or entry.kind in {"cancel", "supersede"}
            or entry.key.startswith(_BACK)
            or entry.key.startswith(f"{self._key}/")
            or self._key.startswith(f"{entry.key}/")
            or (entry.link is not None and went_back)
        )

    def forgets(self, entry: EntryRow) -> bool:
        """Whether its `once` success does not count any more."""
        return self._last and entry.key == self._key


class _BackAgain(_Rewind):
    """All stays as it is, but for what was to be brought back and was not."""

    def __init__(self, row: ExecutionRow) -> None:
        super().__init__(row, None, last=True)
        self.whole = False

    def closes(self, entry: EntryRow) -> bool:
        back = entry.key.startswith(_BACK)
        return back and (entry.kind in _OWN or entry.state is not State.SUCCESS)


async def _reopen(engine: "Engine", row: ExecutionRow, rewind: _Rewind, written: _Written, who: str, why: str) -> None:
    """Add to `written` what lets one execution go on again."""
    queued, stands = False, None
    if row.identity is not None:
        record = await engine.store.get(RecordRow, row.kind, row.identity)
        if record is not None:
            queued, stands = bool(record.queue) and not row.beside, record.revision
            queue = record.queue if row.beside else (*record.queue, row.id)
            written.put.append(amended(record, version=record.version + 1, queue=queue))
    entries = await engine.store.find(EntryRow, execution=row.id)
    rewind.look_at(entries)
    for entry in entries:
        if rewind.attaches(entry) and entry.child is not None:
            again = _waiting(entry)
            written.put += [again, SubscriberRow(execution=entry.child, subscriber=row.id, key=entry.key)]
            written.events.append(_event(engine, row, again.state, who, "waits again", entry))
        elif rewind.closes(entry):
            closed = _closed(row, entry)
            if entry.kind in _OWN:
                written.delete.append(closed)
            else:
                written.put.append(closed)
                written.events.append(_event(engine, row, closed.state, who, "to be done again", entry))
            if rewind.forgets(entry) and row.identity is not None:
                known = await engine.store.get(OnceRow, row.kind, row.identity, once_at(entry.key, entry.kind))
                written.delete += [known] if known is not None and known.execution == row.id else []
    written.put.append(
        amended(
            row,
            state=State.SLEEPING,
            started_at=None if rewind.whole else row.started_at,
            ended_at=None,
            result=None,
            failure=None,
            changed=False,
            revision=stands,
            no_return=(),
            paused_at=None,
            superseded_by=None,
        )
    )
    task = task_of(row, due=None if queued else engine.clock.now())
    written.put.append(task)
    written.absent.append(task)
    written.unchanged.append(row)
    written.events.append(_event(engine, row, State.SLEEPING, who, why))


async def _commit(engine: "Engine", written: _Written, execution: ExecutionId) -> None:
    await engine.commit(
        Transaction(
            absent=written.absent,
            unchanged=written.unchanged,
            put=written.put,
            delete=written.delete,
            events=written.events,
        ),
        wake=[execution],
    )


def _closed(row: ExecutionRow, entry: EntryRow) -> EntryRow:
    """A step whose generation is closed: as if it had never been asked for, but for its next token."""
    generation = entry.generation + 1
    return EntryRow(
        execution=row.id,
        key=entry.key,
        kind=entry.kind,
        command=entry.command,
        generation=generation,
        state=State.SLEEPING,
        token=token(row.id, entry.key, generation, 1),
    )


def _waiting(entry: EntryRow) -> EntryRow:
    """A step that waits for its child again, as if that had not ended."""
    again = amended(entry, state=State.EXECUTING, seq=None, at=None, result=None, failure=None)
    return amended(again, changed=False, passed=(), subscribed=None)


def _event(
    engine: "Engine", row: ExecutionRow, after: State, who: str, why: str, entry: EntryRow | None = None
) -> EventRow:
    """An execution, or its step with this entry, is in another state now."""
    of = row if entry is None else entry
    return EventRow(
        at=engine.clock.now(),
        execution=row.id,
        root=row.root,
        key="" if entry is None else entry.key,
        kind=of.kind,
        before=of.state,
        after=after,
        who=who,
        why=why,
    )


async def _step(engine: "Engine", execution: ExecutionId, path: str) -> Found:
    try:
        return await find_step(engine.store, execution, path)
    except UsageError:
        _refuse_pruned(await execution_of(engine.store, execution))  # its steps are gone
        raise


async def _quarantined(engine: "Engine", execution: ExecutionId) -> ExecutionRow:
    row = await execution_of(engine.store, execution)
    if row.state is not State.QUARANTINED:
        raise Refused(f"execution {execution} is {row.state}, not QUARANTINED: there is nothing to decide")
    return row


async def _check(engine: "Engine", row: ExecutionRow, *, first: bool) -> None:
    """Raise `Refused` where an execution cannot go on again."""
    if row.state not in ENDED:
        raise Refused(
            f"execution {row.id} ({row.kind} {row.command}) is under way: cancel it first, or wait for its end"
        )
    _refuse_pruned(row)
    if first and row.parent is not None:
        above = await engine.store.get(ExecutionRow, row.parent)
        if above is not None and above.state not in ENDED:
            raise Refused(
                f"execution {row.id} is a step of {above.id}, which is under way: replay that once it has ended"
            )
    if row.identity is None:
        return
    for other in await engine.store.find(ExecutionRow, kind=row.kind, identity=row.identity):
        if (
            other.command != "cycle"
            and (other.created_at, other.id) > (row.created_at, row.id)
            and other.parent != row.id
        ):
            raise Refused(
                f"{row.kind} {row.identity} has moved on since: execution {other.id} ({other.command}) came after "
                f"{row.id}. Ask for the command anew instead"
            )


def _refuse_pruned(row: ExecutionRow) -> None:
    if row.pruned:
        raise Refused(f"execution {row.id} ({row.kind} {row.command}) was pruned: its journal is gone. Ask for it anew")
