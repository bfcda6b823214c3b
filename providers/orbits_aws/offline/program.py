"""The offline AWS as a program: it prints where it listens, serves until SIGTERM or SIGINT, and ends with status 0."""

import json
import os
import signal
import sys
from types import FrameType
from typing import TextIO

from .cloud import Cloud
from .server import Server


class _Stop(BaseException):
    """A signal to stop arrived."""


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stop


def serve(port: int, *, as_json: bool = False, out: TextIO = sys.stdout) -> None:
    """Serve until told to stop; the first line on `out` is the endpoint URL, or JSON with it.

    Raises SystemExit with status 1 if the port is taken.
    """
    cloud = Cloud()
    cloud.reset()
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
