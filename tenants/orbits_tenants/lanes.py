"""Lanes: how many tenants are updated at a time, of all and of those that have something in common."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from orbits_tenants.rollout import Rollout
from orbits_tenants.tenant import Tenant


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
