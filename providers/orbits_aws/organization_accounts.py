"""OrganizationAccounts: the accounts of the organization as a list of tenants, for a source that calls a function.

What always holds: an account is left out because of its unit or its tags, as it was asked for, and for nothing else.
One that is suspended or being closed is in the list and says so; one that was moved while the list was read makes it
be read again.
"""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar

from orbits_aws.clients import management_client
from orbits_aws.errors import AccessDenied, AwsError, AwsUnavailable
from orbits_aws.organization import Found, all_accounts, management_of, tags_of_account
from orbits_aws.regions import as_region
from orbits_aws.tagged import users_tags
from orbits_aws.targets import REGION, ROLE, AwsTarget
from orbits_aws.units import Unit, all_units, names_of
from orbits_iac.provider import Refused, UsageError

_READINGS = 3  # of a list that changes while it is read
_AT_ONCE = 8  # accounts whose tags are read at a time
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")  # what a tenant may be called


@dataclass(frozen=True, kw_only=True)
class _Placed:
    """An account, and the unit that it is in."""

    found: Found
    unit: Unit


class OrganizationAccounts:
    """The member accounts of the organization, each as the fields of a tenant: called, it reads them as they are now.

        source = FunctionSource(OrganizationAccounts(units=["Clients"], tags={"plan": "large"}))

    A tenant's id is the account's name, or the value of its tag `id_tag`; its name is the account's, and its target is
    in the account, which so never changes under its id. Its labels are the account's tags, those of AWS and Orbits
    apart, and, whatever tags may be called the same: `account`, its id; `account-status`, as AWS Organizations says it
    (ACTIVE, SUSPENDED, PENDING_CLOSURE, ...); `unit`, the path of its unit (`Clients/Small`, or `/` for the root). They
    come in the order of their ids; the management account is none of them.

    It is read with the management credentials, as `[aws]` of orbits.toml says them: two calls for each unit of the
    organization, and one for each account that is meant. Calling it raises AwsError where AWS does, and Refused for
    what is not there or cannot be a tenant.

    Attributes:
        units: those in these units, or in units below them, by path or id; without any, in all of the organization.
        tags: those that have all of these tags.
        id_tag: the tag whose value is the tenant's id.
        region: the region of the tenants' targets.
        role: the role in the accounts that is assumed there.

    """

    uses_management: ClassVar[bool] = True

    def __init__(
        self,
        *,
        units: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        id_tag: str | None = None,
        region: str = REGION,
        role: str = ROLE,
    ) -> None:
        if isinstance(units, str):
            raise UsageError(f"OrganizationAccounts(units={units!r}): give a list, as in units=[{units!r}]")
        try:
            as_region(region)
        except ValueError as error:
            raise UsageError(f"OrganizationAccounts(region=...): {error}") from error
        self.units, self.tags, self.id_tag = tuple(units), dict(tags or {}), id_tag
        self.region, self.role = region, role

    def __repr__(self) -> str:
        given = {"units": list(self.units), "tags": self.tags, "id_tag": self.id_tag}
        return f"OrganizationAccounts({', '.join(f'{name}={value!r}' for name, value in given.items() if value)})"

    def __call__(self) -> list[dict[str, Any]]:
        """The accounts that are meant, as they are now."""
        organizations = management_client("organizations", self)
        try:
            return self._entries(organizations)
        except AccessDenied as error:
            asks = f"{self._caller()} asked, who needs organizations:Describe* and organizations:List*"
            raise error.with_more(asks) from error

    def _entries(self, organizations: Any) -> list[dict[str, Any]]:
        accounts = self._in_units(*_read(organizations), management_of(organizations))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            tags = list(pool.map(lambda one: tags_of_account(organizations, one.found.account), accounts))
        self._refuse_unknown(tags)
        meant: dict[str, tuple[_Placed, Mapping[str, str]]] = {}
        for account, its in zip(accounts, tags, strict=True):
            if not self.tags.items() <= its.items():
                continue
            tenant = self._tenant(account, its)
            if tenant in meant:
                raise Refused(
                    f"The accounts {meant[tenant][0].found.account} and {account.found.account} would both be the "
                    f"tenant {tenant!r}: rename one, or give each a tag with its tenant's id, and name that as id_tag"
                )
            meant[tenant] = (account, its)
        if not meant:
            raise Refused(f"no account of the organization is meant by {self!r}")
        return [{"id": tenant, **self._fields(*meant[tenant])} for tenant in sorted(meant)]

    def _in_units(self, units: Sequence[Unit], accounts: Sequence[_Placed], management: str) -> list[_Placed]:
        """The accounts in the units that are meant, without the management account."""
        wanted = {_unit(units, unit) for unit in self.units}
        members = [one for one in accounts if one.found.account != management]
        return [one for one in members if not wanted or wanted & one.unit.within]

    def _refuse_unknown(self, tags: Sequence[Mapping[str, str]]) -> None:
        """A tag that is misspelt would choose nobody."""
        known = sorted({name for its in tags for name in its})
        for name in (*self.tags, *([self.id_tag] if self.id_tag is not None else [])):
            if tags and name not in known:
                raise Refused(f"No account that {self!r} looks at has a tag {name}; there are: {', '.join(known)}")

    def _tenant(self, account: _Placed, tags: Mapping[str, str]) -> str:
        name = account.found.name
        if self.id_tag is None:
            if not _TENANT.fullmatch(name):
                raise Refused(
                    f"The account {account.found.account} is called {name!r}, and a tenant cannot be: give the "
                    f"accounts a tag with their tenant's id (letters, digits, dots, hyphens, underscores), and its "
                    f"name as id_tag"
                )
            return name
        tenant = tags.get(self.id_tag)
        if tenant is None or not _TENANT.fullmatch(tenant):
            has = "has no tag" if tenant is None else f"has {tenant!r}, which no tenant can be called, as its tag"
            raise Refused(
                f"The account {account.found.account} ({name}, in {account.unit.path}) {has} {self.id_tag}, which is "
                f"to be its tenant's id: tag it, or keep it out by units= or tags="
            )
        return tenant

    def _fields(self, account: _Placed, tags: Mapping[str, str]) -> dict[str, Any]:
        labels = {
            **users_tags(tags),
            "account": account.found.account,
            "account-status": account.found.status,
            "unit": account.unit.path,
        }
        target = AwsTarget(account=account.found.account, region=self.region, role=self.role)
        return {"name": account.found.name, "labels": labels, "targets": [target]}

    def _caller(self) -> str:
        """Who it is that may not do this: everybody may ask that."""
        try:
            return str(management_client("sts", self).get_caller_identity()["Arn"])
        except AwsError:
            return "the management credentials"


