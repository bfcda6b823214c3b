"""What a test, a module of tests or the whole run leaves behind: found, and named, where it ends.

Looked for are threads, processes (children, and whatever else was started by them), open files and connections, files
in the temporary folder, tasks that were pending when their loop was closed, and what asyncio says of tasks and futures
that nobody waited for. That a coroutine was never awaited is a warning, and so an error, without this.

What is about to end by itself is waited for, on the thing itself. On a machine without /proc neither processes nor
open files are looked for. `conftest` asks around each test; it costs half a millisecond.
"""

import asyncio
import gc
import logging
import os
import select
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from orbits_iac.engine.loop import DefinitionLoop

PATIENCE = 5.0
"""Seconds that what is about to end may still take, all of it together."""

_OWN = "/proc/self/fd"
_HAS_PROC = Path(_OWN).is_dir()
_MARK, _MARKED = "STARTED_BY_TESTS", str(os.getpid())
_UNWAITED = ("Task was destroyed but it is pending", "never retrieved")


@dataclass(frozen=True, kw_only=True)
class There:
    """What there is at a moment."""

    threads: frozenset[threading.Thread]
    processes: frozenset[int]  # of all users: which of those that come are ours is asked of these alone
    opened: frozenset[tuple[str, str]]  # number, and what it is of
    files: frozenset[str]

    @classmethod
    def now(cls) -> "There":
        return cls(threads=frozenset(threading.enumerate()), processes=_processes(), opened=_opened(), files=_files())


class Said(logging.Handler):
    """Collects what is said, rather than left: at the end of loops, and by asyncio."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if any(words in text for words in _UNWAITED):
            error = record.exc_info[1] if record.exc_info else None
            self.lines.append(text if error is None else f"{text}\n{''.join(traceback.format_exception(error))}")

    def closing(self, loop: asyncio.AbstractEventLoop) -> None:
        """A loop is about to be closed, which would cancel what is pending."""
        self.lines += [f"pending when its loop was closed: {task!r}" for task in asyncio.all_tasks(loop)]


SAID = Said()


FOLDERS: list[Path] = []
"""Where nothing may be left; of this run alone, as what others leave elsewhere is not ours."""


_OF_THE_RUN: set[int | Path] = set()


def keep_for_the_run(process: int, *folders: Path) -> None:
    """A server is there until the run ends, and its folder, whichever test happened to be the first to ask for it."""
    _OF_THE_RUN.update((process, *folders))


def listen() -> None:
    """From now on notice how loops end, and what asyncio has to say; let processes know whose they are."""
    os.environ[_MARK] = _MARKED
    logging.getLogger("asyncio").addHandler(SAID)
    close, unhandled = asyncio.Runner.close, DefinitionLoop.call_exception_handler

    def told_and_closed(self: asyncio.Runner) -> None:
        with suppress(RuntimeError):  # it has been closed
            SAID.closing(self.get_loop())
        close(self)

    def told_and_kept(self: DefinitionLoop, context: dict[str, Any]) -> None:
        if _UNWAITED[0] in str(context.get("message")):
            SAID.lines.append(f"in a definition: {context['message']} {context.get('task')!r}")
        unhandled(self, context)

    asyncio.Runner.close = told_and_closed  # type: ignore[method-assign]
    DefinitionLoop.call_exception_handler = told_and_kept  # type: ignore[method-assign]


def left_since(before: There) -> list[str]:
    """What has come since then and is still there, a line each; what was said meanwhile is forgotten."""
    until = time.monotonic() + PATIENCE
    lines = [f"a thread: {one.name}, at {_place(one)}" for one in _still_running(before.threads, until)]
    lines += _still_there(before.processes, until)
    after = There.now()
    if after.opened - before.opened:  # werkzeug leaves a selector to the collector where a client has gone
        gc.collect()
        after = There.now()
    lines += [f"open: {target} ({number})" for number, target in sorted(after.opened - before.opened)]
    lines += [f"a file: {name}" for name in sorted(after.files - before.files) if Path(name) not in _OF_THE_RUN]
    lines += SAID.lines
    SAID.lines.clear()
    return lines


def left_at_the_end(before: There) -> list[str]:
    """As `left_since`, and what is said when the last garbage is collected."""
    gc.collect()
    _OF_THE_RUN.clear()
    return left_since(before)


def _still_running(before: frozenset[threading.Thread], until: float) -> Iterable[threading.Thread]:
    for thread in threading.enumerate():
        if thread not in before:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                yield thread


def _place(thread: threading.Thread) -> str:
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame, limit=3)) if frame is not None else "its end"


def _still_there(before: frozenset[int], until: float) -> Iterable[str]:
    for pid in sorted(_processes() - before - _OF_THE_RUN):
        try:
            process = psutil.Process(pid)
            ours = process.ppid() == os.getpid()
            if not ours and process.environ().get(_MARK) != _MARKED:
                continue
            if not _has_ended(pid, until):
                yield f"a process: {pid}, {' '.join(process.cmdline())}"
            elif ours and process.status() == psutil.STATUS_ZOMBIE:
                yield f"a child that nobody waited for when it ended: {pid}"
        except (psutil.NoSuchProcess, psutil.AccessDenied, ProcessLookupError):  # it is gone, or another user's
            continue


def _has_ended(pid: int, until: float) -> bool:
    """Whether it ends in time, its parent having waited for it or not."""
    process = os.pidfd_open(pid)
    try:
        ended = select.poll()
        ended.register(process, select.POLLIN)
        return bool(ended.poll(max(0.0, until - time.monotonic()) * 1000))
    finally:
        os.close(process)


def _processes() -> frozenset[int]:
    return frozenset(int(name) for name in _names("/proc") if name.isdecimal()) if _HAS_PROC else frozenset()


def _opened() -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for number in _names(_OWN) if _HAS_PROC else ():
        with suppress(FileNotFoundError):  # that of the listing itself
            target = os.readlink(f"{_OWN}/{number}")  # noqa: PTH115 - as in `_names`
            found.add((number, target.removesuffix(" (deleted)")))
    return frozenset(found)


def _files() -> frozenset[str]:
    return frozenset(f"{folder}/{name}" for folder in FOLDERS for name in _names(folder))


def _names(folder: str | Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 - around each test, and several times as fast as Path
