"""Role: an IAM role, with who may assume it and what it may do."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.ownership import owner_of
from orbits_aws.readers.contract import tags_by_key
from orbits_aws.tagged import (
    UNTIL_READY,
    Document,
    Tags,
    as_changed,
    check_owner,
    made_whole,
    owner,
    raise_if_new_principal,
    tag_list,
    users_tags,
    wanted_tags,
)
from orbits_aws.targets import AwsTarget
from orbits_iac import Managed, Outputs, Retry
from orbits_iac.provider import Rules

_HOUR = 3600


class RoleOutputs(Outputs):
    """A role as it is; what is a field of `Role` too means the same. `id` is IAM's own, another for each making."""

    name: str
    arn: str
    id: str
    trust: Document
    policies: dict[str, Document]
    managed_policies: list[str]
    boundary: str | None
    description: str
    max_session: int
    path: str
    tags: dict[str, str]
    owner: str | None


class Role(Managed[RoleOutputs]):
    """An IAM role of this name in the target's account.

    It has exactly the policies that are given: others are taken away. A new name or path makes another role. One of
    that name which another project made, or nobody, is refused; nobody's is taken over with `adopt=True`.

    Attributes:
        name: unique in the account, without regard to case.
        trust: the policy that says who may assume it; `trusted("lambda.amazonaws.com")` is one for services.
        policies: the policies that are its own, by their names.
        managed_policies: ARNs of policies that stand on their own.
        boundary: ARN of a policy that limits what the others allow.
        max_session: seconds for which it can be assumed at a time, from one hour to twelve.

    """

    compared_by: ClassVar[Rules] = Rules(policies=("trust", "policies.*"), unordered=("managed_policies",))
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(pattern=r"^[A-Za-z0-9_+=,.@-]+$", max_length=64)
    trust: Document
    policies: dict[str, Document] = {}
    managed_policies: list[str] = []
    boundary: str | None = None
    description: str = Field(default="", max_length=1000)
    max_session: int = Field(default=_HOUR, ge=_HOUR, le=12 * _HOUR)
    path: str = Field(default="/", pattern=r"^/(.*/)?$", max_length=512)
    tags: Tags = {}

    def desired(self) -> Mapping[str, Any]:
        """The fields, and that it is ours."""
        return {**self.model_dump(), "owner": owner(self.execution)}

    def replaces(self, live: RoleOutputs, /) -> Sequence[str]:
        """A role keeps its name and path."""
        return sorted({"name", "path"} & self.differing(live))

    def read(self, recorded: RoleOutputs | None, /) -> RoleOutputs | None:
        """The role that was recorded, else the one of this name."""
        return self._found(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> RoleOutputs | None:
        """The role of this name, if it is ours or nobody's."""
        return self._found(self.name, known=True)

    def create(self) -> RoleOutputs:
        """Make it, unless it is there and is ours; then give it its policies."""
        asked = {"PermissionsBoundary": self.boundary} if self.boundary else {}
        try:
            self._iam().create_role(
                RoleName=self.name,
                Path=self.path,
                AssumeRolePolicyDocument=json.dumps(self.trust),
                Description=self.description,
                MaxSessionDuration=self.max_session,
                Tags=tag_list(wanted_tags(self.tags, self.execution)),
                **asked,
            )
        except AwsRefused as error:
            raise_if_new_principal(error)
            if error.code != "EntityAlreadyExists":
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The role {self.name} was made, and IAM does not know it yet.")
        return made_whole(self.change, made, new=f"role with name {self.name} ")

    def change(self, live: RoleOutputs, /) -> RoleOutputs:
        """Set what differs: what limits it first, and what it gets before what it loses."""
        differing, iam, which = self.differing(live), self._iam(), {"RoleName": self.name}
        if "boundary" in differing and self.boundary:
            iam.put_role_permissions_boundary(PermissionsBoundary=self.boundary, **which)
        elif "boundary" in differing:
            iam.delete_role_permissions_boundary(**which)
        if "trust" in differing:
            try:
                iam.update_assume_role_policy(PolicyDocument=json.dumps(self.trust), **which)
            except AwsRefused as error:
                raise_if_new_principal(error)
                raise
        if {"description", "max_session"} & differing:
            iam.update_role(Description=self.description, MaxSessionDuration=self.max_session, **which)
        for name, document in self.policies.items():
            if "policies" in differing and document != live.policies.get(name):
                iam.put_role_policy(PolicyName=name, PolicyDocument=json.dumps(document), **which)
        for arn in sorted(set(self.managed_policies) - set(live.managed_policies)):
            iam.attach_role_policy(PolicyArn=arn, **which)
        self._take_away(
            live, set(live.policies) - set(self.policies), set(live.managed_policies) - set(self.managed_policies)
        )
        if {"tags", "owner"} & differing:
            iam.tag_role(Tags=tag_list(wanted_tags(self.tags, self.execution)), **which)
        if gone := sorted(set(live.tags) - set(self.tags)):
            iam.untag_role(TagKeys=gone, **which)
        return as_changed(self, live)

    def delete(self, live: RoleOutputs, /) -> None:
        """Delete it with its own policies; what stands on its own stays."""
        now = self._found(live.name, known=True)
        if now is None:
            return
        self._take_away(now, set(now.policies), set(now.managed_policies))
        try:
            self._iam().delete_role(RoleName=live.name)
        except NotThere:
            return

    def _take_away(self, live: RoleOutputs, policies: set[str], managed: set[str]) -> None:
        iam = self._iam()
        for name in sorted(policies):
            _unless_gone(iam.delete_role_policy, RoleName=live.name, PolicyName=name)
        for arn in sorted(managed):
            _unless_gone(iam.detach_role_policy, RoleName=live.name, PolicyArn=arn)

    def _found(self, name: str, *, known: bool) -> RoleOutputs | None:
        iam = self._iam()
        try:
            role = iam.get_role(RoleName=name)["Role"]
            tags = tags_by_key(role.get("Tags", ()))
            check_owner(self, f"The role {name}", tags, known=known)
            names = list(iam.items("list_role_policies", "PolicyNames", RoleName=name))
            policies = {one: iam.get_role_policy(RoleName=name, PolicyName=one)["PolicyDocument"] for one in names}
            attached = iam.items("list_attached_role_policies", "AttachedPolicies", RoleName=name)
            managed = [one["PolicyArn"] for one in attached]
        except NotThere:
            return None
        return RoleOutputs(
            name=role["RoleName"],
            arn=role["Arn"],
            id=role["RoleId"],
            trust=role["AssumeRolePolicyDocument"],
            policies=policies,
            managed_policies=managed,
            boundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            description=role.get("Description", ""),
            max_session=role.get("MaxSessionDuration", _HOUR),
            path=role["Path"],
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _iam(self) -> Any:
        return client("iam", self.execution.target(AwsTarget))


def trusted(*services: str) -> Document:
    """The policy that lets these services assume a role, such as `lambda.amazonaws.com`."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"},
        ],
    }


def _unless_gone(operation: Any, **which: str) -> None:
    try:
        operation(**which)
    except NotThere:
        return
