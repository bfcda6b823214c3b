"""The entries of a list made tenants: what all sources have in common that are not written as `Tenant`s.

What always holds: as many tenants come out as entries went in. One that is no tenant, or is there twice, makes the
whole list unusable, and never shorter. Called by the modules of the sources.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from typing import Any

from pydantic import SecretStr, ValidationError

from orbits_iac.provider import UsageError
from orbits_tenants.sources.source import explain, refuse_wrong
from orbits_tenants.tenant import Tenant

Entry = Tenant | str | Mapping[str, Any]
"""What one tenant may be given as: itself, its id alone, or its fields."""

MadeOf = Callable[[Any], Entry]
"""What makes an entry of something that has fields of its own: a document of a database, say."""


def tenants_of(source: str, entries: Iterable[tuple[str, Any]]) -> tuple[Tenant, ...]:
    """The tenants of a source's entries, each given with its place there: `line 3`, say.

    UsageError names the source, and of each that is wrong the place, the tenant and the field, and the place of both
    where a tenant is there twice. There may be none at all.
    """
    found: dict[str, tuple[Tenant, str]] = {}
    wrong: list[str] = []
    for place, entry in entries:
        try:
            tenant = _tenant(f"{source}, {place}", entry)
        except UsageError as error:
            wrong.append(str(error))
            continue
        if tenant.id in found:
            wrong.append(
                f"{source}, {place}: tenant {tenant.id!r} is there twice, first in {found[tenant.id][1]}: take one "
                f"away, or give it an id of its own"
            )
        found.setdefault(tenant.id, (tenant, place))
    refuse_wrong(wrong)
    return tuple(tenant for tenant, _ in found.values())


def numbered(entries: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    """Entries with their places, where these are numbers: `entry 1`, and so on."""
    return ((f"entry {number}", entry) for number, entry in enumerate(entries, start=1))


def id_of(entry: Any) -> Any:
    """What an entry says that its id is: itself, or its field."""
    return entry.get("id") if isinstance(entry, Mapping) else entry


def refuse_empty(source: str, tenants: tuple[Tenant, ...]) -> tuple[Tenant, ...]:
    """The tenants; UsageError if there are none, which of a list that stands elsewhere is more often a mistake."""
    if not tenants:
        raise UsageError(f"{source}: the list of tenants is empty: name at least one")
    return tenants


def made(where: str, value: Any, by: MadeOf | None) -> Entry:
    """The entry that a user's function makes of a value, or the value itself; UsageError if the function fails."""
    if by is None:
        return value  # type: ignore[no-any-return]  # whatever it is, `tenants_of` looks at it
    try:
        return by(value)
    except Exception as error:
        raise UsageError(
            f"{where}: {_named(by)} cannot make a tenant of it: {type(error).__name__}: {error}"
        ) from error


def _tenant(where: str, entry: Any) -> Tenant:
    if isinstance(entry, Tenant):
        return entry
    given: Mapping[Any, Any] = entry if isinstance(entry, Mapping) else {"id": entry}
    named = f"tenant {id_!r}: " if isinstance(id_ := id_of(given), str) else ""
    try:
        tenant = Tenant.model_validate(given)
    except ValidationError as error:
        raise UsageError(f"{where}: {named}{explain(error)}") from error
    for field in ("overrides", "pinned"):
        for path, what in _not_kept(getattr(tenant, field), field):
            raise UsageError(f"{where}: {named}{path}: {what} cannot be kept as it is: write it as text")
    return tenant


def _not_kept(value: Any, path: str) -> Iterable[tuple[str, str]]:
    """What of a value would not be the same after it was recorded, with the path to it."""
    match value:
        case None | bool() | int() | str() | date() | time() | SecretStr():
            return
        case float():
            if not math.isfinite(value):
                yield path, f"the number {value}"
        case Mapping():
            for key, inner in value.items():
                if not isinstance(key, str):
                    yield f"{path}.{key}", f"a key that is a {type(key).__name__}"
                yield from _not_kept(inner, f"{path}.{key}")
        case list() | tuple():
            for number, inner in enumerate(value):
                yield from _not_kept(inner, f"{path}.{number}")
        case _:
            yield path, f"a {type(value).__name__}"


def _named(function: Any) -> str:
    return f"{getattr(function, '__qualname__', type(function).__name__)}()"
