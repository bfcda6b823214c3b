"""Several real processes on one SQLite file: killed at any moment, stopped beyond their lease, working side by side."""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from orbits_iac import Orbits, Settings
from orbits_iac.engine.suspects import MOST
from orbits_iac.model.rows import TABLES, EntryRow, EventRow, ExecutionRow, Row, WorkerRow
from orbits_iac.model.states import State

PROGRAM = Path(__file__).with_name("program.py")
WORKFLOWS = 3
EFFECTS = 20


class Place:
    """A store and a log, and the processes that were started on them."""

    def __init__(self, folder: Path) -> None:
        self.store = f"sqlite:{folder / 'state.db'}"
        self.log = folder / "log"
        self.log.touch()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, lease: str = "PT10S") -> subprocess.Popen[bytes]:
        """Start the program."""
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), self.store, str(self.log), *arguments],
            env={**os.environ, "ORBITS_LEASE": lease},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.processes.append(process)
        return process

    def lines(self) -> list[str]:
        """What the steps have written so far."""
        return self.log.read_text().splitlines()

    def go(self) -> None:
        """Let go on what waits for the file."""
        self.log.with_suffix(".go").touch()

    async def until(self, word: str, least: int, process: subprocess.Popen[bytes]) -> None:
        """Wait until at least so many lines begin with `word`, as long as the process lives."""
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while sum(line.startswith(word) for line in self.lines()) < least:
                line = await asyncio.to_thread(process.stdout.readline)
                assert line, f"it ended too early: {self.lines()}"

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """Stop the process where it stands, but not in the middle of a commit: then SQLite lets nobody else write."""
        store = self.store.removeprefix("sqlite:")
        with Path(f"{store}-turn").open("rb") as turn, Path(f"{store}-pen").open("rb") as pen:
            while True:
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED)
                try:
                    for file in (turn, pen):
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    process.send_signal(signal.SIGCONT)
                else:
                    return
                finally:
                    for file in (turn, pen):
                        fcntl.flock(file, fcntl.LOCK_UN)

    async def ended(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until the process has ended well."""
        _, errors = await asyncio.wait_for(asyncio.to_thread(process.communicate), 60)
        assert process.returncode == 0, errors.decode()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


async def written(place: Place) -> dict[str, list[Row]]:
    """All that is stored, but for the workers, which go on renewing."""
    async with Orbits(Settings(store=place.store), work=False) as orbits:
        found: dict[str, list[Row]] = {
            name: await orbits.store.find(table) for table, name in TABLES.items() if table not in {WorkerRow, EventRow}
        }
        found["event"] = [*await orbits.store.tail(0)]
        return found


async def check(place: Place, *, crashes: int, workflows: int = WORKFLOWS) -> None:
    """Everything ended well; each effect happened, and more than once only if it was under way at a crash."""
    async with Orbits(Settings(store=place.store), work=False) as orbits:
        rows = await orbits.store.find(ExecutionRow)
        assert [row.state for row in rows] == [State.SUCCESS] * workflows
        assert [row.result for row in rows] == [str(sum(range(EFFECTS)))] * workflows
        entries = [e for row in rows for e in await orbits.store.find(EntryRow, execution=row.id)]
    done = Counter(line.split()[3] for line in place.lines() if line.startswith("main"))
    assert set(done) == {entry.token for entry in entries if entry.kind == "Effect"}
    assert max(done.values()) <= 1 + crashes


async def test_a_killed_process_is_taken_over_at_once_and_no_finished_step_is_done_again(place: Place) -> None:
    first = place.start("start", str(WORKFLOWS))
    await place.until("batch", WORKFLOWS + 1, first)  # one has begun its second, so its first is durable
    first.kill()
    first.wait()
    before = place.lines()
    async with Orbits(Settings(store=place.store), work=False) as orbits:
        rows = await orbits.store.find(ExecutionRow)
        finished = {
            e.token for row in rows for e in await orbits.store.find(EntryRow, execution=row.id) if e.seq is not None
        }
    assert finished
    second = place.start("work", lease="PT1H")
    await place.ended(second)
    again = [line.split()[3] for line in place.lines()[len(before) :] if line.startswith("main")]
    assert not finished & set(again)
    await check(place, crashes=1)


async def test_killed_again_and_again_it_still_ends(place: Place) -> None:
    process = place.start("start", str(WORKFLOWS))
    for round_ in range(1, MOST + 1):  # once more, and a step that was under way each time would be given up
        await place.until("main", round_ * 7, process)
        process.kill()
        process.wait()
        process = place.start("work")
    await place.ended(process)
    await check(place, crashes=MOST)


async def test_two_processes_share_the_work_and_nothing_is_done_twice(place: Place) -> None:
    first = place.start("start", str(WORKFLOWS))
    await place.until("ready", 1, first)
    second = place.start("work")
    await place.ended(first)
    await place.ended(second)
    await check(place, crashes=0)


async def test_two_processes_that_ask_for_the_same_get_one_execution(place: Place) -> None:
    first = place.start("update")
    await place.until("main", 1, first)
    second = place.start("update")
    await place.until("asked", 2, second)
    place.go()
    await place.ended(first)
    await place.ended(second)
    asked = {line for line in place.lines() if line.startswith("asked")}
    assert len(asked) == 1
    assert sum(line.startswith("main") for line in place.lines()) == 1


async def test_a_process_that_was_stopped_beyond_its_lease_writes_nothing_more(place: Place) -> None:
    first = place.start("start", str(WORKFLOWS), lease="PT0.4S")
    await place.until("main", 7, first)
    place.stop(first)
    second = place.start("work", lease="PT0.4S")
    await place.ended(second)
    before = await written(place)
    first.send_signal(signal.SIGCONT)
    await place.ended(first)
    assert await written(place) == before
    await check(place, crashes=1)


async def test_a_process_that_was_stopped_just_before_a_call_does_not_call(place: Place) -> None:
    """Its lease is renewed again by then; what it had claimed is another's, who has done it all."""
    first = place.start("halt", "1", lease="PT0.4S")
    await place.until("halts", 1, first)
    place.stop(first)
    async with Orbits(Settings(store=place.store), work=False) as orbits:
        begun = [entry for row in await orbits.store.find(ExecutionRow) for entry in await _entries(orbits, row)]
        assert {entry.state for entry in begun} == {State.EXECUTING}
        assert not any(line.startswith("main") for line in place.lines())
    second = place.start("work", lease="PT0.4S")
    await place.ended(second)
    before = await written(place)
    place.go()
    first.send_signal(signal.SIGCONT)
    await place.ended(first)
    assert await written(place) == before
    await check(place, crashes=0, workflows=1)
    assert f"calls {first.pid}" not in place.lines()
    assert {line.split()[4] for line in place.lines() if line.startswith("main")} == {str(second.pid)}


async def _entries(orbits: Orbits, row: ExecutionRow) -> list[EntryRow]:
    return await orbits.store.find(EntryRow, execution=row.id)


async def test_a_process_that_ends_well_leaves_no_worker_behind(place: Place) -> None:
    await place.ended(place.start("start", "1"))
    async with Orbits(Settings(store=place.store), work=False) as orbits:
        assert await orbits.store.find(WorkerRow) == []
