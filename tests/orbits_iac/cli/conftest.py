"""A project in a folder of its own, and the command line run in it as its users run it."""

import codecs
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Self

import pytest

from tests.servers.commands import Commands

ORBITS = [sys.executable, "-c", "from orbits_iac.cli import main; main()"]
_IDS = [
    (re.compile(r"\b1n[0-9a-z]{15}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "DATE"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "TIME"),
    (re.compile(r" *\b\d+(\.\d)?m?s\b"), " TOOK"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "BUILD"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "BUILD"),
]


class Project:
    """A folder with stacks, where commands are run."""

    def __init__(self, folder: Path, commands: Commands) -> None:
        self.folder = folder
        self._commands = commands
        self._started: list[tuple[subprocess.Popen[str], threading.Timer]] = []
        shutil.copytree(Path(__file__).parent / "project", folder, dirs_exist_ok=True)

    def run(self, *arguments: str, code: int = 0, **env: str) -> str:
        """Run a command to its end; what it printed on stdout, or (for a failing one) on stderr."""
        done = self._commands.run(arguments, cwd=self.folder, env=environment(env))
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code in {0, 3, 4} else done.stderr

    def talk(self, *arguments: str, says: str, code: int = 0) -> str:
        """Run a command on a terminal, as far as it asks there; `says` is typed. What it printed on stdout."""
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                [*ORBITS, *arguments],
                cwd=self.folder,
                env=environment({}),
                text=True,
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            os.close(theirs)
            os.write(ours, says.encode())
            out, err = process.communicate(timeout=60)
        finally:
            os.close(ours)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return out

    def start(self, *arguments: str, seconds: float = 60, **env: str) -> "subprocess.Popen[str]":
        """Start a command; its output is read by the caller. After a minute it is killed: nobody waits for ever."""
        process = subprocess.Popen(
            [*ORBITS, *arguments],
            cwd=self.folder,
            env=environment(env),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

        timer = threading.Timer(seconds, process.kill)
        timer.start()
        self._started.append((process, timer))
        return process

    def close(self) -> None:
        """End what was started."""
        while self._started:
            self.end(self._started[-1][0])

    def end(self, process: "subprocess.Popen[str]") -> None:
        """End one that was started."""
        (timer,) = [timer for one, timer in self._started if one is process]
        timer.cancel()
        timer.join()
        process.kill()
        process.communicate()
        self._started.remove((process, timer))

    def calls(self) -> list[str]:
        """What was done in the cloud, in order."""
        file = self.folder / "calls.log"
        return file.read_text().splitlines() if file.exists() else []

    def open_gate(self) -> None:
        """Let migrations end."""
        (self.folder / "gate").touch()


class Screen:
    """A command on a terminal of its own, which is read."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.code: int | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, 100))
        env = {name: value for name, value in environment({"TERM": "xterm"}).items() if name != "COLUMNS"}
        self._process = subprocess.Popen(
            [*ORBITS, *arguments],
            cwd=project.folder,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self._watch = threading.Timer(60, self._process.kill)
        self._watch.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.cancel()
        self._watch.join()
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def until(self, holds: Callable[[str], bool]) -> str:
        """Read until that holds of all that was read by this call; all of that."""
        read = ""
        while not holds(read):
            more = self._read()
            assert more, f"it ended before that:\n{read}"
            read += more
        return read

    def rest(self) -> str:
        """All that comes until its end; then `code` is its exit code."""
        read = ""
        while more := self._read():
            read += more
        self.code = self._process.wait()
        return read

    def waits(self) -> None:
        """Return once it does nothing but wait: what comes before that may be lost between two of its steps."""
        stat = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/stat")
        while stat.read_text().rpartition(")")[2].split()[0] != "S":
            os.sched_yield()

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def _read(self) -> str:
        try:
            return self._decoder.decode(os.read(self._ours, 65536))
        except OSError:  # Linux says so when the other end is closed
            return ""


@pytest.fixture
def project(tmp_path: Path, commands: Commands) -> Iterator[Project]:
    made = Project(tmp_path, commands)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Project:
    """A project that the tests of a module use one after the other."""
    made = Project(tmp_path_factory.mktemp("project"), commands)
    made.open_gate()
    return made


def environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORBITS_", "COV_"))}
    return {**kept, "COLUMNS": "100", "NO_COLOR": "1", "LOGNAME": "ada", "PYTHONWARNINGS": "error", **more}


def plain(text: str) -> str:
    """Output without what differs from run to run: ids, times, durations, builds, the machine's name, and columns'
    widths, which follow from those."""
    text = re.sub(r"ada@[\w.-]+", "ada", text)
    for pattern, instead in _IDS:
        text = pattern.sub(instead, text)
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line.rstrip()) for line in text.splitlines())


def read_until(stream: IO[str], words: str) -> str:
    """Read lines until one has these words in it; all that was read."""
    read = ""
    for line in stream:
        read += line
        if words in line:
            return read
    raise AssertionError(f"it ended without {words!r}:\n{read}")
