"""Starts one command, waits for it, and writes how it ended: so that this is known though the worker has died.

Run as a file by `subprocess.py`, on the bare standard library: `python -I -S supervisor.py FOLDER`. It leaves its
caller behind, and returns to it when the run has begun or cannot begin. In the folder:

    command   argv, working folder, the most memory and the niceness, as JSON; there before
    lock      locked while this, or the command, is there: the lock ends with them, however they end
    control   a pipe: a number written into it asks to end the command, and to kill it after so many seconds
    begun     there once the run has begun; holds this process's id, for people
    exit      how the command ended, as JSON; written as a whole
"""

import fcntl
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

PATIENCE = 2.0
"""Seconds for which somebody who only looks whether the lock is free may hold it."""


def main(folder: Path) -> None:
    """Begin the run in `folder`, unless it has begun already."""
    umask = os.umask(0o077)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not _locked(lock, folder / "begun"):
        return
    with suppress(FileExistsError):
        os.mkfifo(folder / "control", 0o600)
    control = os.open(folder / "control", os.O_RDONLY | os.O_NONBLOCK)
    os.open(folder / "control", os.O_WRONLY)  # held, so that it is never at its end
    given = sys.stdin.buffer.read()
    (folder / "begun").touch()
    if os.fork():
        os._exit(0)  # the caller may go on; it has no child to wait for
    os.setsid()
    (folder / "begun").write_text(f"{os.getpid()}\n")
    with (folder / "stderr").open("ab") as err:
        os.dup2(err.fileno(), 2)  # the caller's waits for its end
    _write(folder / "exit", json.dumps({"code": _supervise(folder, lock, control, given, umask)}))


def _locked(lock: int, begun: Path) -> bool:
    """Take the lock; whether the run is to be begun here."""
    until = time.monotonic() + PATIENCE
    while not begun.exists():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        else:
            return not begun.exists()
    return False


def _supervise(folder: Path, lock: int, control: int, given: bytes, umask: int) -> int:
    """The command's exit status; -n if signal n ended it."""
    ended, tell = os.pipe()
    for end in (ended, tell):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(tell)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # a handler, which the command does not inherit
    command = json.loads((folder / "command").read_text())
    with (folder / "stdout").open("ab") as out, (folder / "stderr").open("ab") as err:
        try:
            process = subprocess.Popen(
                command["argv"],
                cwd=command["cwd"],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                start_new_session=True,
                pass_fds=(lock,),
                umask=umask,
                preexec_fn=partial(_limit, command.get("memory"), command.get("nice", 0)),  # noqa: PLW1509 - this has one thread
            )
        except OSError as error:
            err.write(f"{error}\n".encode())
            return 127
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(given)
    return _watched(process, control, ended)


def _limit(memory: int | None, nice: int) -> None:
    """Have the command, and each process that it starts, do with so many bytes of address space, and give way."""
    os.nice(nice)
    if memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _watched(process: "subprocess.Popen[bytes]", control: int, ended: int) -> int:
    """Wait for the command; end it and all of its group when asked to."""
    kill_at: float | None = None
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        left = None if kill_at is None else max(0.0, kill_at - time.monotonic())
        ready, _, _ = select.select([control, ended], [], [], left)
        if ended in ready:
            os.read(ended, 4096)
        if control in ready and (line := os.read(control, 4096).split()):
            at = time.monotonic() + float(line[0])
            kill_at = at if kill_at is None else min(at, kill_at)
            _signal(process.pid, signal.SIGTERM)
        if kill_at is not None and time.monotonic() >= kill_at:
            _signal(process.pid, signal.SIGKILL)
    if kill_at is not None:
        _signal(process.pid, signal.SIGKILL)  # its number is its own as long as it was not waited for
    return process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _write(file: Path, text: str) -> None:
    made = file.with_name(f".{file.name}")
    with made.open("w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    made.rename(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
