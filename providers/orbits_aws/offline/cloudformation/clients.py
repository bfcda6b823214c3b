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
from threading import RLock
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from orbits_aws.offline.gateway import Gateway
from orbits_aws.offline.moto_adapter import ACCOUNT_HEADER
from orbits_aws.offline.wire import Environ

_THROTTLED = frozenset(
    {"RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"}
)
_REPEATED = 4

_account: ContextVar[str] = ContextVar("_account")


class _Body(io.BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        """The body in one piece, as urllib3's answers give theirs in many."""
        yield self.read()


class Clients:
    """The clients, for all accounts of one offline AWS."""

    def __init__(self, gateway: Gateway, endpoint_url: Callable[[], str]) -> None:
        self._gateway = gateway
        self._endpoint_url = endpoint_url
        self._lock = RLock()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._session = boto3.Session(aws_access_key_id="CLOUDFORMATION", aws_secret_access_key="offline")  # noqa: S106

    @contextmanager
    def acting_in(self, account: str) -> Generator[None]:
        """Make all calls inside the block in an account."""
        token = _account.set(account)
        try:
            yield
        finally:
            _account.reset(token)

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region; its calls go to the account of `acting_in`."""
        with self._lock:
            key = (service, region, self._endpoint_url())
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._make(service, region)
            return client

    def _make(self, service: str, region: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        client = cast("Any", self._session).client(
            service, region_name=region, endpoint_url=self._endpoint_url(), config=config
        )
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: AWSPreparedRequest, **_kwargs: Any) -> AWSResponse:
        answer = self._gateway.handle(_environ(request), origin="cloudformation")
        for _ in range(_REPEATED):
            if answer.error_code not in _THROTTLED:
                break
            answer = self._gateway.handle(_environ(request), origin="cloudformation")
        headers = cast("Any", dict(answer.headers))
        return AWSResponse(cast("Any", request.url), answer.status, headers, cast("Any", _Body(answer.body)))


def _environ(request: AWSPreparedRequest) -> Environ:
    url = urlsplit(str(request.url))
    body: Any = request.body if request.body is not None else b""
    content = body.read() if hasattr(body, "read") else body.encode() if isinstance(body, str) else bytes(body)
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote(url.path) or "/",
        "RAW_URI": f"{url.path or '/'}{f'?{url.query}' if url.query else ''}",
        "QUERY_STRING": url.query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port or 80),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": str(len(content)),
        "HTTP_HOST": url.netloc,
        ACCOUNT_HEADER: _account.get(),
    }
    for name, value in cast("Any", request.headers).items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        if key == "TRANSFER_ENCODING":
            continue
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    environ["CONTENT_LENGTH"] = str(len(content))
    return environ
