"""Which service, operation, account and region a request means.

The service comes from what the request is signed for. Where several services share a signing name, the request's
target, version or route tells which one; the table holds those that botocore's models (1.44) name differently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qs

from . import moto_adapter
from .callers import Callers
from .principals import Caller, administrator
from .wire import DEFAULT_REGION, Credential, Environ, credential

_SERVICES: dict[str, Sequence[str]] = {
    "access-analyzer": ("accessanalyzer",),
    "airflow": ("mwaa",),
    "aoss": ("opensearchserverless",),
    "apigateway": ("apigateway", "apigatewayv2"),
    "aps": ("amp",),
    "cloudcontrolapi": ("cloudcontrol",),
    "cloudhsm": ("cloudhsmv2", "cloudhsm"),
    "dynamodb": ("dynamodb", "dynamodbstreams"),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",),
    "es": ("opensearch", "es"),
    "execute-api": ("apigatewaymanagementapi",),
    "geo": ("location",),
    "kinesisanalytics": ("kinesisanalyticsv2", "kinesisanalytics"),
    "mobiletargeting": ("pinpoint",),
    "monitoring": ("cloudwatch",),
    "rds": ("rds", "neptune", "docdb"),
    "s3": ("s3", "s3control"),
    "ses": ("ses", "sesv2"),
    "servicequotas": ("service-quotas",),
    "sso": ("sso-admin",),
    "states": ("stepfunctions",),
    "tagging": ("resourcegroupstaggingapi",),
    "timestream": ("timestream-write", "timestream-query"),
}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a request asks for, of whom."""

    service: str
    """boto3's name of the service; the signing name where the service is unknown."""
    operation: str
    """The operation's name; `METHOD /path` where no model knows the request."""
    caller: Caller
    region: str
    signed: bool = True

    @property
    def account(self) -> str:
        """The account that the call acts in."""
        return self.caller.account


def identify(environ: Environ, body: bytes, callers: Callers) -> Identity:
    """What a request means; never fails."""
    signed = credential(environ)
    service, operation = _service_and_operation(environ, body, signed)
    acting = environ.get(moto_adapter.ACCOUNT_HEADER)
    caller = administrator(str(acting), "service") if acting else callers.of(signed.key if signed else None)
    return Identity(
        service=service,
        operation=operation or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '/')}",
        caller=caller,
        signed=signed is not None,
        region=signed.region if signed else DEFAULT_REGION,
    )


def _service_and_operation(environ: Environ, body: bytes, signed: Credential | None) -> tuple[str, str | None]:
    if signed is None:
        return _unsigned(environ, body)
    candidates = _SERVICES.get(signed.signing_name, (signed.signing_name,))
    for service in candidates:
        operation = _operation(service, environ, body)
        if operation is not None:
            return service, operation
    return candidates[0], None


def _unsigned(environ: Environ, body: bytes) -> tuple[str, str | None]:
    """Requests that need no signature: STS with a web identity, and S3's public objects."""
    action = _form(environ, body).get("Action", [""])[0]
    if action.startswith("AssumeRoleWith"):
        return "sts", action
    return "s3", _operation("s3", environ, body)


def _operation(service: str, environ: Environ, body: bytes) -> str | None:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    try:
        if target:
            prefix, _, name = target.rpartition(".")
            return name if moto_adapter.target_prefix(service) == prefix else None
        form = _form(environ, body)
        if "Action" in form:
            version = form.get("Version", [""])[0]
            return form["Action"][0] if version in ("", moto_adapter.api_version(service)) else None
        return moto_adapter.operation(service, environ)
    except LookupError:
        return None


def _form(environ: Environ, body: bytes) -> dict[str, list[str]]:
    form = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        form |= parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return form
