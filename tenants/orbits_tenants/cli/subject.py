"""The fleet that a command is about: its class, who is known of it, and how it stands by what is recorded.

Each command reads it so.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orbits_iac import Settings
    from orbits_tenants.certificate import Certificate
    from orbits_tenants.fleet import Fleet, Member
    from orbits_tenants.recorded import Known
    from orbits_tenants.tenants import Tenants


def named(spec: str, settings: "Settings") -> "type[Tenants[Any]]":
    """The class of a fleet; UsageError for what is none."""
    from orbits_iac.provider import UsageError, load
    from orbits_tenants.tenants import Tenants

    cls = load(settings.stacks.get(spec, spec))
    if not issubclass(cls, Tenants):
        raise UsageError(f"{spec} is no Tenants: `orbits get` shows what is recorded of other stacks")
    return cls


async def known(fleet: "type[Tenants[Any]]", settings: "Settings") -> "tuple[Known, Mapping[str, Member]]":
    """Who is known of the fleet from its last roll-out, and what was decided since; and how each stands, by its id.

    Nobody if there is no store, and none stands if the fleet was never rolled out.
    """
    from orbits_iac.provider import RecordRow, exists, kind_of, reading
    from orbits_tenants import recorded, standing

    if not exists(settings.store) or settings.store.startswith("memory:"):  # nothing was ever run here
        return recorded.Known(), {}
    kind = kind_of(fleet)
    async with reading(settings.store) as store:
        before = await recorded.known(store, kind)
        if await store.get(RecordRow, kind, kind) is None:
            return before, {}
        found = await standing.read(store, kind, now=time.time())
    return before, {one.id: one for one in found.members}


def named_or_kind(spec: str, settings: "Settings") -> "type[Tenants[Any]] | str":
    """The class of a fleet, if that is what was named; else it is the kind of what is recorded."""
    return named(spec, settings) if ":" in spec or spec in settings.stacks else spec


async def recorded(spec: str, selector: str | None) -> "Fleet":
    """How the fleet stands, by what is recorded of it; those of its tenants that are meant."""
    from orbits_iac import Settings
    from orbits_iac.provider import kind_of, reading
    from orbits_tenants.selector import Selector
    from orbits_tenants.standing import read

    settings = Settings()
    chosen = None if selector is None else Selector(selector)
    meant = named_or_kind(spec, settings)
    kind = meant if isinstance(meant, str) else kind_of(meant)
    async with reading(settings.store) as store:
        fleet = await read(store, kind, now=time.time())
    if chosen is None:
        return fleet
    return fleet.of(chosen.chosen(fleet.members))


async def certificate(spec: str, tenant: str) -> "Certificate | None":
    """The certificate that is kept of a tenant of the fleet that was removed; None if there is none."""
    from orbits_iac import Settings
    from orbits_iac.provider import kind_of, reading
    from orbits_tenants.certificate import kept

    settings = Settings()
    meant = named_or_kind(spec, settings)
    async with reading(settings.store) as store:
        return await kept(store, meant if isinstance(meant, str) else kind_of(meant), tenant)
