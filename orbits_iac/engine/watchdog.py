"""Finds what keeps the event loop from turning, and names it: a hook that blocks, a definition that computes.

A thread of its own asks the loop for an answer, again and again, and looks at the loop's stack when none comes in time.
Nothing is done where hooks are called, so one that does not block costs nothing. What goes on for too long is ended, as
far as that can be: everybody else in the process waits for it, and no other worker takes them over.
"""

import asyncio
import linecache
import logging
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.attempts import attempt
from orbits_iac.engine.breaking_in import Breaker
from orbits_iac.engine.loop import DefinitionLoop
from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import StepKey, refs
from orbits_iac.model.rows import EventRow
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

log = logging.getLogger(__name__)

_OURS = str(Path(__file__).parents[1])
_NOT_THE_USERS = tuple({*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")), _OURS})


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """What was found on the stack of a loop that stood still."""

    run: "Run"
    key: StepKey  # of the step whose hook it is; empty for a definition
    what: str  # for people
    line: str  # file and line of the user's code
    remedy: str


class Watchdog:
    """Watches the loop that it is started on, from a thread of its own."""

    def __init__(self, seconds: float, ends: float, run_of: Callable[[DefinitionLoop], "Run | None"]) -> None:
        """`seconds`: how long the loop may stand still before it is named, `ends`: and ended. `run_of`: whose it is."""
        self._seconds = seconds
        self._ends = ends
        self._breaker = Breaker()
        self._run_of = run_of
        self._told: set[tuple[str, StepKey]] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch the running loop."""
        loop, its = asyncio.get_running_loop(), threading.get_ident()
        self._breaker.start()
        self._thread = threading.Thread(target=self._watch, args=(loop, its), name="orbits watchdog", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Watch no more, and wait for the thread, which ends by itself even if nobody does."""
        self._stopping.set()
        self._breaker.stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _watch(self, loop: asyncio.AbstractEventLoop, its: int) -> None:
        while not self._stopping.wait(self._seconds / 4):
            turned = threading.Event()
            try:
                loop.call_soon_threadsafe(turned.set)
            except RuntimeError:  # it was closed
                return
            since = time.monotonic()
            if not turned.wait(self._seconds) and (found := self._look(_frame_of(its))) is not None:
                self._tell(found)
            while not (turned.wait(self._seconds) or self._stopping.is_set() or loop.is_closed()):
                if time.monotonic() - since >= self._ends:
                    self._end(_frame_of(its), turned)

    def _end(self, frame: FrameType | None, turned: threading.Event) -> None:
        found = self._look(frame)
        if found is None:
            return

        def is_there(frame: FrameType | None) -> bool:
            now = self._look(frame)
            return now is not None and (now.run, now.key) == (found.run, found.key) and _may_be_cut_off(frame)

        why = (
            f"it kept the event loop from turning for more than {self._ends:g} s, at {found.line}, and was ended: all "
            f"else in this process waited. {found.remedy}"
        )
        self._breaker.end(is_there, turned, why)

    def _tell(self, found: Blocked) -> None:
        """Leave an event, and say it in the log: at once, since the loop may never turn again."""
        execution = found.run.pages.execution
        if (execution.id, found.key) in self._told:
            return
        self._told.add((execution.id, found.key))
        engine = found.run.engine
        whose = "" if execution.tenant is None else f"tenant {execution.tenant}: "
        why = engine.codec.mask(
            f"{whose}{found.what} has kept the event loop from turning for more than {self._seconds:g} s, at "
            f"{found.line}; all else waits. {found.remedy}"
        )
        event = EventRow(at=engine.clock.now(), execution=execution.id, root=execution.root, key=found.key, why=why)
        try:
            asyncio.run(engine.store.commit(Transaction(events=[event])))
        except StoreError as error:
            log.warning("execution %s: an event could not be left: %s", execution.id, error)
        log.warning("execution %s: %s", execution.id, why)

    def _look(self, innermost: FrameType | None) -> Blocked | None:
        """What the loop's thread is doing, if that is a hook's or a definition's."""
        frames = list(_stack(innermost))
        line = next((_line(frame) for frame in frames if _is_the_users(frame.f_code)), "a library")
        for frame in frames:
            if frame.f_code is attempt.__code__:
                run, request = frame.f_locals["run"], frame.f_locals["request"]
                what = f"{'.'.join(refs(request.key))}, {frame.f_locals['hook']}() of {request.kind},"
                return Blocked(run=run, key=request.key, what=what, line=line, remedy=_OF_A_HOOK)
            if frame.f_code is DefinitionLoop.drain.__code__:
                loop = frame.f_locals["self"]
                run = self._run_of(loop)
                return None if run is None else _definition(run, loop, line)
        return None


_OF_A_HOOK = "Make the hook a plain `def`, which runs in a thread, or await asyncio.to_thread(...) for what blocks."
_OF_A_DEFINITION = "A definition chains steps: put what takes so long into an Action."


def _definition(run: "Run", loop: DefinitionLoop, line: str) -> Blocked:
    task = asyncio.current_task(loop)
    above = None if task is None else loop.context_of(task).get(ABOVE)
    path = ".".join(refs(above)) if above is not None else ""
    what = f"the definition of {path or run.pages.execution.kind}"
    return Blocked(run=run, key=StepKey(above or ""), what=what, line=line, remedy=_OF_A_DEFINITION)


def _frame_of(its: int) -> FrameType | None:
    return sys._current_frames().get(its)  # noqa: SLF001 - there is no other way to see it


def _may_be_cut_off(frame: FrameType | None) -> bool:
    """Whether the innermost code that is no library's is the user's, and none of Orbits."""
    for each in _stack(frame):
        if _is_the_users(each.f_code):
            return True
        if each.f_code.co_filename.startswith(_OURS):
            return False
    return False


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    """From the innermost frame outwards."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_the_users(code: CodeType) -> bool:
    return not code.co_filename.startswith(("<", *_NOT_THE_USERS))


def _line(frame: FrameType) -> str:
    text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"{frame.f_code.co_filename}:{frame.f_lineno} ({text})"
