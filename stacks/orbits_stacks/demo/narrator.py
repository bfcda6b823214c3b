"""Narrator: what the person in front of the demo reads, and which claims held."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Something that the demo says, and whether it is so."""

    part: str
    text: str
    holds: bool


class Narrator:
    """Prints, and remembers claims and times."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.claims: list[Claim] = []
        self.seconds: dict[str, float] = {}
        self._part = ""

    @contextmanager
    def part(self, title: str) -> Generator[None]:
        """One part of the demo, timed."""
        self._part = title
        self.console.print()
        self.console.print(Rule(f"[bold]{len(self.seconds) + 1}. {title}", align="left", style="cyan"))
        began = time.monotonic()
        yield
        self.seconds[title] = time.monotonic() - began

    def say(self, text: str) -> None:
        """A paragraph, in Rich's markup."""
        self.console.print()
        self.console.print(Padding(text, (0, 2, 0, 2)), width=min(self.console.width, 100))

    def introduce(self, title: str, text: str) -> None:
        """What this is."""
        self.console.print()
        self.console.print(f"[bold cyan]Orbits IaC[/bold cyan]  {title}")
        self.say(text)

    def command(self, text: str) -> None:
        """A command that is run next."""
        self.console.print()
        self.console.print(f"  [cyan]$[/cyan] [bold]{escape(text)}[/bold]", soft_wrap=True)

    def output(self, text: str) -> None:
        """What a command printed, where it could not print by itself."""
        for line in text.rstrip().splitlines():
            self.console.print(Text("  ") + Text.from_ansi(line.rstrip()), soft_wrap=True)

    def claim(self, text: str, holds: object, found: object = None) -> None:
        """Say that something is so, with a mark for whether it is; `found` is shown if it is not."""
        self.claims.append(Claim(part=self._part, text=text, holds=bool(holds)))
        line = Table.grid(padding=(0, 1, 0, 0))
        line.add_row("  [green]✔[/green]" if holds else "  [bold red]✘[/bold red]", text)
        self.console.print(line)
        if not holds:
            self.console.print(f"    [red]found: {escape(repr(found))}[/red]", soft_wrap=True)

    def finish(self) -> bool:
        """The times, and whether every claim held."""
        self.console.print()
        self.console.print(Rule("[bold]How long it took, and whether it is true", align="left", style="cyan"))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        table.add_column()
        table.add_column(justify="right")
        table.add_column(justify="right")
        for part, seconds in self.seconds.items():
            mine = [claim for claim in self.claims if claim.part == part]
            held = sum(claim.holds for claim in mine)
            style = "green" if held == len(mine) else "bold red"
            table.add_row(part, f"{seconds:.1f} s", f"[{style}]{held} of {len(mine)} claims hold[/{style}]")
        table.add_row("[bold]in all", f"[bold]{sum(self.seconds.values()):.1f} s", "")
        self.console.print(table)
        broken = [claim for claim in self.claims if not claim.holds]
        for claim in broken:
            self.console.print(f"  [bold red]✘ not true:[/bold red] {claim.part}: {claim.text}")
        return not broken
