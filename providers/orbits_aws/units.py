"""The units of an organization: which one an account is in, which one is meant by an id or a path, and moving.

A unit is named by its id (`ou-...`, or the root's `r-...`), or by the names on the way from the root: `Clients/Small`.
What always holds: an account is moved only from where it was just seen, and a move whose answer was lost is looked up.
Called by `account` and `organization_accounts`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orbits_aws.errors import AwsError, AwsRefused, NotThere
from orbits_iac.provider import Refused


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A unit, or the root."""

    id: str
    path: str  # the names on the way from the root, which is `/`
    within: frozenset[str]  # the ids of the units that it is in, with its own


_ID = re.compile(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|r-[0-9a-z]{4,32}")


def parent_of(organizations: Any, account: str) -> str:
    """The id of the unit, or of the root, that an account is in."""
    return str(organizations.list_parents(ChildId=account)["Parents"][0]["Id"])


def find_unit(organizations: Any, unit: str) -> str | None:
    """The id of a unit; None if a name on its path is not there."""
    if _ID.fullmatch(unit):
        return unit
    found: str | None = _root(organizations)
    for name in names_of(unit):
        found = None if found is None else _below(organizations, found, name)
    return found


def make_unit(organizations: Any, unit: str) -> str:
    """The id of the unit at a path, all on the way made that is not there. May be called again at any time."""
    if _ID.fullmatch(unit):
        return unit
    parent = _root(organizations)
    for name in names_of(unit):
        parent = _below(organizations, parent, name) or _made(organizations, parent, name)
    return parent


def path_of(organizations: Any, unit: str) -> str:
    """The path of a unit, for people; the root is `/`."""
    names: list[str] = []
    while not unit.startswith("r-"):
        described = organizations.describe_organizational_unit(OrganizationalUnitId=unit)["OrganizationalUnit"]
        names.insert(0, described["Name"])
        unit = parent_of(organizations, unit)
    return "/".join(names) or "/"


def all_units(organizations: Any) -> Sequence[Unit]:
    """The root and all units, each before those in it."""
    root = _root(organizations)
    found = [Unit(id=root, path="/", within=frozenset({root}))]
    for above in found:
        for unit in organizations.items(
            "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=above.id
        ):
            path = unit["Name"] if above.id == root else f"{above.path}/{unit['Name']}"
            found.append(Unit(id=unit["Id"], path=path, within=above.within | {unit["Id"]}))
    return found


def move_account(organizations: Any, account: str, to: str) -> None:
    """Move an account into a unit, unless it is there."""
    parent = parent_of(organizations, account)
    if parent == to:
        return
    try:
        organizations.move_account(AccountId=account, SourceParentId=parent, DestinationParentId=to)
    except NotThere as error:
        raise Refused(f"The account {account} cannot be moved into the unit {to}: {error}") from error
    except AwsError:
        if parent_of(organizations, account) != to:
            raise


def names_of(path: str) -> Sequence[str]:
    """The names on a path, without the root."""
    return [name for name in path.split("/") if name]


def _root(organizations: Any) -> str:
    return str(organizations.list_roots()["Roots"][0]["Id"])


def _below(organizations: Any, parent: str, name: str) -> str | None:
    units = organizations.items("list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent)
    return next((str(unit["Id"]) for unit in units if unit["Name"] == name), None)


def _made(organizations: Any, parent: str, name: str) -> str:
    try:
        answer = organizations.create_organizational_unit(ParentId=parent, Name=name)
    except AwsRefused as error:
        found = _below(organizations, parent, name) if error.code == "DuplicateOrganizationalUnitException" else None
        if found is None:
            raise
        return found
    return str(answer["OrganizationalUnit"]["Id"])
