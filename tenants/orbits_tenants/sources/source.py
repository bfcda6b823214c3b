"""Source: what whoever has a list of clients somewhere implements, and how one is read."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from orbits_iac.provider import UsageError, in_words
from orbits_tenants.tenant import Tenant

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_LONGEST = 100  # characters of a value that are shown
_SAID = 10  # entries that are wrong, of which it is said what

PASSED_ON = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)
"""What is nobody's failure, wherever it is raised. SystemExit is one, in code that is asked who there is."""


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

    def place(self, tenant: str) -> str:
        """Where a tenant of this id stands, for people who have to mend it: at least the source."""
        return self.name


def read(source: Source) -> tuple[Tenant, ...]:
    """What the source has now; UsageError if that is nobody, or not usable."""
    found = given(source)
    if not found:
        raise UsageError(f"{source.name} names no tenant: a roll-out needs at least one")
    return found


def given(source: Source) -> tuple[Tenant, ...]:
    """What the source has now, though it may be nobody; UsageError names it where it fails or names somebody twice.

    A source may be anybody's: whatever it raises or returns, the list is never shorter than it should be.
    """
    try:
        answer = tuple(source.read())
    except (UsageError, *PASSED_ON):
        raise
    except BaseException as error:
        raise UsageError(f"{source.name} cannot be read: {in_short(error)}") from error
    places: dict[str, int] = {}
    for place, tenant in enumerate(answer, start=1):
        if not isinstance(tenant, Tenant):
            raise UsageError(f"{source.name}, entry {place}: read() gave a {type(tenant).__name__}, and no Tenant")
        if tenant.id in places:
            raise UsageError(
                f"{source.name}, entry {place}: tenant {tenant.id!r} is there twice, first in entry "
                f"{places[tenant.id]}: take one away, or give it an id of its own"
            )
        places[tenant.id] = place
    return answer


def in_short(error: BaseException) -> str:
    """The type of an error, and what it says if it says anything."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def refuse_wrong(wrong: Sequence[str]) -> None:
    """Raise UsageError if anything of a list is wrong: with a line for each, of many for the first."""
    if wrong:
        more = [f"and {len(wrong) - _SAID:,} more"] if len(wrong) > _SAID else []
        raise UsageError("\n".join([*wrong[:_SAID], *more]))


def explain(error: ValidationError) -> str:
    """What is wrong with a tenant, field by field."""
    found = error.errors()
    names = {one["loc"][:-1] for one in found if _is_of_name(one)}
    return "; ".join(_wrong(one) for one in found if one["loc"] not in names)  # of such a label, its name alone


def _wrong(error: "ErrorDetails") -> str:
    if _is_of_name(error):
        path = ".".join(map(str, error["loc"][:-2]))
        return f"{path}: the name {_shortened(repr(error['input']))} {in_words(error)}"
    path = ".".join(map(str, error["loc"])) or "tenant"
    if error["type"] == "missing":
        return f"{path}: {in_words(error)}"
    if error["type"] != "extra_forbidden":
        return f"{path}: {in_words(error)}, got {_shortened(repr(error['input']))}"
    if len(error["loc"]) > 1:
        return f"unknown field {path!r}"
    known = ", ".join(Tenant.model_fields)
    return f"unknown field {path!r} (there are: {known})"


def _is_of_name(error: "ErrorDetails") -> bool:
    """Whether a name that is no text is what is wrong: before `[key]` it stands as pydantic writes it."""
    return error["type"] == "string_type" and error["loc"][-1:] == ("[key]",)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
