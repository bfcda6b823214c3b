"""A small HTTP server in threads of its own: what is asked for is answered though the event loop stands still.

What always holds: it listens where it is told to and nowhere else; a connection is for one request (HTTP/1.0), and who
sends nothing for `LONGEST` seconds is let go; beyond `AT_ONCE` connections each new one is closed at once. It only
answers GET and HEAD, and what it answers is handed to it.
"""

import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple, cast

from orbits_iac.model.errors import UsageError

LONGEST = 5.0
AT_ONCE = 32
LOOPBACK = "127.0.0.1"
_LOOK = 0.1  # seconds between looks whether it is to end


class Answer(NamedTuple):
    """What is answered."""

    status: int
    type: str
    body: bytes


class Request(NamedTuple):
    """What is asked."""

    accept: str


Pages = Mapping[str, Callable[[Request], Answer]]


def address_of(text: str) -> tuple[str, int]:
    """The host and port that somebody has named: `PORT`, which is on loopback, or `HOST:PORT`."""
    host, colon, port = text.rpartition(":")
    if (colon and not host) or not port.isdecimal() or int(port) > 65535:
        raise UsageError(
            f"{text!r} names no address to serve at: give a port, as in 9464, which this machine alone reaches; "
            f"or the address that it is reached by and a port, as in 0.0.0.0:9464 or [::]:9464. Port 0 is any free one."
        )
    return (host.removeprefix("[").removesuffix("]") or LOOPBACK), int(port)


class Server:
    """Answers at one address, from its making until it is closed."""

    def __init__(self, address: tuple[str, int], pages: Pages) -> None:
        self._http = _bound(address, pages)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(_LOOK,), name="orbits http", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it is reached."""
        host, port = self._http.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"

    def close(self) -> None:
        """Answer nothing more, and wait for the threads; a second time it does nothing."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def _bound(address: tuple[str, int], pages: Pages) -> "_Http":
    host, port = address
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return _Http(family, where[:2], pages)
    except OSError as error:
        raise UsageError(
            f"nothing can be served at {host}:{port}: {error.strerror or error}. Give another address or port "
            f"(0 for any that is free)"
        ) from error


class _Http(HTTPServer):
    """Hands each connection to a thread."""

    allow_reuse_port = False  # two workers at one port would answer for each other
    request_queue_size = 2 * AT_ONCE  # one that finds no room there waits a second to be told so

    def __init__(self, family: int, address: Any, pages: Pages) -> None:
        self.address_family = family
        self.pages = pages
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="orbits http")
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # HTTPServer's asks the network for the machine's name

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            if len(self._open) >= AT_ONCE:
                self.shutdown_request(request)
                return
            self._open.add(request)
        self._threads.submit(self._answer, request, client_address)

    def server_close(self) -> None:
        super().server_close()
        with self._lock:
            for request in self._open:  # who is slow is not waited for
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)
        self._threads.shutdown()

    def _answer(self, request: socket.socket, client_address: Any) -> None:
        try:
            with suppress(OSError):  # it went away, or was too slow
                self.finish_request(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)
            self.shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "orbits", ""
    timeout = LONGEST

    def do_GET(self) -> None:
        answer = self._answer()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: who asks every few seconds would fill the log."""

    def _answer(self) -> Answer:
        pages = cast("_Http", self.server).pages
        page = pages.get(self.path.partition("?")[0])
        if page is None:
            text = f"There are {', '.join(pages)}.\n"
            return Answer(404, "text/plain; charset=utf-8", text.encode())
        return page(Request(accept=self.headers.get("Accept", "")))
