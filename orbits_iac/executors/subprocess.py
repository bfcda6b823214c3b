"""A child process on this machine: it goes on when the worker dies, and is found again.

Each run has a folder, private to its user: see `supervisor`, which starts the command in it and writes how that ended.
What tells a living run from a dead one is a lock on a file, which the kernel takes away with the last process that
holds it: a process id that is used again, another boot or a killed supervisor cannot be mistaken for it.
"""

import asyncio
import errno
import fcntl
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from filecmp import cmp
from fnmatch import fnmatchcase
from pathlib import Path

import psutil

from orbits_iac.executors.contract import Command, Ended, Found, Host, ProcessExecutor, Running, Unknown

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_SECRET = "ORBITS_SECRET_KEY"  # noqa: S105 - the variable's name
_LOOK = 0.02  # seconds between two looks at a run that is being stopped
_LEFT_BEHIND = 3600.0  # seconds after which a folder that never became a run's is nobody's


@dataclass(frozen=True)
class Subprocess(ProcessExecutor):
    """A child process on this machine.

    Attributes:
        folder: where it works: by default, where the worker does.
        memory: how many bytes of address space each of its processes may have: beyond, it gets a MemoryError. Python
            and what it imports take some hundred MB of that, used or not.
        nice: how much its processes give way to the worker's and others, from 0 to 19.
        without: variables of the worker's environment that it does not get, by names with wildcards: `AWS_*`.

    """

    folder: str | None = None
    memory: int | None = None
    nice: int = 0
    without: tuple[str, ...] = ()

    def host(self, folder: Path) -> Host:
        working = Path(self.folder or ".").absolute()
        limits = {"memory": self.memory, "nice": self.nice}
        return _Machine(folder.absolute(), working, limits, without=(*self.without, _SECRET))


class _Machine(Host):
    """This machine, with the folders of its runs below `runs`."""

    python = sys.executable

    def __init__(self, runs: Path, working: Path, limits: Mapping[str, int | None], *, without: Sequence[str]) -> None:
        self._runs = runs
        self._working = working
        self._limits = limits
        self._without = without

    async def start(self, run: str, command: Command) -> None:
        await asyncio.to_thread(self._start, run, command)

    async def find(self, run: str) -> Found:
        return self._find(run)

    async def stop(self, run: str, grace: float) -> Found:
        request, until = f"{grace}\n", time.monotonic() + grace
        while isinstance(found := self._find(run), Running):
            if self._tell(run, request):
                request = ""
            else:  # its supervisor was killed
                number = signal.SIGTERM if time.monotonic() < until else signal.SIGKILL
                await asyncio.to_thread(self._signal_all, run, number)
            await asyncio.sleep(_LOOK)
        return found

    async def read(self, run: str, name: str, after: int = 0, most: int = -1) -> bytes | None:
        return await asyncio.to_thread(_read, self._runs / run / name, after, most)

    async def send(self, files: Mapping[str, Path]) -> None:
        for name, source in files.items():
            await asyncio.to_thread(_place, source, self._working / name)

    async def collect(self, pattern: str, into: Path) -> dict[str, Path]:
        return await asyncio.to_thread(self._collect, pattern, into)

    async def runs(self) -> list[str]:
        return await asyncio.to_thread(self._list)

    async def clean(self, run: str) -> None:
        await asyncio.to_thread(_remove, self._runs / run)

    # What is called in threads.

    def _start(self, run: str, command: Command) -> None:
        folder = self._runs / run
        if (folder / "begun").exists():
            return
        self._prepare(folder, command)
        environment = {name: value for name, value in os.environ.items() if not self._leaves_out(name)}
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(_SUPERVISOR), str(folder)],
            input=command.stdin,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**environment, "ORBITS_RUN": str(folder)},
            start_new_session=True,
            check=False,
        )
        if not (folder / "begun").exists():
            raise OSError(f"the run {run} could not be begun in {folder}: {done.stderr.decode(errors='replace')}")

    def _leaves_out(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._without)

    def _prepare(self, folder: Path, command: Command) -> None:
        """The run's folder, there with all its files or not at all."""
        if folder.exists():
            return
        self._runs.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = Path(tempfile.mkdtemp(prefix=".", dir=self._runs))
        said = {"argv": [*command.argv], "cwd": str(self._working), **self._limits}
        document = json.dumps(said).encode()
        files = {**command.files, "command": document, "stdout": b"", "stderr": b""}
        try:
            for name, content in files.items():
                with open(made / name, "wb", opener=_private) as out:
                    out.write(content)
            made.rename(folder)
        except OSError as error:
            shutil.rmtree(made)
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:  # somebody else has prepared it
                raise

    def _find(self, run: str) -> Found:
        folder = self._runs / run
        if not (folder / "begun").exists():
            return Unknown()
        if (found := _exit(folder)) is not None:
            return found
        try:
            with (folder / "lock").open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return Running()
        except FileNotFoundError:  # it was cleaned meanwhile
            return Unknown()
        return _exit(folder) or (Running() if self._marked(run) else Ended(code=None))

    def _tell(self, run: str, text: str) -> bool:
        """Write to the supervisor of a run; whether there is one."""
        try:
            control = os.open(self._runs / run / "control", os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        with os.fdopen(control, "wb", buffering=0) as pipe:
            pipe.write(text.encode())
        return True

    def _signal_all(self, run: str, number: signal.Signals) -> None:
        for process in self._marked(run):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def _marked(self, run: str) -> list[psutil.Process]:
        """The processes that have the run in their environment: where its supervisor was killed, all that is left."""
        mark, found = str(self._runs / run), []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("ORBITS_RUN") == mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def _collect(self, pattern: str, into: Path) -> dict[str, Path]:
        found = {}
        for name in sorted(glob.glob(pattern, root_dir=self._working, recursive=True)):  # noqa: PTH207 - `dist/**` matches files too
            source = self._working / name
            if source.is_file():
                found[name] = into / name
                _place(source, found[name])
        return found

    def _list(self) -> list[str]:
        """The runs; what was left behind by a crash while a folder was made or removed goes."""
        if not self._runs.is_dir():
            return []
        found, old = [], time.time() - _LEFT_BEHIND
        for folder in self._runs.iterdir():
            if not folder.name.startswith("."):
                found.append(folder.name)
                continue
            with suppress(FileNotFoundError):  # it has become a run's, or was removed
                if folder.stat().st_mtime < old:
                    shutil.rmtree(folder, ignore_errors=True)
        return sorted(found)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _exit(folder: Path) -> Ended | None:
    try:
        return Ended(code=json.loads((folder / "exit").read_text())["code"])
    except FileNotFoundError:
        return None


def _read(file: Path, after: int, most: int) -> bytes | None:
    try:
        with file.open("rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size + after) if after < 0 else after)
            return source.read(most)
    except FileNotFoundError:
        return None


def _place(source: Path, target: Path) -> None:
    """Copy a file, as a whole or not at all, unless it is there already."""
    if target.is_file() and cmp(source, target, shallow=False):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, made = tempfile.mkstemp(prefix=".", dir=target.parent)
    os.close(handle)
    try:
        shutil.copy(source, made)
        Path(made).replace(target)
    except BaseException:
        Path(made).unlink()
        raise


def _remove(folder: Path) -> None:
    """Remove a run's folder; from the first moment on it is no run's."""
    gone = folder.with_name(f".{folder.name}-{os.getpid()}")
    with suppress(FileNotFoundError):
        folder.rename(gone)
        shutil.rmtree(gone)
