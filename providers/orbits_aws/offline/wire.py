"""HTTP as the offline AWS sees it: a request as plain data, an answer as plain data, and errors in each protocol.

Nothing here knows of moto or CloudFormation. Used by the gateway for requests from outside and by CloudFormation's own
clients for the calls that it makes.
"""

import io
import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]

Protocol = Literal["query", "ec2", "json", "rest-json", "rest-xml"]

DEFAULT_REGION = "us-east-1"

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_SCOPE = re.compile(r"([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_XML_CODE = re.compile(rb"<Code>([^<]+)</Code>")

_STATUS = {
    "AccessDenied": 403,
    "AccessDeniedException": 403,
    "ExpiredToken": 403,
    "ExpiredTokenException": 403,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InvalidClientTokenId": 403,
    "NotImplemented": 501,
    "ServiceUnavailable": 503,
    "SignatureDoesNotMatch": 403,
    "SlowDown": 503,
    "UnrecognizedClientException": 403,
}


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What a request is signed with: the key, and the region and service it is signed for."""

    key: str
    region: str
    signing_name: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A complete HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def error_code(self) -> str | None:
        """The AWS error code, or the status where the answer carries none; None for a success."""
        if self.status < 400:
            return None
        names = {name.lower(): value for name, value in self.headers}
        if query_error := names.get("x-amzn-query-error"):
            return query_error.partition(";")[0]
        return names.get("x-amzn-errortype", "").partition(":")[0] or _code_in_body(self.body) or str(self.status)


def _code_in_body(body: bytes) -> str | None:
    if found := _XML_CODE.search(body):
        return found.group(1).decode()
    try:
        data = json.loads(body)
    except ValueError:
        return None
    name = data.get("__type") or data.get("code") if isinstance(data, dict) else None
    return str(name).rpartition("#")[2] if name else None


def read_body(environ: Environ) -> bytes:
    """Read the request's body and put it back, so that whoever handles the request next can read it too."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = stream.read()
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    if environ.pop("HTTP_TRANSFER_ENCODING", None) is not None:
        environ["CONTENT_LENGTH"] = str(len(body))
    return bytes(body)


def asked(environ: Environ, body: bytes) -> str:
    """A request's path, query and body as one text."""
    return f"{environ.get('PATH_INFO', '')}?{environ.get('QUERY_STRING', '')} {body.decode('utf-8', 'replace')}"


def session_token(environ: Environ) -> str | None:
    """The token of the session that a request says it belongs to."""
    if "HTTP_X_AMZ_SECURITY_TOKEN" in environ:
        return str(environ["HTTP_X_AMZ_SECURITY_TOKEN"])
    query = parse_qs(environ.get("QUERY_STRING", ""))
    found = query.get("X-Amz-Security-Token") or query.get("x-amz-security-token")
    return found[0] if found else None


def credential(environ: Environ) -> Credential | None:
    """What the request says it is signed with, in its header or, if it was presigned, its query; None if unsigned.

    A URL presigned in S3's older way names no region.
    """
    if found := _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", "")):
        return Credential(key=found.group(1), region=found.group(2), signing_name=found.group(3))
    query = parse_qs(environ.get("QUERY_STRING", ""))
    if found := _SCOPE.fullmatch(query.get("X-Amz-Credential", [""])[0]):
        return Credential(key=found.group(1), region=found.group(2), signing_name=found.group(3))
    if "AWSAccessKeyId" in query:
        return Credential(key=query["AWSAccessKeyId"][0], region=DEFAULT_REGION, signing_name="s3")
    return None


def run_wsgi(app: WsgiApp, environ: Environ) -> Answer:
    """Call a WSGI application and collect its whole answer."""
    started: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> None:
        started["status"], started["headers"] = int(status.split(" ", 1)[0]), tuple(headers)

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return Answer(status=started["status"], headers=started["headers"], body=body)


def json_answer(content: Any) -> Answer:
    """A success as the JSON protocol writes it."""
    headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-RequestId", str(uuid.uuid4())))
    return Answer(status=200, headers=headers, body=json.dumps(content).encode())


def error_answer(protocol: Protocol, code: str, message: str, status: int | None = None) -> Answer:
    """An AWS error as the given protocol writes it."""
    status = status or _STATUS.get(code, 400)
    request_id = str(uuid.uuid4())
    if protocol in ("json", "rest-json"):
        body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
        headers = (
            ("Content-Type", "application/x-amz-json-1.0" if protocol == "json" else "application/json"),
            ("x-amzn-ErrorType", code),
            ("x-amzn-query-error", f"{code};{_fault(status)}"),
            ("x-amzn-RequestId", request_id),
        )
        return Answer(status=status, headers=headers, body=body)
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "rest-xml":
        text = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    elif protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        typed = f"<Error><Type>{_fault(status)}</Type>{error}</Error>"
        text = f"<ErrorResponse>{typed}<RequestId>{request_id}</RequestId></ErrorResponse>"
    return Answer(status=status, headers=(("Content-Type", "text/xml"),), body=text.encode())


def _fault(status: int) -> str:
    return "Receiver" if status >= 500 else "Sender"
