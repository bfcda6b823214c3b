"""The offline AWS as a program: it prints where it listens, serves until SIGTERM or SIGINT, and ends with status 0."""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TextIO

from .cloud import Cloud
from .freeze import Unfreezable
from .server import Server
from .state import load_file, save_file
from .state_file import StateRefused


class _Stop(BaseException):
    """A signal to stop arrived."""


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stop


def serve(port: int, *, as_json: bool = False, state: Path | None = None, out: TextIO = sys.stdout) -> None:
    """Serve until told to stop; the first line on `out` is the endpoint URL, or JSON with it.

    What the file `state` holds is loaded at the start, if there is one, and all is saved into it at the end. Raises
    SystemExit with status 1 if the port is taken, or the state cannot be loaded or saved.
    """
    cloud = Cloud(state_file=state)
    cloud.reset()
    if state is not None and state.exists():
        try:
            load_file(cloud, state)
        except StateRefused as refused:
            sys.stderr.write(f"{refused}.\n")
            raise SystemExit(1) from refused
    try:
        server = Server(cloud, port).start()
    except OSError as failure:
        sys.stderr.write(
            f"The offline AWS cannot listen on port {port}: {os.strerror(failure.errno or 0)}. Choose another port.\n"
        )
        raise SystemExit(1) from failure
    previous = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        url = server.endpoint_url
        print(json.dumps({"endpoint_url": url}) if as_json else url, file=out, flush=True)
        while True:
            signal.pause()
    except _Stop:
        return
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        server.stop()
        if state is not None:
            _save(cloud, state)


def _save(cloud: Cloud, state: Path) -> None:
    try:
        save_file(cloud, state)
    except (OSError, Unfreezable) as failure:
        sys.stderr.write(f"The state was not saved into {state}: {failure}\n")
        raise SystemExit(1) from failure
