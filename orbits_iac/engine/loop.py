"""The event loop that definitions run on.

asyncio's gather, wait, TaskGroup, timeout, Queue, Event and sleep work on it unchanged. It has no selector and no
thread, so "nothing more can happen by itself" is exact: the ready queue is empty. Its clock stands where the engine
puts it. Real I/O is refused with what to do instead.
"""

import asyncio
import heapq
import itertools
from asyncio import events
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, NoReturn
from weakref import WeakKeyDictionary

from orbits_iac.engine import outside
from orbits_iac.model.errors import Refused

LONGEST_DRAIN = 1_000_000
"""Callbacks that a definition runs between two outcomes, before it is taken to go on for ever."""

MOST_CANCELS = 100
"""How often a definition that is let go of is cancelled."""


def _leave_current(_loop: Any, _task: Any) -> None:
    """Before Python 3.12 each loop has a current task of its own."""


_swap_current_task: Callable[[Any, Any], Any] = getattr(asyncio.tasks, "_swap_current_task", _leave_current)
"""Puts another task in the place of a loop's current one: from Python 3.14 on, a thread has only one."""


class DefinitionLoop(asyncio.AbstractEventLoop):
    """Runs the tasks of one execution, deterministically, whenever the engine lets it."""

    def __init__(self, now: float) -> None:
        self._ready: deque[events.Handle] = deque()
        self._timers: list[tuple[float, int, events.TimerHandle, Context]] = []
        self._order = itertools.count()
        self._now = now
        self._contexts: WeakKeyDictionary[asyncio.Task[Any], Context] = WeakKeyDictionary()
        self.unhandled: list[dict[str, Any]] = []

    # What asyncio's primitives ask of a loop.

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def time(self) -> float:
        return self._now

    def call_soon(  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.Handle:
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        context = copy_context() if context is None else context
        handle = events.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle, context))
        return handle

    def _timer_handle_cancelled(self, handle: events.TimerHandle) -> None:
        """asyncio tells of a cancelled timer; `next_timer` drops it."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> asyncio.Task[Any]:
        context = copy_context() if context is None else context
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        self._contexts[task] = context
        return task

    def tasks(self) -> list[asyncio.Task[Any]]:
        """The tasks that somebody still holds, the first made first."""
        return [task for ref in self._contexts.keyrefs() if (task := ref()) is not None]

    def context_of(self, task: asyncio.Task[Any]) -> Context:
        """The context that a task of this loop runs in."""
        return self._contexts[task]

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.unhandled.append(context)

    async def shutdown_asyncgens(self) -> None:
        """Nothing to shut down."""

    # What the engine asks of it.

    def drain(self) -> None:
        """Run whatever is ready, until every task is blocked. Call it from the outer loop, within a task or not.

        Raises `Refused` if that does not come to an end.
        """
        outer = events._get_running_loop()  # noqa: SLF001 - the only way to nest loops
        task = _swap_current_task(outer, None)
        events._set_running_loop(None)  # noqa: SLF001
        events._set_running_loop(self)  # noqa: SLF001
        before = outside.enter()
        try:
            self._run_ready()
        finally:
            outside.leave(before)
            events._set_running_loop(outer)  # noqa: SLF001
            _swap_current_task(outer, task)

    def _run_ready(self) -> None:
        ran = 0
        while self._ready:
            handle = self._ready.popleft()
            if not handle.cancelled():
                try:  # noqa: SIM105 - `suppress` takes longer than most callbacks
                    handle._run()  # noqa: SLF001 - what a loop does with its handles
                except (SystemExit, KeyboardInterrupt):  # its task has it, as any other error
                    pass
            ran += 1
            if ran > LONGEST_DRAIN:
                raise Refused(
                    "the definition goes on and on without waiting for anything: await a step, or asyncio.sleep() "
                    "with a time, in its loop"
                )

    def next_timer(self) -> float | None:
        """When the earliest timer is due, in this loop's time."""
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def timer_context(self) -> Context:
        """What the earliest timer runs in; there must be one."""
        return self._timers[0][3]

    def fire(self) -> None:
        """Make the earliest timer ready, whatever the time."""
        if self.next_timer() is not None:
            self._ready.append(heapq.heappop(self._timers)[2])

    def stand_at(self, now: float) -> None:
        """Put the clock to `now`; it never goes back."""
        self._now = max(self._now, now)

    def abandon(self) -> None:
        """Cut every task off: whatever it still does on its way out reaches nobody.

        One that will not end, however often it is cancelled, is left as it is.
        """
        for _ in range(MOST_CANCELS):
            tasks = [task for task in self.tasks() if not task.done()]
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            with suppress(Refused):
                self.drain()
        for task in self.tasks():
            if task.done() and not task.cancelled():
                task.exception()
        self.unhandled.clear()


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refused(*_: Any, **__: Any) -> NoReturn:
        raise Refused(
            f"a definition cannot do I/O ({name}): it is run again after a crash, and would do it twice. "
            f"Put it in an Action and `await self.do(...)` that."
        )

    return refused


for _name in (
    "run_in_executor",
    "create_connection",
    "create_server",
    "create_datagram_endpoint",
    "create_unix_connection",
    "create_unix_server",
    "subprocess_exec",
    "subprocess_shell",
    "connect_read_pipe",
    "connect_write_pipe",
    "getaddrinfo",
    "getnameinfo",
    "sock_recv",
    "sock_recv_into",
    "sock_sendall",
    "sock_connect",
    "sock_accept",
    "sendfile",
    "start_tls",
    "add_reader",
    "add_writer",
    "add_signal_handler",
    "call_soon_threadsafe",
    "run_forever",
    "run_until_complete",
):
    setattr(DefinitionLoop, _name, _refuse(_name))
DefinitionLoop.__abstractmethods__ = frozenset()  # type: ignore[attr-defined]


def definition_loop(now: float) -> DefinitionLoop:
    """A loop whose clock stands at `now`."""
    return DefinitionLoop(now)  # type: ignore[abstract] # pyright: ignore[reportAbstractUsage] # the rest is refused
