"""Tests that leave something behind, for `test_leaks`, which runs them apart from all others."""

import asyncio
import gc
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.leaks
from orbits_iac.engine.loop import DefinitionLoop, definition_loop

tests.leaks.PATIENCE = 0.5
KEPT: list[Any] = []
"""What is left is held here: garbage would be found too, but at some other time."""


def in_a_thread(work: Any) -> None:
    thread = threading.Thread(target=work, name="the thread that is left", daemon=True)
    KEPT.append(thread)
    thread.start()


def leave_open() -> None:
    KEPT.append(Path(__file__).open())  # noqa: SIM115 - it is what the tests are about


@pytest.fixture(scope="session")
def of_the_session() -> Iterator[None]:
    in_a_thread(threading.Event().wait)
    yield
    in_a_thread(threading.Event().wait)


@pytest.fixture(scope="module")
def of_the_module() -> Iterator[None]:
    in_a_thread(threading.Event().wait)
    yield
    leave_open()


def test_what_wider_scopes_have_is_not_the_tests(of_the_session: None, of_the_module: None) -> None:
    assert KEPT


def test_what_ends_by_itself_is_waited_for() -> None:
    in_a_thread(lambda: time.sleep(0.1))
    subprocess.run(["/bin/sh", "-c", "sleep 0.1 &"], check=True)


async def test_task() -> None:
    KEPT.append(asyncio.create_task(asyncio.sleep(3600)))
    await asyncio.sleep(0)


def test_task_of_another_loop() -> None:
    asyncio.run(test_task())


def test_task_that_nobody_holds() -> None:
    loop = asyncio.new_event_loop()
    loop.create_task(asyncio.sleep(3600))  # noqa: RUF006 - it is what the test is about
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    del loop
    gc.collect()


def test_task_of_a_definition() -> None:
    async def waits(loop: DefinitionLoop) -> None:
        await loop.create_future()

    loop = definition_loop(0.0)
    loop.create_task(waits(loop))
    loop.drain()
    del loop
    gc.collect()


def test_error_that_nobody_took() -> None:
    async def fails() -> None:
        raise ValueError("nobody takes this")

    async def main() -> None:
        task = asyncio.create_task(fails())
        await asyncio.wait([task])

    asyncio.run(main())


def test_coroutine() -> None:
    test_task()  # type: ignore[unused-coroutine] # pyright: ignore[reportUnusedCoroutine] # it is what the test is about


def test_thread() -> None:
    in_a_thread(threading.Event().wait)


def test_process() -> None:
    KEPT.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE))  # ends with who holds the pipe


def test_process_of_a_process() -> None:
    reads, writes = os.pipe()
    subprocess.run(["/bin/sh", "-c", "exec 3<&0; cat <&3 &"], stdin=reads, check=True)
    os.close(reads)
    KEPT.append(writes)


def test_process_that_was_not_waited_for() -> None:
    KEPT.append(subprocess.Popen(["true"]))
    os.waitid(os.P_PID, KEPT[-1].pid, os.WEXITED | os.WNOWAIT)


def test_open_file() -> None:
    leave_open()


def test_connection() -> None:
    KEPT.append(socket.create_server(("127.0.0.1", 0)))


def test_temporary_file() -> None:
    Path(tempfile.mkdtemp(prefix="that-is-left")).joinpath("file").touch()
