"""What goes wrong when AWS is called, and whether it is worth trying again.

AwsError                    names operation, resource, service, account, region and the service's code
├── AwsRefused              also Permanent: the same call will be refused again
│   ├── AccessDenied        the role may not do this
│   │   └── NotLetIn        also OutOfReach: the account lets nobody in, since its role cannot be assumed
│   ├── AccountUnusable     also OutOfReach: the account is suspended or closed, or its region is not enabled
│   ├── NotThere            what the call is about does not exist
│   └── QuotaReached        the account has as much of something as AWS allows it
├── AwsUnavailable          throttled, failing, or not ready yet: worth trying again
│   ├── NotReady            nothing was done: the thing is being changed, or is not known yet
│   └── AnswerLost          no answer came: the call may or may not have been carried out
└── NoCredentials           also Permanent: there is nobody to act as

botocore's errors are translated here and nowhere else; the original is always the cause. What a code means stands in
`explained`. An error of botocore that says nothing of a connection comes before anything was sent.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Self

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as ConnectionBroken
from botocore.parsers import ResponseParserError

from orbits_aws import explained
from orbits_iac import Error, Permanent
from orbits_iac.provider import OutOfReach


class AwsError(Error):
    """A call to AWS that did not succeed.

    `said` are AWS's own words; `reason` is what AWS Organizations says beside the code; empty elsewhere.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        reason: str = "",
        said: str = "",
        service: str = "",
        operation: str = "",
        account: str = "",
        region: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.said = said
        self.service = service
        self.operation = operation
        self.account = account
        self.region = region

    def with_more(self, said: str) -> Self:
        """The same error that says more: what it means where it was met, or what to do about it."""
        return type(self)(
            f"{self}. {said}",
            code=self.code,
            reason=self.reason,
            said=self.said,
            service=self.service,
            operation=self.operation,
            account=self.account,
            region=self.region,
        )


class AwsRefused(AwsError, Permanent):
    """The service refused, and will refuse the same call again."""


class AccessDenied(AwsRefused):
    """The role that was assumed may not do this."""


class NotLetIn(AccessDenied, OutOfReach):
    """The target's role cannot be assumed: it is not there, or does not trust whoever asks."""


class AccountUnusable(AwsRefused, OutOfReach):
    """The account is suspended or closed, or has not enabled the region: nobody can do anything there."""


class NotThere(AwsRefused):
    """What the call is about does not exist."""


class QuotaReached(AwsRefused):
    """The account has as much of something as AWS allows it."""


class AwsUnavailable(AwsError):
    """Throttled, failing, or not ready yet."""


class AnswerLost(AwsUnavailable):
    """No answer came: nobody knows whether the call was carried out."""


class NotReady(AwsUnavailable):
    """Nothing was done: the thing is being changed, or what was made or deleted a moment ago is not known yet."""

    @classmethod
    def because(cls, error: AwsError) -> "NotReady":
        """What `error`, a refusal, is where the service means: not yet."""
        return cls(
            str(error),
            code=error.code,
            service=error.service,
            operation=error.operation,
            account=error.account,
            region=error.region,
        )


class NoCredentials(AwsError, Permanent):
    """There is nobody to act as."""


WITHOUT_CREDENTIALS = (
    "Give credentials of the management account: AWS_PROFILE or AWS_ACCESS_KEY_ID in the environment, or `profile` in "
    "the table [aws] of orbits.toml"
)
LOG_IN = "The sign-in has expired: aws sso login, with --profile if one is set, or another way to sign in"
_NOT_KNOWN = "Whether it was carried out is not known; it is looked up before it is done again"
_LONGEST_NAME = 200


def is_stale(error: ClientError) -> bool:
    """Whether the session's credentials were refused themselves, so that certainly nothing was done."""
    return _code(error) in explained.STALE or _code(error) in explained.STALE_OF_EC2


def asks_for_the_account(error: ClientError) -> bool:
    """Whether the account or its region may be what is wrong: whoever gets this answer has to ask about them."""
    return is_stale(error) or _code(error) in explained.NOT_ENABLED


def is_throttled(code: str) -> bool:
    """Whether a code says that there were too many calls."""
    return code in explained.THROTTLED or "Throttl" in code


def denied_by(error: AwsError) -> str | None:
    """The kind of policy that denied a call, where the message names it."""
    return _policy(error.said)


def todo_for_reason(reason: str) -> str:
    """What to do about a reason that AWS Organizations gave, as the end of a sentence."""
    return explained.REASONS.get(reason, "see the documentation of AWS Organizations")


def translate(
    error: Exception,
    *,
    service: str,
    operation: str,
    account: str,
    region: str,
    resource: str = "",
    now: datetime | None = None,
) -> AwsError:
    """What `error`, raised by botocore, means; the message says what was tried, where, and what to do.

    `resource` names what the call was about; `now` is this machine's time, for the case that the clocks differ.
    """
    if isinstance(error, AwsError):
        return error
    code = _code(error) if isinstance(error, ClientError) else ""
    said = error.response.get("Error", {}).get("Message", "") if isinstance(error, ClientError) else str(error)
    reason = _reason(error, said) if isinstance(error, ClientError) else ""
    kind, todo = _meaning(error, code, reason, said, service, now)
    where = f"{service}:{operation}{f' of {resource}' if resource else ''} in {account} ({region})"
    head = f"{code} on {where}" if code else f"{where}: {type(error).__name__}"
    words = said.strip() if not reason or reason in said else f"{reason}: {said.strip()}"
    message = ". ".join(part.rstrip(".") for part in (f"{head}: {words}" if words else head, todo) if part)
    return kind(
        message,
        code=code,
        reason=reason,
        said=said,
        service=service,
        operation=operation,
        account=account,
        region=region,
    )


