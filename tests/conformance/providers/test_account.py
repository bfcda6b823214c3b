"""AwsAccount, held to what every provider's Resource has to do: accounts, and the units that they are in."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orbits_aws import AwsAccount, OfflineAws, testing
from orbits_aws.clients import forget_sessions
from orbits_iac import Resource
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, theirs

EMAIL = "aws+acme@agency.example"


class AccountSubject(AwsSubject):
    """A member account of the organization; closing it is asked for by nobody here."""

    refused = ("organizations", "CreateOrganizationalUnit")
    residue = (("acme", EMAIL, "", True),)

    def __init__(self, aws: OfflineAws) -> None:
        self.aws, self.target = aws, None
        aws.settings(account_polls=1)

    def first(self) -> Resource[Any]:
        return AwsAccount(name="acme", email=EMAIL, unit="/", services=())

    def changed(self) -> Resource[Any]:
        return AwsAccount(name="acme", email=EMAIL, unit="Large", make_unit=True, services=())

    def by_hand(self) -> None:
        self._create()

    def stands(self) -> Any:
        members = [one for one in self._organizations.list_accounts()["Accounts"] if one["Id"] != testing.MANAGEMENT]
        found = [(one["Name"], one["Email"], self._unit(one["Id"]), self._has_role(one["Id"])) for one in members]
        return tuple(sorted(found)) or None

    def restore(self, snapshot: bytes, /) -> None:
        super().restore(snapshot)
        forget_sessions()

    @property
    def account(self) -> str:
        return testing.MANAGEMENT

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        return {"without its role": self._drop_role, "moved": self._move_away}

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        tags = [{"Key": key, "Value": value} for key, value in theirs().items()]
        return {
            "nobody's": self.by_hand,
            "another project's": lambda: self._create(Tags=tags),
        }

    def _create(self, **more: Any) -> None:
        status = self._organizations.create_account(AccountName="acme", Email=EMAIL, **more)["CreateAccountStatus"]
        while status["State"] == "IN_PROGRESS":
            answer = self._organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])
            status = answer["CreateAccountStatus"]

    @property
    def _organizations(self) -> Any:
        return self.aws.client("organizations", account=testing.MANAGEMENT)

    def _unit(self, child: str) -> str:
        [parent] = self._organizations.list_parents(ChildId=child)["Parents"]
        if parent["Type"] == "ROOT":
            return ""
        unit = self._organizations.describe_organizational_unit(OrganizationalUnitId=parent["Id"])
        return f"{self._unit(parent['Id'])}/{unit['OrganizationalUnit']['Name']}".lstrip("/")

    def _has_role(self, account: str) -> bool:
        roles = self.aws.client("iam", account=account).list_roles()["Roles"]
        return "orbits-cloudformation" in {role["RoleName"] for role in roles}

    def _move_away(self) -> None:
        organizations, account = self._organizations, self.aws.account("acme")
        [parent] = organizations.list_parents(ChildId=account)["Parents"]
        made = organizations.create_organizational_unit(ParentId=parent["Id"], Name="Elsewhere")
        to = made["OrganizationalUnit"]["Id"]
        organizations.move_account(AccountId=account, SourceParentId=parent["Id"], DestinationParentId=to)

    def _drop_role(self) -> None:
        iam, role = self.aws.client("iam", account="acme"), "orbits-cloudformation"
        for policy in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
        iam.delete_role(RoleName=role)


class TestAwsAccount(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws) -> Subject:
        return AccountSubject(aws)
