"""Tenants from several sources, one after the other."""

from collections.abc import Sequence

from orbits_iac.provider import UsageError
from orbits_tenants.sources.source import Source, given
from orbits_tenants.tenant import Tenant


class CombinedSource(Source):
    """The tenants of several sources, in the order in which these are given: the first ones are the canaries.

    All have to be readable: one that fails makes the list unusable, and not shorter.
    """

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    @property
    def name(self) -> str:
        return ", ".join(source.name for source in self._sources)

    def read(self) -> Sequence[Tenant]:
        """Their tenants; UsageError if one of them is named twice."""
        found: dict[str, tuple[Tenant, str]] = {}
        for source in self._sources:
            for tenant in given(source):
                if tenant.id in found:
                    raise UsageError(
                        f"tenant {tenant.id!r} is there twice, in {found[tenant.id][1]} and in {source.name}: take one "
                        f"away, or give it an id of its own"
                    )
                found[tenant.id] = (tenant, source.name)
        return [tenant for tenant, _ in found.values()]

    def place(self, tenant: str) -> str:
        """The place in the source that has it."""
        having = (source for source in self._sources if any(one.id == tenant for one in given(source)))
        return next((source.place(tenant) for source in having), self.name)
