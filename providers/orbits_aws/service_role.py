"""The role that CloudFormation acts as in an account.

With a role of its own, a long deployment and its rollback do not end with the caller's session, which lasts an hour.
Which policies it has is said in orbits.toml; with none there, the role is somebody else's, and only looked for.
"""

import json
from typing import Any

from orbits_aws.errors import AwsRefused, NotThere
from orbits_aws.ownership import PROJECT
from orbits_aws.settings import AwsSettings

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def find_service_role(iam: Any, settings: AwsSettings) -> str | None:
    """The ARN of the role, if the account has it and it is complete."""
    name = settings.service_role
    try:
        arn = str(iam.get_role(RoleName=name)["Role"]["Arn"])
        wanted = set(_policies(settings, arn))
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] if wanted else ()
    except NotThere:
        return None
    return arn if wanted <= {policy["PolicyArn"] for policy in attached} else None


def make_service_role(iam: Any, settings: AwsSettings, *, project: str) -> str:
    """Make the role, or complete it; returns its ARN. May be called again at any time."""
    name = settings.service_role
    if not settings.service_role_policies:
        raise AwsRefused(
            f"The account has no role {name} for CloudFormation, and the table [aws] of orbits.toml says that Orbits "
            f"makes none (service_role_policies = []): make it there, with a policy for all that your stacks consist of"
        )
    try:
        arn = str(
            iam.create_role(
                RoleName=name,
                AssumeRolePolicyDocument=json.dumps(_TRUST),
                Description="What CloudFormation acts as when Orbits deploys a stack",
                Tags=[{"Key": PROJECT, "Value": project}],
            )["Role"]["Arn"]
        )
    except AwsRefused as error:
        if error.code != "EntityAlreadyExists":
            raise
        arn = str(iam.get_role(RoleName=name)["Role"]["Arn"])
    for policy in _policies(settings, arn):
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return arn


def _policies(settings: AwsSettings, role: str) -> list[str]:
    """The ARNs of the policies that the role is to have; a name is one of AWS's own."""
    partition = role.split(":")[1]
    return [
        policy if policy.startswith("arn:") else f"arn:{partition}:iam::aws:policy/{policy}"
        for policy in settings.service_role_policies
    ]
