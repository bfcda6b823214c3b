"""Attempts at a step that is a definition of its own: a Workflow, or a Resource's command.

An Action's attempts are made inside its one entry, by `outcomes`. Here each attempt is a step with a key of its own,
made by the definition that does it, and what is waited for in between are timers of that definition: both are durable.

What is counted: `timeout` from an attempt's `do` to its outcome, `deadline` from the first `do` to the last outcome,
both through queues, waits, pauses and downtime. A step whose time is over is asked to cancel and waited for, within its
grace, before the next attempt starts or the error is raised. What is run from outside is attempted once, and keeps its
class's limits itself.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import timedelta
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Any

from orbits_iac.engine.request import Request
from orbits_iac.engine.settling import overdue
from orbits_iac.model.errors import ExecutionFailed, Failure
from orbits_iac.model.retry import Retry
from orbits_iac.model.states import State
from orbits_iac.steps.step import Step, options_of

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


async def attempts(run: "Run", make: Callable[[int], Request]) -> Any:
    """Ask for the step that `make` makes for each attempt (from 1), until one succeeds or none is to follow."""
    request = make(1)
    retry = request.options.get("retry") or Retry()
    deadline: timedelta | None = request.options.get("deadline")
    until = None if deadline is None else run.loop.time() + deadline.total_seconds()
    chance: Random | None = None
    attempt = 1
    while True:
        try:
            return await _within(run, request, until)
        except ExecutionFailed as failed:
            chance = chance or Random(f"{run.pages.execution.id}{request.key}")  # noqa: S311 - the same again
            wait = retry.wait(attempt, chance.random())
            over = until is not None and run.loop.time() + wait >= until
            if attempt >= retry.attempts or over or not may_follow(failed.failure, retry):
                raise
            why = f"attempt {attempt} failed: {failed.failure.error_type}: {failed.failure.message}"
            run.note(key=request.key, why=f"{why}; the next in {wait:.1f} s")
        await asyncio.sleep(wait)
        attempt += 1
        request = make(attempt)


def may_follow(failure: Failure, retry: Retry) -> bool:
    """Whether another attempt may follow one that failed so."""
    if failure.state is State.QUARANTINED or failure.left or failure.no_return:
        return False
    if not _PERMANENT.isdisjoint(failure.types):
        return False
    return any(f"{kind.__module__}.{kind.__qualname__}" in failure.types for kind in retry.on)


_PERMANENT = frozenset(f"orbits_iac.model.errors.{name}" for name in ("Permanent", "Refused", "Interrupted"))


async def _within(run: "Run", request: Request, until: float | None) -> Any:
    """One attempt, within its own time limit and before `until`."""
    deadline = request.options.get("deadline")
    ends = [] if until is None or deadline is None else [(until, "deadline", deadline)]
    if request.timeout is not None:
        ends.append((run.loop.time() + request.timeout.total_seconds(), "time limit", request.timeout))
    run.ask(request)
    if not ends:
        return await request.future
    end, what, length = min(ends)
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            return await request.future
    except TimeoutError:
        if not limit.expired():
            raise
    left = await ended(run, request)
    error = TimeoutError(f"it took longer than its {what} of {length.total_seconds():g} s")
    failure = replace(run.failure(error, request), left=left)
    raise ExecutionFailed(failure.above(request.ref)) from None


def within_own_limits(run: "Run", cls: type[Step[Any]]) -> AbstractAsyncContextManager[object]:
    """Keep the limits of the class in a definition that nobody above keeps them for; TimeoutError when it is over.

    No generator: the event loop of the process closes those before it goes, and a definition that was cut off, and has
    swallowed that, would come back to one that is closed.
    """
    options = options_of(cls)
    limits = [limit for limit in (options.get("timeout"), options.get("deadline")) if limit is not None]
    if run.pages.execution.parent is not None or not limits:
        return nullcontext()
    return _OwnLimit(min(limits).total_seconds())


class _OwnLimit(AbstractAsyncContextManager[None]):
    """`asyncio.timeout`, with an error that says how long it was."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._limit = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._limit.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        over = isinstance(error, TimeoutError)
        try:
            await self._limit.__aexit__(kind, error, trace)
        except TimeoutError:
            over = True
        if over and self._limit.expired():
            raise TimeoutError(f"it took longer than its time limit of {self._seconds:g} s") from None


async def ended(run: "Run", request: Request) -> tuple[str, ...]:
    """Wait for a step that was given up, within its grace; what is under way all the same, for people."""
    if request.key not in run.open:
        return ()
    ending = run.endings.setdefault(request.key, run.loop.create_future())
    await asyncio.wait([ending], timeout=run.grace_of(request))
    return () if ending.done() else (overdue(run, request),)
