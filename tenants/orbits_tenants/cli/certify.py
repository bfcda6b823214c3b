"""`orbits tenants certify`: the certificate of a tenant that has ended by its expiry."""

import asyncio
from typing import TYPE_CHECKING

from orbits_tenants.cli.certified import Out, check, say
from orbits_tenants.cli.options import AsJson, Fleet, Id

if TYPE_CHECKING:
    from orbits_tenants.certificate import Certificate


def command(fleet: Fleet, tenant: Id, *, out: Out = None, as_json: AsJson = False) -> None:
    """Certify that a tenant that has ended by its expiry is gone: all that it was made of is looked for now."""
    check(out)
    say(asyncio.run(_certify(fleet, tenant)), out, as_json=as_json)


async def _certify(spec: str, tenant: str) -> "Certificate":
    from orbits_iac import Orbits, Settings
    from orbits_tenants.cli.subject import named
    from orbits_tenants.removal import certify

    settings = Settings()
    fleet = named(spec, settings)
    async with Orbits(settings) as orbits:
        return await certify(orbits, fleet, tenant)
