"""Each case runs over every store; what is expected of it stands in `orbits_iac.store.contract`."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from orbits_iac.measures import OFF
from orbits_iac.model.ids import ExecutionId, StepKey, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, RecordRow, TaskRow
from orbits_iac.store import open_store
from orbits_iac.store.contract import Fence, Store, Transaction
from orbits_iac.store.measured import MeasuredStore


@pytest.fixture(params=["memory", "sqlite", "mongodb", "measured"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    url = {"sqlite": f"sqlite:{tmp_path / 'store.db'}", "mongodb": ""}.get(request.param, "memory:")
    found = open_store(url or request.getfixturevalue("mongodb"))
    async with MeasuredStore(found, OFF) if request.param == "measured" else found as opened:
        yield opened


class Make:
    """Rows with what a case does not care about filled in."""

    def execution(self, name: str, **fields: Any) -> ExecutionRow:
        given: dict[str, Any] = {"root": name, "kind": "Kind", "command": "update", "build": "b1", **fields}
        given = {"argument": "{}", "who": "me", "digest": "d", "created_at": 1.0, **given}
        return ExecutionRow(id=ExecutionId(name), **given)

    def task(self, name: str, **fields: Any) -> TaskRow:
        given: dict[str, Any] = {"kind": "Kind", "build": "b1", "due": 0.0, **fields}
        return TaskRow(id=ExecutionId(name), **given)

    def entry(self, name: str, key: str, **fields: Any) -> EntryRow:
        given: dict[str, Any] = {"kind": "Step", **fields}
        return EntryRow(execution=ExecutionId(name), key=StepKey(key), **given)

    def message(self, name: str, message: str, **fields: Any) -> MessageRow:
        given: dict[str, Any] = {"what": "event", **fields}
        return MessageRow(execution=ExecutionId(name), id=message, **given)

    def event(self, name: str, **fields: Any) -> EventRow:
        given: dict[str, Any] = {"at": 1.0, "root": name, **fields}
        return EventRow(execution=ExecutionId(name), **given)

    def record(self, identity: str, version: int, **fields: Any) -> RecordRow:
        return RecordRow(kind="Kind", identity=identity, version=version, **fields)

    async def held(self, store: Store, name: str, worker: str = "worker") -> Fence:
        """An execution that `worker` has just claimed, and the fence of that claim."""
        await store.commit(Transaction(put=[self.execution(name), self.task(name)]))
        [task] = await store.claim(WorkerId(worker), now=0.0, limit=1, only=ExecutionId(name))
        return Fence(execution=task.id, token=task.token)


@pytest.fixture
def make() -> Make:
    return Make()
