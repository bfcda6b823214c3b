"""Tenants that the project's own code names: a list, or a function that makes one."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orbits_iac.provider import UsageError
from orbits_tenants.sources.entries import Entry, numbered, tenants_of
from orbits_tenants.sources.source import PASSED_ON, Source, in_short
from orbits_tenants.tenant import Tenant


class ListSource(Source):
    """Tenants that stand in the code: as ids, as `Tenant`s, or by their fields."""

    def __init__(self, tenants: Iterable[Entry]) -> None:
        self._given = tuple(tenants)

    @property
    def name(self) -> str:
        return "the list of tenants"

    def read(self) -> Sequence[Tenant]:
        """The list; UsageError if one of it is no tenant, or is there twice."""
        return tenants_of(self.name, numbered(self._given))


class FunctionSource(Source):
    """Tenants that a function returns, as ids, as `Tenant`s, or by their fields: from a database of your own, say.

    It is called each time that the list is read, in a thread. What it returns is checked as a file is.
    """

    def __init__(self, function: Callable[[], Iterable[Entry]]) -> None:
        self._function = function

    @property
    def name(self) -> str:
        named = getattr(self._function, "__qualname__", None)
        return repr(self._function) if named is None else f"{named}()"

    def read(self) -> Sequence[Tenant]:
        """What the function returns now; UsageError if it raises, or if something of it is no tenant."""
        if inspect.iscoroutinefunction(self._function):
            raise UsageError(f"{self.name} is an async function: a list of tenants is read by a plain one, in a thread")
        try:
            answer: Any = self._function()
            if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes, Mapping)):
                raise UsageError(f"{self.name} returned a {type(answer).__name__}, and no list of tenants")
            given = tuple(answer)
        except (UsageError, *PASSED_ON):
            raise
        except BaseException as error:
            raise UsageError(f"{self.name} cannot be read: {in_short(error)}") from error
        return tenants_of(self.name, numbered(given))
