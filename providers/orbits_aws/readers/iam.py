"""AWS::IAM::Role, AWS::IAM::Policy and AWS::IAM::ManagedPolicy."""

from collections.abc import Iterator, Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Beside, Properties, Reader, given, tag_list, tags_by_key
from orbits_iac.provider import Rules, Unknown


def _role(aws: Aws, name: str, recorded: Mapping[str, Any]) -> Properties | None:
    iam = aws("iam")
    try:
        role = iam.get_role(RoleName=name)["Role"]
        attached = list(iam.items("list_attached_role_policies", "AttachedPolicies", RoleName=name))
        tags = list(iam.items("list_role_tags", "Tags", RoleName=name))
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
    """The role's inline policies; of those that its own properties do not name, the name alone."""
    own = {
        each["PolicyName"]
        for each in recorded.get("Policies") or ()
        if isinstance(each, Mapping) and isinstance(each.get("PolicyName"), str)
    }
    found: list[dict[str, Any]] = []
    for policy in iam.items("list_role_policies", "PolicyNames", RoleName=name):
        if policy not in own:
            found.append({"PolicyName": policy})
        elif (document := _document(iam, name, policy)) is not None:
            found.append({"PolicyName": policy, "PolicyDocument": document})
    return found


def _own(live: Properties, name: str, recorded: Mapping[str, Any], beside: Beside) -> Properties:
    """A role without the policies that other resources of its template attach to it."""
    inline, attached = set(_inline_beside(name, beside)), set(_attached_beside(name, beside))
    asked = {each.get("PolicyName") for each in recorded.get("Policies") or () if isinstance(each, Mapping)}
    arns = recorded.get("ManagedPolicyArns") or ()
    return {
        **live,
        "ManagedPolicyArns": [arn for arn in live["ManagedPolicyArns"] if arn in arns or not ({arn, _ANY} & attached)],
        "Policies": [
            each
            for each in live["Policies"]
            if each["PolicyName"] in asked or not ({each["PolicyName"], _ANY} & inline)
        ],
    }


_ANY = "*"  # of what could not be worked out it is not known which policy it is


def _inline_beside(role: str, beside: Beside) -> Iterator[str]:
    for _, policy in beside("AWS::IAM::Policy"):
        if _concerns(role, policy.get("Roles")):
            yield _known(policy.get("PolicyName"))
    for _, policy in beside("AWS::IAM::RolePolicy"):
        if _concerns(role, [policy.get("RoleName")]):
            yield _known(policy.get("PolicyName"))


def _attached_beside(role: str, beside: Beside) -> Iterator[str]:
    for arn, policy in beside("AWS::IAM::ManagedPolicy"):
        if _concerns(role, policy.get("Roles")):
            yield arn


def _concerns(role: str, roles: Any) -> bool:
    return isinstance(roles, Unknown) or any(each == role or isinstance(each, Unknown) for each in roles or ())


def _known(name: Any) -> str:
    return name if isinstance(name, str) else _ANY


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


def _managed_policy(aws: Aws, arn: str, recorded: Mapping[str, Any]) -> Properties | None:
    iam = aws("iam")
    try:
        policy = iam.get_policy(PolicyArn=arn)["Policy"]
        version = iam.get_policy_version(PolicyArn=arn, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        attached = _entities(iam, arn) if any(map(recorded.get, _PRINCIPALS)) else {}
    except NotThere:
        return None
    return given(
        {
            "Description": policy.get("Description"),
            "ManagedPolicyName": policy["PolicyName"],
            "Path": policy["Path"],
            "PolicyDocument": version["Document"],
            **{kind: _attached_to(kind, attached, recorded) for kind in _PRINCIPALS},
        }
    )


_PRINCIPALS = ("Groups", "Roles", "Users")


def _entities(iam: Any, arn: str) -> dict[str, set[str]]:
    """Who has the policy attached, by what they are."""
    found: dict[str, set[str]] = {kind: set() for kind in _PRINCIPALS}
    marker: dict[str, str] = {}
    while True:
        page = iam.list_entities_for_policy(PolicyArn=arn, **marker)
        for kind, names in found.items():
            names.update(each[f"{kind[:-1]}Name"] for each in page[f"Policy{kind}"])
        if not page.get("IsTruncated"):
            return found
        marker = {"Marker": page["Marker"]}


def _attached_to(kind: str, attached: Mapping[str, set[str]], recorded: Mapping[str, Any]) -> list[str] | None:
    """Of those that the policy was attached to by its own properties, who has it still.

    Others may attach it too: that is said of them, not of the policy.
    """
    asked = recorded.get(kind) or ()
    return [name for name in asked if not isinstance(name, str) or name in attached[kind]] or None


ROLE = Reader(
    type="AWS::IAM::Role",
    read=_role,
    own=_own,
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
)

MANAGED_POLICY = Reader(
    type="AWS::IAM::ManagedPolicy",
    read=_managed_policy,
    covers=frozenset({"Description", "ManagedPolicyName", "Path", "PolicyDocument", *_PRINCIPALS}),
    rules=Rules(
        whole=True,
        filled=("ManagedPolicyName",),
        policies=("PolicyDocument",),
        unordered=_PRINCIPALS,
        defaults={"Path": "/"},
    ),
)
