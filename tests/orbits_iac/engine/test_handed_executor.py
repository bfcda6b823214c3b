"""Where Actions run is said once, above them: for a stack, or a fleet."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from orbits_iac import ExecutionFailed, Executor, Orbits, Settings
from orbits_iac.engine.handed_executor import executor_from, text_of
from orbits_iac.executors import Local, Subprocess
from orbits_iac.model.errors import Refused
from orbits_iac.registry import import_source

steps = import_source(str(Path(__file__).with_name("handed_steps.py")))  # as a user's file is


@pytest.fixture
def orbits_settings(tmp_path: Path) -> Settings:
    return Settings(project="tests", store=f"sqlite:{tmp_path / 'state.db'}")


async def test_it_holds_for_all_below_that_says_nothing_else(orbits: Orbits) -> None:
    steps.TOLD.clear()
    await orbits.run(steps.Building())
    there, here, made = steps.TOLD
    assert here == os.getpid()
    assert len({there, here, made}) == 3
    steps.TOLD.clear()
    await orbits.record(steps.Office, "Building building/office").cycle()  # nobody above says it now: its record does
    assert [os.getpid()] != steps.TOLD


async def test_more_memory_than_it_is_given_is_an_error_that_says_so(orbits: Orbits) -> None:
    with pytest.raises(
        ExecutionFailed, match=r"more than the 1,000 MB of address space .* Subprocess\(memory="
    ) as failed:
        await orbits.run(steps.Limited(hoards=True))
    assert failed.value.caused_by(MemoryError)


async def test_it_gets_no_more_of_the_environment_than_it_is_to_and_gives_way(
    orbits: Orbits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIDDEN_KEY", "1")
    monkeypatch.setenv("NOT_HIDDEN", "1")
    assert await orbits.run(steps.Limited()) == ["NOT_HIDDEN", str(os.nice(0) + 3)]


@dataclass(frozen=True)
class Somewhere(Executor):
    where: str


class Stateful(Executor):
    def __init__(self) -> None:
        self.where = "here"


def test_an_executor_is_the_same_when_it_is_made_again() -> None:
    for executor in (Subprocess(), Subprocess(folder="x", memory=1, without=("A*",)), Local(), Somewhere("there")):
        again = executor_from(text_of(executor) or "")
        assert (type(again), vars(again)) == (type(executor), vars(executor))
    assert text_of(None) is None
    with pytest.raises(Refused, match="has to be a dataclass of a module"):
        text_of(Stateful())
    with pytest.raises(Refused, match="cannot be made here"):
        executor_from('{"executor": "orbits_iac.executors:Gone", "settings": {}}')
