"""The report on a terminal: a line a tenant, with a column for each service as far as there is room."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orbits_tenants.fleet import DriftState, Fleet, Member, Mood, Service, ServiceState
from orbits_tenants.report import TenantState
from orbits_tenants.reporting.words import (
    DRIFT_MARKS,
    MARKS,
    changed,
    drift_line,
    drift_said,
    found,
    headline,
    notes,
    reason,
    roll_out_line,
    used_by,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

STYLES: Mapping[Mood, str] = {
    Mood.PERSON: "bold red",
    Mood.FAILED: "red",
    Mood.MOVING: "cyan",
    Mood.WAITING: "yellow",
    Mood.WELL: "green",
}
_DRIFT_STYLES: Mapping[DriftState, str] = {
    DriftState.UNREADABLE: "bold red",
    DriftState.DRIFTED: "bold yellow",
    DriftState.UNCHECKED: "dim",
    DriftState.BROUGHT_BACK: "green",
    DriftState.IN_SYNC: "green",
}
_BESIDE = 72  # what the columns beside the services take at least
_SERVICES, _DRIFT, _CHANGE = 12, 14, 12  # characters that these columns need to be read
_FINDINGS = 5  # of a tenant that are named


class Drawing:
    """A fleet, to be printed: what needs somebody comes last, where the eye is when all has been printed."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterable[RenderableType]":
        from rich.text import Text

        fleet = self._fleet
        yield self._table(options.max_width)
        yield Text()
        for service in fleet.shared:
            used = used_by(service)
            yield Text.assemble("shared  ", service.name, "  ", _service(service), f"  {used}" if used else "")
        held = TenantState.HELD_BACK.value  # a note says for what they wait, once
        waiting = [one for one in fleet.members if one.mood is Mood.WAITING and one.state != held and reason(one)]
        for member in (*waiting, *reversed(fleet.troubled)):
            yield Text.assemble(
                (f"{MARKS[member.mood]} {member.id}", STYLES[member.mood]), "  ", " ".join(reason(member).split())
            )
        for member in fleet.drifted:
            yield from self._findings(member)
        yield Text(headline(fleet), style="bold")
        yield Text(drift_line(fleet))
        yield Text(roll_out_line(fleet), style="dim")
        for note in notes(fleet):
            yield Text(note, style="yellow")

    def _findings(self, member: Member) -> "Iterator[Text]":
        from rich.text import Text

        findings = member.drift.findings if member.drift is not None else ()
        for finding in findings[:_FINDINGS]:
            yield Text(f"{DRIFT_MARKS[DriftState.DRIFTED]} {member.id}  {found(finding)}", style="yellow")
        if len(findings) > _FINDINGS:
            yield Text(f"  {member.id}  and {len(findings) - _FINDINGS} more", style="yellow")

    def _table(self, room: int) -> "RenderableType":
        from rich.table import Table
        from rich.text import Text

        fleet = self._fleet
        names = fleet.services if _BESIDE + sum(max(len(name), 5) + 2 for name in fleet.services) <= room else ()
        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("tenant", "state"):
            table.add_column(name, no_wrap=True)
        table.add_column("revision", no_wrap=True, justify="right")
        for name in names or ("services",):
            table.add_column(name, no_wrap=bool(names))
        rows = [
            [
                Text(member.id),
                Text(
                    f"{MARKS[member.mood]} {member.state}{', pinned' * bool(member.pinned)}", style=STYLES[member.mood]
                ),
                Text("-" if member.revision is None else str(member.revision)),
                *([_service(member.service(name)) for name in names] or [_all_services(member)]),
                Text(drift_said(member.drift, fleet.at), style=_drift_style(member)),
                Text(changed(member, fleet.at)),
            ]
            for member in fleet.members
        ]
        table.add_column("drift", overflow="fold", min_width=_longest_word(row[-2] for row in rows))
        if _has_room(rows, names, room):
            table.add_column("last change", overflow="fold")
        for row in rows:
            table.add_row(*row[: len(table.columns)])
        return table


def _has_room(rows: "Sequence[Sequence[Text]]", names: Sequence[str], room: int) -> bool:
    """Whether the last column can be read: who changed what when is left out before drift becomes a pile of words."""
    whole = 3 + len(names)  # columns that are not folded
    widths = [max((len(row[number]) for row in rows), default=0) for number in range(whole)]
    headings = ("tenant", "state", "revision", *names)
    taken = sum(max(width, len(heading)) + 2 for width, heading in zip(widths, headings, strict=True))
    return taken + (0 if names else _SERVICES + 2) + _DRIFT + 2 + _CHANGE <= room


def _longest_word(texts: "Iterable[Text]") -> int:
    return max((len(word) for text in texts for word in text.plain.split()), default=0)


def _drift_style(member: Member) -> str:
    return _DRIFT_STYLES[member.drift.state] if member.drift is not None else "dim"


def _service(service: Service | None) -> "Text":
    """A service in a few characters: its state, its revision, and its drift where it is not in sync."""
    from rich.text import Text

    if service is None:
        return Text("·", style="dim")
    number = "-" if service.revision is None else str(service.revision)
    said = Text(f"{MARKS[service.mood]} {number}", style=STYLES[service.mood])
    if service.drift is not None and service.drift.state is not DriftState.IN_SYNC:
        said.append(f" {DRIFT_MARKS[service.drift.state]}", style=_DRIFT_STYLES[service.drift.state])
    return said


def _all_services(member: Member) -> "Text":
    """All services of a tenant in one cell: those that do not stand by their names, the others by their number."""
    from rich.text import Text

    bad = [one for one in member.services if one.state is not ServiceState.STANDS]
    well = len(member.services) - len(bad)
    parts = [Text(f"{well} {'stands' if well == 1 else 'stand'}", style="green")] if well else []
    parts += [Text(f"{MARKS[one.mood]} {one.name}", style=STYLES[one.mood]) for one in bad]
    return Text(", ").join(parts)
