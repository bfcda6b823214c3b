"""An Action is the same wherever it runs: each case in this process and in one of its own."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_iac import Action, Execution, ExecutionFailed, Executor, Orbits, Permanent, Settings, Workflow
from orbits_iac.executors import Local, Subprocess
from orbits_iac.model.rows import EntryRow
from orbits_iac.registry import import_source

steps = import_source(str(Path(__file__).with_name("elsewhere_steps.py")))  # as a user's file is
EXECUTORS: dict[str, Executor] = {"local": Local(), "subprocess": Subprocess()}
STEP: list[Any] = []


class Asking(Workflow[Any]):
    """Does one step where it is told."""

    executor: str

    async def define(self) -> Any:
        return await self.do("step", STEP[0], executor=EXECUTORS[self.executor])


@pytest.fixture
def orbits_settings(tmp_path: Path) -> Settings:
    return Settings(project="tests", store=f"sqlite:{tmp_path / 'state.db'}")


class Runner:
    """Runs steps with one executor."""

    def __init__(self, orbits: Orbits, executor: str, files: Path) -> None:
        self.orbits = orbits
        self.executor = executor
        self.elsewhere = executor != "local"
        self.files = files  # of the store, too
        self.last: Execution[Any]

    async def __call__(self, step: Action[Any, Any], **more: Any) -> Any:
        STEP[:] = [step]
        self.last = await self.orbits.start(Asking(executor=self.executor), **more)
        return await self.last

    async def entry(self) -> EntryRow:
        """The step as it is recorded."""
        (entry,) = await self.orbits.store.find(EntryRow, execution=self.last.id)
        return entry


@pytest.fixture(params=EXECUTORS)
def run(request: pytest.FixtureRequest, orbits: Orbits, tmp_path: Path) -> Runner:
    return Runner(orbits, request.param, tmp_path)


async def test_it_returns_its_result(run: Runner) -> None:
    assert await run(steps.double(4)) == 8
    assert await run(steps.double_async(5)) == 10


async def test_it_runs_where_it_is_told(run: Runner) -> None:
    assert (await run(steps.where()) != os.getpid()) is run.elsewhere


async def test_it_knows_its_execution(run: Runner) -> None:
    told = await run(steps.Told())
    entry = await run.entry()
    assert told == [entry.execution, entry.token, "1", "tests", "None", "None", "UTC"]


async def test_watch_is_called_until_it_is_done(run: Runner) -> None:
    seen = await run(steps.Looked())
    assert len(set(seen)) == (3 if run.elsewhere else 1)


async def test_it_is_attempted_again_after_the_errors_that_it_names_alone(run: Runner) -> None:
    await run(steps.FailsFirst(error="outage"))
    assert (await run.entry()).attempt == 2
    for error in ("permanent", "value"):
        with pytest.raises(ExecutionFailed):
            await run(steps.FailsFirst(error=error))
        assert (await run.entry()).attempt == 1


async def test_its_error_comes_back_with_its_causes(run: Runner) -> None:
    with pytest.raises(ExecutionFailed, match=r"step: Permanent: no answer") as failed:
        await run(steps.FailsFirst(error="permanent"))
    error = failed.value
    assert (error.error_type, error.path) == ("Permanent", ("step",))
    assert [error.caused_by(kind) for kind in (Permanent, KeyError, steps.Outage)] == [True, True, False]


async def test_secrets_come_and_go_and_are_shown_nowhere(run: Runner) -> None:
    step = steps.Reveals(secret=SecretStr("hunter2"))
    result = await run(step, target=steps.Place(name="here", password=SecretStr("swordfish")))
    assert result.get_secret_value() == "hunter2swordfish"
    with pytest.raises(ExecutionFailed, match=r"\*{4} and \*{4}"):
        await run(
            step.model_copy(update={"fails": True}), target=steps.Place(name="here", password=SecretStr("swordfish"))
        )
    assert (await run.entry()).message == "with **********"
    assert (await run(steps.SecretHandle())).get_secret_value() == "hunter2hunter2"
    files = [file for file in run.files.rglob("*") if file.is_file()]
    assert [f for f in files for canary in (b"hunter2", b"swordfish") if canary in f.read_bytes()] == []


@pytest.mark.parametrize("executor", [name for name in EXECUTORS if name != "local"])
async def test_one_that_takes_its_process_with_it_has_failed(orbits: Orbits, executor: str, tmp_path: Path) -> None:
    run = Runner(orbits, executor, tmp_path)
    with pytest.raises(ExecutionFailed, match="exit status 3: last words") as failed:
        await run(steps.Dies(code=3))
    assert failed.value.error_type == "Interrupted"
    assert await run(steps.DiesAndKnows(code=3)) == "found out by 1"
    with pytest.raises(ExecutionFailed, match="exit status 4: last look"):
        await run(steps.DiesLooking())


@pytest.mark.parametrize("executor", EXECUTORS)
async def test_nothing_is_left_of_it(orbits_settings: Settings, executor: str, tmp_path: Path) -> None:
    async with Orbits(orbits_settings) as orbits:
        await Runner(orbits, executor, tmp_path)(steps.Looked())
    assert [*tmp_path.glob("*-files/runs/*")] == []  # noqa: ASYNC240 - nothing else runs
