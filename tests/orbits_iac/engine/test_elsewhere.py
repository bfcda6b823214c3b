"""Steps in processes of their own: found again after a crash, stopped in time, and never two at a time."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from orbits_iac import Clock, ExecutionFailed, Orbits, Retry, Settings, Workflow
from orbits_iac.executors import Subprocess
from orbits_iac.model.rows import EntryRow, ExecutionRow, amended
from orbits_iac.model.states import State
from orbits_iac.registry import import_source
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore

FILE = Path(__file__).parents[2] / "conformance" / "executors" / "elsewhere_steps.py"
steps = import_source(str(FILE))
PROGRAM = Path(__file__).with_name("elsewhere_program.py")
GIVEN: dict[str, Any] = {}


class DoesGiven(Workflow[Any]):
    """Does the one step that a test has given."""

    async def define(self) -> Any:
        return await self.do("step", GIVEN["step"], executor=Subprocess(), **GIVEN["options"])


class World:
    """A folder with a log and pipes, and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = f"sqlite:{folder / 'state.db'}"
        self.settings = Settings(project="tests", store=self.store, grace=timedelta(seconds=20))
        for pipe in ("here", "gate"):
            os.mkfifo(folder / pipe)

    def stays(self, kind: str = "Stays", **fields: Any) -> Any:
        return getattr(steps, kind)(**{name: str(self.folder / name) for name in ("log", "here", "gate")}, **fields)

    async def here(self) -> str:
        """Wait until the step is there."""
        pipe, loop = os.open(self.folder / "here", os.O_RDWR | os.O_NONBLOCK), asyncio.get_running_loop()
        said = asyncio.Event()
        loop.add_reader(pipe, said.set)
        try:
            async with asyncio.timeout(60):
                await said.wait()
            return os.read(pipe, 4096).decode()
        finally:
            loop.remove_reader(pipe)
            os.close(pipe)

    async def open(self, word: str = "go") -> None:
        """Let the step go on."""
        await asyncio.to_thread((self.folder / "gate").write_text, f"{word}\n")

    def log(self) -> list[str]:
        return [line.rsplit(" ", 1)[0] for line in (self.folder / "log").read_text().splitlines()]

    def is_gone(self) -> bool:
        """Whether every process that has left a line is gone."""
        return not any(psutil.pid_exists(pid) for pid in self.pids())

    def pids(self) -> list[int]:
        return [int(line.split()[2]) for line in (self.folder / "log").read_text().splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def given(step: Any, **options: Any) -> DoesGiven:
    GIVEN.update(step=step, options=options)
    return DoesGiven()


async def test_a_worker_that_is_killed_leaves_it_running_and_the_next_one_finds_it(world: World) -> None:
    arguments = [sys.executable, str(PROGRAM), world.store]
    first = await asyncio.create_subprocess_exec(*arguments, *(str(world.folder / n) for n in ("log", "here", "gate")))
    await world.here()
    first.kill()
    await first.wait()
    second = await asyncio.create_subprocess_exec(*arguments)
    await world.open()
    assert await second.wait() == 0
    assert world.log() == ["begun 1"]
    async with Orbits(world.settings, work=False) as orbits:
        (row,) = await orbits.store.find(ExecutionRow)
        assert (row.state, row.result) == (State.SUCCESS, '"go"')


async def test_a_worker_that_leaves_does_not_wait_for_it(world: World) -> None:
    async with Orbits(world.settings) as first:
        execution = await first.start(given(world.stays()))
        await world.here()
    async with Orbits(world.settings) as second:
        await world.open("later")
        assert await second.execution(execution.id) == "later"
    assert world.log() == ["begun 1", "over 1"]


async def test_what_ended_meanwhile_is_taken_as_it_ended(world: World) -> None:
    async with Orbits(world.settings) as first:
        execution = await first.start(given(world.stays()))
        await world.here()
    await world.open("meanwhile")
    async with Orbits(world.settings) as second:
        assert await second.execution(execution.id) == "meanwhile"
    assert world.log() == ["begun 1", "over 1"]


async def test_with_a_store_in_memory_nothing_goes_on_without_its_worker(world: World) -> None:
    async with Orbits(Settings(store="memory:")) as orbits:
        await orbits.start(given(world.stays()))
        await world.here()
    assert world.is_gone()
    assert world.log() == ["begun 1", "over 1"]


async def test_whoever_has_another_store_leaves_it_alone_though_the_settings_are_the_same(world: World) -> None:
    async with Orbits(world.settings) as orbits:
        execution = await orbits.start(given(world.stays()))
        await world.here()
        async with Orbits(world.settings, store=MemoryStore()):
            pass  # what it finds to be nobody's is ended by then
        async with asyncio.timeout(60):
            await world.open("alone")
            assert await execution == "alone"
    assert world.log() == ["begun 1", "over 1"]


LIMIT = timedelta(seconds=3)  # enough for a Python to start on a busy machine


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Stays", "StaysAsync"])
async def test_a_time_limit_lets_it_clean_up_and_is_reported_when_it_is_gone(world: World, kind: str) -> None:
    async with Orbits(world.settings) as orbits:
        execution = await orbits.start(given(world.stays(kind), timeout=LIMIT))
        await world.here()
        with pytest.raises(ExecutionFailed) as failed:
            await execution
        assert world.is_gone()
    assert failed.value.caused_by(TimeoutError)
    assert world.log() == ["begun 1", "over 1"]


@pytest.mark.slow
async def test_one_that_is_deaf_is_killed_when_the_grace_is_over(world: World) -> None:
    async with Orbits(world.settings.model_copy(update={"grace": timedelta(seconds=1)})) as orbits:
        execution = await orbits.start(given(world.stays(deaf=True), timeout=LIMIT))
        await world.here()
        with pytest.raises(ExecutionFailed) as failed:
            await execution
        assert world.is_gone()
    assert failed.value.caused_by(TimeoutError)
    assert world.log() == ["begun 1"]


async def test_a_cancel_is_reported_when_it_is_gone(world: World) -> None:
    async with Orbits(world.settings) as orbits:
        execution = await orbits.start(given(world.stays()))
        await world.here()
        await execution.cancel()
        assert (await execution.ended()).state is State.CANCELLED
        assert world.is_gone()
    assert world.log() == ["begun 1", "over 1"]


async def test_a_step_that_is_replayed_begins_when_its_process_of_before_is_gone(world: World) -> None:
    async with Orbits(world.settings) as first:
        execution = await first.start(given(world.stays()))
        await world.here()
    async with Orbits(world.settings, work=False) as asking:
        (entry,) = await asking.store.find(EntryRow, execution=execution.id)
        await asking.store.commit(
            Transaction(put=[amended(entry, token="another", generation=2)])
        )  # what a replay does
    async with Orbits(world.settings) as second:
        await world.here()
        await world.open()
        assert await second.execution(execution.id) == "go"
    assert world.log() == ["begun 1", "over 1", "begun 1", "over 1"]


async def test_a_process_whose_execution_was_ended_by_hand_is_ended(world: World) -> None:
    async with Orbits(world.settings) as first:
        execution = await first.start(given(world.stays()))
        await world.here()
    async with Orbits(world.settings, work=False) as asking:
        (entry,) = await asking.store.find(EntryRow, execution=execution.id)
        await asking.store.commit(Transaction(put=[amended(entry, state=State.ERROR, seq=1, at=1.0)]))
    async with Orbits(world.settings):
        pass
    assert world.is_gone()
    assert world.log() == ["begun 1", "over 1"]


async def test_what_is_cancelled_while_no_worker_runs_is_stopped_by_the_next(world: World) -> None:
    async with Orbits(world.settings) as first:
        execution = await first.start(given(world.stays()))
        await world.here()
    async with Orbits(world.settings, work=False) as asking:
        await asking.execution(execution.id).cancel()
    assert not world.is_gone()
    async with Orbits(world.settings) as second:
        assert (await second.execution(execution.id).ended()).state is State.CANCELLED
        assert world.is_gone()
    assert world.log() == ["begun 1", "over 1"]


@pytest.mark.parametrize("ends", [True, False])
async def test_a_time_limit_that_is_over_while_no_worker_runs_stops_what_has_not_ended(
    world: World, ends: bool
) -> None:
    clock = Clock()
    async with Orbits(world.settings, clock=clock) as first:
        execution = await first.start(given(world.stays(), timeout=timedelta(hours=1)))
        await world.here()
    await clock.advance(timedelta(hours=2))
    if ends:
        process = psutil.Process(world.pids()[0])
        await world.open("in time")
        await asyncio.to_thread(process.wait, 60)
    async with Orbits(world.settings, clock=clock) as second:
        if ends:
            assert await second.execution(execution.id) == "in time"
        else:
            with pytest.raises(ExecutionFailed) as failed:
                await second.execution(execution.id)
            assert failed.value.caused_by(TimeoutError)
        assert world.is_gone()
    assert world.log() == ["begun 1", "over 1"]


async def test_a_process_that_is_killed_has_failed_with_how(world: World) -> None:
    async with Orbits(world.settings) as orbits:
        execution = await orbits.start(given(world.stays()))
        await world.here()
        os.kill(world.pids()[0], signal.SIGKILL)
        with pytest.raises(ExecutionFailed, match="ended by signal 9"):
            await execution


async def test_an_idempotent_one_whose_process_dies_is_attempted_again(world: World) -> None:
    retry = Retry(attempts=2, delay=timedelta(0))
    async with Orbits(world.settings) as orbits:
        execution = await orbits.start(given(world.stays("StaysAgain"), retry=retry))
        await world.here()
        os.kill(world.pids()[0], signal.SIGKILL)
        await world.here()
        await world.open()
        assert await execution == "go"
    assert world.log() == ["begun 1", "begun 2", "over 2"]


async def test_while_it_runs_it_says_how_far_it_is_and_no_file_nor_process_list_has_its_secrets(world: World) -> None:
    folder = world.folder
    step = steps.Reveals(secret=SecretStr("hunter2"), here=str(folder / "here"), gate=str(folder / "gate"))
    target = steps.Place(name="here", password=SecretStr("swordfish"))
    async with Orbits(world.settings) as orbits:
        execution = await orbits.start(given(step), target=target)
        process = psutil.Process(int(await world.here()))
        key = (folder / "secret.key").read_text().strip()
        shown = [*process.cmdline(), *process.environ().values()]
        files = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.name != "secret.key"}
        for canary in ("hunter2", "swordfish", key):
            assert not [text for text in shown if canary in text]
            assert not [file for file, content in files.items() if canary.encode() in content]
        while True:
            (entry,) = await orbits.store.find(EntryRow, execution=execution.id)
            if entry.message:
                break
            await orbits.store.changed(1)
        assert (entry.message, entry.share) == ("with **********", 0.5)
        await world.open()
        assert (await execution).get_secret_value() == "hunter2swordfish"
    modes = {oct(file.stat().st_mode & 0o077) for file in (folder / "state.db-files" / "runs", folder / "secret.key")}
    assert modes == {"0o0"}


async def test_what_is_not_there_when_its_module_is_imported_is_an_error_that_says_so(world: World) -> None:
    async with Orbits(world.settings) as orbits:
        with pytest.raises(ExecutionFailed, match="has no Action 'Hidden' when it is imported"):
            await orbits.run(given(steps.hidden()))
