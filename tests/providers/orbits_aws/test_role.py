"""Role: it has exactly the policies that it was given."""

import json
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, Role, trusted
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.model.states import State

from .things import Case, by_key, held, it_lives, it_respects_owners, listed

READ: Any = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
WRITE: Any = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:PutObject"], "Resource": "*"}]}
VIEW, ADMIN = (f"arn:aws:iam::aws:policy/{name}" for name in ("ReadOnlyAccess", "AdministratorAccess"))
TRUST = trusted("lambda.amazonaws.com")

CASE = Case(
    first=Role(name="api", trust=TRUST, policies={"read": READ}, managed_policies=[VIEW], tags={"team": "shop"}),
    changed=Role(
        name="api",
        trust=trusted("ecs-tasks.amazonaws.com", "lambda.amazonaws.com"),
        policies={"write": WRITE},
        managed_policies=[ADMIN],
        boundary=ADMIN,
        description="runs the shop",
        max_session=7200,
        tags={"team": "sales"},
    ),
    other=Role(name="api", trust=TRUST, path="/shop/"),
    made_by="iam:CreateRole",
    made_by_hand=lambda aws, tags: aws("iam").create_role(
        RoleName="api", AssumeRolePolicyDocument=json.dumps(TRUST), Tags=listed(tags), Description="by hand"
    ),
    spoilt=lambda aws: aws("iam").detach_role_policy(RoleName="api", PolicyArn=VIEW),
    drifted={"managed_policies": "[]"},
    tags=lambda aws: by_key(aws("iam").list_role_tags(RoleName="api")["Tags"]),
    there=lambda aws: [
        role["RoleName"] for role in aws("iam").list_roles()["Roles"] if role["RoleName"].startswith("api")
    ],
)


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_what_was_made_a_moment_ago_is_waited_for(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    message = 'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/new"'
    aws.fail("iam", "CreateRole", code="MalformedPolicyDocument", message=message, times=5)
    itself = "The role with name api cannot be found."
    aws.fail("iam", "PutRolePolicy", code="NoSuchEntity", message=itself, status=404, times=2)
    await orbits.run(held(CASE), target=acme)
    calls = aws.calls("iam", account="acme")
    assert (calls.count("iam:CreateRole"), calls.count("iam:PutRolePolicy")) == (8, 3)


async def test_a_policy_that_is_not_there_is_not_waited_for(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    message = "Policy arn:aws:iam::aws:policy/ReadOnlyAccess does not exist or is not attachable."
    aws.fail("iam", "AttachRolePolicy", code="NoSuchEntity", message=message, status=404)
    with pytest.raises(ExecutionFailed, match="does not exist or is not attachable") as failed:
        await orbits.run(held(CASE), target=acme)
    assert failed.value.failure.state is State.REVERTED
    assert CASE.there(lambda service: aws.client(service, account="acme")) == []
