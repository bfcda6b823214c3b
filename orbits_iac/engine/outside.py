"""What a definition may not do: reach outside, or wait by blocking.

The loop of definitions refuses asyncio's own I/O. What blocks without asking a loop (a request by boto3, a subprocess,
`time.sleep`) is seen through Python's audit events while a definition runs in this thread. Reading files is let be:
Python does so itself, for each import. The hook is there once for the process, and costs nothing elsewhere.
"""

import sys
import threading
from functools import cache
from typing import Any

from orbits_iac.model.errors import Refused

_REFUSED = {
    "os.exec": "replaces the process",
    "os.fork": "makes a process",
    "os.forkpty": "makes a process",
    "os.posix_spawn": "runs a command",
    "os.system": "runs a command",
    "socket.connect": "opens a connection",
    "socket.getaddrinfo": "asks for an address",
    "socket.sendto": "sends to an address",
    "subprocess.Popen": "runs a command",
    "time.sleep": "blocks; `await asyncio.sleep(...)` is durable",  # told of from Python 3.13 on
}


class _Here(threading.local):
    """Whether a definition runs in this thread."""

    definition = False


_here = _Here()


def enter() -> bool:
    """From here on, what reaches outside in this thread raises `Refused` where it is done; what `leave` is given."""
    _watch()
    before, _here.definition = _here.definition, True
    return before


def leave(before: bool) -> None:  # noqa: FBT001 - what `enter` has returned
    """A definition runs no more, or only the one around it does."""
    _here.definition = before


@cache
def _watch() -> None:
    """Add the hook; Python keeps it until the process ends."""
    sys.addaudithook(_audit)


def _audit(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED and _here.definition:
        raise Refused(
            f"a definition cannot do I/O ({event} {_REFUSED[event]}): it is run again after a crash, and would do it "
            f"twice. Put it in an Action and `await self.do(...)` that."
        )
