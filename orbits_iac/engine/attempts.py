"""Running an Action: one call of `main`, `watch` or `on_interrupted`, and what comes of it.

What always holds: a call starts only after the entry that says so is durable; a thread that runs past its time limit is
waited for, because nothing may start beside it.
"""

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from typing_extensions import TypeVar

from orbits_iac.codec import Codec
from orbits_iac.engine import bounds
from orbits_iac.engine.limits import attempt_ends_at
from orbits_iac.engine.returned import recorded
from orbits_iac.model.bounds import given
from orbits_iac.model.errors import Failure, Interrupted, NotHeld, Permanent, Refused, StoreError
from orbits_iac.model.ids import StepKey, refs
from orbits_iac.model.rows import Json
from orbits_iac.model.target import Target
from orbits_iac.steps import shell as shells
from orbits_iac.steps.action import Action, InProgress, handle_type
from orbits_iac.steps.execution import CURRENT, Current, Shared
from orbits_iac.steps.shell import Shell
from orbits_iac.steps.step import bind, kind_of

if TYPE_CHECKING:
    from orbits_iac.engine.request import Request
    from orbits_iac.engine.run import Run

TG = TypeVar("TG", bound=Target)


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """The step has its result."""

    result: Json
    value: Any = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """The step has failed; `error` decides whether it is tried again."""

    error: BaseException
    failure: Failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Waits:
    """It is under way; `watch` is called with the handle after `poll` seconds."""

    handle: Json
    poll: float


End = Done | Failed | Waits


PATIENCE = 30.0
"""Seconds that a hook in a thread waits for its worker's lease to be renewed, before it goes on to change anything."""


LONG = 0.1
"""Seconds of a pause from which a hook's thread is made up for by another, so that nobody else waits with it."""


class UncertainError(Exception):
    """The claim was not certain any more where a hook was to be called: it was not."""


async def attempt(run: "Run", request: "Request", hook: str, handle: Json | None = None) -> End:
    """Call one hook of the request's Action and say what came of it.

    Raises nothing but CancelledError, `UncertainError` if it was not called, and, for the engine's own questions, what
    the store raises.
    """
    codec = run.engine.codec
    try:
        if request.ask is not None:
            value = await request.ask()
            return Done(result=codec.encode(value, request.returns))
        step = request.step
        assert isinstance(step, Action)  # noqa: S101 - for the checkers: only Actions get here
        execution = AttemptExecution(run, request)
        CURRENT.set(execution)  # an attempt has a task of its own
        run.engine.measures.attempt_begins(run.pages.execution, run.pages.entries[request.key])
        bind(step, execution)
        arguments = () if hook != "watch" or handle is None else (codec.decode(handle, handle_type(type(step))),)
        entry = run.pages.entries[request.key]
        ends = attempt_ends_at(request, entry)
        seconds = None if ends is None else ends - run.engine.clock.now()
        if request.executor is not None and not isinstance(step, Shell):
            from orbits_iac.engine import elsewhere

            async with asyncio.timeout(seconds):
                return await elsewhere.call(run, request, hook, handle)
        if seconds is not None and seconds <= 0 and not request.elsewhere:  # what runs there has to be stopped first
            raise TimeoutError(f"{request.kind}: the time limit of the attempt is over")
        method = getattr(step, hook)
        value = await _call(run, method, arguments, seconds, execution)
        if isinstance(value, InProgress):
            text = recorded(codec, value.handle, handle_type(type(step)), method)
            return Waits(handle=text, poll=value.poll.total_seconds())
        return Done(result=recorded(codec, value, request.returns, method))
    except (asyncio.CancelledError, UncertainError):
        raise
    except StoreError as error:
        if request.ask is not None:
            raise
        return Failed(error=error, failure=run.failure(error, request))
    except BaseException as error:  # noqa: BLE001 - whatever a user's hook raises, SystemExit too, is its outcome
        return Failed(error=error, failure=run.failure(error, request))


def is_final(error: BaseException, request: "Request", attempts_made: int) -> bool:
    """Whether the step has failed for good after `attempts_made` attempts."""
    retry = request.retry
    if retry is None or isinstance(error, (Permanent, Refused, Interrupted)):
        return True
    return attempts_made >= retry.attempts or not isinstance(error, retry.on)


async def _call(
    run: "Run",
    method: Callable[..., Any],
    arguments: tuple[Any, ...],
    seconds: float | None,
    execution: "AttemptExecution",
) -> Any:
    if _is_async(getattr(method, "__func__", method)):
        if seconds is None:
            return await method(*arguments)
        async with asyncio.timeout(seconds):
            return await method(*arguments)
    clock = asyncio.get_running_loop().time
    ends = None if seconds is None else clock() + seconds
    cancelled = execution.cancelled = threading.Event()
    thread = execution.thread = await _in_thread(run, method, arguments, seconds)
    try:
        done, _ = await asyncio.wait([thread], timeout=None if ends is None else max(0.0, ends - clock()))
        run.engine.threads.make_up_for(thread)
        value, error = await asyncio.shield(thread)
    except asyncio.CancelledError:
        cancelled.set()
        run.engine.threads.make_up_for(thread)
        (value, error), done = await _joined(thread), {thread}
    if error is not None:
        raise error
    if not done:
        raise TimeoutError(f"{method.__qualname__} took longer than its time limit; it was waited for")
    return await value if inspect.isawaitable(value) else value


