"""Roles and policies."""

import json
from typing import Any

from tests.providers.orbits_cdk.drift.world import Case, Hands, Scene

TRUST: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}],
}
READ: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": ["*"]}],
}
ALL: dict[str, Any] = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
BASIC = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def trust(role: str, document: dict[str, Any]) -> Any:
    return lambda hands: hands.of("iam").update_assume_role_policy(
        RoleName=hands.ids[role], PolicyDocument=json.dumps(document)
    )


def inline(role: str, name: str, document: dict[str, Any]) -> Any:
    return lambda hands: hands.of("iam").put_role_policy(
        RoleName=hands.ids[role], PolicyName=name, PolicyDocument=json.dumps(document)
    )


def without_inline(role: str, name: str) -> Any:
    return lambda hands: hands.of("iam").delete_role_policy(RoleName=hands.ids[role], PolicyName=name)


def attach(role: str, arn: str) -> Any:
    return lambda hands: hands.of("iam").attach_role_policy(RoleName=hands.ids[role], PolicyArn=arn)


def detach(role: str, arn: str) -> Any:
    return lambda hands: hands.of("iam").detach_role_policy(RoleName=hands.ids[role], PolicyArn=arn)


def detach_own(hands: Hands) -> None:
    hands.of("iam").detach_role_policy(RoleName=hands.ids["Reader"], PolicyArn=hands.ids["Shared"])


def version(policy: str, document: dict[str, Any], *, default: bool) -> Any:
    return lambda hands: hands.of("iam").create_policy_version(
        PolicyArn=hands.ids[policy], PolicyDocument=json.dumps(document), SetAsDefault=default
    )


def role_again(hands: Hands) -> None:
    """Deleted, and made again by hand for somebody else."""
    iam, name = hands.of("iam"), hands.ids["Batch"]
    iam.detach_role_policy(RoleName=name, PolicyArn=BASIC)
    iam.delete_role(RoleName=name)
    document = {**TRUST, "Statement": [{**TRUST["Statement"][0], "Principal": {"AWS": "*"}}]}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))


def policy_deleted(hands: Hands) -> None:
    hands.of("iam").delete_policy(PolicyArn=hands.ids["SparePolicy"])


READ_AGAIN = {
    "Version": "2012-10-17",
    "Statement": {"Resource": "*", "Action": ["s3:listbucket", "S3:GetObject"], "Effect": "Allow"},
}
TRUST_AGAIN = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "", "Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}
    ],
}


def _role(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST, **more}}


ROLES = Scene(
    name="roles",
    template={
        "Resources": {
            "Reader": _role(
                Description="reads",
                MaxSessionDuration="7200",
                ManagedPolicyArns=[{"Fn::Sub": BASIC.replace("arn:aws:", "arn:${AWS::Partition}:")}],
                Policies=[{"PolicyName": "own", "PolicyDocument": READ}],
                Tags=[{"Key": "team", "Value": "web"}],
            ),
            "Plain": _role(),
            "Batch": _role(ManagedPolicyArns=[BASIC]),
            "Spare": _role(),
            "Grants": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "grants",
                    "PolicyDocument": READ,
                    "Roles": [{"Ref": "Reader"}, {"Ref": "Plain"}],
                },
            },
            "More": {
                "Type": "AWS::IAM::Policy",
                "Properties": {"PolicyName": "more", "PolicyDocument": READ, "Roles": [{"Ref": "Plain"}]},
            },
            "Shared": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"Description": "shared", "PolicyDocument": READ, "Roles": [{"Ref": "Reader"}]},
            },
            "SparePolicy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": READ}},
        }
    },
    calls={"AWS::IAM::Role": 5, "AWS::IAM::Policy": 2, "AWS::IAM::ManagedPolicy": 3},
    cases=(
        Case("nothing", lambda _: None),
        Case("the trust in other words", trust("Plain", TRUST_AGAIN)),
        Case("the policy in other words", inline("Reader", "own", READ_AGAIN)),
        Case("a version that is not the default", version("Shared", ALL, default=False)),
        Case("the shared policy attached to another role of its own", attach("Batch", BASIC)),
        Case(
            "trusted by anybody",
            trust("Reader", {**TRUST, "Statement": [{**TRUST["Statement"][0], "Principal": {"AWS": "*"}}]}),
            ["Reader AssumeRolePolicyDocument"],
        ),
        Case("a policy attached", attach("Reader", ADMIN), ["Reader ManagedPolicyArns"]),
        Case("a policy attached where there was none", attach("Plain", ADMIN), ["Plain ManagedPolicyArns"]),
        Case("its own policy widened", inline("Reader", "own", ALL), ["Reader Policies[own].PolicyDocument"]),
        Case("a policy put beside", inline("Plain", "by-hand", ALL), ["Plain Policies[by-hand]"]),
        Case(
            "a longer session",
            lambda hands: hands.of("iam").update_role(
                RoleName=hands.ids["Reader"], Description="reads", MaxSessionDuration=3600
            ),
            ["Reader MaxSessionDuration"],
        ),
        Case(
            "a description",
            lambda hands: hands.of("iam").update_role(RoleName=hands.ids["Plain"], Description="mine"),
            ["Plain Description"],
        ),
        Case(
            "a boundary",
            lambda hands: hands.of("iam").put_role_permissions_boundary(
                RoleName=hands.ids["Plain"], PermissionsBoundary=ADMIN
            ),
            ["Plain PermissionsBoundary"],
        ),
        Case(
            "a tag's value",
            lambda hands: hands.of("iam").tag_role(
                RoleName=hands.ids["Reader"], Tags=[{"Key": "team", "Value": "shop"}]
            ),
            ["Reader Tags[team]"],
        ),
        Case("a granted policy widened", inline("Plain", "more", ALL), ["More PolicyDocument"]),
        Case("a policy of one role removed", without_inline("Plain", "grants"), ["Grants Roles"]),
        Case("its own policy removed", without_inline("Reader", "own"), ["Reader Policies[own]"]),
        Case("a granted policy removed", without_inline("Plain", "more"), ["More "]),
        Case("the shared policy detached", detach_own, ["Shared Roles"]),
        Case("the shared policy widened", version("Shared", ALL, default=True), ["Shared PolicyDocument"]),
        Case(
            "a role made again",
            role_again,
            ["Batch AssumeRolePolicyDocument", "Batch ManagedPolicyArns"],
        ),
        Case("a managed policy deleted", policy_deleted, ["SparePolicy "]),
        Case("a role deleted", lambda hands: hands.of("iam").delete_role(RoleName=hands.ids["Spare"]), ["Spare "]),
    ),
)
