"""What a worker's process logs: a line each, as text or as JSON, with the execution and tenant that it is of.

What is logged in a hook, in a thread of one, or in a library that it calls, belongs to its execution: nobody has to say
so. Secrets that are known are masked. Where the project sets up logging itself, its handlers stay, and this one is not
added.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from orbits_iac.engine.engine import ADVANCED


class Lines(logging.Handler):
    """Writes a line a record to stderr: what a worker has to tell of its work is on stdout, where it is JSON."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._formatter = logging.Formatter()
        self.mask: Callable[[str], str] = str
        """Takes the secrets out of a text."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write(record)
        except Exception:  # noqa: BLE001 - as every handler's: who logs must not fail by it
            self.handleError(record)

    def _write(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"{self._line(record)}\n")
        sys.stderr.flush()

    def _line(self, record: logging.LogRecord) -> str:
        task, level = ADVANCED.get(), record.levelname.lower()
        message = self.mask(record.getMessage())
        error = self.mask(self._formatter.formatException(record.exc_info)) if record.exc_info else ""
        if self._as_json:
            of = {} if task is None else {"execution": task.id, "tenant": task.tenant}
            more = {"error": error} if error else {}
            document: dict[str, Any] = {"at": record.created, "event": "log", "level": level, "logger": record.name}
            return json.dumps({**document, **of, "message": message, **more}, ensure_ascii=False)
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        of_which = "" if task is None or task.id in message else f"execution {task.id}: "
        return "\n".join(part for part in (f"{at}  {level}: {of_which}{message}", error) if part)


@contextmanager
def logged(level: str, *, as_json: bool) -> Generator[Lines]:
    """Write what is logged from `level` on, until this ends."""
    root, lines = logging.getLogger(), Lines(as_json=as_json)
    if root.handlers:
        yield lines
        return
    before = root.level
    root.addHandler(lines)
    root.setLevel(level.upper())
    try:
        yield lines
    finally:
        root.setLevel(before)
        root.removeHandler(lines)
