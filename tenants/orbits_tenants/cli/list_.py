"""`orbits tenants list`: who is in a fleet, by its source and by what people have decided, and how each stands."""

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from orbits_tenants.cli.options import AsJson, Fleet, Select

if TYPE_CHECKING:
    from orbits_tenants.fleet import Member
    from orbits_tenants.recorded import Known
    from orbits_tenants.tenant import Tenant

_SHOWN = ("tenant", "labels", "account", "state", "revision")


def command(fleet: Fleet, *, selector: Select = None, as_json: AsJson = False) -> None:
    """List who is in the fleet by its source and by what was decided, with how each stands."""
    rows = asyncio.run(_rows(fleet, selector))
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    from orbits_iac.provider import console

    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in (*_SHOWN, "") if any(row["why"] for row in rows) else _SHOWN:
        table.add_column(name)
    for row in rows:
        labels = ", ".join(f"{name}={value}" for name, value in row["labels"].items())
        revision = "-" if row["revision"] is None else str(row["revision"])
        cells = (row["id"], labels, row["account"] or "-", row["state"], revision, row["why"])
        table.add_row(*(Text(cell) for cell in cells[: len(table.columns)]))
    console().print(table)


async def _rows(spec: str, selector: str | None) -> list[dict[str, Any]]:
    from orbits_iac import Settings
    from orbits_tenants.cli.subject import known, named
    from orbits_tenants.selector import Selector
    from orbits_tenants.sources.source import read

    settings = Settings()
    fleet = named(spec, settings)
    chosen = None if selector is None else Selector(selector)
    listed = {tenant.id: tenant for tenant in await asyncio.to_thread(read, fleet.source)}
    before, stand = await known(fleet, settings)
    everybody = [*listed.values(), *_beside(listed.keys(), before)]
    meant = everybody if chosen is None else chosen.chosen(everybody)
    return [_row(one, one.id in listed, before, stand.get(one.id)) for one in meant]


def _beside(listed: Iterable[str], before: "Known") -> "list[Tenant]":
    """Those whom the source does not have: added by somebody, or known from before and removed by nobody."""
    from orbits_tenants.report import TenantState
    from orbits_tenants.tenant import Tenant

    ended = {id_ for id_, one in before.report.tenants.items() if one.state is TenantState.ENDED}
    gone = {*listed, *ended, *before.decided.removed}
    there = {id_: one for id_, one in {**before.tenants, **before.added}.items() if id_ not in gone}
    return [
        Tenant.model_construct(id=id_, name=one.get("name", ""), labels=one.get("labels", {}))  # it was one before
        for id_, one in there.items()
    ]


def _row(tenant: "Tenant", listed: bool, before: "Known", stands: "Member | None") -> dict[str, Any]:
    """A tenant in JSON's own types; what was decided about it since the last roll-out counts."""
    from orbits_tenants.report import TenantState

    last, decided = before.report.tenants.get(tenant.id), before.decided
    about = decided.about(tenant)
    state, why = (stands.state if stands is not None else "new"), ""
    if last is not None and state == TenantState.PAUSED:
        why = last.error or ""
    if stone := decided.removed.get(tenant.id):
        state, why = "removed", f"by {stone.who}{f': {stone.why}' if stone.why else ''}"
    elif about.paused:
        state, why = TenantState.PAUSED.value, about.paused
    elif not listed and tenant.id not in before.added:
        state = TenantState.VANISHED.value
    if about.pinned:
        why = "; ".join([*([why] if why else []), f"pinned: {', '.join(sorted(about.pinned))}"])
    return {
        "id": tenant.id,
        "labels": dict(tenant.labels),
        "account": stands.account if stands is not None else None,
        "state": state,
        "revision": stands.revision if stands is not None else None,
        "why": why,
    }
