"""AssumeRoleWithWebIdentity: whose token it is, for whom, and whom a role trusts."""

import base64
import json
import time
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"
ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{MANAGEMENT}:oidc-provider/{ISSUER}"
TRUST = {
    "Effect": "Allow",
    "Principal": {"Federated": PROVIDER},
    "Action": "sts:AssumeRoleWithWebIdentity",
    "Condition": {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": "repo:a/b:environment:prod"}},
}


def token(**claims: Any) -> str:
    """A token that nobody has signed; it outlives the run of all tests."""
    said: dict[str, Any] = {"iss": f"https://{ISSUER}", "aud": "sts.amazonaws.com", "sub": "repo:a/b:environment:prod"}
    said |= {"exp": time.time() + 86_400, **claims}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip('=')}.none"


CASES = {
    "whom it trusts": (token(), TRUST, None),
    "another environment": (token(sub="repo:a/b:environment:test"), TRUST, "AccessDenied"),
    "for somebody else": (token(aud="vault"), TRUST, "InvalidIdentityToken"),
    "of somebody else": (token(iss="https://ci.example"), TRUST, "InvalidIdentityToken"),
    "expired": (token(exp=time.time() - 1), TRUST, "ExpiredTokenException"),
    "no token": ("nonsense", TRUST, "InvalidIdentityToken"),
    "no claims": ("a.W10.b", TRUST, "InvalidIdentityToken"),
    "a role for users": (token(), {**TRUST, "Principal": {"AWS": MANAGEMENT}}, "AccessDenied"),
    "another action": (token(), {**TRUST, "Action": "sts:AssumeRole"}, "AccessDenied"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_token_and_the_trust_policy_decide(aws: OfflineAws, case: str) -> None:
    given, statement, code = CASES[case]
    iam = aws.client("iam", account=MANAGEMENT)
    iam.create_open_id_connect_provider(Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"])
    iam.create_role(RoleName="Ci", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
    assume = aws.client("sts", account=MANAGEMENT).assume_role_with_web_identity
    asked = {"RoleSessionName": "ci", "WebIdentityToken": given}
    found = None
    try:
        answer = assume(RoleArn=f"arn:aws:iam::{MANAGEMENT}:role/Ci", **asked)
        assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{MANAGEMENT}:assumed-role/Ci/ci"
    except ClientError as failure:
        found = cast("Any", failure.response)["Error"]["Code"]
    assert found == code
    with pytest.raises(ClientError, match="AccessDenied"):
        assume(RoleArn=f"arn:aws:iam::{MANAGEMENT}:role/Nobody", **{**asked, "WebIdentityToken": token()})
