"""The process that delivers one message: what to deliver stands on its standard input, the answer on its output.

So nobody else sees the URL, and what a library does to its process stays here. It ends by itself in the time that it is
given, should nobody wait for it any more. Nothing is imported that it does not need: it is started for each message.
"""

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

FILE = "file"
"""The scheme of targets that need no library."""

INSTALL = "pip install 'orbits-iac[notify]'"
"""What brings the library for all others."""


def main() -> None:
    """Do what stands on the standard input, and answer on the standard output."""
    order = json.load(sys.stdin)
    signal.setitimer(signal.ITIMER_REAL, order["longest"])  # whose signal ends this process
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    answers.write(json.dumps({"why": _why(order)}) + "\n")
    answers.flush()
    os._exit(0)  # a thread of a library may hang


def _why(order: dict[str, Any]) -> str | None:
    """Why the message was not taken; None if it was."""
    try:
        if not order["url"].startswith(f"{FILE}:"):
            return _hand_on(order)
        _write(order)
    except Exception as error:  # noqa: BLE001 - whatever a library raises is why
        return f"{type(error).__name__}: {error}"
    return None


def _write(order: dict[str, Any]) -> None:
    """Add a line to a file."""
    path = Path(order["url"].removeprefix(f"{FILE}:").removeprefix("//"))
    line = json.dumps({name: order[name] for name in ("title", "body", "mood")}, ensure_ascii=False)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)


def _hand_on(order: dict[str, Any]) -> str | None:
    try:
        import apprise
    except ModuleNotFoundError:
        return f"apprise is not installed: {INSTALL}"
    said = _Said()
    logging.getLogger("apprise").addHandler(said)
    logging.getLogger("apprise").setLevel(logging.DEBUG)
    memory = apprise.PersistentStoreMode.MEMORY  # what plugins remember between messages is of no use here
    asset = apprise.AppriseAsset(app_id="Orbits", app_desc="Orbits IaC", app_url="", storage_mode=memory)
    target = apprise.Apprise.instantiate(order["url"], asset=asset, suppress_exceptions=False)
    if target is None:
        return f"it is no URL of apprise's: {said.last or 'unknown scheme, or a part of it is missing'}"
    to = apprise.Apprise()
    to.add(target)
    taken = to.notify(
        title=order["title"],
        body=order["body"],
        notify_type=order["mood"],
        body_format=apprise.NotifyFormat.MARKDOWN,
    )
    return None if taken else said.last or "it was not taken"


class _Said(logging.Handler):
    """Keeps what apprise says of what went wrong: it answers with no more than a false."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []

    @property
    def last(self) -> str:
        """The last of it, with the cause that is said beside."""
        return " ".join(self._lines[-2:])

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.levelno >= logging.WARNING or "Exception" in text:
            self._lines.append(text)


if __name__ == "__main__":
    main()
