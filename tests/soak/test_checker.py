"""The checker of a soak finds nothing wrong with a course that went well, and finds each thing that is made wrong."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from orbits_iac import Orbits, Settings, Step
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, TaskRow, amended
from orbits_iac.model.states import State
from tests.soak.checker import violations
from tests.soak.collected import Collected, everything
from tests.soak.effects import Line, Log
from tests.soak.faults import COMMANDS, faults
from tests.soak.steps import LOG, SoakAsks, SoakChain, SoakClock, SoakGather, SoakLong, SoakSite, SoakSpoilt, SoakUndone
from tests.soak.workload import CLOCKS, Workload

T = TypeVar("T")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    """What there is after a short course of everything, in which nothing was broken."""
    log = LOG[0] = Log(tmp_path_factory.mktemp("soak") / "log")
    return asyncio.run(_course(log))


async def _course(log: Log) -> Collected:
    async with Orbits(Settings(store="memory:")) as orbits:
        workload = Workload(orbits, log, seed=0)
        following = asyncio.ensure_future(workload.follow())
        steps: tuple[Step[Any], ...] = (
            *(SoakClock(name=f"clock-{number}") for number in range(CLOCKS)),
            SoakChain(name="a"),
            SoakGather(name="b"),
            SoakUndone(name="c"),
            SoakAsks(name="d"),
            SoakLong(name="e"),
            SoakSite(name="f", version=1),
            SoakSpoilt(name="g", version=1),
            SoakSpoilt(name="g", version=2),
        )
        for step in steps:
            await workload.start(step)
        await orbits.start(SoakLong(name="h"))  # which nobody was told of: it is cancelled all the same
        while not {row.identity for row in await orbits.store.find(ExecutionRow) if row.command == "cycle"} >= {
            f"clock-{number}" for number in range(CLOCKS)
        }:
            await orbits.store.changed(1.0)
        await workload.finish()
        await workload.look()
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        return await everything(orbits.store, log.lines(), workload.told, workload.seen, "")


def test_a_course_that_went_well(good: Collected) -> None:
    assert violations(good) == []
    assert {line.what for line in good.lines} == {"main", "watch", "undo"}
    assert {row.state for row in good.executions} == {State.SUCCESS, State.REVERTED, State.CANCELLED}


def lines_changed(change: Callable[[list[Line]], list[Line]]) -> Callable[[Collected], Collected]:
    return lambda good: replace(good, lines=change(list(good.lines)))


def events_changed(change: Callable[[list[EventRow]], list[EventRow]]) -> Callable[[Collected], Collected]:
    def both(good: Collected) -> Collected:
        events = change(list(good.events))
        return replace(good, events=events, seen=replace(good.seen, events=list(events)))

    return both


def without(rows: list[T], wanted: Callable[[T], bool]) -> list[T]:
    """All but the first that is wanted."""
    found = next(row for row in rows if wanted(row))
    return [row for row in rows if row is not found]


def again(rows: list[Line], wanted: Callable[[Line], bool], **changed: object) -> list[Line]:
    """With the first that is wanted once more, at the end."""
    return [*rows, amended(next(row for row in rows if wanted(row)), **changed)]


def of(kind: str, what: str = "main") -> Callable[[Line], bool]:
    return lambda line: (line.kind, line.what) == (kind, what)


def one(good: Collected, kind: str, command: str = "run") -> ExecutionRow:
    return next(row for row in good.executions if (row.kind, row.command) == (kind, command))


def with_execution(good: Collected, row: ExecutionRow) -> Collected:
    return replace(good, executions=[row if old.id == row.id else old for old in good.executions])


def with_entry(good: Collected, kind: str, **changed: object) -> Collected:
    first = next(entry for entry in good.entries if entry.kind == kind)
    return replace(good, entries=[amended(old, **changed) if old is first else old for old in good.entries])


def is_acknowledged(good: Collected, entry: EntryRow) -> bool:
    """Whether its effect was handed to another step."""
    return any(entry.result == f'"{effect}"' for line in good.lines for effect in line.after)


def swapped(rows: list[T], wanted: Callable[[T], bool]) -> list[T]:
    """With the first two that are wanted in each other's place."""
    first, second, *_ = (number for number, row in enumerate(rows) if wanted(row))
    rows[first], rows[second] = rows[second], rows[first]
    return rows


def slots_moved(good: Collected, moves: int) -> Collected:
    return replace(good, schedules=[amended(row, version=row.version + moves) for row in good.schedules])


