"""Options and arguments that several commands have."""

from typing import Annotated

import typer

Fleet = Annotated[
    str,
    typer.Argument(
        metavar="FLEET", help="module:Class or file.py:Class of a Tenants, or a name from [stacks] in orbits.toml."
    ),
]
Recorded = Annotated[
    str,
    typer.Argument(
        metavar="FLEET",
        help="The kind of a Tenants, which is its class's name; or module:Class, file.py:Class, a name in orbits.toml.",
    ),
]
Select = Annotated[
    str | None,
    typer.Option("-l", "--selector", metavar="SELECTOR", help="Those with these labels: plan=large,region!=eu."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The tenant's id.")]
Why = Annotated[str, typer.Option("--why", help="Why, for those who read it later.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; without a terminal it is needed.")]
