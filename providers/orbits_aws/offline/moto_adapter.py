"""moto's server and its reading and writing of requests, behind typed functions.

moto keeps its state in module globals, so there is one simulated AWS in a process however many applications are made;
`OfflineAws` sees to it that only one runs at a time. The account of a call is handed to moto in a header of its own
(`x-moto-account-id`), which moto trusts above the access key. Only this module, `moto_state` and
`moto_alarms` import moto.
"""

import functools
import io
import json
from typing import Any, cast

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
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
    _judge_by_what_is_known()
    return cast("WsgiApp", DomainDispatcherApplication(create_backend_app))


@functools.cache
def _judge_by_what_is_known() -> None:
    """Leave out of a bucket's policy what depends on circumstances of a call, such as that it is encrypted.

    moto knows no circumstances, takes no condition for fulfilled, and refuses a call that a statement *denies* under
    a condition: no object could be put in a bucket that asks for encrypted connections.
    """
    from moto.s3.models import FakeBucket

    judge: Any = FakeBucket.get_permission

    def get_permission(self: Any, action: str, resource: str) -> Any:
        whole = self.policy
        if whole is None:
            return judge(self, action, resource)
        policy = json.loads(whole)
        statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
        known = [each for each in statements if not each.get("Condition")]
        judged: Any = FakeBucket.__new__(FakeBucket)
        judged.policy = json.dumps({**policy, "Statement": known}).encode() if known else None
        return judge(judged, action, resource)

    cast("Any", FakeBucket).get_permission = get_permission


@functools.cache
def _service_model(service: str) -> Any:
    return get_service_model(service)


@functools.cache
def _loader() -> Any:
    return Loader()


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


def operation_names(service: str) -> tuple[str, ...]:
    """The operations of a service, by boto3's name of it. Raises LookupError for a service that AWS does not have."""
    try:
        return tuple(_service_model(service).operation_names)
    except UnknownServiceError as unknown:
        raise LookupError(service) from unknown


def signing_name(service: str) -> str:
    """The name that a service has in policies; its own where it has no model."""
    try:
        return str(_service_model(service).signing_name)
    except UnknownServiceError:
        return service


@functools.cache
def regions() -> frozenset[str]:
    """All regions that AWS has; `*` is what a request for several is signed for."""
    partitions = _loader().load_data("endpoints")["partitions"]
    return frozenset({region for partition in partitions for region in partition["regions"]} | {"*"})


def service_names() -> tuple[str, ...]:
    """boto3's names of all services."""
    return tuple(_loader().list_available_services("service-2"))
