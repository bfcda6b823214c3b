"""`orbits schedules`: what is due when, and what people change about it."""

import json
import re
import time

from orbits_iac.cli.render import duration
from orbits_iac.model.rows import EventRow, ExecutionRow, ScheduleRow, amended
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

from .conftest import Project, plain


async def kept(project: Project) -> tuple[ScheduleRow, list[EventRow]]:
    """The one schedule that there is, and the events that are about it alone."""
    async with SqliteStore(project.folder / ".orbits" / "state.db") as store:
        [row] = await store.find(ScheduleRow)
        return row, [event for event in await store.tail(0) if not event.execution]


async def test_list_pause_resume_and_trigger(project: Project) -> None:
    project.run("up", "nightly.py:NightlyCheck", "name=a")
    before, _ = await kept(project)
    project.run("schedules", "pause", "NightlyCheck", "a", "--why", "the night shift moves")
    assert plain(project.run("schedules", "list")).splitlines() == [
        "kind  identity  every  next  on drift",
        "NightlyCheck  a  24h 00m  report  paused just now by ada: the night shift moves",
    ]
    shown = project.run("get", "NightlyCheck", "a")
    assert "every 24h 00m, paused just now by ada@" in shown
    assert project.run("schedules", "pause", "NightlyCheck", "a", code=2).startswith(
        "Error: the schedule of NightlyCheck a is paused already, by ada"
    )
    said = project.run("schedules", "trigger", "NightlyCheck", "a", "--why", "to be sure")
    found = re.fullmatch(r"Triggered: a cycle of NightlyCheck a is execution (\w+); orbits watch \1 .*\n", said)
    assert found is not None, said
    project.run("worker", "--once")
    cycle = json.loads(project.run("get", found[1], "--json"))
    assert (cycle["state"], cycle["command"]) == ("SUCCESS", "cycle")
    assert cycle["events"][0]["why"] == "its schedule was triggered: to be sure"
    earliest = before.due - time.time()
    said = plain(project.run("schedules", "resume", "NightlyCheck", "a"))
    left = {duration(earliest), duration(before.due - time.time())}  # of a day, less what the commands took
    assert said in {f"Resumed: NightlyCheck a is due DATE (in {one})." for one in left}
    row, events = await kept(project)
    assert (row.due, row.slot, row.paused) == (before.due, before.slot, False)
    assert [(event.kind, event.key, event.why) for event in events] == [
        ("NightlyCheck", "a", "the schedule is paused: the night shift moves"),
        ("NightlyCheck", "a", "the schedule goes on"),
    ]
    assert all(event.who.startswith("ada@") for event in events)


async def test_who_looks_fires_no_schedule_and_goes_on_with_nothing_else(project: Project) -> None:
    """A look by hand says that it changes nothing; what is due of others may."""
    for name in "abc":
        project.run("up", "nightly.py:NightlyCheck", f"name={name}")
    project.run("schedules", "pause", "NightlyCheck", "a")
    project.run("schedules", "trigger", "NightlyCheck", "a")
    async with SqliteStore(project.folder / ".orbits" / "state.db") as store:
        row = await store.get(ScheduleRow, "NightlyCheck", "b")
        assert row is not None
        await store.commit(Transaction(put=[amended(row, due=0.0, version=row.version + 1)]))
    project.run("drift", "NightlyCheck", "c")
    async with SqliteStore(project.folder / ".orbits" / "state.db") as store:
        cycles = [row for row in await store.find(ExecutionRow) if row.command == "cycle"]
        assert sorted((row.identity, row.state.value) for row in cycles) == [("a", "SLEEPING"), ("c", "SUCCESS")]
    project.run("worker", "--once")
    async with SqliteStore(project.folder / ".orbits" / "state.db") as store:
        cycles = [row for row in await store.find(ExecutionRow) if row.command == "cycle"]
        assert sorted((row.identity, row.state.value) for row in cycles) == [(name, "SUCCESS") for name in "abc"]