def _read(organizations: Any) -> tuple[Sequence[Unit], Sequence[_Placed]]:
    """All units, and all accounts with theirs.

    An account that is moved from a unit that comes later into one that was looked at would be in neither: so the whole
    organization is read, and again if not each account is in exactly one unit.
    """
    for _ in range(_READINGS):
        units = all_units(organizations)
        within = [
            (str(account["Id"]), unit)
            for unit in units
            for account in organizations.items("list_accounts_for_parent", "Accounts", ParentId=unit.id)
        ]
        known = {found.account: found for found in all_accounts(organizations)}
        if sorted(account for account, _ in within) == sorted(known):
            return units, [_Placed(found=known[account], unit=unit) for account, unit in within]
    raise AwsUnavailable(
        f"The accounts of the organization were moved while they were read, {_READINGS} times: try again when that is "
        f"over"
    )


def _unit(units: Sequence[Unit], wanted: str) -> str:
    """The id of a unit that is given by its path or id."""
    path = "/" if wanted == "/" else "/".join(names_of(wanted))
    found = [unit.id for unit in units if wanted == unit.id or path == unit.path]
    if len(found) != 1:
        there = ", ".join(unit.path for unit in units)
        many = "several units" if found else "no unit"
        raise Refused(f"The organization has {many} {wanted!r}; there are: {there}")
    return found[0]
