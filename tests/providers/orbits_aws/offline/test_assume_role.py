"""AssumeRole: whom a role trusts, and what may be asked for."""

import json
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"
OTHER = "111122223333"
ROLE = f"arn:aws:iam::{OTHER}:role/Deployer"


def trust(principal: Any = None, *, action: Any = "sts:AssumeRole", condition: Any = None) -> str:
    statement = {"Effect": "Allow", "Principal": principal or {"AWS": MANAGEMENT}, "Action": action}
    return json.dumps({"Statement": [{**statement, **({"Condition": condition} if condition else {})}]})


def role(aws: OfflineAws, document: str, *, account: str = OTHER, longest: int = 3600) -> None:
    iam = aws.client("iam", account=account)
    iam.create_role(RoleName="Deployer", AssumeRolePolicyDocument=document, MaxSessionDuration=longest)


def error(call: Any, **arguments: Any) -> str | None:
    """Code and message of a refused call, None if it succeeded."""
    try:
        call(**{"RoleSessionName": "one", "RoleArn": ROLE, **arguments})
    except ClientError as failure:
        found = cast("Any", failure.response)["Error"]
        return f"{found['Code']}: {found['Message']}"
    return None


EXTERNAL = {"StringEquals": {"sts:ExternalId": "agency"}}
TAGGED: Any = {"Tags": [{"Key": "tenant", "Value": "acme"}]}


@pytest.mark.parametrize(
    ("document", "arguments", "action"),
    [
        (trust(), {}, None),
        (trust({"AWS": "*"}), {}, None),
        (trust({"AWS": "999999999999"}), {}, "sts:AssumeRole"),
        (trust({"Service": "lambda.amazonaws.com"}), {}, "sts:AssumeRole"),
        ("{}", {}, "sts:AssumeRole"),
        (trust(condition=EXTERNAL), {"ExternalId": "agency"}, None),
        (trust(condition=EXTERNAL), {"ExternalId": "other"}, "sts:AssumeRole"),
        (trust(condition=EXTERNAL), {}, "sts:AssumeRole"),
        (trust(), TAGGED, "sts:TagSession"),
        (trust(action=["sts:AssumeRole", "sts:TagSession"]), TAGGED, None),
        (trust(), {"SourceIdentity": "someone"}, "sts:SetSourceIdentity"),
        (trust(action="sts:*"), {"SourceIdentity": "someone", **TAGGED}, None),
        (trust(condition={"StringEquals": {"aws:RequestTag/tenant": "acme"}}, action="sts:*"), TAGGED, None),
    ],
)
def test_the_trust_policy_decides(
    aws: OfflineAws, document: str, arguments: dict[str, Any], action: str | None
) -> None:
    role(aws, document)
    found = error(aws.client("sts", account=MANAGEMENT).assume_role, **arguments)
    caller = f"arn:aws:iam::{MANAGEMENT}:user/administrator"
    refusal = f"AccessDenied: User: {caller} is not authorized to perform: {action} on resource: {ROLE}"
    assert found == (refusal if action else None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"RoleSessionName": "has a space"}, "'roleSessionName' failed to satisfy constraint: Member must satisfy"),
        ({"RoleSessionName": "ä" * 3}, "Member must satisfy regular expression"),
        ({"RoleSessionName": "x" * 65}, "Member must have length less than or equal to 64"),
        ({"DurationSeconds": 43201}, "Member must have value less than or equal to 43200"),
        ({"DurationSeconds": 7201}, "exceeds the MaxSessionDuration set for this role"),
        ({"RoleArn": "Deployer-of-the-agency"}, "Deployer-of-the-agency is invalid"),
    ],
)
def test_what_may_not_be_asked_for(aws: OfflineAws, arguments: dict[str, Any], said: str) -> None:
    role(aws, trust(), longest=7200)
    sts = aws.client("sts", account=MANAGEMENT)
    found = error(sts.assume_role, **arguments) or ""
    assert found.startswith("ValidationError: ")
    assert said in found
    assert error(sts.assume_role, DurationSeconds=7200) is None


def test_chained_roles_are_told_apart_and_last_an_hour_at_most(aws: OfflineAws) -> None:
    first = f"arn:aws:iam::{MANAGEMENT}:role/Deployer"
    role(aws, trust(), account=MANAGEMENT, longest=43200)
    role(aws, trust({"AWS": first}), longest=43200)
    sts = aws.client("sts", account=MANAGEMENT)
    assert error(sts.assume_role) is not None  # the second role trusts the first one alone
    keys = sts.assume_role(RoleArn=first, RoleSessionName="hub", DurationSeconds=43200)["Credentials"]
    hub: Any = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "eu-west-1")
    chained = hub.client("sts", endpoint_url=aws.endpoint_url)
    message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    assert error(chained.assume_role, DurationSeconds=3601) == f"ValidationError: {message}"
    made = chained.assume_role(RoleArn=ROLE, RoleSessionName="spoke", DurationSeconds=3600)
    assert made["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/Deployer/spoke"
