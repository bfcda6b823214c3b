"""Lanes: how many tenants are updated at a time, of all and of those that have something in common."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from orbits_tenants.rollout import Rollout
from orbits_tenants.tenant import Tenant

R = TypeVar("R")


class Lanes:
    """The room that a roll-out has."""

    def __init__(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self._all = asyncio.Semaphore(rollout.max_concurrency)
        self._lanes: dict[tuple[str, str], asyncio.Semaphore] = {}

    @asynccontextmanager
    async def room(self, tenant: Tenant) -> AsyncGenerator[None]:
        """Room for one tenant in all the lanes that it is in; they are entered in one order: nobody waits in a ring."""
        async with AsyncExitStack() as stack:
            for what, value, most in self._rollout.lanes(tenant):
                await stack.enter_async_context(self._lanes.setdefault((what, value), asyncio.Semaphore(most)))
            await stack.enter_async_context(self._all)
            yield

    async def each(self, tenants: Sequence[Tenant], do: Callable[[Tenant], Awaitable[R]]) -> dict[str, R]:
        """What this comes to for each tenant, by its id; `do` takes its room where it needs it.

        Of those that are in the same lanes no more are begun than have room: who stands in line is no task, and who is
        done with is none any more.
        """
        lines: dict[tuple[tuple[str, str, int], ...], list[Tenant]] = {}
        for tenant in tenants:
            lines.setdefault(tuple(self._rollout.lanes(tenant)), []).append(tenant)
        came: dict[str, R] = {}

        async def serve(line: Iterator[Tenant]) -> None:
            for tenant in line:
                came[tenant.id] = await do(tenant)

        def served() -> Iterator[Awaitable[None]]:
            for lanes, standing in lines.items():
                most = min(self._rollout.max_concurrency, len(standing), *(most for _, _, most in lanes))
                line = iter(standing)
                yield from (serve(line) for _ in range(most))

        await asyncio.gather(*served())
        return {tenant.id: came[tenant.id] for tenant in tenants}
