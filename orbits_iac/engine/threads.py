"""The threads that plain `def` hooks run in, shared out between tenants.

What always holds: at most `size` calls run at a time, and at most `per_tenant` of one tenant, so that one tenant's slow
hooks never stop another's; what belongs to no tenant counts together, up to all threads. Who waits holds no thread.
Tenants take turns, and within one who asked first comes first. Everything but the calls happens on the event loop.

A thread cannot be stopped. One that runs on though its call was given up, or that only waits, stays its tenant's and is
made up for by another, so that calls which never end take no threads from other tenants; up to `SPARE` times `size`.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from orbits_iac.model.ids import NOBODYS

T = TypeVar("T")

SPARE = 8
"""Threads that are made up for, at most, for each that calls may have."""


class Threads:
    """So many threads, of which each tenant has a share."""

    def __init__(self, size: int, per_tenant: int | None = None) -> None:
        """`per_tenant`: a quarter of all if it is not given, and one at least."""
        self._pool = ThreadPoolExecutor(max_workers=size * (1 + SPARE), thread_name_prefix="orbits")
        self._size = size
        self._per_tenant = max(1, size // 4) if per_tenant is None else per_tenant
        self._free = size
        self._busy: Counter[str] = Counter()
        self._made_up_for: set[asyncio.Future[Any]] = set()  # threads that another runs in place of
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # in the order of their turns

    async def begin(self, tenant: str | None, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Call `work` in a thread as soon as the tenant may have one; the future in which it ends.

        Cancelled while it waits, `work` is not called. The future must not be cancelled: a thread cannot be.
        """
        tenant = tenant or NOBODYS
        if tenant not in self._waiting and self._has_room(tenant):
            self._take(tenant)
        else:
            await self._turn(tenant)
        try:
            thread = asyncio.get_running_loop().run_in_executor(self._pool, work)
        except BaseException:  # it is being closed
            self._leave(tenant)
            raise
        thread.add_done_callback(lambda done: self._ended(tenant, done))
        return thread

    def make_up_for(self, thread: "asyncio.Future[Any]") -> None:
        """Let another have a thread until this one has ended: it was given up, or does nothing but wait."""
        if thread.done() or thread in self._made_up_for or len(self._made_up_for) >= self._size * SPARE:
            return
        self._made_up_for.add(thread)
        self._free += 1
        self._share_out()

    async def close(self) -> None:
        """Wait for what runs; nothing more is begun."""
        await asyncio.to_thread(self._pool.shutdown, wait=True, cancel_futures=True)

    @property
    def busy(self) -> int:
        """How many calls have a thread."""
        return self._size - self._free

    @property
    def waiting(self) -> int:
        """How many calls wait for a thread."""
        return sum(len(queue) for queue in list(self._waiting.values()))

    def said(self, tenant: str | None) -> str:
        """How many threads a tenant has, for people."""
        if tenant is None:
            return f"all {self._size} threads are busy"
        return f"tenant {tenant} may have {self._per_tenant} of {self._size} threads, and {self._busy[tenant]} are busy"

    def _has_room(self, tenant: str) -> bool:
        return self._free > 0 and (tenant == NOBODYS or self._busy[tenant] < self._per_tenant)

    def _take(self, tenant: str) -> None:
        self._free -= 1
        self._busy[tenant] += 1

    async def _turn(self, tenant: str) -> None:
        """Wait until it is this one's turn; then a thread is its own."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._forget(tenant, turn)
            else:  # it had come already
                self._leave(tenant)
            raise

    def _ended(self, tenant: str, thread: "asyncio.Future[Any]") -> None:
        if thread in self._made_up_for:
            self._made_up_for.discard(thread)
            self._free -= 1
        self._leave(tenant)

    def _leave(self, tenant: str) -> None:
        self._free += 1
        self._busy[tenant] -= 1
        if not self._busy[tenant]:
            del self._busy[tenant]
        self._share_out()

    def _share_out(self) -> None:
        """Let go on whoever may: each time the first tenant with room, which then comes last."""
        while self._free > 0 and (tenant := next(filter(self._has_room, self._waiting), None)) is not None:
            turn = self._waiting[tenant].popleft()
            self._take(tenant)
            turn.set_result(None)
            if rest := self._waiting.pop(tenant):
                self._waiting[tenant] = rest

    def _forget(self, tenant: str, turn: "asyncio.Future[None]") -> None:
        queue = self._waiting[tenant]
        queue.remove(turn)
        if not queue:
            del self._waiting[tenant]
