"""What commands print on and how they ask, those of other packages too."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> "Console":
    """Where trees and tables go. What is no terminal gets lines of one width (`COLUMNS`, else 160), and no colours."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made = Console(stderr=stderr, highlight=False, width=160)
    return made


def make_sure(question: str, *, typed: str = "") -> None:
    """Ask whether what was shown is to be done: for a yes, or, where more is at stake, for `typed`.

    It comes back only if that was said. UsageError where nobody can be asked: there `--yes` is needed.
    """
    import typer

    from orbits_iac.model.errors import UsageError

    if not sys.stdin.isatty():
        raise UsageError("this is what would be done: say --yes")
    if not typed:
        if not typer.confirm(question, err=True):
            typer.echo("Nothing was done.", err=True)
            raise typer.Exit(1)
        return
    said = typer.prompt(f"{question} Type {typed} to go on", err=True)
    if said != typed:
        raise UsageError(f"{said!r} is not {typed!r}: nothing was done")
