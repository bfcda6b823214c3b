"""Listening on loopback: werkzeug's threaded server, a thread a connection, around the `Cloud`.

A cut closes the connection without a byte, so that the client sees what it would see if the network broke.
"""

import socket
from contextlib import suppress
from threading import Thread
from typing import Any, ClassVar, Self
from weakref import WeakSet

from werkzeug.serving import BaseWSGIServer, make_server

from .cloud import Cloud
from .gateway import Cut
from .moto_adapter import RequestHandler
from .wire import Environ

HOST = "127.0.0.1"


class _Handler(RequestHandler):
    protocol_version = "HTTP/1.1"
    open_connections: ClassVar[WeakSet[socket.socket]] = WeakSet()

    def make_environ(self) -> Environ:
        environ: Environ = super().make_environ()
        return environ

    def setup(self) -> None:
        super().setup()
        self.open_connections.add(self.connection)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        if isinstance(error, Cut):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: the calls are in the log of calls."""


class Server:
    """A `Cloud` that listens, from `start` to `stop`, on a thread of its own."""

    def __init__(self, cloud: Cloud, port: int = 0) -> None:
        """Prepare to serve on `port`; 0 takes a free one."""
        self.cloud = cloud
        self._port = port
        self._server: BaseWSGIServer | None = None
        self._thread: Thread | None = None
        self._connections: WeakSet[socket.socket] = WeakSet()

    @property
    def endpoint_url(self) -> str:
        """Where it listens. The host is `localhost`: services read addresses such as 127.0.0.1 as bucket names."""
        return self.cloud.endpoint_url

    def start(self) -> Self:
        """Listen. Raises OSError if the port is taken."""
        handler = type("_Handler", (_Handler,), {"open_connections": self._connections})
        with socket.create_server((HOST, self._port), backlog=256) as listening:
            port = listening.getsockname()[1]
            self._server = make_server(
                HOST, port, self.cloud, threaded=True, request_handler=handler, fd=listening.fileno()
            )
        self.cloud.endpoint_url = f"http://localhost:{port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening and cut all connections; nothing happens if it does not listen."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            for connection in list(self._connections):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        """Listen."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.stop()
