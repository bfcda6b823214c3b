"""Crashing a scenario at each of its writes and calls, and seeing that it ends as it does without.

    crash_everywhere(lambda: Shop(name="acme"), world=WORLD).check()

The scenario runs once undisturbed. At each moment (before and after a write to the store, before and after an external
call that says so by `outside`) the store and the world are copied: a process that dies then leaves exactly these.
Moments that leave the very same, as before a call that only reads and after it, are one point. From
each copy a new process goes on, and what it ends with is compared; in its course, moments are drawn at which it dies in
its turn. The last kind of trouble is one that the process survives: the store fails once, before a write or after it.

All of it runs on held time, in one thread, in the same order each time.
"""

import gc
import inspect
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, Unpack, cast

from pydantic import SecretStr

from orbits_iac.handles import Execution
from orbits_iac.model.rows import EntryRow, ExecutionRow
from orbits_iac.orbits import Approving, Orbits
from orbits_iac.registry import Registry
from orbits_iac.settings import Settings
from orbits_iac.steps.resource import Command, Resource
from orbits_iac.steps.step import Step, kind_of
from orbits_iac.testing.held import EPOCH
from orbits_iac.testing.kept import InFile, InMemory, Kept
from orbits_iac.testing.life import LONGEST, Fault, Life, Moment, Scenario, Script, World
from orbits_iac.testing.standing import (
    Standing,
    careful_kinds,
    changed_steps,
    differences,
    finished,
    in_doubt,
    interrupted,
)

T = TypeVar("T")

SETTINGS = Settings(
    project="tests", store="memory:", secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
)

STORES: dict[str, Callable[[], Kept]] = {"memory": InMemory, "sqlite": InFile}


def _kept_in(store: str) -> AbstractContextManager[Callable[[], Kept]]:
    if not store.startswith("mongodb"):
        return nullcontext(STORES[store])
    from orbits_iac.testing.in_database import Database

    return Database(store)


@dataclass(frozen=True)
class Difference:
    """A point at which a crash makes a difference, and which."""

    point: str  # "after write 12, then before call 3"
    what: str  # what was written or called there
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n  ".join([f"{self.point} ({self.what})", *self.lines])


