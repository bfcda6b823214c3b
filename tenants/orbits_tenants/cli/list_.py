"""`orbits tenants list`: the tenants as the source has them now and as the last roll-out left them."""

import asyncio
import json
from typing import Any

import typer

from orbits_tenants.cli.options import AsJson, Fleet, Select


def command(fleet: Fleet, *, selector: Select = None, as_json: AsJson = False) -> None:
    """List the tenants as the source has them now, with what the last roll-out left of each."""
    rows = asyncio.run(_rows(fleet, selector))
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
    from orbits_iac import Settings
    from orbits_tenants.cli.subject import last_reports, members, named

    settings = Settings()
    fleet = named(spec, settings)
    found = await members(fleet, selector)
    last = await last_reports(fleet, settings)
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
