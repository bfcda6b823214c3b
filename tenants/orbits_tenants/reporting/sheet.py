"""One tenant on a terminal: what it is and how it stands, then a line for each of its services."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from orbits_tenants.fleet import Member, Service
from orbits_tenants.reporting.terminal import STYLES
from orbits_tenants.reporting.words import MARKS, changed, drift_said, found, reason, short, used_by

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType


class Sheet:
    """A tenant, to be printed; `at`: when it was read; `shared`: what tenants use together."""

    def __init__(self, member: Member, at: datetime, shared: Iterable[Service] = ()) -> None:
        self._member = member
        self._at = at
        self._shared = [one for one in shared if one.name in member.shared]

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "Iterator[RenderableType]":
        from rich.table import Table
        from rich.text import Text

        member, style = self._member, STYLES[self._member.mood]
        facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        facts.add_column(style="bold")
        facts.add_column(overflow="fold")
        for name, said in self._facts():
            facts.add_row(name, Text(said, style=style if name == "state" else ""))
        yield facts
        if member.services:
            table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
            for name in ("service", "kind", "state", "revision", "drift"):
                table.add_column(name, overflow="fold")
            for one in member.services:
                table.add_row(
                    Text(one.name),
                    Text(one.kind),
                    Text(f"{MARKS[one.mood]} {one.state.value}", style=STYLES[one.mood]),
                    Text("-" if one.revision is None else str(one.revision)),
                    Text(drift_said(one.drift, self._at)),
                )
            yield Text()
            yield table
        for finding in member.drift.findings if member.drift is not None else ():
            yield Text(found(finding), style="yellow")

    def _facts(self) -> Iterator[tuple[str, str]]:
        member = self._member
        yield "tenant", f"{member.id} ({member.name})" if member.name else member.id
        yield "state", f"{MARKS[member.mood]} {member.state}"
        if why := " ".join(reason(member).split()):
            yield "why", why
        yield "revision", "-" if member.revision is None else str(member.revision)
        yield "last change", changed(member, self._at)
        yield "drift", drift_said(member.drift, self._at)
        if member.account:
            yield "account", member.account
        if member.labels:
            yield "labels", ", ".join(f"{name}={value}" for name, value in member.labels.items())
        if member.pinned:
            yield "pinned", ", ".join(f"{name}={short(value)}" for name, value in member.pinned.items())
        if member.window:
            yield "window", member.window
        if member.expires:
            yield "expires", member.expires
        for one in self._shared:
            stands = f"{MARKS[one.mood]} {one.state.value}, revision {one.revision or '-'}, {used_by(one)}"
            yield "shares", f"{one.name}: {stands}{f'; {one.error}' if one.error else ''}"
        if member.execution:
            yield "execution", member.execution
