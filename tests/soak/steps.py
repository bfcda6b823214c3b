"""What runs in a soak: Actions of each sort that leave lines in a log, and definitions that do them in each way.

What a definition hands from one step to the next are the effects of the steps before: so the log shows which of them
had been acknowledged when a step began.
"""

import asyncio
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from orbits_iac import (
    Action,
    Event,
    Every,
    ExecutionFailed,
    InProgress,
    NothingDone,
    Options,
    Outputs,
    Resource,
    Retry,
    Workflow,
    command,
)
from orbits_iac.engine.attempts import AttemptExecution
from orbits_iac.model.errors import NotHeld

from .effects import Line, Log, new_effect

LOG = [Log(Path("log"))]
_SOON = Retry(attempts=1000, delay=timedelta(milliseconds=20), factor=1, on=(NothingDone, NotHeld))
"""A worker that lost its lease, and an effect that was not found, are tried again until it works."""

Effects = tuple[str, ...]


def note(step: Action[Any, Any], what: str, effect: str = "", after: Effects = ()) -> str:
    """Leave a line about what a step does."""
    execution = cast("AttemptExecution", step.execution)
    line = Line(
        what=what,
        kind=type(step).__name__,
        execution=execution.id,
        token=execution.token,
        fence=execution._run.pages.fence.token,
        pid=os.getpid(),
        effect=effect,
        attempt=execution.attempt,
        after=after,
    )
    LOG[0].write(line)
    return effect


class SoakAgain(Action[str]):
    """May run again, under the same token; in a thread."""

    options = Options(idempotent=True, retry=_SOON)
    after: Effects = ()

    def main(self) -> str:
        self.execution.hold()
        return note(self, "main", new_effect(), self.after)


class SoakQuick(Action[str]):
    """May run again; on the event loop."""

    options = Options(idempotent=True)
    after: Effects = ()

    async def main(self) -> str:
        return note(self, "main", new_effect(), self.after)


class SoakOnce(Action[str]):
    """May not run again before somebody has looked whether it has."""

    options = Options(retry=_SOON)
    after: Effects = ()

    def main(self) -> str:
        self.execution.hold()
        return note(self, "main", new_effect(), self.after)

    def on_interrupted(self) -> str:
        return found(self)


class SoakWatched(Action[str, str]):
    """Begins something, once, and looks at it until it is done."""

    options = Options(retry=_SOON)
    after: Effects = ()

    def main(self) -> InProgress[str]:
        self.execution.hold()
        return InProgress(note(self, "main", new_effect(), self.after), poll=timedelta(milliseconds=30))

    async def watch(self, effect: str, /) -> str | InProgress[str]:
        looks = sum(line.what == "watch" for line in LOG[0].of(self.execution.token))
        note(self, "watch", effect)
        return effect if looks else InProgress(effect, poll=timedelta(milliseconds=30))

    def on_interrupted(self) -> InProgress[str]:
        return InProgress(found(self), poll=timedelta(milliseconds=30))


def found(step: Action[Any, Any]) -> str:
    """What the interrupted attempt of a step has done; NothingDone if there is nothing."""
    step.execution.hold()
    note(step, "interrupted")
    effects = [line.effect for line in LOG[0].of(step.execution.token) if line.what == "main"]
    if not effects:
        raise NothingDone("there is no line of it")
    return effects[0]


class SoakHeld(Action[str]):
    """Is under way until the file beside the log is there; what it has done by then is done whatever happens."""

    def main(self) -> str:
        note(self, "held")
        while not LOG[0].is_let_go:
            self.execution.pause(0.02)
        return note(self, "main", new_effect())


class SoakUndo(Action[str]):
    """Takes an effect back; may run again."""

    options = Options(idempotent=True, retry=_SOON)
    of: str

    def main(self) -> str:
        self.execution.hold()
        return note(self, "undo", self.of)


class SoakFails(Action):
    """Fails, for good."""

    async def main(self) -> None:
        raise ValueError("as it is meant to")


_ACTIONS = (SoakAgain, SoakOnce, SoakQuick, SoakWatched)


class SoakChain(Workflow[Effects]):
    """Steps one after the other, each handed what was done before it."""

    name: str

    async def define(self) -> Effects:
        done: Effects = ()
        for number in range(8):
            step = _ACTIONS[number % len(_ACTIONS)](after=done[-1:])
            done += (await self.do("step", step, key=str(number)),)
            if number == 3:
                await asyncio.sleep(0.1)
        return done


