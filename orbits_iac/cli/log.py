"""Events as lines of text, for where no tree can be drawn. Pure but for the local time zone."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from orbits_iac.cli import render, tree
from orbits_iac.cli.tree import Mark
from orbits_iac.model.ids import refs
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, amended
from orbits_iac.model.states import State
from orbits_iac.queries import how_to_answer

if TYPE_CHECKING:
    from rich.text import Text

    from orbits_iac.queries import Picture

_WIDTH = 28  # of the path
_QUIET = {Mark.SAME, Mark.SKIPPED}
_SAID = {Mark.SAME, Mark.SKIPPED, Mark.REVERTING, Mark.REVERTED, Mark.QUARANTINED, Mark.CANCELLED, Mark.PAUSED}
_EXPLAINED = {Mark.ASKS, Mark.FAILED, Mark.RETRIES, Mark.PAUSED}


def lines(picture: "Picture", events: Iterable[EventRow]) -> "Iterator[Text]":
    """A line for each event that a person wants to see."""
    known = tree.paths(picture)
    owned = {e.child for entries in picture.entries.values() for e in entries if e.link is not None and e.link.owned}
    for event in events:
        row = picture.executions.get(event.execution)
        if row is None or event.execution not in known:
            continue
        entry = next((e for e in picture.entries.get(row.id, ()) if e.key == event.key), None)
        if event.key and entry is not None and (entry.child or tree.is_hidden(entry)):
            continue
        if entry is not None and tree.is_hook(entry, row) and event.after is not State.ERROR:
            continue
        mark = _mark(event, entry)
        if mark is None and not (event.after is None and event.why):
            continue
        if mark is Mark.DONE and not event.key and row.command == "update" and not row.changed:
            mark = Mark.SAME
        if mark is Mark.DONE and entry is not None and entry.skipped:
            mark = Mark.SKIPPED if entry.link is None else Mark.SAME
        if mark is Mark.ASKS and entry is not None and tree.asks(entry):
            event = amended(event, why=how_to_answer(entry))  # noqa: PLW2901 - said as it stands now
        path = ".".join((*known[row.id], *(refs(event.key) if "/" in event.key else ())))
        label = _named(entry) if entry is not None else _label(row, owned=row.id in owned)
        yield _line(event, mark, path, label if known[row.id] or event.key else "", picture)


def remark(picture: "Picture", text: str, *, at: float) -> "Text":
    """A line on an execution as it stands, of which there is no event."""
    event = EventRow(execution=picture.root, root=picture.root, at=at, why=text)
    return _line(event, None, "", "", picture)


def _label(row: ExecutionRow, *, owned: bool) -> str:
    parts = (row.kind, row.identity if not owned else "", row.command if row.command not in {"update", "run"} else "")
    return " ".join(part for part in parts if part)


def _named(entry: EntryRow) -> str:
    """A step that has no execution of its own; a child that was passed over, by the record that it is."""
    return f"{entry.kind} {entry.link.identity}" if entry.link is not None and not entry.link.owned else entry.kind


def _mark(event: EventRow, entry: EntryRow | None) -> Mark | None:
    match event.after:
        case State.IN_PROGRESS if entry is not None and entry.command == "event":
            return Mark.ASKS
        case State.EXECUTING if event.before is not State.IN_PROGRESS:
            return Mark.RUNS
        case State.SLEEPING:
            return Mark.RETRIES if event.before is not None else None
        case State.IN_PROGRESS | State.EXECUTING | None:
            return None
        case other:
            return tree.mark_of_state(other)


def _line(event: EventRow, mark: Mark | None, path: str, label: str, picture: "Picture") -> "Text":
    from rich.text import Text

    at = datetime.fromtimestamp(event.at).astimezone().strftime("%H:%M:%S")
    sign, colour = render.glyph(mark) if mark is not None else ("·", "dim")
    name = path or _label(picture.execution, owned=False)
    words = [_took(event, picture)] if mark is not None and mark.ended and mark not in _QUIET else []
    words += [mark.value] if mark is not None and mark in _SAID else []
    if event.why and event.why not in words and (mark is None or mark in _EXPLAINED or (mark.bad and not path)):
        words.append(event.why.replace("\n", " "))
    return Text.assemble(
        (at, "dim"),
        "  ",
        (sign, colour),
        " ",
        name.ljust(_WIDTH),
        "  ",
        (label.ljust(20), "dim"),
        *(f"  {word}" for word in words),
    )


def _took(event: EventRow, picture: "Picture") -> str:
    began = picture.began.get((event.execution, event.key))
    return "" if began is None else render.duration(event.at - began)
