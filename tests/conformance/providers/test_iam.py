"""Role, held to what every provider's Resource has to do."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, Role, trusted
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, listed, theirs, without_ours

TRUST = trusted("lambda.amazonaws.com")
READ: Any = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
WRITE: Any = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
VIEW = "arn:aws:iam::aws:policy/ReadOnlyAccess"


class RoleSubject(AwsSubject):
    refused = ("iam", "PutRolePolicy")

    def first(self) -> Role:
        return Role(name="api", trust=TRUST, managed_policies=[VIEW], tags={"team": "web"})

    def changed(self) -> Role:
        return Role(name="api", trust=TRUST, policies={"write": WRITE}, tags={"team": "shop"})

    def by_hand(self) -> None:
        self._make({})

    def stands(self) -> Any:
        roles = [role for role in self.api("iam").list_roles()["Roles"] if role["RoleName"].startswith("api")]
        return {role["RoleName"]: self._role(role) for role in roles} or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        iam = self.api("iam")
        return {
            "a policy taken away": lambda: iam.detach_role_policy(RoleName="api", PolicyArn=VIEW),
            "a policy added": lambda: iam.put_role_policy(
                RoleName="api", PolicyName="read", PolicyDocument=json.dumps(READ)
            ),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        return {"nobody's": self.by_hand, "another project's": lambda: self._make(theirs())}

    def _make(self, tags: dict[str, str]) -> None:
        iam = self.api("iam")
        iam.create_role(RoleName="api", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=listed(tags))
        iam.attach_role_policy(RoleName="api", PolicyArn=VIEW)

    def _role(self, found: Any) -> Any:
        iam, name = self.api("iam"), found["RoleName"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        return {
            "own": {one: self._policy(name, one) for one in iam.list_role_policies(RoleName=name)["PolicyNames"]},
            "attached": [one["PolicyArn"] for one in attached],
            "tags": without_ours(iam.list_role_tags(RoleName=name)["Tags"]),
        }

    def _policy(self, role: str, name: str) -> Any:
        return self.api("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]


class TestRole(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return RoleSubject(aws, acme)
