"""A replica set of real mongods: one node for what needs transactions, three for what survives the loss of one.

Elections are quick: a primary that is gone is missed after a second rather than after ten.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from pymongo.errors import AutoReconnect, OperationFailure, PyMongoError

from .certificates import issued
from .mongod import LOOK_AGAIN, OPEN, PATIENCE, Access, Document, Mongod, folder

NAME = "rs0"


class ReplicaSet:
    """Nodes that are started together, and that know each other."""

    def __init__(
        self,
        nodes: int = 1,
        *,
        access: Access = OPEN,
        advertised: Callable[[Mongod], str] = lambda node: node.address,
        arguments: Sequence[str] = (),
        where: Path | None = None,
    ) -> None:
        """`advertised`: under which address clients and other nodes reach a node that listens already: a proxy's."""
        self.access = access
        self.nodes = [
            Mongod(
                replica_set=NAME,
                access=access,
                arguments=arguments,
                where=where,
            )
            for _ in range(nodes)
        ]
        self._advertised = advertised
        self.addresses: list[str] = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start all nodes, make them a set, and wait for its primary."""
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait()
        self.addresses = [self._advertised(node) for node in self.nodes]
        members = [{"_id": number, "host": address} for number, address in enumerate(self.addresses)]
        settings = {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 250, "chainingAllowed": False}
        config = {"_id": NAME, "version": 1, "members": members, "settings": settings}
        self.nodes[0].command({"replSetInitiate": config}, signed_in=False)
        primary = self.primary(signed_in=False)
        if self.access.user:
            user, password = self.access.user, self.access.password
            primary.command("createUser", user, pwd=password, roles=["root"], signed_in=False)

    def close(self) -> None:
        """End all nodes and forget their data."""
        with ExitStack() as stack:
            for node in self.nodes:
                stack.callback(node.close)

    def url(self, database: str = "", **options: str) -> str:
        """By which clients find the primary; whoever asks for a user or certificates is given them."""
        access = self.access.client()
        signed_in = f"{quote(self.access.user, '')}:{quote(self.access.password, '')}@" if self.access.user else ""
        given = {"replicaSet": NAME, **options}
        given |= {key: str(value).lower() if value is True else value for key, value in access.items() if key in _ASKED}
        return f"mongodb://{signed_in}{','.join(self.addresses)}/{database}?{urlencode(given)}"

    def primary(self, *, signed_in: bool = True) -> Mongod:
        """The node that takes writes, once there is one."""
        return self._first(lambda hello: bool(hello.get("isWritablePrimary")), "primary", signed_in=signed_in)

    def secondary(self) -> Mongod:
        """A node that follows, once there is one."""
        return self._first(lambda hello: bool(hello.get("secondary")), "secondary")

    def step_down(self) -> Mongod:
        """Let the primary become a secondary, and not stand again for ten seconds; that node."""
        node = self.primary()
        try:
            node.command({"replSetStepDown": 10, "secondaryCatchUpPeriodSecs": 1, "force": True})
        except AutoReconnect:
            pass  # it may close its connections as it does so
        except OperationFailure as error:
            if error.code != _NOT_PRIMARY:  # it is none any more: that was asked for
                raise
        return node

    def fail(self, *commands: str, times: int | None = None, **how: Any) -> None:
        """Let commands fail on every node, as `Mongod.fail` has it: whichever is the primary then."""
        for node in self._running():
            node.fail(*commands, times=times, **how)

    def heal(self) -> None:
        """Let no command fail on any node that runs."""
        for node in self._running():
            node.heal()

    def _running(self) -> list[Mongod]:
        return [node for node in self.nodes if node.is_running]

    def _first(self, wanted: Callable[[Document], bool], what: str, *, signed_in: bool = True) -> Mongod:
        until = time.monotonic() + PATIENCE
        with ExitStack() as stack:
            clients = [(node, stack.enter_context(node.client(signed_in=signed_in))) for node in self._running()]
            while time.monotonic() < until:
                for node, client in clients:
                    try:
                        if wanted(client.admin.command("hello")):
                            return node
                    except PyMongoError:
                        continue  # it is on its way
                time.sleep(LOOK_AGAIN)
        raise AssertionError(f"there is no {what}: {[node.log.read_text()[-2000:] for node in self.nodes]}")


def guarded(where: Path | None = None, *, user: str = "orbits", password: str = "p@ss/word") -> Access:
    """Access for one user, over TLS; the files are made in `where`."""
    place = where or folder()
    key_file = place / "key"
    key_file.write_text("b" * 64)
    key_file.chmod(0o600)
    return Access(user=user, password=password, key_file=key_file, certificates=issued(place))


_ASKED = frozenset({"authSource", "tls", "tlsCAFile"})
_NOT_PRIMARY = 10107
