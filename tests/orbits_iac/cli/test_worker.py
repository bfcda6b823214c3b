"""`orbits worker`, told to stop while something is under way: real processes, real signals."""

import asyncio
import json
import signal
import subprocess

import pytest
from pydantic import SecretStr

from orbits_iac import Orbits, Settings
from orbits_iac.engine.requests import Asked, ask_root
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, WorkerRow
from orbits_iac.model.states import State
from orbits_iac.store import open_store

from .conftest import Project, read_until

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def sqlite(project: Project) -> str:
    """The URL of the store that commands use there if they are not told otherwise."""
    return f"sqlite:{project.folder / '.orbits' / 'state.db'}"


async def ordered(project: Project, url: str = "") -> ExecutionId:
    """Ask for an order; nobody goes on with it yet."""
    settings = Settings(store=url or sqlite(project), secret_key=SecretStr(KEY))
    async with Orbits(settings, work=False, modules=("gated.py",)) as orbits:
        await orbits.register_build()
        return await ask_root(
            orbits.engine, Asked(kind="GatedOrder", command="run", argument="{}", digest="x", who="tests")
        )


async def seen(project: Project, execution: ExecutionId, url: str = "") -> tuple[State, list[WorkerRow]]:
    """How an execution stands, and who works."""
    async with open_store(url or sqlite(project)) as store:
        row = await store.get(ExecutionRow, execution)
        assert row is not None
        return row.state, await store.find(WorkerRow)


def paying(project: Project, *arguments: str) -> "subprocess.Popen[str]":
    """A worker that has begun to pay."""
    worker = project.start("worker", *arguments, ORBITS_SECRET_KEY=KEY)
    assert worker.stderr is not None
    read_until(worker.stderr, "paying")
    return worker


@pytest.mark.parametrize(("told", "where"), [(signal.SIGTERM, "sqlite"), (signal.SIGINT, "mongodb")])
async def test_it_finishes_what_is_in_main_begins_nothing_more_and_deregisters(
    project: Project, told: signal.Signals, where: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("mongodb") if where == "mongodb" else sqlite(project)
    execution = await ordered(project, url)
    worker = paying(project, "--concurrency", "3", "--labels", "gpu, eu", "--store", url)
    _, [row] = await seen(project, execution, url)
    assert (row.concurrency, row.labels, row.pid, row.draining) == (3, ("eu", "gpu"), worker.pid, False)
    worker.send_signal(told)
    assert worker.stderr is not None
    assert "1 under way; waits up to 300 s" in read_until(worker.stderr, "drains")
    project.open_gate()
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 0, out + err
    assert project.calls() == ["paid"]
    assert await seen(project, execution, url) == (State.EXECUTING, [])
    project.run("worker", "--once", "--store", url, ORBITS_SECRET_KEY=KEY)
    assert project.calls() == ["paid", "thanked"]
    assert await seen(project, execution, url) == (State.SUCCESS, [])


async def test_a_second_signal_leaves_at_once_and_the_next_worker_takes_over_at_once(project: Project) -> None:
    execution = await ordered(project)
    worker = paying(project)
    worker.send_signal(signal.SIGTERM)
    while not (await seen(project, execution))[1][0].draining:  # noqa: ASYNC110 - the store is opened anew each time
        await asyncio.sleep(0.02)
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=30)
    assert worker.returncode == 130
    assert (await seen(project, execution))[0] is State.EXECUTING
    project.run(
        "worker", "--once", ORBITS_LEASE="PT1H", ORBITS_SECRET_KEY=KEY
    )  # by the lease it would have to wait for an hour
    assert await seen(project, execution) == (State.ERROR, [])
    assert project.calls() == []
    said = project.run("workers")
    assert "was taken over just now by ada@" in said
    assert "its process has ended; it held 1 execution\n" in said


async def test_what_does_not_end_within_the_grace_ends_with_the_process(project: Project) -> None:
    execution = await ordered(project)
    worker = paying(project, "--grace", "0", "--json")
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 1, out + err
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["event"] for event in events] == ["started", "draining", "left"]
    assert events[-1]["executions"] == [execution]
    state, [left] = await seen(project, execution)
    assert (state, left.pid) == (State.EXECUTING, worker.pid)
    project.run("worker", "--once", ORBITS_LEASE="PT1H", ORBITS_SECRET_KEY=KEY)
    assert await seen(project, execution) == (State.ERROR, [])


async def test_one_whose_store_is_gone_leaves_within_the_grace_and_says_so(project: Project) -> None:
    execution = await ordered(project)
    worker = paying(project, "--grace", "1")
    folder = project.folder / ".orbits"
    folder.rename(project.folder / "gone")
    project.open_gate()
    worker.send_signal(signal.SIGTERM)
    _, err = worker.communicate(timeout=30)
    assert worker.returncode == 1, err
    assert f"execution {execution} waits for the store: " in err
    assert f"execution {execution} was not done with in time" in err
    assert "Error: the store sqlite:" in err
    assert "was removed or replaced" in err
