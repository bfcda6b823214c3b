"""The life of one process in a test that crashes: from what it finds to its end, with copies of the moments between.

Called by `crashes`, a life after the other. Each runs in an event loop of its own, on held time.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from orbits_iac.model.errors import StoreError
from orbits_iac.orbits import Orbits
from orbits_iac.registry import Registry
from orbits_iac.settings import Settings
from orbits_iac.testing.held import HeldClock, HeldLoop, run_held
from orbits_iac.testing.inline import Inline
from orbits_iac.testing.kept import Kept, Seen
from orbits_iac.testing.standing import Journals, Standing, journals_of, standing_of, under_way

Script = Callable[[Orbits], Awaitable[object]]

LONGEST = 600.0
"""Seconds on the held clock that a life may last longer than the first one."""


class World(Protocol):
    """What the scenario changes outside of the store: a stand-in for a cloud, say."""

    def snapshot(self) -> Any:
        """A copy of all of it, which no later change reaches."""

    def restore(self, snapshot: Any, /) -> None:
        """Let it be as it was copied."""

    def stands(self) -> Any:
        """What of it has to come out the same, however often the process died: compared by `==`."""


_LIFE: ContextVar["Life | None"] = ContextVar("life", default=None)


@contextmanager
def outside(what: str, *, token: str = "") -> Generator[None]:
    """A call to something outside: a crash may come just before it, and just after it with the answer lost.

    `token` is the step's `self.execution.token`: with it, a call of a step that was finished already is found out. In a
    run that no crash harness has begun it does nothing.
    """
    life = _LIFE.get()
    if life is None:
        yield
        return
    life.called += 1
    name = f"call {life.called}: {what}"
    if token:
        life.calls.append(token)
    life.moment("before", name)
    yield
    life.moment("after", name)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment of a life, and all that would be left of it if its process died then."""

    name: str
    what: str
    at: float
    world: Any
    kept: Callable[[], Kept]
    written: int  # writes to the store until then, in this life
    calls: tuple[str, ...]  # the tokens of all calls until then, earlier lives included

    def is_also(self, at: float, world: Any, written: int, calls: tuple[str, ...]) -> bool:
        """Whether a process that dies at another moment leaves the very same: nothing has happened in between."""
        return (self.at, self.written, self.calls, self.world) == (at, written, calls, world)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The store fails once, and the process lives: before this write, or after it, so that only the answer is lost."""

    write: int
    when: str  # "before" or "after"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What is run, and with what."""

    script: Script
    world: World
    settings: Settings
    registry: Registry
    careful: frozenset[str]  # kinds of Actions that may not be done twice
    at_writes: bool = True  # whether a process may die at its writes to the store, and not at its calls alone
    messages: bool = True  # whether what errors say is compared
    look_every: float = 1.0  # seconds after which a process looks by itself, if its store fails: hints may be lost
    most_writes: int = 1_000_000
    longest: float = 10 * 365 * 24 * 3600


@dataclass(kw_only=True)
class Life:
    """One process: what it saw, and how it ended."""

    scenario: Scenario
    fault: Fault | None = None
    moments: list[Moment] = field(default_factory=list)
    called: int = 0  # calls to something outside
    calls: list[str] = field(default_factory=list)  # the tokens of those that have one
    earlier: tuple[str, ...] = ()  # tokens of calls of the processes before
    found: Journals = field(default_factory=list)  # when it began
    left: Journals = field(default_factory=list)  # when it ended
    standing: Standing | None = None
    under_way: list[str] = field(default_factory=list)  # executions that have not ended when it ends
    error: BaseException | None = None
    writes: int = 0
    ended_at: float = 0.0
    _written: int = 0
    _kept: Kept | None = None
    _clock: HeldClock | None = None
    _recording: Callable[[], bool] = bool

    def live(self, kept: Kept, at: float, *, recording: Callable[[], bool] = bool) -> None:
        """Live from `at` on what was kept; a moment is copied if `recording` says so. What it raises is in `error`."""
        self._kept, self._recording = kept, recording
        context = _LIFE.set(self)
        try:
            run_held(lambda loop: self._main(loop, at))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what came of this life
            self.error = error
        finally:
            _LIFE.reset(context)
            kept.forget()

    def moment(self, when: str, what: str) -> None:
        """A moment has come. Raises StoreError if that is the one at which the store fails."""
        number = what.partition(":")[0]
        if self.fault is not None and when == self.fault.when and number == f"write {self.fault.write}":
            raise StoreError(f"{number} failed on purpose: the store was gone {when} it")
        if number.startswith("write"):
            self._written += when == "after"
            if not self.scenario.at_writes:
                return
        if self._kept is None or self._clock is None or not self._recording():
            return
        at, world, calls = self._clock.now(), self.scenario.world.snapshot(), (*self.earlier, *self.calls)
        if self.moments and self.moments[-1].is_also(at, world, self._written, calls):
            return
        moment = Moment(
            name=f"{when} {number}",
            what=what,
            at=at,
            world=world,
            kept=self._kept.copied(),
            written=self._written,
            calls=calls,
        )
        self.moments.append(moment)

    async def _main(self, loop: HeldLoop, at: float) -> None:
        assert self._kept is not None  # noqa: S101 - set by `live`
        scenario = self.scenario
        self._clock = HeldClock(loop, at=at)
        store = Seen(self._kept, self.moment, most=scenario.most_writes)
        async with _in_time(scenario.longest), self._opened(store) as orbits:
            orbits.engine.chance = random.Random(0).random  # noqa: S311 - has to come out the same again
            self.found = await journals_of(self._kept.looked() or store)
            orbits.look_every = scenario.look_every if self.fault is not None else None
            try:
                async with Inline(orbits.engine, look_every=orbits.look_every) as inline:
                    await inline.run(self._course(orbits))
                    await inline.settled()
            finally:
                looked = self._kept.looked() or store
                self.under_way = await under_way(looked)
            self.standing = await standing_of(looked, scenario.world.stands(), messages=scenario.messages)
            self.left = await journals_of(looked)
        self.writes, self.ended_at = store.writes, self._clock.now()

    @asynccontextmanager
    async def _opened(self, store: Seen) -> AsyncGenerator[Orbits]:
        """An Orbits on the store; opened once more if the store failed meanwhile, as a person would do."""
        async with AsyncExitStack() as stack:
            while True:
                orbits = Orbits(self.scenario.settings, store=store, clock=self._clock, work=False)
                orbits.registry = self.scenario.registry
                try:
                    await stack.enter_async_context(orbits)
                except StoreError:
                    await asyncio.sleep(1)
                else:
                    break
            yield orbits

    async def _course(self, orbits: Orbits) -> None:
        """The script; once more whenever the store failed under it, as a person would do."""
        while True:
            try:
                await self.scenario.script(orbits)
            except StoreError:
                await asyncio.sleep(1)
            else:
                return


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncGenerator[None]:
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise TimeoutError(f"it had not ended after {seconds:.0f} s on the held clock") from None
