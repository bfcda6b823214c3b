"""An Action in a process of its own: `python -m orbits_iac.execute`, started by an executor.

It reads its task from the folder of its run (`ORBITS_RUN`), calls the one hook that the task names, and writes what
came of it into the same folder, as a whole or not at all. The key of the secrets in both comes by standard input. Asked
to end (SIGTERM), it cancels an `async def` hook, and raises in a plain one, so that both may clean up; then there is no
outcome, unless the hook comes to one all the same.
"""

import asyncio
import inspect
import os
import resource
import signal
import sys
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar
from uuid import UUID, uuid4

import msgspec

from orbits_iac.codec import Codec
from orbits_iac.engine import bounds
from orbits_iac.engine.attempts import find_target
from orbits_iac.engine.returned import recorded
from orbits_iac.executors.documents import OUTCOME, PROGRESS, TASK, Outcome, Progress, Task
from orbits_iac.model.errors import Failure, UsageError
from orbits_iac.model.target import Target
from orbits_iac.registry import Registry, import_source
from orbits_iac.steps.action import Action, InProgress, handle_type
from orbits_iac.steps.execution import CURRENT, Current
from orbits_iac.steps.hook import unpacked
from orbits_iac.steps.step import bind, result_type

TG = TypeVar("TG", bound=Target)
ASKED_TO_END = 128 + signal.SIGTERM
"""The exit status of one that was asked to end, and did."""


class Ending(BaseException):
    """Raised in a plain hook when the process is asked to end."""


def main() -> int:
    """Do the one task, and return the exit status: 0 if it has an outcome, whichever."""
    folder = Path(os.environ["ORBITS_RUN"])
    task = msgspec.json.decode((folder / TASK).read_bytes(), type=Task)
    codec = Codec(sys.stdin.buffer.read(), largest=task.largest)
    signal.signal(signal.SIGTERM, _raise)
    try:
        outcome = _attempt(task, codec, folder)
    except (Ending, asyncio.CancelledError):
        return ASKED_TO_END
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is over
    made = folder / f".{OUTCOME}"
    made.write_bytes(msgspec.json.encode(outcome))
    with made.open("rb") as written:
        os.fsync(written.fileno())
    made.replace(folder / OUTCOME)
    return 0


def _attempt(task: Task, codec: Codec, folder: Path) -> Outcome:
    try:
        step = _step(task, codec)
        here = _Here(task, codec, folder)
        CURRENT.set(here)
        bind(step, here)
        handle = handle_type(type(step))
        arguments = () if task.handle is None else (codec.decode(task.handle, handle),)
        method = getattr(step, task.hook)
        value = method(*arguments)
        if inspect.isawaitable(value):
            value = asyncio.run(_awaited(value))
        if isinstance(value, InProgress):
            return Outcome(handle=recorded(codec, value.handle, handle, method), poll=value.poll.total_seconds())
        return Outcome(result=recorded(codec, value, result_type(type(step)), method))
    except (Ending, asyncio.CancelledError):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever a user's hook raises, SystemExit too, is its outcome
        names = tuple(f"{kind.__module__}:{kind.__qualname__}" for kind in type(error).__mro__)
        failure = Failure.of(_too_much() if isinstance(error, MemoryError) else error)
        return Outcome(failure=replace(failure, message=codec.mask(failure.message)), raised=names)


def _too_much() -> MemoryError:
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return MemoryError("this machine has no more memory")
    return MemoryError(
        f"it wanted more than the {most / 1e6:,.0f} MB of address space that its executor gives it: give it more with "
        f"Subprocess(memory=...), or let it hold less at a time"
    )


def _step(task: Task, codec: Codec) -> Action[Any, Any]:
    sys.path[:0] = [folder for folder in task.path if folder not in sys.path]
    imported = [import_source(module) for module in task.modules]
    found = Registry().find(task.kind) if task.made is None else unpacked(task.made, imported[0].__name__)
    if found is None or not issubclass(found, Action):
        raise UsageError(
            f"{', '.join(task.modules)} has no Action {task.kind!r} when it is imported: one that runs elsewhere has "
            f"to be made there, not inside a function"
        )
    step: Action[Any, Any] = codec.decode(task.argument, found)
    return step


async def _awaited(value: Awaitable[Any]) -> Any:
    hook = asyncio.ensure_future(value)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, hook.cancel)
    return await hook


def _raise(*_: object) -> NoReturn:
    raise Ending


class _Here(Current):
    """What `self.execution` is in this process."""

    def __init__(self, task: Task, codec: Codec, folder: Path) -> None:
        self._codec = codec
        self._targets = task.targets
        self._kind = task.kind
        self._progress = folder / PROGRESS
        self.id = task.execution
        self.token = task.token
        self.attempt = task.attempt
        self.tenant = task.tenant
        self.project = task.project
        self.record = task.record
        self.called = task.called
        self.takes_over = task.takes_over

    def progress(self, message: str, share: float | None = None) -> None:
        with self._progress.open("ab", buffering=0) as lines:
            lines.write(msgspec.json.encode(Progress(message=self._codec.mask(message), share=share)) + b"\n")

    def target(self, kind: type[TG]) -> TG:
        return find_target(self._codec, self._targets, kind, self._kind)

    def admit(self, target: Target) -> None:
        bounds.admit(self._codec, self._targets, target, what=self._kind, tenant=self.tenant)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def uuid(self) -> UUID:
        return uuid4()


if __name__ == "__main__":
    sys.exit(main())