class SoakGather(Workflow[Effects]):
    """Steps side by side, a race among them, a time limit that is over, and a workflow inside."""

    name: str

    async def define(self) -> Effects:
        inside = asyncio.ensure_future(self.do("inside", SoakChain(name=f"inside {self.name}")))
        sides = (self.do("side", kind(), key=kind.__name__) for kind in _ACTIONS)
        effects = (*(await asyncio.gather(*sides)), *(await inside))
        race = [asyncio.ensure_future(self.do("race", SoakAgain(after=effects), key=n)) for n in "ab"]
        first, _ = await asyncio.wait(race, return_when=asyncio.FIRST_COMPLETED)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.Event().wait()
        last = await self.do("last", SoakOnce(after=tuple(one.result() for one in first)))
        return (*effects, *(await asyncio.gather(*race)), last)


class SoakHolds(Workflow[Effects]):
    """A step that is held, between others."""

    name: str

    async def define(self) -> Effects:
        before = await self.do("before", SoakOnce())
        held = await self.do("held", SoakHeld())
        await asyncio.sleep(0.1)
        return (before, held, await self.do("after", SoakOnce(after=(before, held))))


class SoakUndone(Workflow):
    """Does three things, fails, and takes them back."""

    name: str

    async def define(self) -> None:
        done: Effects = ()
        for number in range(3):
            step = (SoakOnce, SoakAgain, SoakWatched)[number](after=done[-1:])
            done += (await self.do("done", step, key=str(number), undo=lambda effect: SoakUndo(of=effect)),)
        await self.do("fails", SoakFails())


class SoakAnswer(Event):
    """What a person says."""

    said: str


class SoakAsks(Workflow[str]):
    """Waits for an answer, between two steps."""

    name: str

    async def define(self) -> str:
        before = await self.do("before", SoakOnce())
        answer = await self.execution.wait_for("answer", SoakAnswer)
        await self.do("after", SoakAgain(after=(before,)))
        return answer.said


class SoakLong(Workflow):
    """Goes on until it is cancelled, and takes back what it has done."""

    name: str

    async def define(self) -> None:
        number = 0
        while True:
            step = SoakOnce() if number % 2 else SoakAgain()
            await self.do("turn", step, key=str(number), undo=lambda effect: SoakUndo(of=effect))
            await asyncio.sleep(0.1)
            number += 1


class SoakWorth(Outputs):
    """Of which version it is, and what made it so."""

    version: int
    effect: str


class SoakPart(Resource[SoakWorth]):
    """A part of a site; with a name, one that all sites share."""

    name: str | None = None
    version: int

    def identity(self) -> str | None:
        return self.name

    async def define_update(self) -> SoakWorth:
        return SoakWorth(version=self.version, effect=await self.do("made", SoakOnce()))


class SoakSite(Resource[SoakWorth]):
    """Parts of its own, one that is shared, a step done once, and a command."""

    name: str
    version: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> SoakWorth:
        await self.do("seed", SoakOnce(), once=True)
        parts = await asyncio.gather(
            *(self.do("own", SoakPart(version=self.version), key=str(n)) for n in range(2)),
            self.do("shared", SoakPart(name="shared", version=1)),
        )
        effect = await self.do("made", SoakWatched(after=tuple(part.effect for part in parts[:2])))
        return SoakWorth(version=self.version, effect=effect)

    @command
    async def inspect(self, how: str) -> str:
        """Look at it."""
        return await self.do("look", SoakQuick())


class SoakSpoilt(Resource[SoakWorth]):
    """An update of it fails, and goes back to what stood."""

    name: str
    version: int

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> SoakWorth:
        effect = await self.do("part", SoakPart(version=self.version))
        if self.version > 1:
            try:
                await self.do("fails", SoakFails())
            except ExecutionFailed:
                await self.do("noted", SoakAgain(after=(effect.effect,)))
                raise
        return effect


class SoakClock(Resource[SoakWorth]):
    """Is looked after each second."""

    options = Options(schedule=Every(timedelta(seconds=1)))
    name: str

    def identity(self) -> str:
        return self.name

    async def define_update(self) -> SoakWorth:
        return SoakWorth(version=1, effect=await self.do("made", SoakOnce()))

    async def define_cycle(self) -> None:
        await self.do("swept", SoakOnce())
