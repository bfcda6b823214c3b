"""The fleet that a command is about: its class, who is in it now, and what was recorded of it.

Each command reads it so.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orbits_iac import Settings
    from orbits_tenants.fleet import Fleet
    from orbits_tenants.report import TenantReport
    from orbits_tenants.tenant import Tenant
    from orbits_tenants.tenants import Tenants


def named(spec: str, settings: "Settings") -> "type[Tenants[Any]]":
    """The class of a fleet; UsageError for what is none."""
    from orbits_iac.provider import UsageError, load
    from orbits_tenants.tenants import Tenants

    cls = load(settings.stacks.get(spec, spec))
    if not issubclass(cls, Tenants):
        raise UsageError(f"{spec} is no Tenants: `orbits get` shows what is recorded of other stacks")
    return cls


async def members(fleet: "type[Tenants[Any]]", selector: str | None) -> "tuple[Tenant, ...]":
    """The tenants as the source has them now, those that are meant."""
    from orbits_tenants.selector import Selector
    from orbits_tenants.sources.source import read

    chosen = None if selector is None else Selector(selector)
    found = await asyncio.to_thread(read, fleet.source)
    return found if chosen is None else chosen.chosen(found)


async def last_reports(fleet: "type[Tenants[Any]]", settings: "Settings") -> "Mapping[str, TenantReport]":
    """What the last roll-out left of each tenant, by its id; nothing if there was none."""
    from orbits_iac.provider import exists, kind_of, reading
    from orbits_tenants.recorded import last_report

    if not exists(settings.store) or settings.store.startswith("memory:"):  # nothing was ever run here
        return {}
    async with reading(settings.store) as store:
        return (await last_report(store, kind_of(fleet))).tenants


async def recorded(spec: str, selector: str | None) -> "Fleet":
    """How the fleet stands, by what is recorded of it; those of its tenants that are meant."""
    from orbits_iac import Settings
    from orbits_iac.provider import kind_of, reading
    from orbits_tenants.selector import Selector
    from orbits_tenants.standing import read
    from orbits_tenants.tenant import Tenant

    settings = Settings()
    chosen = None if selector is None else Selector(selector)
    known = ":" in spec or spec in settings.stacks
    kind = kind_of(named(spec, settings)) if known else spec
    async with reading(settings.store) as store:
        fleet = await read(store, kind, now=time.time())
    if chosen is None:
        return fleet
    meant = {one.id for one in chosen.chosen([Tenant(id=one.id, labels=one.labels) for one in fleet.members])}
    return fleet.of(one for one in fleet.members if one.id in meant)
