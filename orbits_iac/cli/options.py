"""Options and arguments that several commands have."""

from typing import Annotated, Any

import typer

DEBUG = "orbits.debug"


def _debug(ctx: typer.Context, wanted: bool) -> bool:
    if wanted:
        ctx.meta[DEBUG] = True
    return wanted


Stack = Annotated[
    str,
    typer.Argument(metavar="STACK", help="module:Class, file.py:Class, or a name from [stacks] in orbits.toml."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE",
        help="The stack's fields; lists and dictionaries as JSON; @env:VAR takes the value from the environment.",
    ),
]
Subject = Annotated[
    str,
    typer.Argument(metavar="STACK|KIND", help="A stack, as for `up`; or the kind of a record."),
]
Rest = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE|IDENTITY", help="The fields that give a stack its identity; or a record's identity."
    ),
]
Path = Annotated[
    str, typer.Option("--path", "-p", metavar="PATH", help="A step of it: deploy.migrate, or a name that is unique.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="An execution's id.")]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="Where records are kept, as in sqlite:.orbits/state.db."),
]
OfTenants = Annotated[
    list[str] | None, typer.Option("--tenant", metavar="ID", help="Of a fleet: this tenant alone; may be repeated.")
]
Selector = Annotated[
    str | None,
    typer.Option("-l", "--selector", metavar="LABELS", help="Of a fleet: those with these labels: plan=large,vpn."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
AcceptLoss = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-loss",
        metavar="ID",
        help="What is stateful or protected and may be replaced or removed: an identity, or 'KIND IDENTITY'.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; without a terminal it is needed.")]
Debug = Annotated[bool, typer.Option("--debug", callback=_debug, help="Show the traceback of an error.")]
All = Annotated[bool, typer.Option("--all", help="Show unchanged things and inner steps too.")]

Json = dict[str, Any]
