"""`orbits tenants show`: all that is recorded of one tenant."""

import asyncio
import json

import typer

from orbits_tenants.cli.options import AsJson, Id, Recorded


def command(fleet: Recorded, tenant: Id, *, as_json: AsJson = False) -> None:
    """Show how one tenant stands: what it is, its services, its drift, and what the last roll-out did to it."""
    from orbits_iac.provider import UsageError
    from orbits_tenants.cli.subject import recorded

    found = asyncio.run(recorded(fleet, None))
    member = next((one for one in found.members if one.id == tenant), None)
    if member is None:
        raise UsageError(f"nothing is recorded of a tenant {tenant!r} in {found.name}: `orbits tenants list` shows all")
    if as_json:
        from orbits_tenants.reporting.document import of_member

        typer.echo(json.dumps(of_member(member), ensure_ascii=False, indent=2))
        return
    from orbits_iac.provider import console
    from orbits_tenants.reporting.sheet import Sheet

    console().print(Sheet(member, found.at, found.shared))
