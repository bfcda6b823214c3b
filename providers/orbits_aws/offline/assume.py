"""AssumeRole as STS decides it: what may be asked for, whom the role trusts, for how long.

Who asks has all permissions that an identity policy could give: only the role's trust policy is looked at. Asked by
`gaps` before moto makes the session.
"""

import re
from typing import Any

from . import moto_adapter, moto_state
from .identify import Identity
from .policies import Context, Decision, decide
from .refusals import Refusal, denied
from .wire import Answer, Environ, error_answer

_NAME = r"[\w+=,.@-]*"
_HOUR = 3600


def refuse_assuming(environ: Environ, identity: Identity) -> Answer | None:
    """Why a request to assume a role is refused; None if it is not."""
    asked = moto_adapter.parse_query("sts", "AssumeRole", environ)
    arn = str(asked.get("RoleArn", ""))
    role = moto_state.role(arn) if arn.count(":") == 5 else None
    refusal = _malformed(asked) or _untrusted(asked, identity, role) or _too_long(asked, identity, role)
    return error_answer("query", refusal.code, refusal.message, refusal.status) if refusal else None


def _malformed(asked: dict[str, Any]) -> Refusal | None:
    name, duration = str(asked.get("RoleSessionName", "")), int(asked.get("DurationSeconds", _HOUR))
    failures = [
        f"Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
        for value, member, constraint, wrong in (
            (name, "roleSessionName", "have length greater than or equal to 2", len(name) < 2),
            (name, "roleSessionName", "have length less than or equal to 64", len(name) > 64),
            (
                name,
                "roleSessionName",
                f"satisfy regular expression pattern: {_NAME}",
                not re.fullmatch(_NAME, name, re.ASCII),
            ),
            (duration, "durationSeconds", "have value greater than or equal to 900", duration < 900),
            (duration, "durationSeconds", "have value less than or equal to 43200", duration > 43200),
        )
        if wrong
    ]
    if not str(asked.get("RoleArn", "")).startswith("arn:"):
        return Refusal(code="ValidationError", message=f"{asked.get('RoleArn', '')} is invalid")
    if not failures:
        return None
    plural = "s" if len(failures) > 1 else ""
    return Refusal(
        code="ValidationError", message=f"{len(failures)} validation error{plural} detected: {'; '.join(failures)}"
    )


def _untrusted(asked: dict[str, Any], identity: Identity, role: Any) -> Refusal | None:
    """The first action of those that the request needs which the role's trust policy does not allow."""
    arn = str(asked["RoleArn"])
    needed = ["sts:AssumeRole"]
    needed += ["sts:TagSession"] if asked.get("Tags") or asked.get("TransitiveTagKeys") else []
    needed += ["sts:SetSourceIdentity"] if asked.get("SourceIdentity") else []
    context = _context(asked)
    for action in needed:
        if _says(role, identity, action, context) != "allow":
            return denied("query", identity.caller.arn, action, arn)
    return None


def _says(role: Any, identity: Identity, action: str, context: Context) -> Decision:
    if role is None:
        return "none"
    member = moto_state.member(role.account_id)
    if member is not None and member.status != "ACTIVE":
        return "none"
    return decide(role.assume_role_policy_document, identity.caller, action, role.arn, context)


def _context(asked: dict[str, Any]) -> Context:
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in asked.get("Tags") or ()}
    given = {
        "sts:externalid": asked.get("ExternalId"),
        "sts:rolesessionname": asked.get("RoleSessionName"),
        "sts:sourceidentity": asked.get("SourceIdentity"),
    }
    return {
        **{key: str(value) for key, value in given.items() if value is not None},
        **{f"aws:requesttag/{key.lower()}": value for key, value in tags.items()},
        **({"aws:tagkeys": tuple(tags)} if tags else {}),
    }


def _too_long(asked: dict[str, Any], identity: Identity, role: Any) -> Refusal | None:
    duration = int(asked.get("DurationSeconds", _HOUR))
    if identity.caller.session is not None and duration > _HOUR:
        message = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        return Refusal(code="ValidationError", message=message)
    if duration > int(role.max_session_duration or _HOUR):
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        return Refusal(code="ValidationError", message=message)
    return None
