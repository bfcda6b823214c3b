"""`orbits tenants rollback`: bring some tenants, a wave or all back to what stood before the last roll-out."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_tenants.cli.options import AsJson, Fleet, Yes

if TYPE_CHECKING:
    from orbits_tenants.report import Report
    from orbits_tenants.rollback import Rollback

Wave = Annotated[str | None, typer.Option("--wave", help="Those of this wave of the last roll-out.")]
Only = Annotated[list[str] | None, typer.Option("--only", metavar="ID", help="This tenant; several times.")]
To = Annotated[
    int | None, typer.Option("--to", help="The fleet's revision to go back to; without it, the one before the last.")
]


def command(
    fleet: Fleet, *, wave: Wave = None, only: Only = None, to: To = None, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Bring tenants back to the revisions of their stacks that stood after an earlier roll-out.

    What that would do is shown first, and you are asked.
    """
    report = asyncio.run(_rollback(fleet, wave, only or [], to, yes=yes, as_json=as_json))
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        from orbits_iac.provider import console

        console().print(report)
    raise typer.Exit(report.exit_code())


async def _rollback(
    spec: str, wave: str | None, only: list[str], to: int | None, *, yes: bool, as_json: bool
) -> "Report":
    from orbits_iac import Orbits, Settings
    from orbits_tenants.cli.subject import named
    from orbits_tenants.rollback import bring_back, look

    settings = Settings()
    fleet = named(spec, settings)
    async with Orbits(settings) as orbits:
        rollback = await look(orbits, fleet, wave=wave, only=only, to=to)
        if not yes:
            _ask(rollback, as_json=as_json)
        return await bring_back(orbits, rollback)


def _ask(rollback: "Rollback", *, as_json: bool) -> None:
    from orbits_iac.provider import console, make_sure

    if as_json:
        typer.echo(json.dumps(rollback.document(), ensure_ascii=False, indent=2))
    else:
        console(stderr=True).print(rollback)
    if rollback:  # else nobody goes back: what there is to say is said without asking
        make_sure("Bring them back?")