@dataclass
class CrashReport:
    """What came of crashing everywhere."""

    points: int = 0
    """Crash points that were tried, those in recoveries and the store's failures included."""
    interrupted: int = 0
    """Of them, those where a step that may not be done twice ended as `Interrupted`, as it must."""
    seconds: float = 0.0
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every point was tried, and none made a difference."""
        return self.points > 0 and not self.differences

    def check(self) -> None:
        """Raise an AssertionError that lists the differences, if there are any."""
        if not self.ok:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        head = f"{self.points} crash points in {self.seconds:.1f} s, {len(self.differences)} of them make a difference"
        return "\n".join([head, *map(str, self.differences)])


def crash_everywhere(  # noqa: PLR0913 - each is a choice of its own, and has a default
    scenario: Callable[[], Step[Any]] | Script,
    *,
    world: World,
    store: str = "memory",
    again: int = 2,
    writes: bool = True,
    faults: bool = True,
    messages: bool = True,
    edit: Callable[[], object] | None = None,
    only: str = "",
    settings: Settings | None = None,
) -> CrashReport:
    """Crash a scenario at each of its writes and calls.

    Args:
        scenario: makes the step that is run; or a coroutine function that asks an `Orbits` for whatever is not there
            yet, since it is called again after each crash.
        world: what the steps change outside of the store.
        store: where it is kept: `memory`, `sqlite` (a file, in memory where the machine has files there), or the URL
            of a MongoDB database that is empty; it is dropped again.
        again: moments of each recovery at which the process dies again; they are drawn, always the same.
        writes: whether it is crashed at the writes to the store too, and not at the calls alone.
        faults: whether the store also fails before and after each write while the process lives.
        messages: whether errors have to say the same too: not where they name what is anew each time, such as an id.
        edit: changes the code: called before each recovery, while the world still is as it was at the crash.
        only: the name of a point, as a `Difference` has it: nothing else is tried.
        settings: of the `Orbits`; its `store` is not used.

    A step that may not be done twice, and was under way when its process died, may end as `Interrupted`; what comes of
    that is not compared.

    Raises:
        AssertionError: the scenario leaves something unfinished without any crash.

    """
    made = replace(_scenario(scenario, world, settings or SETTINGS), at_writes=writes, messages=messages)
    before = world.snapshot()
    with _kept_in(store) as kept:
        trial = _Trial(made, kept, again, edit, only)
        began = time.monotonic()
        gc.freeze()  # thousands of lives leave garbage: what was there before need not be looked through each time
        try:
            trial.run(before, faults=faults)
        finally:
            gc.unfreeze()
            world.restore(before)
        trial.report.seconds = time.monotonic() - began
    return trial.report


def worlds_after_calls(script: Script, *, world: World) -> list[Any]:
    """The world as it was after each call of a script, copied: what a process leaves that dies before the answer."""
    life = Life(scenario=replace(_scenario(script, world, SETTINGS), at_writes=False))
    life.live(InMemory(), EPOCH, recording=lambda: True)
    if life.error is not None:
        raise life.error
    return [moment.world for moment in life.moments if moment.name.startswith("after")]


class _Trial:
    """One scenario, crashed everywhere."""

    def __init__(
        self, scenario: Scenario, kept: Callable[[], Kept], again: int, edit: Callable[[], object] | None, only: str
    ) -> None:
        self.report = CrashReport()
        self._scenario = scenario
        self._kept = kept
        self._again = again
        self._edit = edit
        self._only = only
        self._wanted: Standing | None = None

    def run(self, world: Any, *, faults: bool) -> None:
        first = Life(scenario=self._scenario)
        first.live(self._kept(), EPOCH, recording=lambda: True)
        if first.error is not None:
            raise first.error
        assert first.standing is not None, "it has ended, and nothing stands"  # noqa: S101 - part of the assertion
        assert not first.standing.left, f"it leaves this without any crash: {first.standing.left}"  # noqa: S101
        self._wanted = first.standing
        lasted = first.ended_at - EPOCH
        self._scenario = replace(
            self._scenario,
            look_every=1.0 + lasted / 100,
            longest=2 * lasted + LONGEST,
            most_writes=20 * first.writes + 100,
        )
        for moment in first.moments:
            self._recover(moment, moment.name)
        for write in range(1, first.writes + 1) if faults else ():
            self._fail(world, Fault(write=write, when="before"))
            self._fail(world, Fault(write=write, when="after"))

    def _recover(self, moment: Moment, point: str, *, again: bool = True) -> None:
        """Go on after a crash at this moment, and after crashes in the course of that."""
        if not self._is_wanted(point):
            return
        draw = random.Random(point)  # noqa: S311 - has to come out the same again
        life = Life(scenario=self._scenario, earlier=moment.calls)
        self._scenario.world.restore(moment.world)
        if self._edit is not None:
            self._edit()
        life.live(moment.kept(), moment.at, recording=lambda: again and self._again > 0)
        if self._is_tried(point):
            self._compare(point, moment.what, life)
        drawn = draw.sample(life.moments, min(self._again, len(life.moments)))
        for one in life.moments if self._only else drawn:
            self._recover(one, f"{point}, then {one.name}", again=False)

    def _fail(self, world: Any, fault: Fault) -> None:
        """Run it from the beginning, with a store that fails once."""
        point = f"the store fails {fault.when} write {fault.write}"
        if not self._is_tried(point):
            return
        self._scenario.world.restore(world)
        life = Life(scenario=self._scenario, fault=fault)
        life.live(self._kept(), EPOCH)
        self._compare(point, "the process lives", life)

    def _compare(self, point: str, what: str, life: Life) -> None:
        self.report.points += 1
        given_up = interrupted(life.left, self._scenario.careful)
        lines = self._needless(life, given_up)
        if life.error is not None:
            lines.append(f"it did not end: {type(life.error).__name__}: {life.error}")
            lines += life.under_way
        elif life.standing is not None and self._wanted is not None:
            found, wanted = life.standing, self._wanted
            if given_up:
                self.report.interrupted += 1
                found = replace(wanted, left=found.left)
            lines += differences(wanted, found)
            lines += changed_steps(finished(life.found), finished(life.left))
        if lines:
            self.report.differences.append(Difference(point, what, tuple(lines)))

    def _needless(self, life: Life, given_up: Sequence[EntryRow]) -> list[str]:
        """Steps that were done again though they were finished, or may not be; and those that were given up in vain."""
        before, doubts = finished(life.found), in_doubt(life.found, self._scenario.careful)
        tokens = {step.token for step in before.values() if step.token}
        lines = [f"a finished step was done again: {token}" for token in life.calls if token in tokens]
        careful = {doubt.token for doubt in doubts if doubt.token in life.earlier}
        lines += [f"a step that may not be done twice was: {token}" for token in life.calls if token in careful]
        known = {step.key for step in (*doubts, *before.values())}
        if life.fault is not None:
            return [*lines, *(f"{one.key} was interrupted, and its process lived" for one in given_up)]
        return [*lines, *(f"{one.key} was interrupted, and had not begun" for one in given_up if one.key not in known)]

    def _is_tried(self, point: str) -> bool:
        return self._only in {"", point}

    def _is_wanted(self, point: str) -> bool:
        """Whether it is tried, or leads to one that is."""
        return self._is_tried(point) or self._only.startswith(f"{point}, then ")


class _Project(Registry):
    """The code of a scenario, which is one build for all of its processes: no sources are read to tell."""

    def modules(self) -> frozenset[str]:
        return frozenset()


def _scenario(given: Callable[[], Step[Any]] | Script, world: World, settings: Settings) -> Scenario:
    registry = _Project()
    if inspect.iscoroutinefunction(given):
        script, module = cast("Script", given), given.__module__
    else:
        make = cast("Callable[[], Step[Any]]", given)
        script, module = _run_or_join(make), type(make()).__module__
    for found in _steps_of(vars(sys.modules[module]).values()):
        registry.know(found)  # and not others of the same kinds, which other tests may have
    return Scenario(script=script, world=world, settings=settings, registry=registry, careful=careful_kinds(registry))


def _steps_of(values: Iterable[Any]) -> Sequence[type[Step[Any]]]:
    return [value for value in values if inspect.isclass(value) and issubclass(value, Step)]


def _run_or_join(make: Callable[[], Step[Any]]) -> Script:
    async def script(orbits: Orbits) -> None:
        await (await start_once(orbits, make())).ended()

    return script


async def start_once(orbits: Orbits, step: Step[T], **approved: Unpack[Approving]) -> Execution[T]:
    """Start a step, unless a process before has started the equal one: for scripts that are run again after a crash."""
    subject: Step[Any] = step.resource if isinstance(step, Command) else step
    command = step.command if isinstance(step, Command) else "update" if isinstance(step, Resource) else "run"
    cls = type(subject)
    argument = orbits.engine.codec.encode(subject, cls)
    for row in await orbits.store.find(ExecutionRow, kind=kind_of(cls)):
        if row.parent is None and (row.command, row.argument) == (command, argument):
            return orbits.execution(row.id)
    return await orbits.start(step, **approved)
