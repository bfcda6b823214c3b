"""Each operation, typed, on an execution that runs, waits, has failed or has finished: done, or refused with why."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.store import open_store
from tests.servers.commands import Commands

from .conftest import Project, environment, plain, read_until

OPERATIONS = {
    "pause": ["pause", "ID"],
    "resume": ["resume", "ID"],
    "cancel": ["cancel", "ID"],
    "end": ["end", "ID", "--state", "error", "--why", "by hand"],
    "end a step": ["end", "ID", "-p", "job", "--state", "success", "--result", '"by hand"'],
    "set-handle": ["set-handle", "ID", "job", '"second"'],
    "replay": ["replay", "ID"],
    "replay from a step": ["replay", "ID", "-p", "last"],
}
pytestmark = pytest.mark.slow
HOWS = ["runs", "waits", "failed", "finished"]


Rows = tuple[ExecutionRow, list[EntryRow]]


class Stages:
    """A project with an execution for each operation in each state, and a worker that goes on with them."""

    def __init__(self, project: Project) -> None:
        self.project = project
        ask = f"import asyncio, json, stages; print(json.dumps(asyncio.run(stages.ask({HOWS}, {len(OPERATIONS)}))))"
        asked = subprocess.run(
            [sys.executable, "-c", ask],
            cwd=project.folder,
            env=environment({}),
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        )
        ids = iter(json.loads(asked.stdout))
        self.ids = {(how, operation): next(ids) for how in HOWS for operation in OPERATIONS}
        project.start("worker", seconds=300)
        for (how, _), execution in self.ids.items():
            self.until(execution, partial(stands, how))
        (project.folder / "mended").touch()

    def until(self, execution: str, holds: Callable[[ExecutionRow, list[EntryRow]], bool], *, said: str = "") -> Rows:
        """Its row and its steps, once that holds of them, and the event says that."""

        async def look() -> Rows:
            async with open_store(f"sqlite:{self.project.folder / '.orbits' / 'state.db'}") as store:
                while True:
                    row = await store.get(ExecutionRow, execution)
                    assert row is not None
                    steps = await store.find(EntryRow, execution=execution)
                    whys = {event.why for event in await store.find(EventRow, root=execution)}
                    if holds(row, steps) and whys >= ({said} - {""}):
                        return row, steps
                    await store.changed(0.1)

        return asyncio.run(asyncio.wait_for(look(), 30))


def stands(how: str, row: ExecutionRow, steps: list[EntryRow]) -> bool:
    """Whether it has come to where it is to be."""
    if how in {"failed", "finished"}:
        return row.state in ENDED
    return [step.state for step in steps] == [State.EXECUTING if how == "runs" else State.IN_PROGRESS]


def ended(row: ExecutionRow, steps: list[EntryRow]) -> bool:
    return row.state in ENDED


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory, commands: Commands) -> Iterator[Stages]:
    project = Project(tmp_path_factory.mktemp("stages"), commands)
    yield Stages(project)
    project.close()


def typed(operation: str, execution: str) -> list[str]:
    return [execution if word == "ID" else word for word in OPERATIONS[operation]]


@pytest.mark.parametrize(
    ("operation", "said", "state"),
    [
        ("cancel", "Asked Release to cancel; orbits watch ID shows how it ends.", State.CANCELLED),
        ("end", "Asked Release to end as ERROR; orbits get ID shows it.", State.ERROR),
        ("end a step", "Asked Release to end its step job as SUCCESS; orbits get ID shows it.", State.SUCCESS),
        (
            "set-handle",
            "Gave job of Release another handle; orbits watch ID shows what comes of it.",
            State.SUCCESS,
        ),
    ],
)
@pytest.mark.parametrize("how", ["runs", "waits"])
def test_is_done_to_one_that_is_under_way(stages: Stages, how: str, operation: str, said: str, state: State) -> None:
    execution = stages.ids[how, operation]
    assert plain(stages.project.run(*typed(operation, execution))) == said
    row, _ = stages.until(execution, ended)
    if (how, operation) == ("waits", "cancel"):  # what is watched may go on, and nobody knows how it ends
        assert row.failure is not None
        assert (row.state, row.failure.left) == (State.QUARANTINED, ("job: still under way after 0.01 s",))
    else:
        assert row.state is state
    if state is State.SUCCESS:
        assert row.result == ('"by hand"' if operation == "end a step" else '"second"')


@pytest.mark.parametrize("how", ["runs", "waits"])
def test_pause_and_resume_of_one_that_is_under_way(stages: Stages, how: str) -> None:
    execution = stages.ids[how, "pause"]
    said = plain(stages.project.run(*typed("pause", execution)))
    assert said == "Asked Release to pause; orbits resume ID lets it go on."
    stages.until(execution, lambda row, _: row.state is State.PAUSED or how == "runs", said="asked to pause")
    resume = stages.project.start(*typed("resume", execution))
    assert resume.stdout is not None
    read_until(resume.stdout, "asked to pause")
    stages.project.run("set-handle", execution, "job", '"second"')
    out, err = resume.communicate(timeout=30)
    stages.project.end(resume)
    assert resume.returncode == 0, out + err
    assert stages.until(execution, ended)[0].state is State.SUCCESS


@pytest.mark.parametrize("how", ["runs", "waits"])
def test_resume_of_one_that_nothing_holds_up_shows_it(stages: Stages, how: str) -> None:
    execution = stages.ids[how, "resume"]
    resume = stages.project.start(*typed("resume", execution))
    assert resume.stdout is not None
    read_until(resume.stdout, "job")
    resume.send_signal(signal.SIGINT)
    resume.communicate(timeout=30)
    stages.project.end(resume)
    assert resume.returncode == 130
    assert stands(how, *stages.until(execution, partial(stands, how)))


@pytest.mark.parametrize("operation", ["replay", "replay from a step"])
@pytest.mark.parametrize("how", ["runs", "waits"])
def test_replay_of_one_that_is_under_way_is_refused(stages: Stages, how: str, operation: str) -> None:
    execution = stages.ids[how, operation]
    assert plain(stages.project.run(*typed(operation, execution), code=2)) == (
        "Error: execution ID (Release run) is under way: cancel it first, or wait for its end"
    )
    assert stands(how, *stages.until(execution, partial(stands, how)))


@pytest.mark.parametrize(
    ("operation", "participle"),
    [
        ("pause", "paused"),
        ("cancel", "cancelled"),
        ("end", "ended"),
        ("end a step", "ended"),
        ("set-handle", "given a handle"),
    ],
)
@pytest.mark.parametrize("how", ["failed", "finished"])
def test_is_refused_of_one_that_has_ended(stages: Stages, how: str, operation: str, participle: str) -> None:
    execution = stages.ids[how, operation]
    before = stages.until(execution, ended)
    state = "ERROR" if how == "failed" else "SUCCESS"
    assert plain(stages.project.run(*typed(operation, execution), code=2)) == (
        f"Error: execution ID has ended ({state}) and cannot be {participle}; `orbits replay ID` lets it go on again"
    )
    assert stages.until(execution, ended) == before


@pytest.mark.parametrize("how", ["failed", "finished"])
def test_resume_of_one_that_has_ended_is_refused(stages: Stages, how: str) -> None:
    execution = stages.ids[how, "resume"]
    state = "ERROR" if how == "failed" else "SUCCESS"
    assert plain(stages.project.run(*typed("resume", execution), code=2)) == (
        f"Error: execution ID has ended ({state}): there is nothing to resume. See: orbits get ID"
    )


@pytest.mark.parametrize("operation", ["replay", "replay from a step"])
@pytest.mark.parametrize("how", ["failed", "finished"])
def test_replay_of_one_that_has_ended_lets_it_go_on_to_its_end(stages: Stages, how: str, operation: str) -> None:
    execution = stages.ids[how, operation]
    stages.project.run(*typed(operation, execution))
    row, steps = stages.until(execution, ended)
    assert row.state is State.SUCCESS
    again = {"job", "last"} if operation == "replay" else {"last"}
    assert {step.kind.lower() for step in steps if step.generation == 2} == again