PLANTED: dict[str, tuple[str, Callable[[Collected], Collected]]] = {
    "an execution that goes on": (
        "unended",
        lambda good: with_execution(good, amended(one(good, "SoakChain"), state=State.EXECUTING)),
    ),
    "an execution that failed": (
        "unended",
        lambda good: with_execution(good, amended(one(good, "SoakChain"), state=State.ERROR)),
    ),
    "a task that is left": (
        "unended",
        lambda good: replace(good, left=[TaskRow(id=ExecutionId("x"), kind="SoakChain", build="b")]),
    ),
    "a record that is held": (
        "unended",
        lambda good: replace(good, records=[amended(good.records[0], queue=(ExecutionId("x"),))]),
    ),
    "an execution that is not there": (
        "forgotten",
        lambda good: replace(good, executions=without(list(good.executions), lambda row: row.kind == "SoakChain")),
    ),
    "an answer that got lost": (
        "forgotten",
        lambda good: with_execution(good, amended(one(good, "SoakAsks"), result='"another"')),
    ),
    "an answer of nobody": (
        "forgotten",
        lambda good: replace(good, told=replace(good.told, answered={}, maybe_answered={})),
    ),
    "a finished step that was not done": ("lost", lines_changed(lambda lines: without(lines, of("SoakOnce")))),
    "a finished step with another's result": ("lost", lambda good: with_entry(good, "SoakOnce", result='"other"')),
    "an acknowledged step that is not in the journal": (
        "lost",
        lambda good: replace(good, entries=without(list(good.entries), lambda entry: is_acknowledged(good, entry))),
    ),
    "an acknowledged step that is under way": (
        "lost",
        lambda good: replace(
            good,
            entries=[
                amended(entry, state=State.EXECUTING, result=None) if is_acknowledged(good, entry) else entry
                for entry in good.entries
            ],
        ),
    ),
    "a handle that nobody gave": (
        "lost",
        lines_changed(lambda lines: again(lines, of("SoakWatched", "watch"), effect="other")),
    ),
    "a step that was done twice": ("repeated", lines_changed(lambda lines: again(lines, of("SoakOnce")))),
    "a watched step that was begun twice": ("repeated", lines_changed(lambda lines: again(lines, of("SoakWatched")))),
    "a step that was done after it was finished": (
        "repeated",
        lines_changed(lambda lines: again(lines, of("SoakAgain"))),
    ),
    "two owners with one token": (
        "owned_twice",
        lines_changed(lambda lines: again(lines, of("SoakAgain"), pid=1)),
    ),
    "a slot that was fired twice": (
        "fired_wrongly",
        lambda good: replace(good, executions=[*good.executions, one(good, "SoakClock", "cycle")]),
    ),
    "a slot that was not fired": ("fired_wrongly", lambda good: slots_moved(good, 1)),
    "a schedule that was never fired": (
        "fired_wrongly",
        lambda good: replace(good, executions=[row for row in good.executions if row.command != "cycle"]),
    ),
    "a change of state that is missing": (
        "broken",
        events_changed(lambda events: without(events, lambda event: event.after is State.EXECUTING)),
    ),
    "a last change of state that is missing": (
        "broken",
        events_changed(lambda events: without(events, lambda event: event.after is State.SUCCESS and not event.key)),
    ),
    "a step that is not what its event says": (
        "broken",
        lambda good: with_entry(good, "SoakOnce", state=State.IN_PROGRESS),
    ),
    "events that came out of order": ("out_of_order", events_changed(lambda events: swapped(events, lambda _: True))),
    "an event that came to light late": (
        "out_of_order",
        lambda good: replace(good, seen=replace(good.seen, events=good.seen.events[:3] + good.seen.events[4:])),
    ),
    "an event that is gone": ("out_of_order", lambda good: replace(good, events=[*good.events[:3], *good.events[4:]])),
    "an event that was changed": (
        "out_of_order",
        lambda good: replace(good, events=[amended(good.events[0], why="other"), *good.events[1:]]),
    ),
    "an effect that was not taken back": (
        "not_undone",
        lines_changed(lambda lines: without(lines, of("SoakUndo", "undo"))),
    ),
    "effects that were taken back in the wrong order": (
        "not_undone",
        lambda good: lines_changed(
            lambda lines: swapped(
                lines, lambda line: line.what == "undo" and line.execution == one(good, "SoakUndone").id
            )
        )(good),
    ),
    "what a worker takes for a defect": ("complained", lambda good: replace(good, complaints=["a defect"])),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_made_wrong_is_found(good: Collected, what: str) -> None:
    name, plant = PLANTED[what]
    found = violations(plant(good))
    assert any(text.startswith(f"{name}: ") for text in found), found


def test_what_may_be_is_not_found(good: Collected) -> None:
    """A step that was interrupted and looked for may run again; a cycle that was skipped used its slot."""
    once = next(line for line in good.lines if of("SoakOnce")(line))
    looked = amended(once, what="interrupted", effect="")
    twice = [once, looked, *good.lines]
    assert violations(replace(good, lines=twice, seen=replace(good.seen, done_by={}))) == []
    skipped = Counter({row.identity: 1 for row in good.schedules})
    assert violations(replace(slots_moved(good, 1), skipped=skipped)) == []


def test_a_seed_gives_the_same_faults_each_time_each_command_among_them() -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    one_time, other_time = faults(seed, lease=1.0), faults(seed, lease=1.0)
    first = [next(one_time) for _ in range(100)]
    assert first == [next(other_time) for _ in range(100)]
    assert {fault.how["command"] for fault in first if fault.what == "fail"} == set(COMMANDS)


def test_lines_are_whole(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    line = Line(what="main", kind="SoakOnce", execution="e", token="one", fence=1, pid=2, effect="x", after=("y",))
    log.write(line)
    log.write(amended(line, token="two"))
    assert [found.token for found in log.lines()] == ["one", "two"]
    assert list(log.of("one")) == [line]
