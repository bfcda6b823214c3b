"""`orbits tenants`: the tenants of a fleet, as its source has them now and as the last roll-out left them."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from orbits_tenants.report import TenantReport

app = typer.Typer(help="The tenants of a fleet.", no_args_is_help=True)


@app.callback()
def tenants() -> None:
    """The tenants of a fleet."""


@app.command("list")
def list_(
    spec: Annotated[str, typer.Argument(help="module:Class or file.py:Class of a Tenants, or a name in orbits.toml.")],
    *,
    selector: Annotated[
        str | None, typer.Option("-l", "--selector", help="Those with these labels: plan=large,region!=eu.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the tenants as the source has them now, with what the last roll-out left of each."""
    rows = asyncio.run(_rows(spec, selector))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("tenant", "labels", "account", "state", "revision"):
        table.add_column(name)
    for row in rows:
        labels = ", ".join(f"{name}={value}" for name, value in row["labels"].items())
        table.add_row(row["id"], labels, row["account"] or "-", row["state"], str(row["revision"] or "-"))
    Console().print(table)


async def _rows(spec: str, selector: str | None) -> list[dict[str, Any]]:
    from orbits_iac import Orbits, Settings
    from orbits_iac.provider import UsageError, kind_of, load
    from orbits_tenants.selector import Selector
    from orbits_tenants.sources.source import read
    from orbits_tenants.tenants import Tenants

    settings = Settings()
    cls = load(settings.stacks.get(spec, spec))
    if not issubclass(cls, Tenants):
        raise UsageError(f"{spec} is no Tenants: `orbits get` shows what is recorded of other stacks")
    chosen = None if selector is None else Selector(selector)
    found = await asyncio.to_thread(read, cls.source)
    if chosen is not None:
        found = chosen.chosen(found)
    last: Mapping[str, TenantReport] = {}
    folder = settings.folder()
    if folder is None or folder.is_dir():  # else nothing was ever run here, and looking must not make a store
        async with Orbits(settings, work=False) as orbits:
            with suppress(UsageError):  # never rolled out
                last = (await orbits.record(cls, kind_of(cls)).outputs()).tenants
    return [
        {
            "id": tenant.id,
            "labels": dict(tenant.labels),
            "account": last[tenant.id].account if tenant.id in last else None,
            "state": last[tenant.id].state.value if tenant.id in last else "new",
            "revision": last[tenant.id].revision if tenant.id in last else None,
        }
        for tenant in found
    ]
