"""What was found of tenants before it is recorded: on a terminal, and as JSON's own types.

What an update would change is shown once for all of whom it is the same; what it would replace is marked.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from orbits_iac.provider import Existing
from orbits_tenants.prospects import BAD, Outlook, Prospect

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

_NAMED = 8  # tenants of whom something is the same
_STYLES = dict.fromkeys(BAD, "red") | {Outlook.FOUND: "green"}


class Drawing:
    """The prospects of tenants, and what is nobody's, to be printed."""

    def __init__(self, prospects: Sequence[Prospect], nobodys: Sequence[Existing]) -> None:
        self._prospects = prospects
        self._nobodys = nobodys

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        from rich.text import Text

        yield self._table()
        for one in self._prospects:
            if one.why:
                yield Text(f"{one.tenant} {one.outlook.value}: {one.why}", style=_STYLES.get(one.outlook, "dim"))
        for remark, those in _remarks(self._prospects).items():
            yield Text(f"{_named(those)}: {remark}", style="yellow")
        for tenants, lines, replaces in _alike(self._prospects):
            said = (
                "an update would change" if lines else "an update would change no resource, but for the marks of Orbits"
            )
            yield Text(f"{_named(tenants)}: {said}", style="bold")
            for line in lines:
                marked = line.partition(":")[0] in replaces
                yield Text(f"  {'! ' if marked else ''}{line}", style="bold red" if marked else "")
        for there in self._nobodys:
            what = f"{there.name or there.id} in {there.place} ({there.state})"
            yield Text(f"no tenant has this one: {what}", style="yellow")

    def _table(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("tenant", "is", "what runs", "where", "state"):
            table.add_column(name, no_wrap=name == "tenant", overflow="fold")
        for one in self._prospects:
            outlook = Text(one.outlook.value, style=_STYLES.get(one.outlook, "dim"))
            if not one.parts:
                table.add_row(Text(one.tenant), outlook, "-", "-", "-")
            for at, (part, there) in enumerate(one.parts.items()):
                what = f"{part}: {there.name}" if part else there.name
                head = (Text(one.tenant), outlook) if not at else ("", "")
                table.add_row(*head, Text(what), Text(there.place), Text(there.state))
        return table


def document(prospects: Sequence[Prospect], nobodys: Sequence[Existing]) -> dict[str, Any]:
    """The same, as JSON's own types."""
    return {
        "tenants": [
            {
                "tenant": one.tenant,
                "state": one.outlook.value,
                "why": one.why or None,
                "parts": [{"part": part, **_existing(there)} for part, there in one.parts.items()],
                "differences": one.differences,
                "replaces": one.replaces,
            }
            for one in prospects
        ],
        "nobodys": [_existing(one) for one in nobodys],
    }


def _existing(one: Existing) -> dict[str, Any]:
    return {"name": one.name, "place": one.place, "id": one.id, "state": one.state, "remarks": list(one.remarks)}


def _named(tenants: Sequence[str]) -> str:
    more = f" and {len(tenants) - _NAMED:,} more" if len(tenants) > _NAMED else ""
    return f"{', '.join(tenants[:_NAMED])}{more}"


def _remarks(prospects: Sequence[Prospect]) -> dict[str, list[str]]:
    """What people should know, each with the tenants of whom that is so."""
    found: dict[str, list[str]] = {}
    for one in prospects:
        for remark in dict.fromkeys(one.remarks):
            found.setdefault(remark, []).append(one.tenant)
    return found


def _alike(prospects: Sequence[Prospect]) -> list[tuple[list[str], tuple[str, ...], tuple[str, ...]]]:
    """Those that are recorded, together where their differences are the same; what is marked with each."""
    found: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for one in prospects:
        if one.outlook is Outlook.FOUND:
            found.setdefault((tuple(one.differences), tuple(one.replaces)), []).append(one.tenant)
    return [(tenants, lines, replaces) for (lines, replaces), tenants in found.items()]
