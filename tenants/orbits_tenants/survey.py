"""A survey of what runs of a fleet's tenants already, before anything of it is recorded: by reading alone.

It brings together who is in the fleet, what is found of them, and what a preview says of taking that in. Called by
`orbits tenants import`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac.provider import Existing, RecordId, RecordRow, UsageError, explain, kind_of
from orbits_tenants.decisions import Decided, TenantDecisions
from orbits_tenants.finding import Found, Sought, find
from orbits_tenants.outcome import said_of
from orbits_tenants.prospects import Outlook, Prospect, judged, prospect
from orbits_tenants.releases import last_release
from orbits_tenants.sources.source import read
from orbits_tenants.tenants import Tenants

if TYPE_CHECKING:
    from orbits_iac import Orbits, Resource
    from orbits_tenants.tenant import Tenant


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What there is.

    Attributes:
        prospects: what becomes of each tenant that is meant, in their order.
        nobodys: what is called so, or was spread, and is no tenant's.
        intake: the fleet that takes in what can be recorded; None if nothing can.

    """

    prospects: Sequence[Prospect]
    nobodys: Sequence[Existing]
    intake: Tenants[Any] | None


async def survey(
    orbits: "Orbits", cls: type[Tenants[Any]], given: Mapping[str, Any], sought: Sequence[Sought], only: Sequence[str]
) -> Survey:
    """What there is of the tenants that are meant; `given`: fields of the fleet, over those of its last release."""
    fleet = await _fleet(orbits, cls, given)
    tenants = await _members(orbits, cls)
    known = {tenant.id for tenant in tenants}
    if unknown := ", ".join(id_ for id_ in only if id_ not in known):
        raise UsageError(f"--only: the fleet has no {unknown}")
    found, nobodys = await find(sought, tenants, set(only) or known, project=orbits.settings.project)
    prospects = [await _prospect(orbits, fleet, one) for one in found]
    if _names(prospects):
        step = fleet.model_copy(update={"importing": _names(prospects)})
        held = {
            (place, row.called): RecordId(row.kind, row.identity)
            for row in await orbits.store.find(RecordRow)
            if row.called and row.revision is not None
            for place in row.places.values()
        }
        prospects = judged(prospects, (await orbits.preview(step)).root, held)
    names = _names(prospects)
    at = {one.tenant.id: one.tenant.places for one in found if one.tenant.id in names}
    intake = fleet.model_copy(update={"importing": names, "found_at": at}) if names else None
    return Survey(prospects=prospects, nobodys=nobodys, intake=intake)


def _names(prospects: Sequence[Prospect]) -> dict[str, dict[str, str]]:
    """What is taken in, and by what names."""
    return {one.tenant: one.names for one in prospects if one.outlook is Outlook.FOUND}


async def _fleet(orbits: "Orbits", cls: type[Tenants[Any]], given: Mapping[str, Any]) -> Tenants[Any]:
    row = await orbits.store.get(RecordRow, kind_of(cls), kind_of(cls))
    stands = row is not None and row.revision is not None
    last = last_release(await orbits.record(cls, kind_of(cls)).history()) if stands else {}
    try:
        return cls.model_validate({**last, **given})
    except ValidationError as error:
        raise UsageError(f"{kind_of(cls)}: {explain(error)}") from error


async def _members(orbits: "Orbits", cls: type[Tenants[Any]]) -> "list[Tenant]":
    """Those whom the source has now and people have added, not removed; each with what was decided about it."""
    row = await orbits.store.get(RecordRow, kind_of(TenantDecisions), kind_of(cls))
    stands = row is not None and row.revision is not None
    decided = await orbits.record(TenantDecisions, kind_of(cls)).outputs() if stands else Decided()
    listed = await asyncio.to_thread(read, cls.source)
    return [decided.about(tenant) for tenant in decided.members(listed)]


async def _prospect(orbits: "Orbits", fleet: Tenants[Any], found: Found) -> Prospect:
    """What becomes of a tenant; whether one is recorded of which that is known by its place alone, a preview says."""
    try:
        stack: Resource[Any] = fleet.stack_of(found.tenant)
    except Exception as error:  # noqa: BLE001 - one tenant's stack that cannot be made stops no other
        return Prospect(tenant=found.tenant.id, outlook=Outlook.REFUSED, why=said_of(error))
    identity = stack.identity()
    row = None if identity is None else await orbits.store.get(RecordRow, kind_of(type(stack)), identity)
    return prospect(found, None if row is None else row.revision)
