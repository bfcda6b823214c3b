"""Threads are shared out between tenants: none takes another's, and who waits holds none."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from orbits_iac import Action, Options, Orbits, Resource, Retry, Settings, Workflow
from orbits_iac.engine.threads import Threads

from .world import WORLD


@asynccontextmanager
async def opened(size: int, per_tenant: int | None = None) -> AsyncGenerator[tuple[Threads, threading.Event]]:
    """Threads, and the gate that calls wait at."""
    threads, gate = Threads(size, per_tenant), threading.Event()
    try:
        yield threads, gate
    finally:
        gate.set()
        await threads.close()


async def settle() -> None:
    """Let everything on the loop go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_call_returns_what_it_returns() -> None:
    async with opened(2) as (threads, _):
        assert await (await threads.begin("acme", lambda: 3)) == 3
        with pytest.raises(ZeroDivisionError):
            await (await threads.begin("acme", lambda: 1 // 0))


@pytest.mark.parametrize(("size", "per_tenant", "share"), [(8, None, 2), (2, None, 1), (8, 5, 5), (2, 5, 2)])
async def test_a_tenant_has_its_share_and_no_more(size: int, per_tenant: int | None, share: int) -> None:
    async with opened(size, per_tenant) as (threads, gate):
        begun = [asyncio.ensure_future(threads.begin("acme", gate.wait)) for _ in range(10)]
        await settle()
        assert sum(one.done() for one in begun) == share
        gate.set()
        for one in begun:
            assert await (await one)


async def test_without_a_tenant_all_threads_may_be_had() -> None:
    async with opened(8) as (threads, gate):
        begun = [asyncio.ensure_future(threads.begin(None, gate.wait)) for _ in range(10)]
        await settle()
        assert sum(one.done() for one in begun) == 8
        gate.set()
        await asyncio.gather(*begun)


async def test_a_tenant_with_many_calls_does_not_hold_up_another() -> None:
    async with opened(4) as (threads, gate):
        many = [asyncio.ensure_future(threads.begin("acme", gate.wait)) for _ in range(50)]
        await settle()
        assert await (await threads.begin("bolt", lambda: "served")) == "served"
        gate.set()
        await asyncio.gather(*many)


async def test_threads_that_were_given_up_are_made_up_for() -> None:
    async with opened(2, 2) as (threads, gate):
        hung = [await threads.begin("acme", gate.wait) for _ in range(2)]
        more = asyncio.ensure_future(threads.begin("acme", gate.wait))
        other = asyncio.ensure_future(threads.begin("bolt", lambda: "served"))
        await settle()
        assert [more.done(), other.done()] == [False, False]
        for thread in [*hung, *hung]:
            threads.make_up_for(thread)
        assert await (await other) == "served"
        await settle()
        assert not more.done()  # they still count against their own tenant
        gate.set()
        assert await (await more)
        await asyncio.gather(*hung)
        await settle()
        assert (threads.busy, threads.waiting) == (0, 0)


async def test_tenants_take_turns_and_the_first_asked_is_the_first_served() -> None:
    served: list[str] = []
    async with opened(1) as (threads, gate):
        await threads.begin(None, gate.wait)
        waiting = [
            asyncio.ensure_future(threads.begin(tenant, lambda name=f"{tenant}{n}": served.append(name)))  # type: ignore[misc]
            for tenant in ("acme", "bolt")
            for n in range(3)
        ]
        await settle()
        gate.set()
        for one in waiting:
            await (await one)
    assert served == ["acme0", "bolt0", "acme1", "bolt1", "acme2", "bolt2"]


async def test_who_gives_up_waiting_is_not_called_and_leaves_its_turn() -> None:
    called: list[str] = []
    async with opened(1) as (threads, gate):
        await threads.begin(None, gate.wait)
        first = asyncio.ensure_future(threads.begin("acme", lambda: called.append("first")))
        second = asyncio.ensure_future(threads.begin("acme", lambda: called.append("second")))
        await settle()
        first.cancel()
        await settle()
        gate.set()
        await (await second)
    assert called == ["second"]


async def test_a_turn_that_came_as_it_was_given_up_is_the_next_ones() -> None:
    async with opened(1) as (threads, gate):
        running = await threads.begin(None, gate.wait)
        first = asyncio.ensure_future(threads.begin("acme", bool))
        await settle()
        running.add_done_callback(lambda _: first.cancel())  # its turn has come, and it does not know yet
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await (await threads.begin("bolt", lambda: "served")) == "served"


class RunsOn(Action):
    """Runs on in its thread after its time limit, until a test lets it end."""

    options = Options(timeout=timedelta(milliseconds=30), retry=Retry(attempts=2, delay=timedelta(0)))

    def main(self) -> None:
        WORLD.did(f"attempt {self.execution.attempt}")
        WORLD.reached.set()
        WORLD.gate.wait(20)
        WORLD.did(f"over {self.execution.attempt}")


class Quick(Action):
    """Is over at once."""

    def main(self) -> None:
        WORLD.did(f"served {self.execution.tenant}")


class Client(Resource):
    """Does one step for a tenant."""

    name: str
    stuck: bool = False

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> None:
        if self.stuck:
            await self.do("stuck", RunsOn())
        else:
            await self.do("quick", Quick())


class ClientsOfTwo(Workflow):
    """One tenant is stuck; it and another have more to do."""

    async def define(self) -> None:
        acme, bolt = {"tenant": "acme"}, {"tenant": "bolt"}
        stuck = asyncio.ensure_future(self.do("stuck", Client(name="one", stuck=True), labels=acme))
        await self.do("reached", Reached())
        await asyncio.gather(
            stuck,
            self.do("acme", Client(name="two"), labels=acme),
            self.do("bolt", Client(name="three"), labels=bolt),
            return_exceptions=True,
        )


def open_gate() -> None:
    """Let the stuck one end."""
    WORLD.did("gate opened")
    WORLD.gate.set()


class Reached(Action):
    """Waits until the stuck one is there."""

    def main(self) -> None:
        WORLD.reached.wait(20)


async def test_a_thread_that_runs_on_after_its_time_limit_counts_until_it_is_over() -> None:
    """Nothing starts beside it, neither its next attempt nor more than its tenant may have; others go on."""
    WORLD.clear()
    settings = Settings(project="tests", store="memory:", threads=4, threads_per_tenant=1)
    async with Orbits(settings) as orbits:
        execution = await orbits.start(ClientsOfTwo())
        while "served bolt" not in WORLD.log:
            await orbits.store.changed(1)
        asyncio.get_running_loop().call_later(0.1, open_gate)  # when the first attempt's time limit is over
        await execution
    assert WORLD.log[:4] == ["attempt 1", "served bolt", "gate opened", "over 1"]
    assert sorted(WORLD.log[4:]) == ["attempt 2", "over 2", "served acme"]
