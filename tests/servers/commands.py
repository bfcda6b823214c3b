"""The command line in processes that are forked from one in which it is imported already: most of a short command's
time is imports.

A command is given what a new interpreter would be: arguments, folder, environment and standard streams, and ends as one
does. What is shown of how commands are loaded is shown by new interpreters.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.orphans import end_with_parent

_STREAMS = 3
_PRELOADED = (
    *("orbits_iac", "orbits_iac.orbits", "orbits_iac.dispatch.worker", "orbits_iac.store.sqlite"),
    *("orbits_tenants.cli", "orbits_tenants.tenants", "orbits_tenants.sources.files", "orbits_tenants.drift_policy"),
    *("orbits_aws", "orbits_aws.account", "orbits_aws.tagged", "boto3"),
    *("orbits_iac.engine.flow", "orbits_iac.engine.commands", "orbits_iac.engine.preview", "orbits_iac.code"),
    *("pydantic_settings", "rich.live", "rich.table", "yaml"),
)


class Commands:
    """The process that forks commands; until `close`."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.servers.commands", str(theirs.fileno())],
                cwd=Path(__file__).parents[2],
                env=dict(environment),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """Fork no more."""
        self._process.kill()
        self._process.wait()
        self._control.close()

    def run(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run `orbits` with these arguments to its end: its exit code, and what it printed."""
        told = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
        answer, theirs = socket.socketpair()
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            answer,
            Path(os.devnull).open() as nothing,
        ):
            with theirs:
                streams = [nothing.fileno(), out.fileno(), err.fileno()]
                socket.send_fds(self._control, [told], [*streams, theirs.fileno()])
            code = int(answer.recv(100))
            for printed in (out, err):
                printed.seek(0)
            return subprocess.CompletedProcess(list(arguments), code, out.read().decode(), err.read().decode())


def _main(control: socket.socket) -> None:
    """Fork a process for each that is asked for, which forks the command and waits for it."""
    end_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how those who wait have ended
    import orbits_iac.cli

    for module in pkgutil.iter_modules(orbits_iac.cli.__path__, "orbits_iac.cli."):
        importlib.import_module(module.name)
    for name in _PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    while True:
        told, descriptors, *_ = socket.recv_fds(control, 1_000_000, _STREAMS + 1)
        if not os.fork():
            _wait_for(json.loads(told), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _wait_for(told: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Fork the command, and tell how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if not command:
        _run(told, descriptors)
    _, status = os.waitpid(command, 0)
    os.write(descriptors[-1], str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(told: dict[str, Any], descriptors: Sequence[int]) -> None:
    """Be the command."""
    for number, descriptor in enumerate(descriptors[:_STREAMS]):
        os.dup2(descriptor, number)
    os.closerange(_STREAMS, max(descriptors) + 1)
    os.chdir(told["cwd"])
    os.environ.clear()
    os.environ.update(told["env"])
    sys.argv, sys.path[0] = ["orbits", *told["arguments"]], ""
    os._exit(_exit_code())


def _exit_code() -> int:
    """Run it, and do what an interpreter does at its end."""
    from orbits_iac.cli import main

    code: Any = 0
    try:
        main()
    except SystemExit as left:
        code = left.code
    except BaseException:  # noqa: BLE001 - as an interpreter prints what nobody has caught
        traceback.print_exc()
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 0 if code is None else 1


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