@lru_cache(maxsize=4096)
def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


Outcome = tuple[Any, BaseException | None]


async def _in_thread(
    run: "Run", method: Callable[..., Any], arguments: tuple[Any, ...], seconds: float | None
) -> "asyncio.Future[Outcome]":
    """Call a plain `def` in a thread, once its tenant may have one; not at all if that takes longer than `seconds`.

    What it raises crosses over as a value: no future takes a StopIteration.
    """
    context = contextvars.copy_context()

    def call() -> Outcome:
        if not run.engine.is_certain(run.current):  # it may have waited for its thread
            return None, UncertainError()
        try:
            return context.run(method, *arguments), None
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            return None, error

    threads, tenant = run.engine.threads, run.pages.execution.tenant
    try:
        async with asyncio.timeout(seconds):
            return await threads.begin(tenant, call)
    except TimeoutError:
        text = f"{method.__qualname__} waited for a thread until its time limit was over: {threads.said(tenant)}"
        raise TimeoutError(text) from None


async def _joined(thread: "asyncio.Future[Outcome]") -> Outcome:
    """Wait for a thread, however often that is cancelled: nothing may start beside it. What it did is its outcome."""
    while not thread.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([thread])
    return thread.result()


class AttemptExecution(Current):
    """What `self.execution` is in an Action's hooks."""

    def __init__(self, run: "Run", request: "Request") -> None:
        entry = run.pages.entries[request.key]
        self._run = run
        self._request = request
        self._key: StepKey = request.key
        self._targets = request.targets
        self._loop = asyncio.get_running_loop()
        self.cancelled: threading.Event | None = None  # of a hook that has a thread of its own
        self.thread: asyncio.Future[Outcome] | None = None  # that thread
        self.id = run.pages.execution.id
        self.token = entry.token
        self.attempt = entry.attempt
        self.tenant = run.pages.execution.tenant
        self.project = run.engine.project
        self.record = run.record_id
        self.called = run.called
        self.takes_over = run.approval.take_over
        self.looking = run.pages.execution.command == "cycle"

    def progress(self, message: str, share: float | None = None) -> None:
        masked = self._run.engine.codec.mask(message)  # here already: in debug mode the loop logs what it is handed
        with suppress(RuntimeError):  # a thread that has outlived its event loop
            self._loop.call_soon_threadsafe(self._run.progress, self._key, masked, share)

    def target(self, kind: type[TG]) -> TG:
        step = self._request.step
        what = self._request.ref if step is None else kind_of(type(step))
        return find_target(self._run.engine.codec, self._targets, kind, what)

    def admit(self, target: Target) -> None:
        request = self._request
        what = f"{'.'.join(refs(request.key))} ({request.kind})"
        bounds.admit(self._run.engine.codec, self._targets, target, what=what, tenant=self.tenant)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._run.engine.clock.now(), UTC)

    def uuid(self) -> UUID:
        return uuid4()

    def hold(self) -> None:
        run = self._run
        if run.engine.is_certain(run.current):
            return
        if self.cancelled is not None:
            holding = asyncio.run_coroutine_threadsafe(run.engine.hold(run), self._loop)
            try:
                holding.result(PATIENCE)
            except (TimeoutError, StoreError):
                holding.cancel()
            else:
                return
        raise NotHeld(
            "The lease of this worker was not renewed in time, so that another may have taken over what it does: the "
            "next change was not made. Look whether the store can be reached."
        )

    def shared(self, bucket: str, rate: float | None) -> Shared:
        return self._run.engine.shared(bucket, rate)

    def pause(self, seconds: float) -> None:
        if self.cancelled is None:
            super().pause(seconds)
            return
        if self.thread is not None and seconds >= LONG:
            with suppress(RuntimeError):  # a thread that has outlived its event loop
                self._loop.call_soon_threadsafe(self._run.engine.threads.make_up_for, self.thread)
        if self.cancelled.wait(seconds):
            raise asyncio.CancelledError

    async def shell(self, step: Shell, *, begin: bool) -> shells.Done:
        from orbits_iac.engine import elsewhere

        return await elsewhere.shell(self._run, self._request, step, begin=begin)


def find_target(codec: Codec, targets: dict[str, Json], kind: type[TG], what: str) -> TG:
    """The target of this type that was given here or above; `Refused` says where to give it."""
    text = targets.get(kind.__name__)
    if text is None:
        names = ", ".join(sorted(given(targets))) or "none"
        raise Refused(
            f"{what} needs a target of type {kind.__name__}, and none was given here or above (given: {names}): "
            f"pass one with do(..., target={kind.__name__}(...)) or run(..., target=...)"
        )
    found: TG = codec.decode(text, kind)
    return found
