"""What commands print on and how they ask, those of other packages too."""

import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

_INTERRUPTED = 130  # what a command exits with after Ctrl-C


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
        if not agreed(question):
            typer.echo("Nothing was done.", err=True)
            raise typer.Exit(1)
        return
    said = answered(f"{question} Type {typed} to go on")
    if said != typed:
        raise UsageError(f"{said!r} is not {typed!r}: nothing was done")


def agreed(question: str) -> bool:
    """Whether whoever is asked says yes."""
    import typer

    with _interruptible():
        return typer.confirm(question, err=True)


def answered(question: str) -> str:
    """What whoever is asked says."""
    import typer

    with _interruptible():
        return str(typer.prompt(question, err=True))


@contextmanager
def _interruptible() -> "Generator[None]":
    """Ctrl-C ends a question at once; asyncio would wait with it until that was answered.

    One that is asked in another thread, while an execution goes on, leaves it to who follows that.
    """
    import typer

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except typer.Abort:
        typer.echo("\nNothing was done.", err=True)
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGINT, before)
