"""Each case runs over every executor that starts processes; what is expected stands in its contract."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from orbits_iac.executors import Subprocess
from orbits_iac.executors.contract import Command, Host, ProcessExecutor

EXECUTORS = {"subprocess": Subprocess}


class Place:
    """A host with its working folder; `again` is the host as another process finds it."""

    def __init__(self, executor: ProcessExecutor, folder: Path, working: Path) -> None:
        self.executor = executor
        self.working = working
        self._folder = folder
        self.host = self.again()

    def again(self) -> Host:
        return self.executor.host(self._folder)

    def shell(self, text: str, *, stdin: bytes = b"", **files: bytes) -> Command:
        return Command(argv=["/bin/sh", "-c", text], stdin=stdin, files=files)

    def gate(self, name: str) -> Path:
        """A pipe: who reads it waits for who writes it."""
        os.mkfifo(self.working / name)
        return self.working / name


@pytest.fixture(params=EXECUTORS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    working = tmp_path / "working"
    working.mkdir()
    made = Place(EXECUTORS[request.param](folder=str(working)), tmp_path / "runs", working)
    yield made
    for run in await made.host.runs():
        await made.host.stop(run, 0)
    await made.host.close()
