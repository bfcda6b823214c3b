"""`orbits tenants promote`: let the next wave of a roll-out begin that waits for a person."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_tenants.cli.options import AsJson, Recorded

if TYPE_CHECKING:
    from orbits_tenants.promotion import Waiting


Wave = Annotated[
    int | None,
    typer.Option("--wave", help="Only if it waits after this one, counted from 1: somebody may be quicker."),
]


def command(fleet: Recorded, *, wave: Wave = None, as_json: AsJson = False) -> None:
    """Let the next wave begin of the roll-out that waits for it."""
    execution, over = asyncio.run(_promote(fleet, wave))
    if as_json:
        typer.echo(json.dumps({"execution": execution, "wave": over}))
    else:
        typer.echo(
            f"wave {over} is promoted; orbits watch {execution} shows how the next one goes. Where no worker runs, "
            f"orbits resume {execution} goes on with it",
            err=True,
        )


async def _promote(spec: str, wave: int | None) -> "Waiting":
    from orbits_iac import Orbits, Settings
    from orbits_tenants.cli.subject import named_or_kind
    from orbits_tenants.promotion import promote

    settings = Settings()
    fleet = named_or_kind(spec, settings)
    async with Orbits(settings, work=False) as orbits:
        return await promote(orbits, fleet, wave=wave)
