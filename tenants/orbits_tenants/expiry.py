"""Expiry: which tenants have ended by themselves, and which of them a roll-out removes. Pure.

What always holds: one is removed only if it was known to expire then before it did, so that no list removes anybody by
a date that it brings, now or later; nobody is who is paused, or whose window is closed; and at most so many are in one
roll-out.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orbits_tenants.amounts import amount
from orbits_tenants.membership import Listing
from orbits_tenants.tenant import Tenant


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """Who goes on; who ends now, or has ended; and who stays for now though it is said to have expired, with why."""

    present: tuple[Tenant, ...]
    ending: tuple[Tenant, ...]
    kept: tuple[tuple[Tenant, str], ...]


def expiry(
    listing: Listing,
    tenants: Sequence[Tenant],
    known: Mapping[str, Tenant],
    gone: Container[str],
    left: Mapping[str, str],
    now: datetime,
) -> Expiry:
    """Sort out those of these that have expired.

    Args:
        listing: how many may be removed.
        tenants: as the source has them now.
        known: as they were said to be before.
        gone: those of which nothing stands any more.
        left: those that are not to be changed now, and why.
        now: the time.

    """
    most = max(1, int(amount(listing.most_removals, len(tenants), "Listing(most_removals=...)")))
    present: list[Tenant] = []
    ending: list[Tenant] = []
    kept: list[tuple[Tenant, str]] = []
    for tenant in tenants:
        before = known.get(tenant.id)
        if not tenant.has_ended(now):
            present.append(tenant)
        elif before is None or before.expires != tenant.expires:
            why = f"the source says that it has expired at {tenant.expires}, which was not known before"
            kept.append((tenant.model_copy(update={"expires": before and before.expires}), why))
        elif tenant.id in gone:
            ending.append(tenant)
        elif tenant.id in left:
            kept.append((tenant, f"it has expired, and {left[tenant.id]}"))
        elif sum(one.id not in gone for one in ending) == most:
            kept.append((tenant, f"it has expired, and at most {listing.most_removals} are removed in one roll-out"))
        else:
            ending.append(tenant)
    return Expiry(present=tuple(present), ending=tuple(ending), kept=tuple(kept))
