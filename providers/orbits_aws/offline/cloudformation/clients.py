"""The AWS clients with which CloudFormation carries out stack operations.

A client is made once for a service and region, whatever the account: the account stands in a context variable and
travels in moto's header. Requests take the short way, in process, through the same gateway as those from outside, and
are marked as CloudFormation's. They are not repeated by the SDK: a throttled call is, four times, as CloudFormation
does; any other error is the resource's.
"""

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from threading import RLock
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import boto3
import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from orbits_aws.offline.gateway import Gateway
from orbits_aws.offline.moto_adapter import ACCOUNT_HEADER
from orbits_aws.offline.throttling import THROTTLED
from orbits_aws.offline.wire import Environ

_REPEATED = 4

_ENDPOINT = "http://localhost"
"""What the clients are made with; a request's real host is that of the offline AWS it is made in."""


@dataclass(frozen=True, kw_only=True)
class _Acting:
    gateway: Gateway
    account: str
    host: str


_acting: ContextVar[_Acting] = ContextVar("_acting")
_making = RLock()


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        """The body in one piece, as urllib3's answers give theirs in many."""
        yield self.read()


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The clients, for all accounts of one offline AWS."""

    gateway: Gateway
    endpoint_url: Callable[[], str]
    """Where the offline AWS listens: resources name it in their URLs."""

    @contextmanager
    def acting_in(self, account: str) -> Generator[None]:
        """Make all calls inside the block in an account."""
        host = urlsplit(self.endpoint_url()).netloc
        token = _acting.set(_Acting(gateway=self.gateway, account=account, host=host))
        try:
            yield
        finally:
            _acting.reset(token)

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region; its calls go to the account of `acting_in`."""
        with _making:
            return _client(service, region)


@cache
def _client(service: str, region: str) -> Any:
    """A client takes up to 0.2 s to make, so it serves every offline AWS of the process, one after the other."""
    session = cast("Any", _session())
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    client = session.client(service, region_name=region, endpoint_url=_ENDPOINT, config=config)
    client.meta.events.register("before-send", _send)
    return client


@cache
def _session() -> boto3.Session:
    return boto3.Session(
        aws_access_key_id="CLOUDFORMATION",
        aws_secret_access_key="offline",  # noqa: S106 - nothing checks it
        botocore_session=cast("Any", _models()),
    )


@cache
def _models() -> botocore.session.Session:
    return botocore.session.Session()


@cache
def service_model(service: str) -> Any:
    """botocore's model of a service: its operations and what they take and give."""
    with _making:
        return _models().get_service_model(service)


def _send(request: AWSPreparedRequest, **_kwargs: Any) -> AWSResponse:
    acting = _acting.get()
    answer = acting.gateway.handle(_environ(request, acting), origin="cloudformation")
    for _ in range(_REPEATED):
        if answer.error_code not in THROTTLED:
            break
        answer = acting.gateway.handle(_environ(request, acting), origin="cloudformation")
    headers = cast("Any", dict(answer.headers))
    return AWSResponse(cast("Any", request.url), answer.status, headers, cast("Any", _Body(answer.body)))


def _environ(request: AWSPreparedRequest, acting: _Acting) -> Environ:
    url = urlsplit(str(request.url))
    body: Any = request.body if request.body is not None else b""
    content = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else bytes(body)
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path) or "/",
        "RAW_URI": f"{url.path or '/'}{f'?{url.query}' if url.query else ''}",
        "QUERY_STRING": url.query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": acting.host.partition(":")[0],
        "SERVER_PORT": acting.host.partition(":")[2] or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(content)),
        ACCOUNT_HEADER: acting.account,
    }
    for name, value in cast("Any", request.headers).items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        if key == "TRANSFER_ENCODING":
            continue
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    environ["CONTENT_LENGTH"] = str(len(content))
    environ["HTTP_HOST"] = acting.host
    return environ
