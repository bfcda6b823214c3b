"""A real HTTP server on loopback that answers as it is told, for tests of what asks one."""

import json
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is answered: `body` as it is if it is text or bytes, else as JSON."""

    body: Any = ""
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)  # None: without this one
    cut: int | None = None  # after how many bytes of the body the connection is closed
    drip: bool = False  # a byte now and then, for ever
    drip_head: bool = False  # the same of a header
    silent: bool = False  # nothing at all

    def content(self) -> bytes:
        """The body as it is sent."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


class Endpoint:
    """The server: the answers of a path in turn, the last one again and again; what it was asked, and with what."""

    def __init__(self, scheme: str, port: int) -> None:
        self.origin = f"{scheme}://127.0.0.1:{port}"
        self.url = f"{self.origin}/clients"
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.headers: list[Message] = []
        self.ended = Event()  # lets go of whoever is kept waiting

    def says(self, body: Any, *, at: str = "/clients", **how: Any) -> None:
        """Answer this at a path, after what it was told before."""
        self.answers.setdefault(at, []).append(Answer(body=body, **how))

    def next_answer(self, path: str, headers: Message) -> Answer:
        """What the handler answers."""
        self.asked.append(path)
        self.headers.append(headers)
        known = self.answers.get(path)
        if not known:
            return Answer(body="there is nothing here", status=404)
        return known.pop(0) if len(known) > 1 else known[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # what is sent in two pieces would take 40 ms
    here: ClassVar[Endpoint]

    def do_GET(self) -> None:
        answer = self.here.next_answer(self.path, self.headers)
        if answer.silent:
            self.here.ended.wait()
        elif answer.drip_head:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            self._drip()
        else:
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        content = answer.content()
        self.send_response(answer.status)
        headers: dict[str, str | None] = {"Content-Length": str(len(content)), **answer.headers}
        for name, value in headers.items():
            for one in value.split("\n") if value is not None else ():
                self.send_header(name, one)
        self.end_headers()
        self.wfile.write(content[: answer.cut])
        if answer.drip:
            self._drip()
        if answer.cut is not None:
            self.close_connection = True

    def _drip(self) -> None:
        while not self.here.ended.wait(0.002):
            self.wfile.write(b" ")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as it is called by its caller
        """Nothing: pytest shows what the test asked."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has gone."""


@contextmanager
def endpoint(certificate: Path | None = None) -> Generator[Endpoint]:
    """One that is there until it is left; by TLS if it has a certificate to show, a file with its key."""

    class Handler(_Handler):
        """Of this server alone."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        here = Handler.here = Endpoint("http" if certificate is None else "https", server.server_address[1])
        if certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield here
        finally:
            here.ended.set()
            server.shutdown()
            thread.join()