def resource_of(model: Any, arguments: dict[str, Any]) -> str:
    """What a call is about, for people: the first argument that it requires and that names something."""
    shape = model.input_shape
    if shape is None:
        return ""
    for name in shape.required_members:
        value = arguments.get(name)
        sensitive = shape.members[name].metadata.get("sensitive")
        if isinstance(value, str) and not sensitive and name.endswith(_NAMING) and len(value) <= _LONGEST_NAME:
            return value
    return ""


_NAMING = ("Arn", "ARN", "Bucket", "Email", "Id", "Identifier", "Key", "Name", "Url", "Uri")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "Unknown"))


def _reason(error: ClientError, said: str) -> str:
    given = error.response.get("Reason")
    if isinstance(given, str):
        return given
    return next((reason for reason in explained.REASONS if reason in said), "")


def _meaning(
    error: Exception, code: str, reason: str, said: str, service: str, now: datetime | None
) -> tuple[type[AwsError], str]:
    """The class of the error, and the one thing to do about it."""
    if not isinstance(error, ClientError):
        return _meaning_of_exception(error)
    if code in explained.SKEWED or (
        code in explained.SIGNATURES and any(words in said for words in explained.SKEWED_WORDS)
    ):
        return AwsUnavailable, _skewed(error, now or datetime.now(UTC))
    if explained.UNKNOWN_REGION in said:
        return AwsRefused, "AWS has no such region, or not this service there: check the region of the target"
    if reason in explained.REASONS or reason in explained.PASSING_REASONS:
        return _meaning_of_reason(reason)
    if (service, code) in explained.UNUSABLE:
        return AccountUnusable, explained.UNUSABLE[service, code]
    if code in explained.DENIED:
        return AccessDenied, _denied(code, said)
    if code in explained.QUOTAS:
        passing = code == "LimitExceededException" and service in explained.PASSING_QUOTAS
        return (AwsUnavailable, "") if passing else (QuotaReached, _quota(error, service))
    return _meaning_of_code(code, int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)))


def _meaning_of_exception(error: Exception) -> tuple[type[AwsError], str]:
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)):
        return AwsUnavailable, (
            "Check the network, the name of the region, and AWS_ENDPOINT_URL or a proxy if one is set; nothing was done"
        )
    if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return AwsRefused, "The certificate is not trusted here: set AWS_CA_BUNDLE if a proxy opens the connections"
    if isinstance(error, (ConnectionBroken, HTTPClientError, ResponseParserError)):
        return AnswerLost, _NOT_KNOWN
    if isinstance(error, (LoginError, SSOError, TokenRetrievalError)):
        return NoCredentials, LOG_IN
    if isinstance(error, CredentialRetrievalError):
        return NoCredentials, "What the profile or the environment says of credentials gives none"
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
        return NoCredentials, WITHOUT_CREDENTIALS
    return (AwsRefused, "") if isinstance(error, BotoCoreError) else (AwsUnavailable, "")


def _meaning_of_reason(reason: str) -> tuple[type[AwsError], str]:
    todo = todo_for_reason(reason)
    if reason in explained.PASSING_REASONS:
        return AwsUnavailable, _sentence(todo)
    return QuotaReached if reason in explained.QUOTA_REASONS else AwsRefused, _sentence(todo)


def _meaning_of_code(code: str, status: int) -> tuple[type[AwsError], str]:
    todo = explained.TODO.get(code, "")
    if code in explained.STALE:
        return AwsUnavailable, (
            "The session is no longer valid, and the next attempt gets a new one; if that is refused as well, the "
            "region may not be enabled for the account"
        )
    if code in explained.NOT_THERE:
        return NotThere, todo
    if code in explained.NOT_READY:
        return NotReady, todo
    if code in explained.AGAIN or status >= 500 or is_throttled(code):
        return AwsUnavailable, todo
    return AwsRefused, todo


def _policy(said: str) -> str | None:
    if "explicit deny" not in said and "because no" not in said:
        return None
    return next((policy for policy in explained.DENIED_BY if policy in said), None)


def _denied(code: str, said: str) -> str:
    if policy := _policy(said):
        return explained.DENIED_BY[policy]
    if "Encoded authorization failure message" in said:
        return explained.DENIED_ENCODED
    return explained.DENIED_KEY if code.startswith("KMS") or "kms:" in said else explained.DENIED_OTHERWISE


def _quota(error: ClientError, service: str) -> str:
    code, of = error.response.get("QuotaCode"), error.response.get("ServiceCode") or service
    which = f"the quota {code} of {of}" if code else f"a quota of {of}"
    return f"It is {which}: raise it under Service Quotas in this account and region, or remove what is not needed"


def _skewed(error: ClientError, now: datetime) -> str:
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    apart = _apart(str(headers.get("date", "")), now)
    return f"This machine's clock {apart}: set it by NTP"


def _apart(date: str, now: datetime) -> str:
    try:
        seconds = round((now - parsedate_to_datetime(date)).total_seconds())
    except (TypeError, ValueError):
        return "and that of AWS differ by more than five minutes"
    return f"is {abs(seconds)} seconds {'ahead of' if seconds > 0 else 'behind'} that of AWS"


def _sentence(text: str) -> str:
    return re.sub(r"^\w", lambda first: first.group().upper(), text)
