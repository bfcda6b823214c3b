"""AWS::IAM::Role and AWS::IAM::Policy."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, given, tag_list, tags_by_key
from orbits_iac.provider import Rules


def _role(aws: Aws, name: str, recorded: Mapping[str, Any]) -> Properties | None:
    iam = aws("iam")
    try:
        role = iam.get_role(RoleName=name)["Role"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        tags = iam.list_role_tags(RoleName=name)["Tags"]
    except NotThere:
        return None
    return given(
        {
            "AssumeRolePolicyDocument": role["AssumeRolePolicyDocument"],
            "Description": role.get("Description"),
            "ManagedPolicyArns": [policy["PolicyArn"] for policy in attached],
            "MaxSessionDuration": role.get("MaxSessionDuration"),
            "Path": role["Path"],
            "PermissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "Policies": _inline(iam, name, recorded),
            "RoleName": role["RoleName"],
            "Tags": tag_list(tags_by_key(tags)),
        }
    )


def _inline(iam: Any, name: str, recorded: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The policies that the role's own properties name; others come from resources of their own."""
    found: list[dict[str, Any]] = []
    for policy in recorded.get("Policies") or ():
        if not isinstance(policy, Mapping) or not isinstance(policy.get("PolicyName"), str):
            continue
        document = _document(iam, name, policy["PolicyName"])
        if document is not None:
            found.append({"PolicyName": policy["PolicyName"], "PolicyDocument": document})
    return found


def _document(iam: Any, role: str, policy: str) -> Any:
    try:
        return iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    except NotThere:
        return None


def _policy(aws: Aws, _physical_id: str, recorded: Mapping[str, Any]) -> Properties | None:
    """An inline policy: it is there as long as one of its roles has it."""
    name = recorded.get("PolicyName")
    roles = [role for role in recorded.get("Roles") or () if isinstance(role, str)]
    if not isinstance(name, str) or not roles:
        return {}
    iam = aws("iam")
    documents = {role: document for role in roles if (document := _document(iam, role, name)) is not None}
    if not documents:
        return None
    return {"PolicyName": name, "PolicyDocument": next(iter(documents.values())), "Roles": list(documents)}


ROLE = Reader(
    type="AWS::IAM::Role",
    read=_role,
    covers=frozenset(
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
    ),
    rules=Rules(
        whole=True,
        filled=("RoleName",),
        keyed={"Policies": "PolicyName"},
        policies=("AssumeRolePolicyDocument", "Policies.*.PolicyDocument"),
        unordered=("ManagedPolicyArns",),
        defaults={"MaxSessionDuration": 3600, "Path": "/"},
    ),
)

POLICY = Reader(
    type="AWS::IAM::Policy",
    read=_policy,
    covers=frozenset({"PolicyDocument", "PolicyName", "Roles"}),
    rules=Rules(whole=True, policies=("PolicyDocument",), unordered=("Roles",)),
    unread={"Groups": "only policies of roles are read", "Users": "only policies of roles are read"},
)
