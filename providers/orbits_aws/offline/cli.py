"""`orbits offline`: the offline AWS as a program that runs until it is told to stop."""

from pathlib import Path
from typing import Annotated

import typer


def offline(
    port: Annotated[int, typer.Option(help="The port to listen on, on this machine alone; 0 takes a free one.")] = 0,
    *,
    state: Annotated[
        Path | None, typer.Option(help="A file: what it holds is loaded, and all is saved into it at the end.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print where it listens as JSON.")] = False,
) -> None:
    """Run an AWS on this machine, for tests and first steps; Ctrl-C ends it and, without --state, all that it holds."""
    from .program import serve

    serve(port, as_json=as_json, state=state)
