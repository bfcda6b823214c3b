"""What is peculiar to a child process: its supervisor may be killed, and its number may be used again."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from orbits_iac.executors import Subprocess
from orbits_iac.executors.contract import Command, Ended, Host, Running, Unknown


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    made = Subprocess(folder=str(tmp_path)).host(tmp_path / "runs")
    yield made
    await made.stop("a", 0)


async def _waiting(host: Host, folder: Path, text: str = "echo > here; read line < never") -> int:
    """Start a run that waits for ever; the process that supervises it."""
    os.mkfifo(folder / "never")
    os.mkfifo(folder / "here")
    here = os.open(folder / "here", os.O_RDWR)
    await host.start("a", Command(argv=["/bin/sh", "-c", text]))
    os.read(here, 1)
    os.close(here)
    return int((folder / "runs" / "a" / "begun").read_text())


async def test_a_run_whose_supervisor_is_killed_is_still_there_and_can_be_stopped(host: Host, tmp_path: Path) -> None:
    supervisor = await _waiting(host, tmp_path)
    os.kill(supervisor, signal.SIGKILL)
    assert await host.find("a") == Running()
    assert await host.stop("a", 60) == Ended(code=None)
    with pytest.raises(OSError, match="No such device"):  # nobody waits at it any more
        os.open(tmp_path / "never", os.O_WRONLY | os.O_NONBLOCK)


async def test_one_that_is_deaf_too_is_killed(host: Host, tmp_path: Path) -> None:
    supervisor = await _waiting(host, tmp_path, "trap '' TERM; echo > here; read line < never")
    os.kill(supervisor, signal.SIGKILL)
    assert await host.stop("a", 0.05) == Ended(code=None)


async def test_what_it_left_with_closed_files_is_found_too(host: Host, tmp_path: Path) -> None:
    left = f"{host.python} -I -S -c 'import os; os.closerange(0, 99); open(\"never\").read()'"
    supervisor = await _waiting(host, tmp_path, f"echo $$ > leader; {left} & echo > here; read line < never")
    leader = psutil.Process(int((tmp_path / "leader").read_text()))
    os.kill(supervisor, signal.SIGKILL)
    leader.kill()
    await asyncio.to_thread(leader.wait)
    assert await host.find("a") == Running()
    assert await host.stop("a", 60) == Ended(code=None)
    with pytest.raises(OSError, match="No such device"):
        os.open(tmp_path / "never", os.O_WRONLY | os.O_NONBLOCK)


async def test_a_number_that_is_used_again_is_not_mistaken_for_it(host: Host, tmp_path: Path) -> None:
    supervisor = await _waiting(host, tmp_path)
    os.kill(supervisor, signal.SIGKILL)
    await host.stop("a", 60)
    (tmp_path / "runs" / "a" / "begun").write_text(f"{os.getpid()}\n")
    assert await host.find("a") == Ended(code=None)
    assert await host.stop("a", 0) == Ended(code=None)  # and we are still here


async def test_a_worker_that_died_after_it_made_the_folder_has_begun_nothing(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    (folder / "command").write_text(f'{{"argv": ["/bin/sh", "-c", "exit 6"], "cwd": "{tmp_path}"}}')
    assert await host.find("a") == Unknown()
    await host.start("a", Command(argv=["/bin/false"]))
    assert await host.wait("a") == Ended(code=6)


async def test_a_folder_that_cannot_be_made_is_an_error_and_nothing_begins(host: Host, tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(OSError, match="exists"):
        await host.start("a", Command(argv=["/bin/true"]))
    assert await host.find("a") == Unknown()
