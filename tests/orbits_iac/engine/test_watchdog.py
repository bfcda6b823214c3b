"""What keeps the event loop from turning is named while it does: the step, the line, and what to do."""

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from orbits_iac import Action, Orbits, Settings, Workflow
from orbits_iac.engine.watchdog import Watchdog
from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import EventRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

LIMIT = 0.05
GATE = threading.Event()
SAID: list[str] = []
LOOP = 1 + next(n for n, line in enumerate(Path(__file__).read_text().splitlines()) if line.startswith("    while not"))


class Opening(logging.Handler):
    """Opens the gate that a hook blocks at when the watchdog has said so."""

    def emit(self, record: logging.LogRecord) -> None:
        SAID.append(record.getMessage())
        GATE.set()


def block() -> None:
    """Keep the thread busy until the watchdog has noticed; if it does not, not for ever."""
    until = time.monotonic() + 20
    while not GATE.is_set() and time.monotonic() < until:
        pass


def linger() -> None:
    """Keep the thread busy for longer than is allowed."""
    until = time.monotonic() + 5 * LIMIT
    while time.monotonic() < until:
        pass


class Blocks(Action[int]):
    """Blocks, and blocks again."""

    async def main(self) -> int:
        block()  # here
        linger()
        await asyncio.sleep(0)
        linger()
        return 1


class Threaded(Action[int]):
    """Blocks its own thread alone."""

    def main(self) -> int:
        GATE.wait(20)
        return 1


class Computes(Workflow[int]):
    """A definition that takes long, below another."""

    async def define(self) -> int:
        block()
        return 1


class TwoSlow(Workflow[int]):
    async def define(self) -> int:
        return await self.do("first", Blocks()) + await self.do("second", Computes())


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    GATE.clear()
    SAID.clear()
    log, handler = logging.getLogger("orbits_iac.engine.watchdog"), Opening()
    log.addHandler(handler)
    yield
    log.removeHandler(handler)


@pytest.fixture(params=["memory:", "sqlite:"])
def orbits_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    store = request.param if request.param == "memory:" else f"sqlite:{tmp_path / 'store.db'}"
    return Settings(project="tests", store=store, longest_block=timedelta(seconds=LIMIT))


async def _events(orbits: Orbits) -> list[EventRow]:
    return [event for event in await orbits.store.tail(0) if "event loop" in event.why]


async def test_a_hook_that_blocks_is_named_once_with_its_line_and_what_to_do(orbits: Orbits) -> None:
    execution = await orbits.start(Blocks())
    await execution
    (said,) = SAID
    assert said.startswith(f"execution {execution.id}: Blocks, main() of Blocks, has kept the event loop from turning")
    assert any(f"{__file__}:{LOOP + more} (" in said for more in (0, 1))
    assert said.endswith("or await asyncio.to_thread(...) for what blocks.")
    (event,) = await _events(orbits)
    assert event.key == "run/Blocks:Blocks:main"
    assert said == f"execution {execution.id}: {event.why}"


async def test_a_definition_that_computes_is_named_too(orbits: Orbits) -> None:
    GATE.clear()
    await orbits.run(Computes())
    (said,) = SAID
    assert "the definition of Computes has kept the event loop from turning" in said
    assert said.endswith("put what takes so long into an Action.")
    assert len(await _events(orbits)) == 1


async def test_each_step_is_named(orbits: Orbits) -> None:
    class Both(TwoSlow):
        async def define(self) -> int:
            await self.do("first", Blocks())
            GATE.clear()
            return await self.do("second", Computes())

    await orbits.run(Both())
    assert [event.key for event in await _events(orbits)] == ["run/first:Blocks:main", "run/second:Computes:define"]
    assert "the definition of second has" in SAID[1]


class Spins(Action[int]):
    """Goes on for ever, whatever fails, and keeps the loop."""

    way: str

    async def main(self) -> int:
        while True:
            with suppress(Exception):  # as bad code does
                spin(self.way)


class SpinsItself(Workflow[int]):
    """The same in a definition, after a step."""

    async def define(self) -> int:
        await self.do("one", One())
        while True:
            spin("busy")


class One(Action[int]):
    async def main(self) -> int:
        return 1


def spin(way: str) -> None:
    if way == "asleep":
        time.sleep(60)


class Beside(Workflow[list[str]]):
    """Does several at once: how each came out."""

    async def define(self) -> list[str]:
        steps = {"busy": Spins(way="busy"), "asleep": Spins(way="asleep"), "itself": SpinsItself(), "one": One()}
        asked = (self.do(ref, step, labels={"tenant": "acme"}) for ref, step in steps.items())
        found = await asyncio.gather(*asked, return_exceptions=True)
        return [str(one) for one in found]


async def test_what_blocks_for_too_long_is_ended_and_all_else_goes_on(tmp_path: Path) -> None:
    named, ended = timedelta(seconds=LIMIT), timedelta(seconds=2 * LIMIT)
    settings = Settings(store=f"sqlite:{tmp_path / 'store.db'}", longest_block=named, block_ends=ended)
    async with Orbits(settings) as orbits:
        said = await orbits.run(Beside())
    for ref, text in zip(("busy", "asleep", "itself"), said, strict=False):
        assert text.startswith(
            f"{ref}: BlockedError: it kept the event loop from turning for more than 0.1 s, at {__file__}:"
        )
    assert said[3] == "1"
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL


async def test_what_runs_in_a_thread_may_block(orbits: Orbits) -> None:
    asyncio.get_running_loop().call_later(5 * LIMIT, GATE.set)
    assert await orbits.run(Threaded()) == 1
    assert SAID == []


async def test_its_thread_is_gone_when_it_is_closed(orbits_settings: Settings) -> None:
    before = set(threading.enumerate())
    async with Orbits(orbits_settings):
        assert "orbits watchdog" in {thread.name for thread in set(threading.enumerate()) - before}
    assert "orbits watchdog" not in {thread.name for thread in set(threading.enumerate()) - before}


def test_its_thread_ends_with_the_loop_though_nobody_stops_it() -> None:
    watchdog = Watchdog(LIMIT, 60, lambda _: None)

    async def main() -> None:
        watchdog.start()

    asyncio.run(main())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "orbits watchdog"]
    thread.join(20)
    assert not thread.is_alive()


class Full(MemoryStore):
    async def commit(self, transaction: Transaction) -> None:
        raise StoreError("the disk is full")


async def test_its_thread_is_gone_when_opening_fails(orbits_settings: Settings) -> None:
    with pytest.raises(StoreError, match="the disk is full"):
        await Orbits(orbits_settings, store=Full()).__aenter__()
    assert "orbits watchdog" not in {thread.name for thread in threading.enumerate()}
