"""Making a certificate: looks for all that a tenant was made of, and says what is gone, what stays, and why.

What always holds: nothing is certified as removed that was not looked for, where it can be (`inventory`). Called by
`removal`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from shlex import quote

from orbits_iac import Orbits
from orbits_iac.provider import RecordId, RecordRow, Thing, standing, users_of
from orbits_tenants.amounts import few
from orbits_tenants.certificate import Certificate, TenantCertificate
from orbits_tenants.inventory import Inventory, inventory
from orbits_tenants.tenant import Tenant

_NAMED = 3  # users of a thing that are named


async def certify_to(
    orbits: Orbits, said: Mapping[str, str], known: Sequence[Thing], was: Tenant | None, left: Sequence[str]
) -> Certificate:
    """Look for what is gone, certify it, and keep that.

    Args:
        orbits: what is asked.
        said: whom it is about, who decided it and why, and the execution that did it.
        known: all that it was made of.
        was: the tenant; None if that is not known.
        left: what stays, as far as the execution has said it, each with why.

    """
    stand = await standing(orbits, known)
    gone = [one for one in known if one.record not in stand]
    found = await inventory(orbits, gone, was.targets if was is not None else ())
    there = [f"{name}: its record is gone, and yet: {what}" for name, what in found.there.items()]
    certificate = Certificate(
        **said,
        at=datetime.now(UTC),
        removed={str(one): one.revision for one in gone if str(one) in found.gone | found.alone},
        stays=[*left, *await _others(orbits, known, stand, left), *there],
        unsure=found.unknown,
        tagged=found.tagged,
        checked=_checked(known, stand, found),
    )
    await orbits.run(TenantCertificate(certificate=certificate))
    return certificate


async def _others(
    orbits: Orbits, known: Sequence[Thing], stand: Collection[RecordId], said: Sequence[str]
) -> list[str]:
    """What else stands of all that is known, each with why, as far as nothing was `said` of it."""
    found = [one for one in known if one.record in stand and not any(str(one) in line for line in said)]
    return [f"{one}: {await _why_it_stands(orbits, one.record)}" for one in found]


async def _why_it_stands(orbits: Orbits, record: RecordId) -> str:
    row = await orbits.store.get(RecordRow, *record)
    users = [] if row is None else [one for one in await users_of(orbits.store, row) if one != "direct"]
    if users:
        return f"{few(users, _NAMED)} use{'s' if len(users) == 1 else ''} it, too"
    if row is not None and row.users:
        return "somebody has asked for it by itself, too"
    return f"nobody uses it any more: `orbits uninstall {record.kind} {quote(record.identity)}` removes it"


def _checked(known: Sequence[Thing], stand: Collection[RecordId], found: Inventory) -> list[str]:
    """How it was found out, in lines for people."""
    looked = len(found.gone) + len(found.there) + len(found.unknown)
    said = [f"records: of {len(known)} things that stood, {len(stand)} stand"]
    if looked:
        said.append(f"live: of {looked} things that were to be looked for, {len(found.gone)} are gone")
    if found.alone:
        said.append(f"by the record alone: {len(found.alone)}, with nothing of their own to look for")
    return [*said, *found.asked]
