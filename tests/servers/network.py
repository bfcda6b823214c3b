"""The network between clients and servers, as a test wants it: connections are cut, refused, delayed, or held up.

A `Network` forwards what comes to the addresses that it gives out, in a thread of its own. Who a connection is from is
told by what it says first: a MongoDB client names its `appname` there. So several workers use the same addresses, as
the members of a replica set tell them to, and one of them is in trouble.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What happens to a client's connections."""

    delay: float = 0.0
    """Seconds that each direction takes."""
    refused: bool = False
    """New ones end as soon as they say anything."""
    deaf: bool = False
    """What the client says is held up until the trouble is over, as by a network that loses it and sends it again."""
    mute: bool = False
    """What it is answered is held up so."""


NONE = Trouble()


class Network:
    """Addresses, and what is forwarded from each to where; for `with`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self._servers: list[asyncio.Server] = []
        self._troubles: dict[str, Trouble] = {}
        self.links: set[_Link] = set()
        self.connecting: set[asyncio.Task[None]] = set()
        self.ends: set[_End] = set()
        self.ended = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._do(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def to(self, address: str) -> str:
        """An address by which this one is reached through the network."""
        host, _, port = address.rpartition(":")

        async def listening() -> str:
            server = await self._loop.create_server(lambda: _Link(self, host, int(port)).client, "127.0.0.1", 0)
            self._servers.append(server)
            return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

        return self._do(listening())

    def trouble(self, client: str, trouble: Trouble = NONE) -> None:
        """From now on this is how it goes for this client: for all whose first words have the name in them."""
        self._do(self._now(lambda: self._troubles.update({client: trouble})))

    def cut(self, client: str) -> int:
        """Break all connections of this client, and say how many there were; it may connect again."""
        return self._do(self._now(lambda: sum(link.abort() for link in list(self.links) if link.is_from(client))))

    def heal(self) -> None:
        """No trouble any more, for anybody; what was held up goes on."""
        self._do(self._now(self._troubles.clear))

    def trouble_of(self, link: "_Link") -> Trouble:
        """What happens to it now."""
        return next((trouble for client, trouble in self._troubles.items() if link.is_from(client)), NONE)

    async def _now(self, change: Callable[[], T]) -> T:
        changed = change()
        for link in list(self.links):
            link.pump()
        return changed

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        for link in list(self.links):
            link.abort()
        await asyncio.gather(*self.connecting, return_exceptions=True)
        while self.ends:
            self.ended.clear()
            await self.ended.wait()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


class _Link:
    """A connection of a client, and the one that it stands for."""

    def __init__(self, network: Network, host: str, port: int) -> None:
        self.client, self.server = _End(self), _End(self)
        self.network = network
        self._where = host, port
        self._first = b""
        self._timer: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None

    def is_from(self, client: str) -> bool:
        return client.encode() in self._first

    def made(self) -> None:
        """The client is there; the server is looked for."""
        self.network.links.add(self)
        self._connecting = asyncio.get_running_loop().create_task(self._connect())
        self.network.connecting.add(self._connecting)
        self._connecting.add_done_callback(self.network.connecting.discard)

    def said(self, end: "_End", data: bytes) -> None:
        """Something is to be told to the other end, once its time has come."""
        if end is self.client and not self._first:
            self._first = data
            if self.network.trouble_of(self).refused:
                self.abort()
                return
        delay = self.network.trouble_of(self).delay
        other = self.server if end is self.client else self.client
        other.coming.append((asyncio.get_running_loop().time() + delay, data))
        self.pump()

    def pump(self) -> None:
        """Hand on what may be handed on now, in order, and look again when the next is due."""
        now, trouble = asyncio.get_running_loop().time(), self.network.trouble_of(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for end, held in ((self.server, trouble.deaf), (self.client, trouble.mute)):
            if held or end.transport is None:
                continue
            while end.coming and (end.coming[0][0] <= now or not trouble.delay):
                end.transport.write(end.coming.popleft()[1])
            if end.coming:
                due = end.coming[0][0] if self._timer is None else min(end.coming[0][0], self._timer.when())
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = asyncio.get_running_loop().call_at(due, self.pump)

    def abort(self) -> bool:
        """Break it, for both; whether it was there."""
        if self._timer is not None:
            self._timer.cancel()
        if self._connecting is not None:
            self._connecting.cancel()
        for end in (self.client, self.server):
            if end.transport is not None:
                end.transport.abort()
        was = self in self.network.links
        self.network.links.discard(self)
        return was

    async def _connect(self) -> None:
        with suppress(OSError):
            await asyncio.get_running_loop().create_connection(lambda: self.server, *self._where)
            self.pump()
            return
        self.abort()


class _End(asyncio.Protocol):
    """One of the two."""

    def __init__(self, link: _Link) -> None:
        self.link = link
        self.coming = deque[tuple[float, bytes]]()  # what is to be written to it, and when
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.link.network.ends.add(self)
        if self is self.link.client:
            self.link.made()

    def data_received(self, data: bytes) -> None:
        self.link.said(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.link.abort()
        self.link.network.ends.discard(self)
        self.link.network.ended.set()
