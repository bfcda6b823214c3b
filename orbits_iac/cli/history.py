"""`orbits history`: the revisions of a record, and what happened to its drift."""

from typing import TYPE_CHECKING

from orbits_iac.cli.options import AsJson, Debug, Rest, Store, Subject

_COLUMNS = ("", "revision", "at", "who", "argument", "build")
_ARGUMENT, _BETWEEN = _COLUMNS.index("argument"), 2  # characters between two columns
_LEAST = 16  # characters for the argument
_SHORT = 30  # characters of a reason that stands beside the argument
_STYLES = {"healed": "green", "brought back": "green", "found": "red", "changed": "red"}

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from orbits_iac.model.rows import RecordRow, RevisionRow
    from orbits_iac.queries import Turned


def command(
    subject: Subject, rest: Rest = None, store: Store = None, as_json: AsJson = False, debug: Debug = False
) -> None:
    """List the revisions of a stack: when, by whom, with what; which one stands; and what happened to its drift."""
    from orbits_iac.cli.running import finish

    finish(_history(subject, rest or [], store, as_json=as_json))


async def _history(subject: str, rest: list[str], given: str | None, *, as_json: bool) -> int:
    from orbits_iac import queries
    from orbits_iac.cli import exits, report, session
    from orbits_iac.cli.stacks import name_record
    from orbits_iac.terminal import console

    (kind, *former), identity = name_record(subject, rest, given)
    async with session.reading(given) as store:
        record = await queries.record(store, kind, identity, former=former)
        rows = await queries.revisions(store, record.kind, identity)
        turned = await queries.drift_of_record(store, record)
    if as_json:
        report.print_json(
            {
                "record": queries.document(record),
                "revisions": [queries.document(row) for row in rows],
                "drift": [_document(one) for one in turned],
            }
        )
        return exits.DONE
    out = console()
    out.print(table(record, rows, out.width))
    if turned:
        out.print("\ndrift", style="bold")
        out.print(timeline(turned))
    return exits.DONE


def table(record: "RecordRow", rows: "list[RevisionRow]", room: int) -> object:
    """The revisions, the newest first, each with what of its argument changed; a long reason stands below its own.

    `room`: characters in a line.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    made = [(row, _cells(record, row, rows)) for row in reversed(rows)]
    widths = [max([1, len(name), *(len(cells[number]) for _, cells in made)]) for number, name in enumerate(_COLUMNS)]
    beside = sum(widths) - widths[_ARGUMENT] + _BETWEEN * (len(widths) - 1)
    widths[_ARGUMENT] = min(widths[_ARGUMENT], max(room - beside, _LEAST))
    parts: list[object] = [part := _part(widths, header=True)]
    for row, cells in made:
        part.add_row(*cells)
        if note := _below(row):
            parts += [Padding(Text(note, style="yellow"), (0, 0, 0, 3)), part := _part(widths)]
    return Group(*parts)  # type: ignore[arg-type]  # all of them are what Rich prints


def _part(widths: "list[int]", *, header: bool = False) -> "Table":
    """A part of the table: all of them have the same columns."""
    from rich.table import Table

    part = Table(box=None, pad_edge=False, header_style="dim", show_header=header)
    for name, width in zip(_COLUMNS, widths, strict=True):
        part.add_column(name, no_wrap=name != "argument", overflow="fold", width=width)
    return part


def _cells(record: "RecordRow", row: "RevisionRow", rows: "list[RevisionRow]") -> "list[Text]":
    from datetime import datetime

    from rich.text import Text

    before = next((one for one in reversed(rows) if one.number < row.number and not one.abandoned), None)
    stands = row.number == record.revision
    note = "" if _below(row) else _note(row)
    return [
        Text("▸" if stands else "", style="green"),
        Text(str(row.number), style="bold" if stands else "dim" if row.abandoned else ""),
        Text(f"{datetime.fromtimestamp(row.at).astimezone():%Y-%m-%d %H:%M:%S}"),
        Text(row.who),
        Text.assemble(_argument(row, before), (f"  {note}" if note else "", "yellow")),
        Text(row.build[:8], style="dim"),
    ]


def _note(row: "RevisionRow") -> str:
    return "gone back from" if row.abandoned and row.number else row.why


def _below(row: "RevisionRow") -> str:
    """The note of a revision that is too long for a cell."""
    note = _note(row)
    return note if len(note) > _SHORT else ""


def timeline(turned: "list[Turned]") -> object:
    """What happened to the drift of a record and of what is below it, the newest last."""
    from datetime import datetime

    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("at", "resource", "property", "what", "who", ""):
        made.add_column(name, no_wrap=name != "", overflow="fold")
    for one in turned:
        event = one.event
        made.add_row(
            f"{datetime.fromtimestamp(event.at).astimezone():%Y-%m-%d %H:%M:%S}",
            Text(".".join(one.path)),
            Text(event.key),
            Text(event.kind, style=_STYLES.get(event.kind, "yellow")),
            Text(event.who or ("?" if event.kind != "not brought back" else ""), style="" if event.who else "dim"),
            Text(event.why),
        )
    return made


def _document(one: "Turned") -> dict[str, object]:
    event = one.event
    return {
        "at": event.at,
        "path": list(one.path),
        "property": event.key,
        "what": event.kind,
        "who": event.who or None,
        "why": event.why,
        "execution": event.execution,
    }


def _argument(row: "RevisionRow", before: "RevisionRow | None") -> str:
    """What of the argument is otherwise than in the one that stood before, as far as it says anything: no default."""
    from orbits_iac.cli.report import as_text, says
    from orbits_iac.model.marks import masked

    now, then = masked(row.argument), masked(before.argument) if before is not None else {}
    changed = {name: value for name, value in now.items() if then.get(name, row) != value}
    return " ".join(f"{name}={as_text(value)}" for name, value in changed.items() if says(value) and value is not False)
