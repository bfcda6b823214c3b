"""What goes wrong when AWS is called, and whether it is worth trying again.

AwsError                    names operation, service, account, region and the service's code
├── AwsRefused              also Permanent: the same call will be refused again
│   ├── AccessDenied        the role may not do this
│   └── NotThere            what the call is about does not exist
├── AwsUnavailable          throttled, failing, or not ready yet: worth trying again
│   └── AnswerLost          no answer came: the call may or may not have been carried out
└── NoCredentials           also Permanent: there is nobody to act as

botocore's errors are translated here and nowhere else; the original is always the cause.
"""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
)

from orbits_iac import Error, Permanent


class AwsError(Error):
    """A call to AWS that did not succeed."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        service: str = "",
        operation: str = "",
        account: str = "",
        region: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.service = service
        self.operation = operation
        self.account = account
        self.region = region


class AwsRefused(AwsError, Permanent):
    """The service refused, and will refuse the same call again."""


class AccessDenied(AwsRefused):
    """The role that was assumed may not do this."""


class NotThere(AwsRefused):
    """What the call is about does not exist."""


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


_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)
_STALE = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
    }
)
_NOT_THERE = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "AccountNotFoundException",
        "ChangeSetNotFound",
        "NoSuchBucket",
        "NoSuchEntity",
        "NoSuchTagSet",
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "TableNotFoundException",
    }
)
_AGAIN = frozenset(
    {
        "ConcurrentModificationException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "OptInRequired",
        "PendingVerification",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceException",
        "ServiceUnavailable",
        "SlowDown",
        "SubscriptionRequiredException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_NOT_READY = frozenset(
    {
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "ConcurrentModification",
        "OperationAborted",
        "OperationAbortedException",
        "QueueDeletedRecently",
        "TooManyUpdates",
    }
)

_TODO = {
    "AWSOrganizationsNotInUseException": "Make one there first: aws organizations create-organization "
    "--feature-set ALL",
}


def is_stale(error: ClientError) -> bool:
    """Whether the session's credentials were refused themselves, so that certainly nothing was done."""
    return error.response.get("Error", {}).get("Code", "") in _STALE


def translate(error: Exception, *, service: str, operation: str, account: str, region: str) -> AwsError:
    """What `error`, raised by botocore, means; the message says what was tried, where, and what to do."""
    if isinstance(error, AwsError):
        return error
    code = error.response.get("Error", {}).get("Code", "Unknown") if isinstance(error, ClientError) else ""
    kind, todo = _meaning(error, code)
    words = (
        error.response.get("Error", {}).get("Message", "") if isinstance(error, ClientError) else str(error)
    ).strip()
    where = f"{service}:{operation} in {account} ({region})"
    head = f"{code} on {where}" if code else f"{where}: {_name(error)}"
    message = ". ".join(part.rstrip(".") for part in (f"{head}: {words}" if words else head, todo) if part)
    return kind(message, code=code, service=service, operation=operation, account=account, region=region)


def _meaning(error: Exception, code: str) -> tuple[type[AwsError], str]:
    """The class of the error, and the one thing to do about it."""
    if isinstance(error, ClientError):
        return _meaning_of_code(code, int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)))
    if isinstance(error, ParamValidationError):
        return AwsRefused, ""
    if isinstance(error, (EndpointConnectionError, ConnectTimeoutError)):
        return AwsUnavailable, "Check the network, or AWS_ENDPOINT_URL if it is set"
    if isinstance(error, (NoCredentialsError, PartialCredentialsError, ProfileNotFound)):
        return NoCredentials, WITHOUT_CREDENTIALS
    if isinstance(error, BotoCoreError):
        return AnswerLost, "Whether it was carried out is not known; it is looked up before it is done again"
    return AwsUnavailable, ""


def _meaning_of_code(code: str, status: int) -> tuple[type[AwsError], str]:
    if code in _DENIED:
        return AccessDenied, "Allow it in the policies of the role that was assumed, or of the account's organization"
    if code in _STALE:
        return AwsUnavailable, "The session is no longer valid; the next attempt assumes the role anew"
    if code in _NOT_THERE:
        return NotThere, ""
    if code in _NOT_READY:
        return NotReady, ""
    if code in _AGAIN or status >= 500 or "Throttl" in code:
        return AwsUnavailable, ""
    return AwsRefused, _TODO.get(code, "")


def _name(error: Exception) -> str:
    return type(error).__name__


WITHOUT_CREDENTIALS = (
    "Give credentials of the management account: AWS_PROFILE or AWS_ACCESS_KEY_ID in the environment, or `profile` in "
    "the table [aws] of orbits.toml"
)
