"""What a policy document says of a caller: a table of statements."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orbits_aws.offline.policies import Context, decide
from orbits_aws.offline.principals import Caller, Session, administrator

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Deployer"
SESSION = Caller(
    kind="session",
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/one",
    session=Session(role_arn=ROLE, name="one", token="t", expires=datetime.now(UTC)),
)
CONTEXT: Context = {"sts:externalid": "Agency", "aws:tagkeys": ("Team", "Env"), "aws:requesttag/team": "shop", "n": "7"}


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({}, "allow"),
        ({"Effect": "Deny"}, "deny"),
        ({"Principal": "*"}, "allow"),
        ({"Principal": {"AWS": "*"}}, "allow"),
        ({"Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root"]}}, "allow"),
        ({"Principal": {"AWS": ROLE}}, "allow"),
        ({"Principal": {"AWS": SESSION.arn}}, "allow"),
        ({"Principal": {"AWS": "444455556666"}}, "none"),
        ({"Principal": {"AWS": ROLE.replace("Deployer", "Dep*")}}, "none"),  # no wildcards in principals
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, "none"),
        ({"Principal": None, "NotPrincipal": {"AWS": ROLE}}, "none"),
        ({"Principal": None, "NotPrincipal": {"AWS": "444455556666"}}, "allow"),
        ({"Action": "STS:assume*"}, "allow"),
        ({"Action": ["sts:TagSession", "sts:*"]}, "allow"),
        ({"Action": "sts:TagSession"}, "none"),
        ({"Action": None, "NotAction": "sts:TagSession"}, "allow"),
        ({"Resource": "arn:aws:s3:::shop/*"}, "allow"),
        ({"Resource": "arn:aws:s3:::sh?p/a[1]"}, "allow"),
        ({"Resource": "arn:aws:s3:::shop"}, "none"),
        ({"NotResource": "arn:aws:s3:::shop/*"}, "none"),
        ({"Condition": {"StringEquals": {"sts:ExternalId": "Agency"}}}, "allow"),
        ({"Condition": {"StringEquals": {"sts:ExternalId": ["x", "Agency"]}}}, "allow"),
        ({"Condition": {"StringEquals": {"sts:ExternalId": "agency"}}}, "none"),
        ({"Condition": {"StringEqualsIgnoreCase": {"sts:ExternalId": "agency"}}}, "allow"),
        ({"Condition": {"StringEquals": {"sts:SourceIdentity": "x"}}}, "none"),
        ({"Condition": {"StringEqualsIfExists": {"sts:SourceIdentity": "x"}}}, "allow"),
        ({"Condition": {"StringNotEquals": {"sts:SourceIdentity": "x"}}}, "allow"),
        ({"Condition": {"StringNotEquals": {"sts:ExternalId": ["x", "Agency"]}}}, "none"),
        ({"Condition": {"StringLike": {"sts:ExternalId": "Ag*"}, "Bool": {"aws:SecureTransport": "true"}}}, "allow"),
        ({"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}, "none"),
        ({"Condition": {"Null": {"sts:ExternalId": "false"}}}, "allow"),
        ({"Condition": {"Null": {"sts:ExternalId": "true"}}}, "none"),
        ({"Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/Dep*"}}}, "allow"),
        ({"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Env", "More"]}}}, "allow"),
        ({"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}}}, "none"),
        ({"Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": ["Team"]}}}, "allow"),
        ({"Condition": {"StringEquals": {"aws:RequestTag/Team": "shop"}}}, "allow"),
        ({"Condition": {"NumericLessThan": {"n": "8"}}}, "allow"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}}, "none"),  # of a kind that is not known
    ],
)
def test_a_statement_decides(changes: dict[str, Any], decision: str) -> None:
    statement = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole", **changes}
    document = {"Statement": [{key: value for key, value in statement.items() if value is not None}]}
    for given in (document, json.dumps(document)):
        assert decide(given, SESSION, "sts:AssumeRole", "arn:aws:s3:::shop/a[1]", CONTEXT) == decision


def test_a_deny_wins_and_no_document_says_nothing() -> None:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "*"}
    document = {"Statement": [allow, {**allow, "Effect": "Deny"}]}
    assert decide(document, SESSION, "s3:GetObject", "x", {}) == "deny"
    for empty in (None, "", "{}", "no JSON", {"Statement": ["?"]}):
        assert decide(empty, administrator(ACCOUNT), "s3:GetObject", "x", {}) == "none"
