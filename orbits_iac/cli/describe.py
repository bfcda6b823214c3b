"""How executions and records are shown by `get`. Pure: rows in, what Rich prints or JSON's own types out."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from orbits_iac.cli import log, looking, outputs, render, report, schedules, tree
from orbits_iac.cli.render import duration, glyph
from orbits_iac.model.approvals import read_approval
from orbits_iac.model.bounds import given
from orbits_iac.model.marks import masked
from orbits_iac.model.rows import Child, ExecutionRow, RecordRow, RevisionRow, ScheduleRow
from orbits_iac.model.spans import ago
from orbits_iac.model.states import State
from orbits_iac.queries import Found, Picture, document, how_to_answer, waits
from orbits_iac.roster import Waiting

if TYPE_CHECKING:
    from rich.console import Console

_EVENTS = 12  # the last ones are shown
_OF_AN_EXECUTION = ("id", "what", "command", "state", "took", "when", "who")
_CUT = frozenset({"what", "who"})  # where there is little room; the id is typed again
_LEAST = 12  # characters of what it is


def executions(rows: Sequence[ExecutionRow], *, now: float, room: int) -> Any:
    """Executions as a table, the newest first; where there is little `room`, what and who are cut, and no state is."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return Text("nothing has run here yet")
    lines: list[list[Text]] = []
    for row in rows:
        sign, colour = glyph(tree.mark_of(row))
        lines.append(
            [
                Text(row.id),
                Text(report.name_of(row)),
                Text(row.command),
                Text(f"{sign} {row.state.value}", style=colour),
                Text(duration((row.ended_at or now) - row.created_at)),
                Text(ago(now - row.created_at)),
                Text(row.who, style="dim"),
            ]
        )
    widths = {
        name: max(len(name), *(len(line[number]) for line in lines)) for number, name in enumerate(_OF_AN_EXECUTION)
    }
    left = room - 2 * (len(widths) - 1) - sum(width for name, width in widths.items() if name not in _CUT)
    widths["who"] = min(widths["who"], max(left // 3, len("who")))
    widths["what"] = min(widths["what"], max(left - widths["who"], _LEAST))
    made = Table(box=None, pad_edge=False, header_style="dim")
    for name, width in widths.items():
        justify: Literal["left", "right"] = "right" if name == "took" else "left"
        made.add_column(name, no_wrap=True, overflow="ellipsis", justify=justify, min_width=width, max_width=width)
    for line in lines:
        made.add_row(*line)
    return made


def print_execution(
    picture: Picture,
    out: "Console",
    *,
    waiting: Sequence[Waiting],
    in_line: Sequence[Waiting],
    now: float,
    everything: bool,
) -> None:
    """An execution: who asked for what, its tree, what it waits for, and how it ended.

    `waiting`: those of its executions that no worker can go on with. `in_line`: those that wait for a permit.
    """
    from rich.text import Text

    row = picture.execution
    out.print(report.table(_facts(row, now)))
    out.print()
    node = tree.grow(picture)
    out.print(render.Drawing(node, now=now, style=render.Style(everything=everything)))
    out.print()
    for line in _paused(picture, waiting):
        out.print(Text(line), soft_wrap=True)
    for each in in_line:
        out.print(Text(f"{report.name_of(picture.executions[each.execution])} is {each.why}"), soft_wrap=True)
    for one in waits(picture):
        out.print(Text(f"{one.what} waits for {one.entry.kind}: {how_to_answer(one.entry)}"), soft_wrap=True)
    _print_events(picture, out, everything=everything)
    if row.failure is not None:
        out.print()
        out.print(report.panel(row))
    elif row.result not in {None, "null"}:
        out.print()
        report.print_outputs(row, outputs.kept(row), out)


def _print_events(picture: Picture, out: "Console", *, everything: bool) -> None:
    from rich.text import Text

    lines = list(log.lines(picture, picture.events))
    shown = lines if everything else lines[-_EVENTS:]
    if len(shown) < len(lines):
        out.print(Text(f"{len(lines) - len(shown)} earlier events: --all", style="dim"))
    for line in shown:
        out.print(line, no_wrap=True, overflow="ellipsis")


def _paused(picture: Picture, waiting: Sequence[Waiting]) -> list[str]:
    """Of each execution in the picture that is paused, or that nobody can go on with, why: then, and now."""
    said = {event.execution: event.why for event in picture.events if event.after is State.PAUSED and not event.key}
    now = {one.execution: one.why for one in waiting}
    lines: list[str] = []
    for row in picture.executions.values():
        name, why = report.name_of(row), said.get(row.id, "paused")
        if row.state is State.PAUSED and why != "paused":
            lines.append(f"{name} is paused: {why}")
            if now.get(row.id, why) != why:
                lines.append(f"{name}, now: {now[row.id]}")
        elif row.id in now:
            lines.append(f"{name} waits, and nobody can go on with it: {now[row.id]}")
    return lines


def _facts(row: ExecutionRow, now: float) -> dict[str, Any]:
    ended = f", took {duration(row.ended_at - row.created_at)}" if row.ended_at else ""
    at = f"{datetime.fromtimestamp(row.created_at).astimezone():%Y-%m-%d %H:%M:%S}"
    facts: dict[str, Any] = {
        "execution": row.id,
        "state": row.state.value,
        "what": f"{row.command} of {report.name_of(row)}",
        "argument": _argument(row),
        "asked": f"{at} ({ago(now - row.created_at)}) by {row.who}{ended}",
        "build": row.build,
    }
    options = masked(row.options)
    if options:
        facts["options"] = options
    approval = read_approval(row.approval)
    if approval.plan:
        facts["plan"] = f"{approval.plan}, approved by {approval.by}"
    if approval.losses:
        facts["accepted losses"] = ", ".join(approval.losses)
    if row.parent is not None:
        facts["part of"] = row.root if row.root == row.parent else f"{row.parent}, which is part of {row.root}"
    for kind, text in given(row.targets).items():
        facts[kind] = masked(text)
    if row.revision is not None:
        facts["revision"] = f"{row.revision} stands"
    if row.no_return:
        facts["no return"] = ", ".join(row.no_return)
    return facts


def _argument(row: ExecutionRow | RevisionRow) -> str:
    """The fields that say anything, as they are typed."""
    said = masked(row.argument) or {}
    return " ".join(f"{name}={report.as_text(value)}" for name, value in said.items() if report.says(value))


def execution_document(picture: Picture) -> dict[str, Any]:
    """An execution with all below it, as JSON's own types."""
    row = picture.execution
    known = tree.paths(picture)
    steps = [document(entry) for entry in picture.entries.get(row.id, ()) if not tree.is_hidden(entry)]
    others = [other for other in picture.executions.values() if other.id in known and other is not row]
    below = [document(other) for other in others]
    events = [document(event) for event in picture.events if event.execution in known]
    return {**document(row), "steps": steps, "below": below, "events": events}


def print_record(
    record: RecordRow,
    revisions: Sequence[RevisionRow],
    found: Sequence[Found],
    out: "Console",
    *,
    users: Sequence[str],
    schedule: ScheduleRow | None,
    left: Sequence[Child],
    now: float,
) -> None:
    """A record: what stands, with which outputs, children and users, and when it was last looked at.

    `left`: children that are no longer done.
    """
    from rich.text import Text

    row = next((one for one in revisions if one.number == record.revision), None)
    facts: dict[str, Any] = {
        "record": f"{record.kind} {record.identity}",
        "revision": "nothing stands" if row is None else f"{row.number}, since {ago(now - row.at)}, by {row.who}",
    }
    if row is not None:
        facts["argument"] = _argument(row)
    facts.update(record.places)
    if record.held is not None:
        facts["forward only"] = (
            f"{', '.join(record.held.steps)} passed in {record.held.by}, {ago(now - record.held.at)}"
        )
    if schedule is not None:
        facts["cycles"] = schedules.said(schedule, now=now)
    if record.queue:
        facts["busy with"] = ", ".join(record.queue)
    facts["users"] = ", ".join(users) or "none"
    for name, wants, by in (
        ("protected", record.protect, record.protected_by),
        ("retained", record.retain, record.retained_by),
    ):
        if wants:
            facts[name] = f"by {', '.join(by)}" if by else "yes"
    if record.called:
        facts["called"] = record.called
    if record.adopted:
        facts["adopted"] = "as it was found; no update of it has succeeded yet"
    out.print(report.table(facts))
    if row is not None and (published := masked(row.outputs)):
        out.print(Text("\noutputs", style="bold"))
        shown = outputs.read(row.outputs)
        out.print(report.table(published) if shown is None else shown)
    if record.children:
        out.print(Text("\nmade of", style="bold"))
        out.print(_children(record, left))
    out.print(Text("\nlast look", style="bold"))
    looking.print_looks(found, out, now=now)


def _children(record: RecordRow, left: Sequence[Child]) -> Any:
    """The children, those too that the current revision no longer does."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    for child in record.children:
        words = [
            word
            for word, said in (
                ("install", child.installed),
                ("protected", child.protect),
                ("retained", child.retain),
                ("used", not child.owned),
                ("no longer done: remove it with orbits up ... --prune", child in left),
            )
            if said
        ]
        stands = "nothing stands" if child.revision is None else f"revision {child.revision}"
        grid.add_row(f"  {child.ref}", child.kind, child.identity, stands, ", ".join(words))
    return grid


def record_document(
    record: RecordRow, revisions: Sequence[RevisionRow], found: Sequence[Found], users: Sequence[str]
) -> dict[str, Any]:
    """A record with its current revision, the last looks and all its users, as JSON's own types."""
    row = next((one for one in revisions if one.number == record.revision), None)
    return {
        **document(record),
        "users": list(users),
        "current": document(row) if row is not None else None,
        "looks": looking.as_document(found)["looks"],
    }
