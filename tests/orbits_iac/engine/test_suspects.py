"""What processes may have died of is begun again a few times, alone, and then no more."""

import asyncio
from pathlib import Path

import pytest

from orbits_iac import Action, Options, Orbits, Settings, Workflow
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import EntryRow
from orbits_iac.store.contract import Transaction


class Present(Action[int]):
    """Says how often it was taken up, as the store has it, and how many were there with it."""

    options = Options(idempotent=True)
    name: str

    async def main(self) -> int:
        HERE.add(self.name)
        await asyncio.sleep(0)
        if self.name in {"once", "twice", "thrice"}:
            MET.append(len(HERE & {"twice", "thrice", "four times"}))
        entry = await STORE[0].store.get(EntryRow, self.execution.id, key_of(self.name))
        assert entry is not None
        HERE.discard(self.name)
        return entry.taken_up


class Presences(Workflow[dict[str, str]]):
    names: tuple[str, ...]

    async def define(self) -> dict[str, str]:
        asked = (self.do(name, Present(name=name)) for name in self.names)
        found = await asyncio.gather(*asked, return_exceptions=True)
        return dict(zip(self.names, map(str, found), strict=True))


HERE: set[str] = set()
MET: list[int] = []
STORE: list[Orbits] = []
TAKEN_UP = {"new": None, "once": 0, "given back": -1, "twice": 2, "thrice": 3, "four times": 4, "ever": 5}


def key_of(name: str) -> StepKey:
    return StepKey(f"run/{name}:Present:main")


@pytest.fixture
def orbits_settings(tmp_path: Path) -> Settings:
    return Settings(project="tests", store=f"sqlite:{tmp_path / 'state.db'}")


async def test_it_is_counted_then_alone_then_given_up(orbits_settings: Settings) -> None:
    names = {name: count for name, count in TAKEN_UP.items() if count is not None}
    async with Orbits(orbits_settings, work=False) as asking:
        started = await asking.start(Presences(names=tuple(TAKEN_UP)))
        entries = [
            EntryRow(execution=started.id, key=key_of(name), kind="Present", token=name, taken_up=count)
            for name, count in names.items()
        ]
        await asking.store.commit(Transaction(put=entries))
    async with Orbits(orbits_settings) as orbits:
        STORE[:] = [orbits]
        found = await orbits.execution(started.id)
    died = found.pop("ever")
    assert died.startswith("ever: Interrupted: Present was begun 6 times, and each time its process died while it ran")
    assert found == {"new": "0", "once": "1", "given back": "0", "twice": "3", "thrice": "4", "four times": "5"}
    assert max(MET) == 1
