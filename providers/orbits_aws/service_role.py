"""The role that CloudFormation acts as in an account.

With a role of its own, a long deployment and its rollback do not end with the caller's session, which lasts an hour.
"""

import json
from typing import Any

from orbits_aws.errors import AwsRefused, NotThere
from orbits_aws.ownership import PROJECT

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
_POLICY = "AdministratorAccess"


def find_service_role(iam: Any, name: str) -> str | None:
    """The ARN of the role, if the account has it and it is complete."""
    try:
        arn = str(iam.get_role(RoleName=name)["Role"]["Arn"])
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    except NotThere:
        return None
    return arn if any(policy["PolicyName"] == _POLICY for policy in attached) else None


def make_service_role(iam: Any, name: str, *, project: str) -> str:
    """Make the role, or complete it; returns its ARN. May be called again at any time."""
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
    partition = arn.split(":")[1]
    iam.attach_role_policy(RoleName=name, PolicyArn=f"arn:{partition}:iam::aws:policy/{_POLICY}")
    return arn
