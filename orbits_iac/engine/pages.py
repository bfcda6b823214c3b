"""An execution's journal in memory, and what of it has still to be written.

Rows are changed here first and written together: `transaction` hands out everything since the last one. Whatever
changes a state leaves an event in the same transaction, but for what is repeated and goes well.
"""

import re
from collections.abc import Iterable
from typing import Any

from orbits_iac.model.ids import UNDO, StepKey
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, Row, WaitRow, amended
from orbits_iac.model.states import State
from orbits_iac.store.contract import Fence, Journal, Park, Transaction


class Pages:
    """The rows of one execution, as they will be once everything pending is written."""

    def __init__(self, journal: Journal, *, who: str) -> None:
        self.execution: ExecutionRow = journal.execution
        self.entries: dict[StepKey, EntryRow] = {entry.key: entry for entry in journal.entries}
        self.inbox: list[MessageRow] = list(journal.messages)
        self.seq = max((entry.seq or 0 for entry in journal.entries), default=0)
        self.token = 0  # of the claim under which it is written
        self._who = who
        self.moved: dict[StepKey, StepKey] = {}  # entries that were renamed
        self._puts: dict[tuple[type[Row], str], Row] = {}
        self._deletes: list[Row] = []
        self._events: list[EventRow] = []
        self._taken = (self._puts, self._deletes, self._events)

    @property
    def fence(self) -> Fence:
        """What every write of this execution carries."""
        return Fence(execution=self.execution.id, token=self.token)

    def handed_out(self) -> list[EntryRow]:
        """The entries whose outcomes were handed to the definition, in that order."""
        done = [entry for entry in self.entries.values() if entry.seq is not None]
        return sorted(done, key=lambda entry: entry.seq or 0)

    def put(self, entry: EntryRow, *, at: float, why: str = "") -> None:
        """Change or add an entry; a change of state leaves an event."""
        before = self.entries.get(entry.key)
        self.entries[entry.key] = entry
        self._puts[EntryRow, entry.key] = entry
        moved = before is None or before.state is not entry.state or before.attempt != entry.attempt
        if moved and not _is_quiet(entry):
            self._event(at, entry.key, entry.kind, before.state if before else None, entry.state, why)

    def move(self, was: StepKey, key: StepKey) -> None:
        """Give an entry, with all below it and what undoes them, another key; for whoever hands out outcomes too."""
        for old in list(self.entries):
            for before, now in ((was, key), (f"{UNDO}/{was}", f"{UNDO}/{key}")):
                if old == before or old.startswith(f"{before}/"):
                    self._move(old, StepKey(now + old[len(before) :]))

    def _move(self, was: StepKey, key: StepKey) -> None:
        entry = self.entries.pop(was)
        self._puts.pop((EntryRow, was), None)
        self._deletes.append(entry)
        moved = amended(entry, key=key)
        if entry.child is not None and entry.seq is None:
            moved = amended(moved, subscribed=entry.subscribed or was)
        if entry.command == "event" and entry.seq is None:
            waits = WaitRow(event=entry.kind, execution=entry.execution, key=was, root=self.execution.root)
            self._deletes.append(waits)
            self.add(amended(waits, key=key), key)
        self.entries[key] = self._puts[EntryRow, key] = moved
        self.moved[was] = key

    def called(self, key: StepKey) -> StepKey:
        """The key that an entry has now, by the one that it had when the run began."""
        while key in self.moved:
            key = self.moved[key]
        return key

    def subscribed(self, key: StepKey) -> EntryRow | None:
        """The entry that waits for a child under this key, which may be the one that it had before it was renamed."""
        found = self.entries.get(key)
        return found or next((entry for entry in self.entries.values() if entry.subscribed == key), None)

    def remove(self, entry: EntryRow) -> None:
        """Delete an entry."""
        del self.entries[entry.key]
        self._puts.pop((EntryRow, entry.key), None)
        self._deletes.append(entry)

    def change(self, *, at: float, why: str = "", who: str = "", **fields: Any) -> None:
        """Change the execution's own row; a change of state leaves an event."""
        before = self.execution.state
        self.execution = amended(self.execution, **fields)
        self._puts[ExecutionRow, self.execution.id] = self.execution
        if self.execution.state is not before:
            self._event(at, "", self.execution.kind, before, self.execution.state, why, who)

    def add(self, row: Row, name: str) -> None:
        """Write another row with the next transaction; `name` tells it from others of its table."""
        self._puts[type(row), name] = row

    def delete(self, row: Row) -> None:
        """Delete a row with the next transaction."""
        self._deletes.append(row)

    def note(self, *, at: float, key: str, why: str, who: str = "") -> None:
        """Leave an event that changes no state."""
        self._event(at, key, "", None, None, why, who)

    def pending(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._puts or self._deletes or self._events)

    def transaction(self, *, park: Park | None = None, also: Iterable[Row] = (), at: float = 0.0) -> Transaction:
        """Everything that is pending, under this execution's fence; nothing is pending afterwards."""
        made = Transaction(
            fence=self.fence,
            put=[*self._puts.values(), *also],
            delete=self._deletes,
            events=self._events,
            park=park,
            wake_at=at,
        )
        self._taken = (self._puts, self._deletes, self._events)
        self._puts, self._deletes, self._events = {}, [], []
        return made

    def unwritten(self) -> list[EntryRow]:
        """The entries as they were last changed, or removed, since what is known to be written."""
        puts, deletes, _ = self._taken
        rows = (*puts.values(), *deletes, *self._puts.values(), *self._deletes)
        return list({row.key: row for row in rows if isinstance(row, EntryRow)}.values())

    def happened(self, event: EventRow) -> None:
        """Leave an event that is about more than this execution, with the next write."""
        self._events.append(event)

    def forget_all(self) -> None:
        """Let go of the journal, and of what was written last: the execution has ended."""
        self.entries.clear()
        self._taken = (self._puts, self._deletes, self._events)

    def restore(self) -> None:
        """The last transaction was refused: everything that it took is pending again."""
        puts, deletes, events = self._taken
        self._puts = {**puts, **self._puts}
        self._deletes = [*deletes, *self._deletes]
        self._events = [*events, *self._events]

    def _event(
        self, at: float, key: str, kind: str, before: State | None, after: State | None, why: str, who: str = ""
    ) -> None:
        self._events.append(
            EventRow(
                at=at,
                execution=self.execution.id,
                root=self.execution.root,
                key=key,
                kind=kind,
                before=before,
                after=after,
                who=who or self._who,
                why=why,
            )
        )


def _is_quiet(entry: EntryRow) -> bool:
    """Whether it goes well in something that is repeated: of that there is no end."""
    if ":repeat/" not in entry.key or entry.state is State.ERROR or entry.attempt > 1:
        return False
    return _repeated(entry.key) is not None


_repeated = re.compile(r"(?:^|/)[^/:]*:[^/:]*:repeat/").search


def is_closed(entry: EntryRow) -> bool:
    """Whether an entry's generation was closed, so that its step is begun as if it were new."""
    return entry.state is State.SLEEPING and entry.started_at is None
