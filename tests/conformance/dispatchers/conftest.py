"""Each case runs over every dispatcher; what is expected of it stands in `orbits_iac.dispatch.contract`."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_iac import Orbits, Settings
from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import Row, TaskRow
from orbits_iac.store.contract import Transaction
from orbits_iac.store.memory import MemoryStore
from orbits_iac.testing import Clock, inline

from .steps import DONE, GATES

SETTINGS = Settings(
    project="tests",
    store="memory:",
    secret_key=SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="),
    lease=timedelta(seconds=1),
)


class Kept(MemoryStore):
    """A store that outlives its processes, may be gone for a while, and lets a test do something at some moments."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False
        self.before_park: Callable[[], Awaitable[object]] | None = None
        self.after_look: Callable[[], Awaitable[object]] | None = None  # for what is due, its answer on the way
        self.turns = 0  # of the loop that a claim takes

    async def close(self) -> None:
        """It stays open."""

    async def commit(self, transaction: Transaction) -> None:
        self._check()
        if transaction.park is not None and self.before_park is not None:
            meanwhile, self.before_park = self.before_park, None
            await meanwhile()
        await super().commit(transaction)

    async def find(self, *args: Any, **named: Any) -> Any:
        self._check()
        return await super().find(*args, **named)

    async def claim(self, *args: Any, **named: Any) -> list[TaskRow]:
        self._check()
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return await super().claim(*args, **named)

    async def next_due(self) -> float | None:
        self._check()
        due = await super().next_due()
        if self.after_look is not None:
            meanwhile, self.after_look = self.after_look, None
            await meanwhile()
        return due

    def _check(self) -> None:
        if self.gone:
            raise StoreError("the store is gone")


class Processes:
    """A store, and processes on it: those that work, by the dispatcher in question, and one that only asks."""

    def __init__(self, dispatcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dispatcher = dispatcher
        self.most = 3 if dispatcher == "local" else 1  # that may work at once: the inline one believes to be alone
        self.store = Kept()
        self.clock = Clock()
        self._monkeypatch = monkeypatch

    @asynccontextmanager
    async def working(self, *, code: str = "same", alone: bool = False, **settings: Any) -> AsyncGenerator[Orbits]:
        """A process that works until the block ends, when it drains; `code`: the version of the project's sources."""
        async with self._orbits(code, alone=alone, dispatcher=self.dispatcher, **settings) as made:
            yield made

    @asynccontextmanager
    async def asking(self, *, code: str = "same") -> AsyncGenerator[Orbits]:
        """A process that only asks and reads."""
        async with self._orbits(code, work=False) as made:
            made.look_every = 0.02
            yield made

    async def rows(self, table: type[Row] = TaskRow) -> list[Any]:
        return await MemoryStore.find(self.store, table)

    async def task(self, execution: str) -> TaskRow:
        found = await self.store.get(TaskRow, ExecutionId(execution))
        assert found is not None
        return found

    def _orbits(self, code: str, *, work: bool = True, alone: bool = False, **settings: Any) -> Orbits:
        self._monkeypatch.setattr("orbits_iac.orbits.sources_of", lambda _: {"project": code})
        given = SETTINGS.model_copy(update=settings)
        return Orbits(given, store=self.store, clock=self.clock, work=work, alone=alone, who=f"code {code}")


@pytest.fixture(scope="session", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The dispatcher for tests under a name, as a package of somebody else's would bring it."""
    folder = tmp_path_factory.mktemp("installed")
    info = folder / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orbits_iac.dispatchers]\ninline = orbits_iac.testing.inline:Inline\n")
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


@pytest.fixture(params=["local", "inline"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Processes:
    monkeypatch.setattr("orbits_iac.dispatch.worker.LONGEST_WAIT", 0.02)
    monkeypatch.setattr(inline, "AGAIN", 0.02)
    DONE.clear()
    GATES.clear()
    return Processes(request.param, monkeypatch)
