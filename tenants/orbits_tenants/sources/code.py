"""Tenants that the project's own code names: a list, or a function that makes one."""

from collections.abc import Callable, Iterable, Sequence

from pydantic import ValidationError

from orbits_iac.provider import UsageError
from orbits_tenants.sources.source import Source, explain
from orbits_tenants.tenant import Tenant


class ListSource(Source):
    """Tenants that stand in the code, as ids or as `Tenant`s."""

    def __init__(self, tenants: Iterable[Tenant | str]) -> None:
        self._given = tuple(tenants)

    def read(self) -> Sequence[Tenant]:
        """The list; UsageError if an id is none."""
        return _tenants(self._given, "the list of tenants")


class FunctionSource(Source):
    """Tenants that a function returns, as ids or as `Tenant`s: from a database of your own, say.

    It is called each time that the list is read, in a thread.
    """

    def __init__(self, function: Callable[[], Iterable[Tenant | str]]) -> None:
        self._function = function

    @property
    def name(self) -> str:
        return f"{getattr(self._function, '__qualname__', repr(self._function))}()"

    def read(self) -> Sequence[Tenant]:
        """What the function returns now; UsageError if it raises, or if something of it is no tenant."""
        try:
            given = tuple(self._function())
        except Exception as error:
            raise UsageError(f"the tenants of {self.name} cannot be read: {type(error).__name__}: {error}") from error
        return _tenants(given, f"the tenants of {self.name}")


def _tenants(given: Iterable[Tenant | str], of: str) -> Sequence[Tenant]:
    found: list[Tenant] = []
    for number, one in enumerate(given, start=1):
        try:
            found.append(one if isinstance(one, Tenant) else Tenant(id=one))
        except ValidationError as error:
            raise UsageError(f"{of}, entry {number}: {explain(error)}") from error
    return found
