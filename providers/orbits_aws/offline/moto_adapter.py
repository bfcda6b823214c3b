"""moto, behind typed functions: the only module that imports it.

moto keeps its state in module globals, so there is one simulated AWS in a process however many applications are made;
`OfflineAws` sees to it that only one runs at a time. The account of a call is handed to moto in a header of its own
(`x-moto-account-id`), which moto trusts above the access key.
"""

import functools
import importlib
import io
import json
import sys
from typing import Any, cast

from moto.core.base_backend import BackendDict
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.exceptions import NotFound

from .wire import Answer, Environ, Protocol, WsgiApp

ACCOUNT_HEADER = "HTTP_X_MOTO_ACCOUNT_ID"
MANAGEMENT_ACCOUNT = str(DEFAULT_ACCOUNT_ID)
RequestHandler = MotoRequestHandler

__all__ = ["ACCOUNT_HEADER", "MANAGEMENT_ACCOUNT", "RequestHandler"]


def application() -> WsgiApp:
    """moto's server as a WSGI application; services load when first called."""
    return cast("WsgiApp", DomainDispatcherApplication(create_backend_app))


def reset() -> None:
    """Forget everything in every account; what is left is a new organization and its management account."""
    from moto.moto_api._internal.models import moto_api_backend
    from moto.organizations.models import organizations_backends

    moto_api_backend.reset()
    organizations_backends[MANAGEMENT_ACCOUNT]["aws"].create_organization("us-east-1", FeatureSet="ALL")


_MADE_WITH = frozenset({"backend", "service_name", "_additional_regions", "_id", "_use_boto3_regions"})
"""Attributes of a service's table of accounts that say how it was made, and nothing of what is in it."""


def state() -> dict[tuple[str, str], Any]:
    """All that moto holds: for each service, by where its table of accounts stands, the accounts and the rest."""
    found: dict[tuple[str, str], Any] = {}
    for table_of_accounts in list(cast("Any", BackendDict)._instances):  # noqa: SLF001 - moto has no other list of them
        module = table_of_accounts.backend.__module__
        [name] = [name for name, value in vars(sys.modules[module]).items() if value is table_of_accounts]
        found[module, name] = (
            {account: dict(regions) for account, regions in table_of_accounts.items()},
            {name: value for name, value in vars(table_of_accounts).items() if name not in _MADE_WITH},
        )
    return found


def restore(state: dict[tuple[str, str], Any]) -> None:
    """Let moto, which was reset, hold what `state` gave."""
    for one in list(cast("Any", BackendDict)._instances):  # noqa: SLF001 - as above
        one.clear()
    for (module, name), (accounts, rest) in state.items():
        table_of_accounts = getattr(importlib.import_module(module), name)
        vars(table_of_accounts).update(rest)
        for account, regions in accounts.items():
            table_of_accounts[account].update(regions)


@functools.cache
def _service_model(service: str) -> Any:
    return get_service_model(service)


def target_prefix(service: str) -> str | None:
    """What the service's `X-Amz-Target` headers begin with, where it has such."""
    return cast("str | None", _service_model(service).metadata.get("targetPrefix"))


def api_version(service: str) -> str:
    """The version that requests of the query protocol name."""
    return str(_service_model(service).metadata["apiVersion"])


def protocol(service: str, content_type: str) -> Protocol:
    """The protocol in which a service was asked and has to answer."""
    model = _service_model(service)
    try:
        return cast("Protocol", determine_request_protocol(model, content_type))
    except NotImplementedError:
        return cast("Protocol", model.protocol)


def _request(environ: Environ) -> Any:
    """The request as moto reads it, without taking the body from whoever reads it next."""
    return Request({**environ, "wsgi.input": io.BytesIO(environ["wsgi.input"].getvalue())})


def operation(service: str, environ: Environ) -> str | None:
    """The name of the operation that a request asks a service for; None if it matches none."""
    try:
        matched, _ = get_service_router(service).match(_request(environ))
    except (NotFound, NotImplementedError):
        return None
    return str(matched.name)


def parse_query(service: str, operation_name: str, environ: Environ) -> dict[str, Any]:
    """The arguments of a request of the query protocol, named and typed as in the service's model."""
    request = _request(environ)
    parser = PROTOCOL_PARSERS["query"](_service_model(service).operation_model(operation_name), map_type=dict)
    parsed = parser.parse(
        {
            "method": request.method,
            "values": request.values,
            "headers": request.headers,
            "body": b"",
            "url_path": request.path,
            "url_params": {},
        }
    )
    return dict(parsed)


def serialize_query(service: str, operation_name: str, result: dict[str, Any]) -> Answer:
    """A result as the query protocol writes it."""
    serializer = get_serializer_class(service, "query")(_service_model(service).operation_model(operation_name))
    written = serializer.serialize(result)
    body = written["body"]
    return Answer(
        status=int(written["status_code"]),
        headers=tuple((str(name), str(value)) for name, value in written["headers"].items()),
        body=body.encode() if isinstance(body, str) else bytes(body),
    )


def account_of_key(access_key: str) -> str | None:
    """The account that an access key was issued in; None if moto issued no such key."""
    from moto.iam.models import iam_backends

    for account_id, backends in list(iam_backends.items()):
        for backend in list(backends.values()):
            if access_key in backend.access_keys:
                return str(account_id)
    return None


def role_exists(arn: str) -> bool:
    """Whether the IAM role of this ARN exists in its account."""
    from moto.iam.models import iam_backends

    account, name = arn.split(":")[4], arn.rpartition("/")[2]
    return account in iam_backends and any(
        role.arn == arn and role.name == name for role in list(iam_backends[account]["aws"].roles.values())
    )


def queue(account: str, region: str, name: str) -> Any:
    """moto's own object of an SQS queue; None if there is none of the name."""
    from moto.sqs.models import sqs_backends

    return sqs_backends[account][region].queues.get(name)


def table(account: str, region: str, name: str) -> Any:
    """moto's own object of a DynamoDB table; None if there is none of the name."""
    from moto.dynamodb.models import dynamodb_backends

    return dynamodb_backends[account][region].tables.get(name)


def account_named(name: str) -> str | None:
    """The id of the account that has this name in the organization of the management account."""
    from moto.organizations.models import organizations_backends

    for account in organizations_backends[MANAGEMENT_ACCOUNT]["aws"].accounts:
        if account.name == name:
            return str(account.id)
    return None


@functools.cache
def _aws_policies() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    return cast("dict[str, Any]", json.loads(aws_managed_policies_data))


def provide_aws_policy(account: str, arn: str) -> None:
    """Make one of AWS's own managed policies attachable in an account; an arn that is no such policy is left alone.

    moto can load all 1,200 of them into each account; that is slow and large, so each comes when it is first named.
    """
    from moto.iam.models import AWSManagedPolicy, iam_backends

    path, _, name = arn.partition(":policy")[2].rpartition("/")
    data = _aws_policies().get(name)
    backend = iam_backends[account]["aws"]
    if data is None or arn in backend.managed_policies or data["Path"] != f"{path}/":
        return
    policy = AWSManagedPolicy.from_data(name, account, "aws", data)
    backend.managed_policies[policy.arn] = policy
