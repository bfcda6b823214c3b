"""What is asked of STS to assume a role, and what a refusal of it means: pure functions. Called by `clients`."""

from typing import Any

from orbits_aws.credentials import Role
from orbits_aws.errors import AccessDenied, AwsRefused, NotLetIn, denied_by

_TAGS = "Allow sts:TagSession in the role's trust policy, or leave session_tags out of the target"
_IDENTITY = "Allow sts:SetSourceIdentity in the role's trust policy, or leave source_identity out of the target"
_LENGTH = (
    "Take a shorter session= for the target, or raise the role's MaxSessionDuration; where the management credentials "
    "are a role's themselves, an hour is the most"
)

_OF_THE_ACCOUNT = ("role trust policy", "resource-based policy", "resource control policy")
"""Policies that say no on the side of the account; all others are about who asks."""


def assumption(role: Role) -> dict[str, Any]:
    """The arguments of AssumeRole; nothing that the role need not support unless the target asks for it."""
    asked: dict[str, Any] = {"RoleArn": role.arn, "DurationSeconds": role.seconds}
    if role.external_id is not None:
        asked["ExternalId"] = role.external_id
    if role.source_identity is not None:
        asked["SourceIdentity"] = role.source_identity
    if role.tags:
        asked["Tags"] = [{"Key": key, "Value": value} for key, value in role.tags]
    return asked


def not_assumed(role: Role, error: AwsRefused) -> AwsRefused:
    """The error of an AssumeRole that was refused, with what to do about it.

    `NotLetIn` where it is the account that does not let whoever asks in, as far as AWS tells; where who asks may not
    assume roles, or asks for what the role does not allow, it is refused as any call is: that is ours to mend.
    """
    words = str(error)
    if not isinstance(error, AccessDenied):
        return _anew(AwsRefused, f"{words}. {_LENGTH}", role, error) if "DurationSeconds" in words else error
    if "sts:TagSession" in words:
        return _anew(AccessDenied, f"{words}. {_TAGS}", role, error)
    if "sts:SetSourceIdentity" in words:
        return _anew(AccessDenied, f"{words}. {_IDENTITY}", role, error)
    by = "the management credentials" if role.before is None else role.before.arn
    if (policy := denied_by(error)) not in (None, *_OF_THE_ACCOUNT):
        return _anew(
            AccessDenied, f"{words}. This is about {by}, not about the account: see to that {policy}", role, error
        )
    external = "an external id" if role.external_id is None else "another external id"
    return _anew(
        NotLetIn,
        f"AccessDenied on sts:AssumeRole of {role.arn}: the account {role.account} has no such role, or the role does "
        f"not trust {by}, or it asks for {external}, or {by} may not assume roles. AWS says: {error.said}",
        role,
        error,
    )


def _anew(kind: type[AwsRefused], message: str, role: Role, error: AwsRefused) -> AwsRefused:
    return kind(
        message,
        code=error.code,
        said=error.said,
        service="sts",
        operation="AssumeRole",
        account=role.account,
        region=error.region,
    )
