"""The contract of an executor that starts processes: what a run is, what survives its caller, and what is raised.

Called by the engine alone; implemented once for each technology. One conformance suite runs over all.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orbits_iac.steps.options import Executor

SOONEST_LOOK, LATEST_LOOK = 0.01, 0.5
"""Seconds between two looks at a run that is waited for: the first, and the longest."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """What a run does.

    Attributes:
        argv: the program and its arguments; other users of the machine may see them.
        files: what lies in the run's folder when it starts, by name; for its own user alone.
        stdin: a few bytes (4096 at most) that are handed over in memory and stand in no file.

    """

    argv: Sequence[str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""


@dataclass(frozen=True)
class Unknown:
    """No such run has begun here."""


@dataclass(frozen=True)
class Running:
    """It has begun, and something of it is still there."""


@dataclass(frozen=True)
class Ended:
    """It has begun, and is over. `code` is its exit status (-n: ended by signal n), None where nobody knows that."""

    code: int | None


Found = Unknown | Running | Ended


class Host(ABC):
    """The machine on which an executor's runs are, for one store.

    A *run* is one process with what it starts, under an id that its caller chose, with a folder of its own. It outlives
    its caller: whoever asks for the id later finds it, from another process too. The command finds the path of its
    folder in the environment as `ORBITS_RUN`, starts in the working folder, and has a session of its own, so that a
    terminal's Ctrl-C does not reach it; nothing is added to its environment but that, and the store's key is taken out.

    *Once*: `start` begins a run at most once, however often and by however many it is called with the same id.
    *Never mistaken*: a run is told by what ends with its process, not by a process id, which may be used again.
    *Durable*: an exit status that `find` has told is told again until `clean`, across crashes of the caller.
    *Raised*: OSError for whatever the machine refuses (disk full, no such program); nothing was begun then.

    A run is `clean`ed by whoever has made durable what came of it, and by nobody before.
    """

    python: str
    """The Python that has Orbits and the project's code there."""

    @abstractmethod
    async def start(self, run: str, command: Command) -> None:
        """Begin the run; nothing if it has begun already. When this returns, `find` no longer says `Unknown`."""

    @abstractmethod
    async def find(self, run: str) -> Found:
        """What has become of a run."""

    @abstractmethod
    async def stop(self, run: str, grace: float) -> Found:
        """Ask the run to end (SIGTERM), kill it after `grace` seconds with all that it started, wait until it is gone.

        Returns what `find` says then: never `Running`. May be called again after the caller was interrupted.
        """

    @abstractmethod
    async def read(self, run: str, name: str, after: int = 0, most: int = -1) -> bytes | None:
        """Up to `most` bytes of a file of the run's folder, from byte `after` on (below 0: from its end).

        `stdout` and `stderr` are there from the beginning; None for a file that is not.
        """

    @abstractmethod
    async def send(self, files: Mapping[str, Path]) -> None:
        """Copy files into the working folder, under these names relative to it; folders are made.

        Each is there as a whole or not at all. A file that is there with the same content is left alone.
        """

    @abstractmethod
    async def collect(self, pattern: str, into: Path) -> dict[str, Path]:
        """Copy the working folder's files that match a glob (`**` is any depth) below `into`; by their relative names.

        A name that begins with a dot is matched only by a pattern that has the dot.
        """

    @abstractmethod
    async def runs(self) -> list[str]:
        """The ids of all runs that have a folder."""

    @abstractmethod
    async def clean(self, run: str) -> None:
        """Forget a run that is over, and its folder; nothing if there is none."""

    async def close(self) -> None:
        """Let go of what this process holds; the runs go on."""

    async def wait(self, run: str, look: Callable[[], Awaitable[None]] | None = None) -> Unknown | Ended:
        """Return when the run is over; `look` is called meanwhile, and once more when it is."""
        pause = SOONEST_LOOK
        while True:
            found = await self.find(run)
            if look is not None:
                await look()
            if not isinstance(found, Running):
                return found
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LATEST_LOOK)


class ProcessExecutor(Executor, ABC):
    """An executor whose Actions run in processes of their own.

    It is a value, equal to another with the same settings: the engine opens one `Host` for each that differs.
    """

    @abstractmethod
    def host(self, folder: Path) -> Host:
        """The host, whose runs on this machine are kept below `folder`; nothing is opened or made yet."""
