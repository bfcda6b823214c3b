"""What is asked for in a soak, and who looks on: mixed executions, so many at a time, some answered and some cancelled.

Whatever the store does: what could not be asked for is asked for again, and what may have been done or not is noted as
such. Only what was acknowledged is promised.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from orbits_iac import Orbits, Step
from orbits_iac.model.errors import Refused, StoreError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, ScheduleRow, TaskRow, amended
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Transaction

from .checker import EFFECTIVE
from .collected import Seen, Told
from .effects import Log
from .steps import (
    SoakAnswer,
    SoakAsks,
    SoakChain,
    SoakClock,
    SoakGather,
    SoakLong,
    SoakSite,
    SoakSpoilt,
    SoakUndone,
)

T = TypeVar("T")

AT_ONCE = 12
"""Roots that are under way at a time."""

CLOCKS = 3
"""Resources on a schedule."""


class Workload:
    """Asks for executions, answers and cancels them, and follows all events."""

    def __init__(self, orbits: Orbits, log: Log, seed: int) -> None:
        self.told, self.seen = Told(), Seen()
        self._orbits = orbits
        self._log = log
        self._chance = random.Random(seed)
        self._states: dict[ExecutionId, State | None] = {}  # as far as it was seen
        self._roots: set[ExecutionId] = set()
        self._later: set[asyncio.Task[None]] = set()

    async def ask(self) -> None:
        """Keep so many under way, until cancelled."""
        for number in range(CLOCKS):
            await self.start(SoakClock(name=f"clock-{number}"))
        number = 0
        while True:
            if len(self._roots.intersection(self.under_way())) < AT_ONCE:
                number += 1
                await self.start(self._next(number))
            else:
                await asyncio.sleep(0.02)

    def under_way(self) -> list[ExecutionId]:
        """The executions of which no end was seen."""
        return [name for name, state in self._states.items() if state not in ENDED]

    async def follow(self) -> None:
        """See every event, until cancelled."""
        while True:
            await self.look()
            await self._orbits.store.changed(0.1)

    async def look(self) -> None:
        """See the events that have come."""
        while events := await patiently(self._next_events):
            self.seen.events += events
            finished = [event for event in events if event.after is State.SUCCESS and event.kind in EFFECTIVE]
            length = len(self._log.lines()) if finished else 0
            for event in events:
                if not event.key and event.after is not None:
                    self._states[event.execution] = event.after
            await asyncio.gather(*(self._finished(event, length) for event in finished))

    async def _next_events(self) -> list[EventRow]:
        return await self._orbits.store.tail(self.seen.events[-1].seq if self.seen.events else 0)

    async def finish(self) -> None:
        """Answer and cancel what is still to be, pause schedules that have fired, and wait until all has ended."""
        store = self._orbits.store
        await asyncio.gather(*self._later)
        for number in range(CLOCKS):
            await self._pause(f"clock-{number}")
        while self.under_way() or await self._has_tasks():
            await self._see_to_the_unknown()
            await store.changed(0.1)

    async def _see_to_the_unknown(self) -> None:
        """What was started, though who asked was not told so, or was told to stop asking first, is one of them too."""
        for kind in (SoakAsks.__name__, SoakLong.__name__):
            for row in await patiently(partial(self._orbits.store.find, ExecutionRow, kind=kind)):
                if row.id not in self._roots and row.state not in ENDED:
                    self._roots.add(row.id)
                    self._see_to(kind, row.id)

    async def _has_tasks(self) -> bool:
        return bool(await patiently(lambda: self._orbits.store.find(TaskRow, limit=1)))

    async def _pause(self, clock: str) -> None:
        store = self._orbits.store
        while (row := await patiently(lambda: store.get(ScheduleRow, SoakClock.__name__, clock))) is None or (
            row.version == 1
        ):
            await store.changed(0.1)
        while not row.paused:
            with suppress(StoreError):  # it has fired meanwhile, or the answer was lost
                await store.commit(Transaction(put=[amended(row, version=row.version + 1, paused=True)]))
            row = await patiently(lambda: store.get(ScheduleRow, SoakClock.__name__, clock)) or row

    async def _finished(self, event: EventRow, length: int) -> None:
        entry = await patiently(lambda: self._orbits.store.get(EntryRow, event.execution, event.key))
        if entry is not None and not entry.skipped:
            self.seen.done_by.setdefault(entry.token, length)

    def _next(self, number: int) -> Step[Any]:
        chance, name = self._chance, str(number)
        one_of_three = str(chance.randint(1, 3))
        kinds: list[tuple[int, Callable[[], Step[Any]]]] = [
            (6, lambda: SoakChain(name=name)),
            (4, lambda: SoakGather(name=name)),
            (2, lambda: SoakUndone(name=name)),
            (2, lambda: SoakAsks(name=name)),
            (2, lambda: SoakLong(name=name)),
            (2, lambda: SoakSite(name=one_of_three, version=number)),
            (1, lambda: SoakSite(name=one_of_three, version=0).inspect(name)),
            (1, lambda: SoakSpoilt(name=one_of_three, version=number)),
        ]
        [make] = chance.choices([make for _, make in kinds], [share for share, _ in kinds])
        return make()

    async def start(self, step: Step[Any]) -> None:
        """Start a step, and what is to happen to it: an answer, a cancel."""
        while True:
            try:
                execution = await self._orbits.start(step)
                break
            except StoreError:  # it may be there all the same, and is then one more
                await asyncio.sleep(0.05)
        name = ExecutionId(execution.id)
        self.told.started.append(name)
        self._roots.add(name)
        self._states.setdefault(name, None)
        self._see_to(type(step).__name__, name)

    def _see_to(self, kind: str, name: ExecutionId) -> None:
        """Have done with an execution what its kind waits for: an answer, a cancel."""
        if kind == SoakAsks.__name__:
            self._soon(self._answer(name))
        elif kind == SoakLong.__name__:
            self._soon(self._cancel(name))

    def _soon(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _answer(self, name: ExecutionId) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, 1.5))
        said = f"answer {name}"
        while True:
            self.told.maybe_answered[name] = said
            try:
                await self._orbits.emit(SoakAnswer(said=said), to=name)
            except StoreError:
                await asyncio.sleep(0.05)
            except Refused:  # it has ended: an answer that was lost on the way back had come
                return
            else:
                self.told.answered[name] = said
                return

    async def _cancel(self, name: ExecutionId) -> None:
        await asyncio.sleep(self._chance.uniform(0.2, 2.0))
        with suppress(Refused):  # it has ended
            await patiently(self._orbits.execution(name).cancel)
        self.told.cancelled.add(name)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer."""
    while True:
        try:
            return await ask()
        except StoreError:
            await asyncio.sleep(0.05)
