"""What AWS says, translated: the class decides whether it is tried again, the message what a person does about it."""

import re
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from orbits_aws import errors
from orbits_aws.errors import (
    AccessDenied,
    AnswerLost,
    AwsError,
    AwsRefused,
    AwsUnavailable,
    NoCredentials,
    NotThere,
    QuotaReached,
    resource_of,
    translate,
)

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DENIED = "User: arn:aws:sts::111111111111:assumed-role/R/s is not authorized to perform: sqs:CreateQueue on resource: *"


def answer(code: str, message: str = "", *, status: int = 400, date: str = "", **members: str) -> ClientError:
    """An error as botocore raises it for an answer of a service."""
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": {"date": date}}
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata, **members}
    return ClientError(response, "CreateQueue")


def translated(error: Exception, service: str = "sqs") -> AwsError:
    """The error, as it is raised to a hook."""
    where = {"account": "111111111111", "region": "eu-west-1", "resource": "orders"}
    return translate(error, service=service, operation="CreateQueue", now=NOW, **where)


@pytest.mark.parametrize(
    ("error", "kind", "todo"),
    [
        (answer("AccessDenied", DENIED), AccessDenied, "Allow it in the policies of the role"),
        (
            answer("AccessDenied", f"{DENIED} with an explicit deny in a service control policy: arn:aws:o:p/x"),
            AccessDenied,
            "change that policy, or move the account to another unit",
        ),
        (
            answer("AccessDenied", f"{DENIED} because no service control policy allows the sqs:CreateQueue action"),
            AccessDenied,
            "change that policy, or move the account to another unit",
        ),
        (
            answer("AccessDenied", f"{DENIED} with an explicit deny in a permissions boundary"),
            AccessDenied,
            "allow it in the boundary",
        ),
        (
            answer("AccessDenied", f"{DENIED} because no session policy allows the sqs:CreateQueue action"),
            AccessDenied,
            "where the session is made",
        ),
        (
            answer("AccessDenied", f"{DENIED} with an explicit deny in a VPC endpoint policy"),
            AccessDenied,
            "The policy of the VPC endpoint",
        ),
        (
            answer("AccessDenied", f"{DENIED} because no role trust policy allows the sts:AssumeRole action"),
            AccessDenied,
            "the external id",
        ),
        (
            answer("AccessDenied", f"{DENIED} because no identity-based policy allows the sqs:CreateQueue action"),
            AccessDenied,
            "the role that was assumed",
        ),
        (
            answer("UnauthorizedOperation", "You may not. Encoded authorization failure message: 4g", status=403),
            AccessDenied,
            "decode-authorization-message",
        ),
        (answer("KMS.AccessDeniedException", "no", status=400), AccessDenied, "the key's policy"),
        (answer("KMSInvalidStateException", "pending deletion"), AwsRefused, "cancel its deletion"),
        (answer("ServiceQuotaExceededException", "no", QuotaCode="L-1", ServiceCode="x"), QuotaReached, "L-1 of x"),
        (answer("LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000"), QuotaReached, "a quota of sqs"),
        (answer("TooManyBuckets"), QuotaReached, "raise it under Service Quotas"),
        (
            answer("ConstraintViolationException", "You have exceeded", Reason="ACCOUNT_NUMBER_LIMIT_EXCEEDED"),
            QuotaReached,
            "ask AWS for a higher quota of accounts",
        ),
        (
            answer("ConstraintViolationException", "no", Reason="CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED"),
            AwsUnavailable,
            "being closed at the moment",
        ),
        (answer("ConstraintViolationException", "no", Reason="SOMETHING_NEW"), AwsRefused, "SOMETHING_NEW: no"),
        (
            answer("RequestTimeTooSkewed", status=403, date="Thu, 26 Nov 2026 12:07:00 GMT"),
            AwsUnavailable,
            "420 seconds behind that of AWS: set it by NTP",
        ),
        (
            answer("InvalidSignatureException", "Signature expired: 2026 is now earlier than 2026", status=403),
            AwsUnavailable,
            "differ by more than five minutes",
        ),
        (answer("SignatureDoesNotMatch", "check your key", status=403), AwsRefused, "give both anew"),
        (answer("ExpiredToken", status=403), AwsUnavailable, "gets a new one"),
        (answer("InvalidClientTokenId", status=403), AwsUnavailable, "region may not be enabled"),
        (answer("RegionDisabledException", status=403), AwsRefused, "enable it under Account, Regions"),
        (answer("NotSignedUp", status=403), AwsUnavailable, "up to four hours"),
        (answer("RequestExpired", "Request has expired."), AwsUnavailable, "set it by NTP"),
        (
            answer(
                "InvalidSignatureException",
                "Credential should be scoped to a valid region, not 'eu-west-9'.",
                status=403,
            ),
            AwsRefused,
            "AWS has no such region",
        ),
        (answer("OptInRequired"), AwsUnavailable, "up to four hours"),
        (answer("PendingVerification"), AwsUnavailable, "still verifying"),
        (answer("FinalizingOrganizationException"), AwsUnavailable, "up to an hour"),
        (answer("AWSOrganizationsNotInUseException"), AwsRefused, "create-organization"),
        (answer("Throttling", "Rate exceeded"), AwsUnavailable, "Rate exceeded"),
        (answer("SomeThrottlingOfItsOwn"), AwsUnavailable, ""),
        (answer("InternalError", status=500), AwsUnavailable, ""),
        (answer("NeverHeardOf", status=503), AwsUnavailable, ""),
        (answer("NoSuchBucket", status=404), NotThere, ""),
        (answer("ValidationError", "no"), AwsRefused, "no"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), AwsUnavailable, "the name of the region"),
        (exceptions.ConnectTimeoutError(endpoint_url="https://x"), AwsUnavailable, "nothing was done"),
        (exceptions.ReadTimeoutError(endpoint_url="https://x"), AnswerLost, "is not known"),
        (exceptions.ConnectionClosedError(endpoint_url="https://x"), AnswerLost, "is not known"),
        (ResponseParserError("not XML"), AnswerLost, "is not known"),
        (
            exceptions.SSLError(endpoint_url="x", error=OSError("CERTIFICATE_VERIFY_FAILED")),
            AwsRefused,
            "AWS_CA_BUNDLE",
        ),
        (exceptions.SSLError(endpoint_url="x", error=OSError("bad record")), AnswerLost, "is not known"),
        (exceptions.ParamValidationError(report="Missing"), AwsRefused, "Missing"),
        (exceptions.UnknownServiceError(service_name="x", known_service_names="y"), AwsRefused, "Unknown service"),
        (exceptions.UnauthorizedSSOTokenError(), NoCredentials, "aws sso login"),
        (exceptions.SSOTokenLoadError(error_msg="gone"), NoCredentials, "aws sso login"),
        (exceptions.TokenRetrievalError(provider="sso", error_msg="expired"), NoCredentials, "aws sso login"),
        (exceptions.CredentialRetrievalError(provider="custom-process", error_msg="x"), NoCredentials, "gives none"),
        (exceptions.NoCredentialsError(), NoCredentials, "AWS_PROFILE"),
        (exceptions.ProfileNotFound(profile="agency"), NoCredentials, "AWS_PROFILE"),
    ],
)
def test_an_error_says_what_where_and_what_to_do(error: Exception, kind: type[AwsError], todo: str) -> None:
    found = translated(error)
    assert type(found) is kind
    assert re.search(r"sqs:CreateQueue of orders(?: in 111111111111) \(eu-west-1\)", str(found))
    assert todo in str(found)
    assert ".." not in str(found)


