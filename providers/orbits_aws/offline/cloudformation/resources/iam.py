"""AWS IAM: roles, inline policies and managed policies."""

import json
from collections.abc import Iterable
from typing import Any

from .contract import Made, Properties, ResourceType, Site, changed, retag, set_properties, tag_list, tag_map

_PRINCIPALS = ("Roles", "Users", "Groups")


def _document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class Role(ResourceType):
    """AWS::IAM::Role."""

    type = "AWS::IAM::Role"
    listing = ("iam", "list_roles", "Roles[].RoleName")
    supported = frozenset(
        {
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "MaxSessionDuration",
            "Path",
            "PermissionsBoundary",
            "Policies",
            "RoleName",
            "Tags",
        }
    )
    named_by = "RoleName"

    def create(self, site: Site, properties: Properties) -> Made:
        iam = site.client("iam")
        name = str(properties.get("RoleName") or site.name(64))
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=_document(properties["AssumeRolePolicyDocument"]),
            **set_properties(
                Description=properties.get("Description"),
                MaxSessionDuration=int(properties.get("MaxSessionDuration", 3600)),
                Path=properties.get("Path"),
                PermissionsBoundary=properties.get("PermissionsBoundary"),
                Tags=tag_list(tag_map(properties)),
            ),
        )["Role"]
        site.made(name)
        self._policies(iam, name, {}, properties)
        return Made(physical_id=name, attributes={"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        iam = site.client("iam")
        different = changed(before, after)
        if "AssumeRolePolicyDocument" in different:
            iam.update_assume_role_policy(
                RoleName=physical_id, PolicyDocument=_document(after["AssumeRolePolicyDocument"])
            )
        if different & {"Description", "MaxSessionDuration"}:
            iam.update_role(
                RoleName=physical_id,
                Description=str(after.get("Description", "")),
                MaxSessionDuration=int(after.get("MaxSessionDuration", 3600)),
            )
        if "PermissionsBoundary" in different:
            if boundary := after.get("PermissionsBoundary"):
                iam.put_role_permissions_boundary(RoleName=physical_id, PermissionsBoundary=boundary)
            else:
                iam.delete_role_permissions_boundary(RoleName=physical_id)
        self._policies(iam, physical_id, before, after)
        retag(
            before,
            after,
            lambda tags: iam.tag_role(RoleName=physical_id, Tags=tag_list(tags)),
            lambda keys: iam.untag_role(RoleName=physical_id, TagKeys=keys),
        )
        role = iam.get_role(RoleName=physical_id)["Role"]
        return Made(physical_id=physical_id, attributes={"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        iam = site.client("iam")
        self._policies(iam, physical_id, self._live_policies(iam, physical_id), {})
        iam.delete_role(RoleName=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        iam = site.client("iam")
        role = iam.get_role(RoleName=physical_id)["Role"]
        found = self._live_policies(
            iam, physical_id, {policy["PolicyName"] for policy in properties.get("Policies", [])}
        )
        found |= set_properties(
            AssumeRolePolicyDocument=role["AssumeRolePolicyDocument"],
            Description=role.get("Description"),
            MaxSessionDuration=role.get("MaxSessionDuration"),
            Path=role.get("Path"),
            PermissionsBoundary=role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            RoleName=physical_id,
        )
        return found | {"Tags": iam.list_role_tags(RoleName=physical_id)["Tags"]}

    @staticmethod
    def _live_policies(iam: Any, name: str, own: set[str] | None = None) -> dict[str, Any]:
        """The role's policies; of the inline ones only `own`, as AWS::IAM::Policy adds others. None: all of them."""
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        return {
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
            "Policies": [
                {
                    "PolicyName": policy,
                    "PolicyDocument": iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"],
                }
                for policy in inline
                if own is None or policy in own
            ],
        }

    @staticmethod
    def _policies(iam: Any, name: str, before: Properties, after: Properties) -> None:
        old, new = before.get("ManagedPolicyArns") or [], after.get("ManagedPolicyArns") or []
        for arn in [arn for arn in old if arn not in new]:
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in [arn for arn in new if arn not in old]:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        had = {policy["PolicyName"]: policy for policy in before.get("Policies") or []}
        has = {policy["PolicyName"]: policy for policy in after.get("Policies") or []}
        for policy in [policy for policy in had if policy not in has]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy)
        for policy, wanted in has.items():
            if had.get(policy) != wanted:
                iam.put_role_policy(
                    RoleName=name, PolicyName=policy, PolicyDocument=_document(wanted["PolicyDocument"])
                )


class Policy(ResourceType):
    """AWS::IAM::Policy: an inline policy of roles, users and groups."""

    type = "AWS::IAM::Policy"
    supported = frozenset({*_PRINCIPALS, "PolicyDocument", "PolicyName"})

    def create(self, site: Site, properties: Properties) -> Made:
        physical_id = site.name(128)
        site.made(physical_id)
        self._put(site.client("iam"), properties)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        iam = site.client("iam")
        kept = set(_principals(after)) if before.get("PolicyName") == after["PolicyName"] else set[tuple[str, str]]()
        self._put(iam, after)
        self._remove(iam, str(before.get("PolicyName", "")), set(_principals(before)) - kept)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        self._remove(site.client("iam"), str(properties["PolicyName"]), _principals(properties))

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        iam, policy = site.client("iam"), properties["PolicyName"]
        found: dict[str, Any] = {}
        for kind, name in _principals(properties):
            call = getattr(iam, f"get_{kind[:-1].lower()}_policy")
            try:
                live = call(**{f"{kind[:-1]}Name": name, "PolicyName": policy})
            except iam.exceptions.NoSuchEntityException:
                continue
            found.setdefault(kind, []).append(name)
            found["PolicyName"], found["PolicyDocument"] = live["PolicyName"], live["PolicyDocument"]
        return found or None

    @staticmethod
    def _put(iam: Any, properties: Properties) -> None:
        for kind, name in _principals(properties):
            getattr(iam, f"put_{kind[:-1].lower()}_policy")(
                **{f"{kind[:-1]}Name": name},
                PolicyName=properties["PolicyName"],
                PolicyDocument=_document(properties["PolicyDocument"]),
            )

    @staticmethod
    def _remove(iam: Any, policy: str, principals: Iterable[tuple[str, str]]) -> None:
        for kind, name in principals:
            try:
                getattr(iam, f"delete_{kind[:-1].lower()}_policy")(**{f"{kind[:-1]}Name": name}, PolicyName=policy)
            except iam.exceptions.NoSuchEntityException:
                continue


def _principals(properties: Properties) -> list[tuple[str, str]]:
    return [(kind, str(name)) for kind in _PRINCIPALS for name in properties.get(kind) or []]


class ManagedPolicy(ResourceType):
    """AWS::IAM::ManagedPolicy."""

    type = "AWS::IAM::ManagedPolicy"
    supported = frozenset({*_PRINCIPALS, "Description", "ManagedPolicyName", "Path", "PolicyDocument"})
    named_by = "ManagedPolicyName"

    def create(self, site: Site, properties: Properties) -> Made:
        iam = site.client("iam")
        policy = iam.create_policy(
            PolicyName=properties.get("ManagedPolicyName") or site.name(128),
            PolicyDocument=_document(properties["PolicyDocument"]),
            **set_properties(Description=properties.get("Description"), Path=properties.get("Path")),
        )["Policy"]
        site.made(policy["Arn"])
        self._attach(iam, policy["Arn"], {}, properties)
        return Made(physical_id=policy["Arn"], attributes={"PolicyArn": policy["Arn"], "PolicyId": policy["PolicyId"]})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        iam = site.client("iam")
        if "PolicyDocument" in changed(before, after):
            versions = iam.list_policy_versions(PolicyArn=physical_id)["Versions"]
            old = sorted((v for v in versions if not v["IsDefaultVersion"]), key=lambda v: v["CreateDate"])
            if len(versions) >= 5:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=old[0]["VersionId"])
            iam.create_policy_version(
                PolicyArn=physical_id, PolicyDocument=_document(after["PolicyDocument"]), SetAsDefault=True
            )
        self._attach(iam, physical_id, before, after)
        policy = iam.get_policy(PolicyArn=physical_id)["Policy"]
        return Made(physical_id=physical_id, attributes={"PolicyArn": physical_id, "PolicyId": policy["PolicyId"]})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        iam = site.client("iam")
        self._attach(iam, physical_id, self._attached(iam, physical_id), {})
        for version in iam.list_policy_versions(PolicyArn=physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        iam = site.client("iam")
        policy = iam.get_policy(PolicyArn=physical_id)["Policy"]
        version = iam.get_policy_version(PolicyArn=physical_id, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        return {
            "Description": policy.get("Description", ""),
            "ManagedPolicyName": policy["PolicyName"],
            "Path": policy["Path"],
            "PolicyDocument": version["Document"],
            **self._attached(iam, physical_id),
        }

    @staticmethod
    def _attached(iam: Any, arn: str) -> dict[str, list[str]]:
        attached = iam.list_entities_for_policy(PolicyArn=arn)
        return {kind: [entry[f"{kind[:-1]}Name"] for entry in attached[f"Policy{kind}"]] for kind in _PRINCIPALS}

    @staticmethod
    def _attach(iam: Any, arn: str, before: Properties, after: Properties) -> None:
        old, new = _principals(before), _principals(after)
        for kind, name in [principal for principal in old if principal not in new]:
            getattr(iam, f"detach_{kind[:-1].lower()}_policy")(**{f"{kind[:-1]}Name": name}, PolicyArn=arn)
        for kind, name in [principal for principal in new if principal not in old]:
            getattr(iam, f"attach_{kind[:-1].lower()}_policy")(**{f"{kind[:-1]}Name": name}, PolicyArn=arn)


HANDLERS = (ManagedPolicy(), Policy(), Role())
