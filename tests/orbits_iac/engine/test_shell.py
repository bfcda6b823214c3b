"""Shell commands: what they return, how they fail, and that none is lost or run twice."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orbits_iac import Clock, ExecutionFailed, Options, Orbits, Retry, Settings, Shell, Workflow
from orbits_iac.executors import Subprocess
from orbits_iac.model.rows import EntryRow
from orbits_iac.model.states import State
from orbits_iac.steps import shell
from orbits_iac.store import open_store

from .crash import Crash, run_with_crash

FOLDER: list[Path] = []


class Sh(Workflow[shell.Done]):
    """Does one command, in the test's folder."""

    command: str
    again: bool = False
    outputs: list[str] = []
    limit: float | None = None

    async def define(self) -> shell.Done:
        step = (Again if self.again else Shell)(command=self.command, outputs=self.outputs)
        options: Any = {} if self.limit is None else {"timeout": timedelta(seconds=self.limit)}
        return await self.do("sh", step, executor=Subprocess(folder=str(FOLDER[0])), **options)


class Again(Shell):
    """May be run twice, and is when it fails."""

    options = Options(idempotent=True, retry=Retry(attempts=2, delay=timedelta(0)))


class BuildAndUse(Workflow[str]):
    """Makes a file in one folder, and uses it in another."""

    async def define(self) -> str:
        first, second = (Subprocess(folder=str(FOLDER[0] / name)) for name in ("first", "second"))
        build = Shell(
            command="mkdir -p dist/sub && echo made | tee dist/a dist/sub/b && chmod +x dist/a", outputs=["dist/**"]
        )
        built = await self.do("build", build, executor=first)
        use = Shell(command="cat dist/a dist/sub/b && test -x dist/a", inputs=list(built.artifacts.values()))
        return (await self.do("use", use, executor=second)).stdout


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    working = tmp_path / "working"
    working.mkdir()
    FOLDER[:] = [working]
    return working


@pytest.fixture
def orbits_settings(tmp_path: Path) -> Settings:
    return Settings(project="tests", store=f"sqlite:{tmp_path / 'state.db'}", grace=timedelta(seconds=20))


async def test_it_returns_what_was_printed(orbits: Orbits) -> None:
    done = await orbits.run(Sh(command="echo hello; echo ignored >&2; printf '\\377'"))
    assert (done.stdout, done.artifacts) == ("hello\n\ufffd", {})


async def test_without_an_executor_it_runs_where_the_worker_does(orbits: Orbits) -> None:
    done = await orbits.run(Shell(command="pwd"))
    assert done.stdout == f"{Path.cwd()}\n"


async def test_an_exit_status_is_an_error_with_the_last_words(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Sh(command="echo out; echo 'no such thing' >&2; exit 3"))
    assert (failed.value.error_type, failed.value.message) == ("ProcessFailed", "exit status 3: no such thing")


async def test_one_that_is_killed_says_by_what(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match="ended by signal 9: out"):
        await orbits.run(Sh(command="echo out; kill -9 $$"))


async def test_a_failed_one_is_run_again_if_it_may_be(orbits: Orbits, folder: Path) -> None:
    command = "echo x >> log; test $(wc -l < log) = 2"
    await orbits.run(Sh(command=command, again=True))
    assert (folder / "log").read_text() == "x\nx\n"


async def test_of_a_long_output_the_middle_is_left_out(orbits: Orbits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "LONGEST_OUTPUT", 20)
    said = "[... left out; write it to a file and name that in outputs= ...]"
    assert (await orbits.run(Sh(command="seq 100"))).stdout == f"1\n2\n3\n4\n5\n\n{said}\n98\n99\n100\n"
    assert (await orbits.run(Sh(command="printf 12345678901234567890"))).stdout == "12345678901234567890"


async def test_artifacts_go_from_one_step_to_the_next(orbits: Orbits, folder: Path) -> None:
    for name in ("first", "second"):
        (folder / name).mkdir()
    assert await orbits.run(BuildAndUse()) == "made\nmade\n"
    kept = [path for path in (folder.parent / "state.db-files" / "artifacts").rglob("*") if path.is_file()]
    assert len({path.relative_to(folder.parent / "state.db-files" / "artifacts").parts[0] for path in kept}) == 1
    await orbits.run(BuildAndUse())
    assert len(kept) == 2


