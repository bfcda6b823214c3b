"""`orbits tenants show`: all that is recorded of one tenant."""

import asyncio
import json

import typer

from orbits_tenants.cli.options import AsJson, Id, Recorded


def command(fleet: Recorded, tenant: Id, *, as_json: AsJson = False) -> None:
    """Show how one tenant stands: what it is, its services, its drift, and what the last roll-out did to it.

    Of one that was removed: the certificate of that, if there is one.
    """
    from orbits_iac.provider import UsageError
    from orbits_tenants.cli.subject import certificate, recorded

    found, kept = asyncio.run(recorded(fleet, None)), asyncio.run(certificate(fleet, tenant))
    member = next((one for one in found.members if one.id == tenant), None)
    if kept is not None and member is not None and member.revision is not None:
        kept = None  # it has come back since
    if member is None and kept is None:
        raise UsageError(f"nothing is recorded of a tenant {tenant!r} in {found.name}: `orbits tenants list` shows all")
    if as_json:
        from orbits_tenants.reporting.document import of_member

        said = of_member(member) if member is not None else {"id": tenant}
        certified = None if kept is None else json.loads(kept.model_dump_json())
        typer.echo(json.dumps({**said, "certificate": certified}, ensure_ascii=False, indent=2))
        return
    from orbits_iac.provider import console
    from orbits_tenants.reporting.sheet import Sheet

    if member is not None:
        console().print(Sheet(member, found.at, found.shared))
    if kept is not None:
        console().print(kept)
