"""AssumeRoleWithWebIdentity as STS decides it: whose token it is, for whom, and whether the role trusts that.

A token is read, its signature is not looked at. Its claims are the condition keys that a trust policy names by its
issuer, as in `token.actions.githubusercontent.com:sub`. Asked by `gaps` before moto makes the session.
https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
"""

import base64
import json
from datetime import UTC, datetime
from typing import Any

from . import moto_adapter, moto_state
from .policies import Context, decide
from .principals import Caller
from .refusals import Refusal
from .wire import Answer, Environ, error_answer

_ACTION = "sts:AssumeRoleWithWebIdentity"


def refuse_web_identity(environ: Environ) -> Answer | None:
    """Why a request to assume a role with a token is refused; None if it is not."""
    asked = moto_adapter.parse_query("sts", "AssumeRoleWithWebIdentity", environ)
    refusal = _refusal(str(asked.get("RoleArn", "")), str(asked.get("WebIdentityToken", "")))
    return error_answer("query", refusal.code, refusal.message, refusal.status) if refusal else None


def _refusal(arn: str, token: str) -> Refusal | None:
    claims = _claims(token)
    issuer = str(claims.get("iss", "")).removeprefix("https://")
    role = moto_state.role(arn) if arn.count(":") == 5 else None
    account = arn.split(":")[4] if role is not None else ""
    provider = f"arn:aws:iam::{account}:oidc-provider/{issuer}"
    if not issuer:
        return Refusal(code="InvalidIdentityToken", message="The ID Token provided is not a valid JWT.")
    if role is not None:
        audiences = moto_state.audiences(provider)
        if audiences is None:
            message = f"No OpenIDConnect provider found in your account for https://{issuer}"
            return Refusal(code="InvalidIdentityToken", message=message)
        if claims.get("aud") not in audiences:
            return Refusal(code="InvalidIdentityToken", message="Incorrect token audience")
    if float(claims.get("exp", 0)) <= datetime.now(UTC).timestamp():
        return Refusal(code="ExpiredTokenException", message="Token expired: current date/time must be before it ends")
    caller = Caller(kind="unknown", account="", arn=provider)
    context: Context = {f"{issuer}:{name}".lower(): str(value) for name, value in claims.items()}
    if role is None or decide(role.assume_role_policy_document, caller, _ACTION, arn, context) != "allow":
        return Refusal(code="AccessDenied", message=f"Not authorized to perform {_ACTION}", status=403)
    return None


def _claims(token: str) -> dict[str, Any]:
    """What a token says; nothing if it is none."""
    try:
        _, payload, _ = token.split(".")
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
