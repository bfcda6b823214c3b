"""What has to hold after a soak: each function looks at what was collected, and says what does not.

Pure: no store is asked. `VIOLATIONS` are all of them; each says what was promised and what is there instead.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow
from orbits_iac.model.states import ENDED, State

from .collected import Collected, shown
from .effects import Line

ONCE = frozenset({"SoakHeld", "SoakOnce", "SoakWatched"})
EFFECTIVE = ONCE | {"SoakAgain", "SoakQuick"}

WANTED = {
    "SoakUndone": {State.REVERTED},
    "SoakLong": {State.CANCELLED},
    "SoakSpoilt": {State.SUCCESS, State.REVERTED},
}
"""How executions end that do not all end well."""


def unended(found: Collected) -> Iterator[str]:
    """Every execution has ended, as its kind does; nothing of it waits for anything."""
    for row in found.executions:
        if row.state not in ENDED:
            yield f"has not ended: {shown(row)}"
        elif row.state not in WANTED.get(row.kind, {State.SUCCESS}) and row.id not in found.told.cancelled:
            yield f"has not ended as it should: {shown(row)}"
    yield from (f"is left: {shown(row)}" for row in found.left)
    yield from (f"is held, or waited for: {shown(row)}" for row in found.records if row.queue)


def forgotten(found: Collected) -> Iterator[str]:
    """Whatever somebody was promised is there: what was started, answered and cancelled."""
    rows = {row.id: row for row in found.executions}
    yield from (f"was started, and is not there: {name}" for name in found.told.started if name not in rows)
    for name, said in found.told.answered.items():
        if name in rows and rows[name].result != json.dumps(said):
            yield f"was answered {said!r}: {shown(rows[name])}"
    for row in rows.values():
        if row.kind == "SoakAsks" and row.state is State.SUCCESS and row.id not in found.told.answered:
            yield from (
                []
                if row.result == json.dumps(found.told.maybe_answered.get(row.id))
                else [f"was answered by nobody: {shown(row)}"]
            )


def lost(found: Collected) -> Iterator[str]:
    """A finished step has its effect in the world, and what was acknowledged is finished in the journal."""
    effects = {(line.token, line.effect) for line in found.lines if line.what == "main"}
    finished = {effect for entry in _finished(found) if (effect := _effect(entry)) is not None}
    for entry in _finished(found):
        effect = _effect(entry)
        if effect is not None and not entry.skipped and (entry.token, effect) not in effects:
            yield f"is finished, and was never done: {shown(entry)}"
    for line in found.lines:
        yield from (
            f"was handed on as {effect}, which the journal does not have: {shown(line)}"
            for effect in line.after
            if effect not in finished
        )
        if line.what == "watch" and (line.token, line.effect) not in effects:
            yield f"was watched with a handle that nobody gave: {shown(line)}"


def repeated(found: Collected) -> Iterator[str]:
    """What may not run twice did not, unless somebody had looked; nothing ran again once it was finished."""
    done: dict[str, Line] = {}
    for number, line in enumerate(found.lines):
        if line.what == "interrupted":
            done.pop(line.token, None)
        elif line.what == "main":
            if line.kind in ONCE and line.token in done:
                yield f"was done twice: {shown(done[line.token])} and {shown(line)}"
            done[line.token] = line
            if number >= found.seen.done_by.get(line.token, number + 1):
                yield f"was done again after it was finished: {shown(line)}"


def owned_twice(found: Collected) -> Iterator[str]:
    """A claim is one process's: its fence is never another's."""
    owners: dict[tuple[str, int], Line] = {}
    for line in found.lines:
        first = owners.setdefault((line.execution, line.fence), line)
        if first.pid != line.pid:
            yield f"two owners with one token: {shown(first)} and {shown(line)}"


def fired_wrongly(found: Collected) -> Iterator[str]:
    """Each slot of a schedule was fired once, or skipped by a worker that said so."""
    cycles: defaultdict[str, list[ExecutionRow]] = defaultdict(list)
    for row in found.executions:
        if row.command == "cycle" and row.who == "schedule":
            cycles[str(row.identity)].append(row)
    for schedule in found.schedules:
        fired = len(cycles[schedule.identity])
        moved = schedule.version - 1 - schedule.paused  # it was written first when it was set, and last to pause it
        if not fired:
            yield f"was never fired: {shown(schedule)}"
        if not fired <= moved <= fired + found.skipped[schedule.identity]:
            skipped = found.skipped[schedule.identity]
            yield f"{fired} cycles and {skipped} skipped in {moved} slots: {shown(schedule)}"


def broken(found: Collected) -> Iterator[str]:
    """Each change of state begins where the one before it ended, and the last one is what is stored."""
    stands: dict[tuple[str, str], EventRow] = {}
    for event in found.events:
        if event.after is None:
            continue
        place = event.execution, event.key
        before = stands.get(place)
        if (event.before or None) != (None if before is None else before.after):
            yield f"does not begin where it stood ({None if before is None else shown(before)}): {shown(event)}"
        stands[place] = event
    for row in found.executions:
        last = stands.get((row.id, ""))
        if last is None or last.after is not row.state:
            yield f"is not what its last event says ({shown(last)}): {shown(row)}"
    for entry in found.entries:
        last = stands.get((entry.execution, entry.key))
        if last is not None and last.after is not entry.state:
            yield f"is not what its last event says ({shown(last)}): {shown(entry)}"


def out_of_order(found: Collected) -> Iterator[str]:
    """Numbers of events go up, and who followed them has missed none."""
    for events, whose in ((found.events, "stored"), (found.seen.events, "seen")):
        yield from (
            f"{whose} out of order: {shown(one)} before {shown(other)}"
            for one, other in itertools.pairwise(events)
            if one.seq >= other.seq
        )
    seen, stored = {event.seq: event for event in found.seen.events}, {event.seq: event for event in found.events}
    yield from (f"was never shown to who followed: {shown(stored[seq])}" for seq in sorted(stored.keys() - seen))
    yield from (f"was shown, and is not there: {shown(seen[seq])}" for seq in sorted(seen.keys() - stored))
    yield from (
        f"is not what was shown: {shown(stored[seq])}" for seq in seen if stored.get(seq, seen[seq]) != seen[seq]
    )


def not_undone(found: Collected) -> Iterator[str]:
    """What failed has taken back what it did, the last first, each once it was done."""
    reverted = {row.id for row in found.executions if row.kind in {"SoakUndone", "SoakLong"} and row.state in ENDED}
    undone: defaultdict[str, list[str]] = defaultdict(list)
    for line in found.lines:
        if line.what == "undo" and line.effect not in undone[line.execution]:
            undone[line.execution].append(line.effect)
    for execution in reverted:
        entries = [entry for entry in _finished(found) if entry.execution == execution and entry.undo is not None]
        entries.sort(key=lambda entry: entry.seq or 0, reverse=True)
        if (wanted := [_effect(entry) for entry in entries]) != undone[execution]:
            yield f"{execution} had to take back {wanted}, and took back {undone[execution]}"


def complained(found: Collected) -> Iterator[str]:
    """No worker met what it takes for a defect."""
    yield from found.complaints


VIOLATIONS: Sequence[Callable[[Collected], Iterable[str]]] = (
    unended,
    forgotten,
    lost,
    repeated,
    owned_twice,
    fired_wrongly,
    broken,
    out_of_order,
    not_undone,
    complained,
)


def violations(found: Collected) -> list[str]:
    """All that does not hold, with the name of what it is."""
    return [f"{check.__name__}: {text}" for check in VIOLATIONS for text in check(found)]


def _finished(found: Collected) -> Iterator[EntryRow]:
    return (entry for entry in found.entries if entry.state is State.SUCCESS and entry.kind in EFFECTIVE)


def _effect(entry: EntryRow) -> str | None:
    """The effect that a finished step returned."""
    value: Any = json.loads(entry.result or "null")
    return value if isinstance(value, str) else None
