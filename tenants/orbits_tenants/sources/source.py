"""Source: what whoever has a list of clients somewhere implements, and how one is read."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pydantic import ValidationError

from orbits_iac.provider import UsageError
from orbits_tenants.tenant import Tenant


class Source(ABC):
    """Where tenants come from; implemented by whoever has a list of clients somewhere."""

    @property
    def name(self) -> str:
        """What it is called where something is wrong with it."""
        return type(self).__name__

    @abstractmethod
    def read(self) -> Sequence[Tenant]:
        """The tenants, now, in the order in which they are rolled out: the first ones are the canaries.

        Called in a thread, possibly several times. Raises UsageError where the list is not usable.
        """


def read(source: Source) -> tuple[Tenant, ...]:
    """What the source has now; UsageError if that is nobody, or names somebody twice."""
    found: dict[str, Tenant] = {}
    for tenant in source.read():
        if tenant.id in found:
            raise UsageError(f"the source names tenant {tenant.id!r} twice: give each tenant an id of its own")
        found[tenant.id] = tenant
    if not found:
        raise UsageError("the source names no tenant: a roll-out needs at least one")
    return tuple(found.values())


def explain(error: ValidationError) -> str:
    """What is wrong with a tenant, field by field."""
    known = ", ".join(Tenant.model_fields)
    said = [
        f"unknown field {wrong['loc'][0]!r} (there are: {known})"
        if wrong["type"] == "extra_forbidden"
        else f"{'.'.join(map(str, wrong['loc'])) or 'tenant'}: {wrong['msg']}, got {wrong['input']!r}"
        if wrong["type"] != "missing"
        else f"{'.'.join(map(str, wrong['loc']))}: is missing"
        for wrong in error.errors()
    ]
    return "; ".join(said)
