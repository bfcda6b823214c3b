"""`orbits tenants report`: how a fleet stands, from what is recorded of it."""

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_tenants.cli.options import AsJson, Select

if TYPE_CHECKING:
    from orbits_tenants.fleet import Fleet

Recorded = Annotated[
    str,
    typer.Argument(
        metavar="FLEET",
        help="The kind of a Tenants, which is its class's name; or module:Class, file.py:Class, a name in orbits.toml.",
    ),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one file of HTML.")]


def command(
    fleet: Recorded, *, selector: Select = None, as_json: AsJson = False, markdown: Markdown = False, html: Html = None
) -> None:
    """Report how each tenant and service stands, as it was recorded; nothing is asked of what is live."""
    from orbits_iac.provider import UsageError

    if sum((as_json, markdown, html is not None)) > 1:
        raise UsageError("a report has one form: give one of --json, --markdown and --html FILE, or none")
    found = asyncio.run(_read(fleet, selector))
    if as_json:
        from orbits_tenants.reporting.document import document

        typer.echo(json.dumps(document(found), ensure_ascii=False, indent=2))
    elif markdown:
        from orbits_tenants.reporting.markdown import markdown as written

        typer.echo(written(found), nl=False)
    elif html is not None:
        _write(found, html)
    else:
        from rich.console import Console

        from orbits_tenants.reporting.terminal import Drawing

        Console().print(Drawing(found))


def _write(found: "Fleet", file: Path) -> None:
    """Write the page, whole or not at all."""
    from orbits_iac.provider import UsageError
    from orbits_tenants.reporting.page import page

    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_text(page(found), encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from error
    typer.echo(f"{file}: {len(found.members):,} tenants of {found.name}", err=True)


async def _read(spec: str, selector: str | None) -> "Fleet":
    from orbits_iac import Settings
    from orbits_iac.provider import kind_of, reading
    from orbits_tenants.cli.subject import named
    from orbits_tenants.selector import Selector
    from orbits_tenants.standing import read
    from orbits_tenants.tenant import Tenant

    settings = Settings()
    chosen = None if selector is None else Selector(selector)
    known = ":" in spec or spec in settings.stacks
    kind = kind_of(named(spec, settings)) if known else spec
    async with reading(settings.store) as store:
        fleet = await read(store, kind, now=time.time())
    if chosen is None:
        return fleet
    meant = {one.id for one in chosen.chosen([Tenant(id=one.id, labels=one.labels) for one in fleet.members])}
    return fleet.of(one for one in fleet.members if one.id in meant)