async def test_an_output_that_is_not_there_is_an_error(orbits: Orbits) -> None:
    with pytest.raises(ExecutionFailed, match=r"'dist/\*\*' matches no file"):
        await orbits.run(Sh(command="true", outputs=["dist/**"]))
    for outside in ("/etc/passwd", "../state.db"):
        with pytest.raises(ExecutionFailed, match="relative to the working folder"):
            await orbits.run(Sh(command="true", outputs=[outside]))


async def test_an_input_that_is_no_artifact_is_refused_before_it_starts(orbits: Orbits, folder: Path) -> None:
    with pytest.raises(ExecutionFailed, match="is no artifact of this store"):
        await orbits.run(Shell(command=f"touch {folder}/began", inputs=["/etc/passwd"]))
    gone = folder.parent / "state.db-files" / "artifacts" / "0" / "name"
    with pytest.raises(ExecutionFailed, match="not there any more"):
        await orbits.run(Shell(command=f"touch {folder}/began", inputs=[str(gone)]))
    assert not (folder / "began").exists()


async def test_a_time_limit_ends_all_that_it_started(orbits: Orbits, folder: Path) -> None:
    os.mkfifo(folder / "never")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Sh(command="(read line < never; touch below) & read line < never; touch above", limit=0.5))
    assert failed.value.caused_by(TimeoutError)
    with pytest.raises(OSError, match="No such device"):  # nobody waits at it any more
        os.open(folder / "never", os.O_WRONLY | os.O_NONBLOCK)


async def test_a_time_limit_that_is_over_while_no_worker_runs_ends_it(orbits_settings: Settings, folder: Path) -> None:
    for pipe in ("here", "never"):
        os.mkfifo(folder / pipe)
    clock = Clock()
    async with Orbits(orbits_settings, clock=clock) as first:
        execution = await first.start(Sh(command="echo > here; read line < never", limit=3600.0))
        await asyncio.to_thread((folder / "here").read_text)
    await clock.advance(timedelta(hours=2))
    async with Orbits(orbits_settings, clock=clock) as second:
        second.registry.know(Sh)
        with pytest.raises(ExecutionFailed) as failed:
            await second.execution(execution.id)
        assert failed.value.caused_by(TimeoutError)
        with pytest.raises(OSError, match="No such device"):
            os.open(folder / "never", os.O_WRONLY | os.O_NONBLOCK)


async def test_an_attempt_begins_when_the_one_before_is_gone(orbits: Orbits, folder: Path) -> None:
    os.mkfifo(folder / "never")
    command = "trap 'echo over >> log; exit 1' TERM; echo begun >> log; while :; do read line < never; done"
    with pytest.raises(ExecutionFailed):
        await orbits.run(Sh(command=command, limit=0.5, again=True))
    assert (folder / "log").read_text() == "begun\nover\n" * 2


async def test_what_had_ended_well_when_it_was_cancelled_has(orbits: Orbits, folder: Path) -> None:
    os.mkfifo(folder / "never")
    os.mkfifo(folder / "here")
    command = "trap 'echo well; exit 0' TERM; echo > here; while :; do read line < never; done"
    execution = await orbits.start(Sh(command=command))
    await asyncio.to_thread((folder / "here").read_text)
    await execution.cancel()
    assert (await execution.ended()).state is State.CANCELLED
    ((entry, *_),) = [await orbits.store.find(EntryRow, execution=execution.id)]
    assert entry.state is State.SUCCESS


async def test_wherever_its_worker_dies_it_is_run_once(orbits_settings: Settings, folder: Path) -> None:
    def make() -> Sh:
        return Sh(command="echo x >> log; wc -l < log")

    points = 0
    for where in ("before", "after"):
        for at in range(1, 100):
            (folder / "log").unlink(missing_ok=True)
            async with open_store(f"{orbits_settings.store}-{where}-{at}") as kept:
                outcome = await run_with_crash(make, Crash(at, where), kept)
            if outcome is None:
                break
            points += 1
            lines = (folder / "log").read_text().count("x")
            assert (outcome.state, lines) == (State.SUCCESS, 1), (at, where, outcome)
    assert points >= 8
