"""Settling: before an ending, and before anything is brought back, what a definition has begun comes to its end.

No step is left under way behind a definition that has ended: it is asked to cancel, and waited for until `grace` is
over. A definition that ends well while something that it began is neither awaited nor cancelled has lost it; that is an
error, and so is a failure that nobody looked at.
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.request import Request
from orbits_iac.model.errors import UsageError
from orbits_iac.model.ids import StepKey, refs

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

Task = asyncio.Task[Any]


async def settled(run: "Run", home: StepKey | None = None) -> tuple[str, ...]:
    """`settle` on the way out of a definition that has failed; what is under way all the same, for people."""
    here = asyncio.current_task()
    while here is not None and here.uncancel() > 0:  # what is done from here on is not cancelled any more
        pass
    return await settle(run, home)


async def settle(run: "Run", home: StepKey | None = None) -> tuple[str, ...]:
    """On the definition's loop: cancel what else it does and wait for its steps; what is under way after their grace.

    `home`: only what was begun by the Workflow with this key; otherwise everything, and no more steps are started.
    """
    if home is None:
        run.closed = True
    here = asyncio.current_task()
    if here is not None:
        run.settling.add(here)
    began = run.loop.time()
    told: set[Task] = set()
    left: list[str] = []
    while True:
        tasks = [task for task in _tasks(run, home) if task is not here and task not in run.settling]
        for task in tasks:
            if task not in told:
                told.add(task)
                task.cancel()
        keys = [key for key in _open(run, home) if key in run.pages.entries and key not in run.overdue]
        endings = [run.endings.setdefault(key, run.loop.create_future()) for key in keys]
        if not tasks and not endings:
            return tuple(left)
        ends = {key: began + run.grace_of(run.open[key]) for key in keys}
        until = min(ends.values(), default=began + run.engine.grace)
        done, _ = await asyncio.wait([*tasks, *endings], timeout=max(0.0, until - run.loop.time()))
        if not done and run.loop.time() >= until:
            over = [key for key, end in ends.items() if end <= run.loop.time()]
            left += [overdue(run, run.open[key]) for key in over]
            if not over:  # tasks of its own that will not end
                return tuple(left)


def overdue(run: "Run", request: Request) -> str:
    """A step would not end within its grace, and is not waited for any more: for people."""
    run.overdue.add(request.key)
    return f"{'.'.join(refs(request.key))}: still under way after {run.grace_of(request):g} s"


def lost(run: "Run", home: StepKey | None = None) -> BaseException | None:
    """What a definition that ended well has lost: a step that it did not await, or an error that it did not look at."""
    here = asyncio.current_task()
    if forgotten := run.calls.forgotten(home):
        calls = ", ".join(f"{call.what} {call.ref} ({call.where()})" for call in forgotten)
        return UsageError(
            f"{calls}: called, and not awaited when the definition ended: nothing was done; write `await` before it"
        )
    keys = [key for key in _open(run, home) if not run.open[key].given_up]
    running = [task for task in _tasks(run, home) if task is not here and not task.cancelling()]
    if keys or (running := [task for task in running if task not in run.settling]):
        steps = [f"{'.'.join(refs(key))} ({run.open[key].line()})" for key in keys] or [_name(t) for t in running]
        return UsageError(
            f"{', '.join(steps)}: begun, and neither awaited nor cancelled when the definition ended; await it, for "
            f"example with asyncio.gather"
        )
    for task in run.loop.tasks():
        if _below(run, task, home) and task.done() and not task.cancelled() and _unseen(task):
            return task.exception()
    unseen = [context["exception"] for context in run.loop.unhandled if context.get("exception") is not None]
    run.loop.unhandled.clear()
    return unseen[0] if unseen else None


def _open(run: "Run", home: StepKey | None) -> list[StepKey]:
    """The steps that were begun and have no outcome yet."""
    return list(run.open) if home is None else [key for key in run.open if key.startswith(f"{home}/")]


def _tasks(run: "Run", home: StepKey | None) -> Iterable[Task]:
    """The tasks of a definition that are not done, the first made first."""
    return [task for task in run.loop.tasks() if not task.done() and _below(run, task, home)]


def _below(run: "Run", task: Task, home: StepKey | None) -> bool:
    if home is None:
        return True
    above = run.loop.context_of(task).get(ABOVE)
    return above is not None and (above == home or above.startswith(f"{home}/"))


def _unseen(task: Task) -> bool:
    """Whether nobody has asked for the task's exception: what asyncio itself would log."""
    return bool(getattr(task, "_log_traceback", False))


def _name(task: Task) -> str:
    return str(getattr(task.get_coro(), "__qualname__", task.get_name()))
