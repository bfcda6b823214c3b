"""A roll-out on MongoDB whose command and workers are killed one after the other: the others end it, and none is lost.

Each process that is killed is in the middle of a tenant then: it is the one that a tenant's step waits in for ever.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from orbits_iac.model.rows import ExecutionRow
from orbits_iac.store import open_store

from . import granaries
from .granaries import CLIENTS, CONCURRENCY, FAILS, HELD

pytest.importorskip("pymongo", reason="needs MongoDB's driver: pip install 'orbits-iac[mongodb]'")

WORKERS = 2
ORBITS = [sys.executable, "-c", "from orbits_iac.cli import main; main()"]


class Yard:
    """A folder with the fleet, and the processes that were started there."""

    def __init__(self, folder: Path, store: str) -> None:
        self.log = folder / granaries.LOG
        self.log.touch()
        self.store = store
        self._folder = folder
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        shutil.copy(granaries.__file__, folder)
        (folder / "orbits.toml").write_text('[stacks]\ngranaries = "granaries.py:Granaries"\n')

    def start(self, *arguments: str) -> None:
        said = (self._folder / f"said{len(self._processes)}").open("wb")
        with said:
            process = subprocess.Popen(
                [*ORBITS, *arguments, "--store", self.store], cwd=self._folder, stdout=said, stderr=subprocess.STDOUT
            )
        self._processes[process.pid] = process

    def kill(self, pid: int) -> None:
        self._processes[pid].kill()
        self._processes[pid].wait()

    def lines(self) -> list[tuple[str, str, int]]:
        """What was begun, in order: whose, with which token, in which process."""
        text = self.log.read_text()
        split = (line.split() for line in text[: text.rfind("\n") + 1].splitlines())
        return [(client, token, int(pid)) for client, token, pid in split]

    def said(self) -> str:
        return "\n".join(file.read_text()[-2000:] for file in sorted(self._folder.glob("said*")))

    def close(self) -> None:
        for pid, process in self._processes.items():
            if process.poll() is None:
                self.kill(pid)


@pytest.fixture
def yard(tmp_path: Path, mongodb: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    monkeypatch.setenv("ORBITS_SECRET_KEY", Fernet.generate_key().decode())
    made = Yard(tmp_path, mongodb)
    yield made
    made.close()


async def rolled_out(yard: Yard) -> dict[str, Any]:
    """Begin the roll-out, and kill whoever is held until it has ended; its report."""
    yard.start("up", "granaries", "--yes")
    async with open_store(yard.store) as store:
        killed = set[int]()
        while True:
            for client, _, pid in yard.lines():
                if client in HELD and pid not in killed and sum(line[0] == client for line in yard.lines()) == 1:
                    yard.kill(pid)
                    killed.add(pid)
                    for _ in range(WORKERS if client == HELD[0] else 1):
                        yard.start("worker")
            rows = await store.find(ExecutionRow, kind="Granaries")
            if rows and rows[0].ended_at is not None:
                assert len(killed) == len(HELD)
                row = await store.get(ExecutionRow, rows[0].id)
                assert row is not None
                found: dict[str, Any] = json.loads(row.result or "{}")
                return found
            await store.changed(0.1)


async def test_a_roll_out_is_ended_by_whoever_is_left(yard: Yard) -> None:
    try:
        async with asyncio.timeout(90):
            report = await rolled_out(yard)
    except TimeoutError:
        pytest.fail(f"it has not ended: {yard.lines()}\n{yard.said()}")
    states = {id_: one["state"] for id_, one in report["tenants"].items()}
    assert states == dict.fromkeys(CLIENTS, "updated") | {FAILS: "reverted"}
    begun = Counter(client for client, _, _ in yard.lines())
    assert begun.keys() == states.keys()
    assert {client: begun[client] for client in HELD} == dict.fromkeys(HELD, 2)
    again = begun.total() - len(CLIENTS)
    assert again <= len(HELD) * CONCURRENCY  # what was under way at a kill, and nothing that had ended
    assert len({token for _, token, _ in yard.lines()}) == len(CLIENTS)
