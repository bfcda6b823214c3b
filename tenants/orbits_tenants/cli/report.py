"""`orbits tenants report`: how a fleet stands, from what is recorded of it."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orbits_tenants.cli.options import AsJson, Recorded, Select

if TYPE_CHECKING:
    from orbits_tenants.fleet import Fleet

Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")]
Html = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write one file of HTML.")]


def command(
    fleet: Recorded, *, selector: Select = None, as_json: AsJson = False, markdown: Markdown = False, html: Html = None
) -> None:
    """Report how each tenant and service stands, as it was recorded; nothing is asked of what is live."""
    from orbits_iac.provider import UsageError
    from orbits_tenants.cli.subject import recorded

    if sum((as_json, markdown, html is not None)) > 1:
        raise UsageError("a report has one form: give one of --json, --markdown and --html FILE, or none")
    found = asyncio.run(recorded(fleet, selector))
    if as_json:
        from orbits_tenants.reporting.document import document

        typer.echo(json.dumps(document(found), ensure_ascii=False, indent=2))
    elif markdown:
        from orbits_tenants.reporting.markdown import markdown as written

        typer.echo(written(found), nl=False)
    elif html is not None:
        _write(found, html)
    else:
        from orbits_iac.provider import console
        from orbits_tenants.reporting.terminal import Drawing

        console().print(Drawing(found))


def _write(found: "Fleet", file: Path) -> None:
    """Write the page, whole or not at all."""
    from orbits_iac.provider import UsageError
    from orbits_tenants.amounts import counted
    from orbits_tenants.reporting.page import page

    beside = file.with_name(f".{file.name}.part")
    try:
        beside.write_text(page(found), encoding="utf-8")
        beside.replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from error
    typer.echo(f"{file}: {counted(len(found.members))} of {found.name}", err=True)
