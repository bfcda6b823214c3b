"""Who waits for an execution that another process advances."""

from pathlib import Path
from typing import Any

from orbits_iac import Orbits, action
from orbits_iac.model.errors import Unreachable
from orbits_iac.model.rows import ExecutionRow
from orbits_iac.settings import Settings
from orbits_iac.store.sqlite import SqliteStore


@action
async def waited_for(number: int) -> int:
    return number + 1


class Interrupted(SqliteStore):
    """A store that cannot be reached the first times that somebody asks how an execution stands."""

    failures = 2

    async def get(self, table: Any, *key: Any) -> Any:
        if table is ExecutionRow and self.failures:
            self.failures -= 1
            raise Unreachable("the store cannot be reached")
        return await super().get(table, *key)


async def test_waits_on_while_the_store_cannot_be_reached(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:{tmp_path / 'state.db'}")
    store = Interrupted(tmp_path / "state.db")
    async with Orbits(settings, store=store, work=False) as asking:
        asking.look_every = 0.01
        execution = await asking.start(waited_for(1))
        async with Orbits(settings):
            assert await execution == 2
    assert store.failures == 0