@pytest.mark.parametrize("code", ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "AuthFailure"])
def test_a_session_that_is_over_is_known_by_the_codes_of_each_service(code: str) -> None:
    assert errors.is_stale(answer(code))
    assert not errors.is_stale(answer("AccessDenied"))


def test_what_dynamodb_calls_a_limit_passes() -> None:
    """Its LimitExceededException means that too many tables are changing at the moment."""
    assert type(translated(answer("LimitExceededException"), "dynamodb")) is AwsUnavailable


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    told = set(re.findall(r"^[│├└─ ]*(\w+) {2,}", errors.__doc__ or "", re.MULTILINE))
    made = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, AwsError)}
    assert told == made


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "resource"),
    [
        ("sqs", "CreateQueue", {"QueueName": "orders"}, "orders"),
        ("ssm", "PutParameter", {"Name": "/a", "Value": "secret"}, "/a"),
        ("iam", "CreateLoginProfile", {"Password": "secret"}, ""),
        ("organizations", "CreateAccount", {"Email": "a@b.example", "AccountName": "acme"}, ""),
        ("sqs", "ListQueues", {}, ""),
    ],
)
def test_what_a_call_is_about_is_named_and_no_secret(
    service: str, operation: str, arguments: dict[str, str], resource: str
) -> None:
    model = botocore.session.Session().get_service_model(service).operation_model(operation)
    assert resource_of(model, arguments) == resource
