"""The connections to one origin: through the environment's proxy, and cut when an answer takes too long.

What always holds: all of them are closed with it. urllib3 is imported when one is made. Called by `http_get`.
"""

from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, suppress
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from orbits_iac.provider import UsageError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager


class Connections:
    """The connections to the origin of a URL, which is called `name` in errors. Who makes them closes them.

    Raises UsageError where urllib3 is missing, and for a host or a proxy that is none.
    """

    def __init__(self, url: str, name: str) -> None:
        self._manager = _manager(url)
        from urllib3.exceptions import LocationValueError

        try:
            self._pool = self._manager.connection_from_url(url)
        except LocationValueError as error:
            raise UsageError(f"{name}: the URL names no host that can be asked: {error}") from error
        self._sockets: list[socket] = []
        kind: Any = self._pool.ConnectionCls

        def connect(connection: Any) -> None:
            kind.connect(connection)
            self._sockets.append(connection.sock)

        self._pool.ConnectionCls = type(kind.__name__, (kind,), {"connect": connect})

    def close(self) -> None:
        """Close them all."""
        self._pool.close()  # clear() leaves them to the garbage collector
        self._manager.clear()

    @contextmanager
    def response(self, url: str, headers: Mapping[str, str], seconds: float) -> "Generator[BaseHTTPResponse]":
        """The answer to a GET, whose body is to be read inside; redirects are not followed.

        The connection is cut when the time is over: by a byte now and then an answer could keep within the time limit
        of each read. An answer that was cut may look whole; who reads it looks at the time.
        """
        from urllib3 import Timeout

        timer = Timer(seconds, self._cut)
        timer.start()
        try:
            response = self._manager.request(
                "GET",
                url,
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=Timeout(connect=seconds, read=seconds),
            )
            with closing(response):
                yield response
        finally:
            timer.cancel()
            timer.join()

    def _cut(self) -> None:
        for connected in self._sockets:
            with suppress(OSError):  # it is closed
                connected.shutdown(SHUT_RDWR)


def _manager(url: str) -> "PoolManager":
    """What makes connections to the origin of a URL, through the environment's proxy if there is one for it."""
    try:
        from urllib3 import PoolManager, ProxyManager
        from urllib3.exceptions import HTTPError
        from urllib3.util import make_headers, parse_url
    except ImportError as error:
        raise UsageError(f"HttpSource needs urllib3: pip install 'orbits-iac[tenants]' ({error})") from error
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.hostname or ""):
        return PoolManager(num_pools=1)
    try:
        user = parse_url(proxy).auth
        return ProxyManager(proxy, num_pools=1, proxy_headers=make_headers(proxy_basic_auth=user) if user else None)
    except HTTPError as error:
        raise UsageError(f"the environment's proxy for {parts.scheme} cannot be used: give http://HOST:PORT") from error
