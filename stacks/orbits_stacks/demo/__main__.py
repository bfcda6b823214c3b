"""`python -m orbits_stacks.demo`, or `make demo`."""

import argparse
import contextlib
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

INTRODUCTION = (
    "Everything below is real: the [bold]orbits[/bold] command line, CDK, boto3, git, SQL migrations, processes that "
    "are killed. Only AWS is not: it is simulated on this machine, so no account is needed and nothing costs anything. "
    "Each line with a [green]✔[/green] is a claim that the demo has just checked; if one is not true, the demo fails."
)


def main() -> int:
    """Play all parts; 0 if every claim held."""
    parser = argparse.ArgumentParser(prog="python -m orbits_stacks.demo", description="Orbits on an AWS of its own.")
    parser.add_argument("--keep", action="store_true", help="keep the demo's folder, and say where it is")
    parser.add_argument("--picture", type=Path, metavar="DIR", help="draw pictures of the run into this folder")
    options = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    try:
        held = _play(console, keep=options.keep, pictures=options.picture)
    except KeyboardInterrupt:
        console.print("\n[yellow]Interrupted; what the demo had started has been ended.")
        return 130
    return 0 if held else 1


def _play(console: Console, *, keep: bool, pictures: Path | None) -> bool:
    from orbits_stacks.demo.narrator import Narrator
    from orbits_stacks.demo.parts import PARTS
    from orbits_stacks.demo.picture import Pictures
    from orbits_stacks.demo.stage import Stage, folder, offline_aws

    narrator = Narrator(console)
    narrator.introduce("the same stack of services for many clients, looked after", INTRODUCTION)
    drawn = Pictures(pictures.absolute() if pictures is not None else None)
    with ExitStack() as stack:
        made = stack.enter_context(folder(keep=keep))
        aws = stack.enter_context(offline_aws())
        os.environ["AGENCY_HOME"] = str(made / "agency")
        console.print(f"\n  The offline AWS listens at {aws.endpoint_url}; the folder is {made}.", soft_wrap=True)
        stage = Stage(made, aws, narrator, drawn)
        try:
            for play in PARTS:
                play(stage)
        except Exception as error:  # noqa: BLE001 - a claim before has failed, or the demo itself: both are told
            narrator.claim("The demo can be played to its end.", holds=False, found=error)
            console.print_exception(max_frames=3, suppress=[contextlib])
        held = narrator.finish()
        if keep:
            console.print(f"\nThe folder is kept: {made}", soft_wrap=True)
    return held


if __name__ == "__main__":
    sys.exit(main())
