"""`orbits workers`: who is there, as far as that can be known from here, and what nobody can go on with."""

import asyncio
import json
import subprocess
import time

from orbits_iac.dispatch import leases
from orbits_iac.dispatch.leases import this_process
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import BuildRow, ExecutionRow, TaskRow, WorkerRow, amended
from orbits_iac.model.states import State
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite import SqliteStore

from .conftest import Project, Screen, plain


def here(name: str) -> WorkerRow:
    row = this_process(WorkerId(name), "b1", frozenset({"Known"}))
    return amended(row, host="here", concurrency=64, lease=10.0, started_at=time.time(), orbits="9.9")


def gone(name: str) -> WorkerRow:
    """A worker of this machine whose process has ended."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        return amended(here(name), pid=child.pid, pid_started=leases._started(child.pid) or 0.0)


def task(number: int, kind: str, **fields: object) -> tuple[TaskRow, ExecutionRow]:
    name = ExecutionId(f"x{number}")
    row = TaskRow(id=name, kind=kind, build="b1", **fields)  # type: ignore[arg-type] # any of its fields
    of_it = ExecutionRow(
        id=name, kind=kind, command="run", argument="{}", root=name, build="b1", who="ada", digest="", created_at=1.0
    )
    return row, of_it


async def test_who_is_there_and_what_nobody_can_go_on_with(project: Project) -> None:
    rows = [
        here("w-alive"),
        amended(here("w-drains"), draining=True, labels=("gpu",)),
        gone("w-dead"),
        amended(here("x-other"), host="there", boot="another", pid=7, lease=3.0),
        BuildRow(digest="b1", order=2, modules=("shop.py",)),
        BuildRow(digest="b2", order=3),
        *task(1, "Known", due=1.0),
        *task(2, "Strange", due=1.0),
        *task(3, "Known", due=1.0, needs="arm"),
        *task(4, "Known", owner=WorkerId("w-dead"), token=1),
        *task(5, "Later", due=9e9),
    ]
    (waits, of_it) = task(6, "Strange")
    rows += [waits, amended(of_it, state=State.PAUSED, stranded=True)]
    folder = project.folder / ".orbits"
    folder.mkdir()
    async with SqliteStore(folder / "state.db") as store:
        await store.commit(Transaction(put=rows))
    said = plain(project.run("workers", COLUMNS="160")).replace(str(here("x").pid), "PID")
    dead = str(rows[2].pid)  # type: ignore[attr-defined] # a worker's row
    start = "start one that imports shop.py with --labels arm"
    assert said.replace(dead, "PID").splitlines() == [
        "worker  host  pid  build  labels  holds  state  since  orbits",
        "w-alive  here  PID  b1  0 of 64  alive  just now  9.9",
        "w-drains  here  PID  b1  gpu  0 of 64  draining  just now  9.9",
        "w-dead  here  PID  b1  1 of 64  dead; the next worker that looks takes over its 1  just now  9.9",
        "x-other  there  7  b1  0 of 64  silent for TOOK; taken over after 3 s  just now  9.9",
        "",
        "nobody goes on with x2 (Strange), x6 (Strange):",
        "  no worker that runs has the kind Strange: start one that imports shop.py",
        "",
        "nobody goes on with x3 (Known):",
        f"  it needs a worker with the label arm, and none that runs and has the kind Known has it: {start}",
    ]
    document = json.loads(project.run("workers", "--json"))
    assert [(one["id"], one["state"], one["holds"]) for one in document["workers"]] == [
        ("w-alive", "alive", 0),
        ("w-drains", "draining", 0),
        ("w-dead", "dead", 1),
        ("x-other", "not seen to renew yet", 0),
    ]
    assert [one["execution"] for one in document["nobody_goes_on_with"]] == ["x2", "x3", "x6"]
    assert "Known waits, and nobody can go on with it: it needs a worker with the label arm" in project.run("get", "x3")
    [why] = json.loads(project.run("get", "x6", "--json"))["nobody_goes_on_with"]
    assert why["why"].startswith("no worker that runs has the kind Strange")


async def test_watched_it_shows_who_comes_and_goes_until_it_is_interrupted(project: Project) -> None:
    folder = project.folder / ".orbits"
    folder.mkdir()
    async with SqliteStore(folder / "state.db") as store:
        with Screen(project, "workers", "--watch") as screen:
            await asyncio.to_thread(screen.until, lambda text: "no worker runs: orbits worker starts one" in text)
            await store.commit(Transaction(put=[here("w-comes")]))
            await asyncio.to_thread(screen.until, lambda text: "w-comes" in text and "alive" in text)
            await store.release(WorkerId("w-comes"), now=0.0)
            await asyncio.to_thread(screen.until, lambda text: "no worker runs" in text)
            screen.interrupt()
            await asyncio.to_thread(screen.rest)
    assert screen.code == 0
