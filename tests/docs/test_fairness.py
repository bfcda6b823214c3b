"""docs/fairness.md: its program and its settings work, and its figures are those of the code."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from orbits_iac import Orbits, Settings
from orbits_iac.dispatch import limits, sharing
from orbits_iac.dispatch.fairness import Ask, Fairness
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, LineRow, PermitRow, TaskRow

from .pages import loading, programs

PAGE = (Path(__file__).parents[2] / "docs" / "fairness.md").read_text()


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    yield from loading(tmp_path, programs(PAGE))


async def test_the_program_runs_within_its_limits(load: Callable[[str], ModuleType]) -> None:
    program = load("clients")
    given = tomllib.loads(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)[0])
    settings = Settings(project="tests", store="memory:", **given)
    assert settings.limits == {"kind:Site": 10, "label:plan=large": 1, "tenant": 3}
    async with Orbits(settings) as orbits:
        await orbits.run(program.All(clients=("acme", "beta"), urgent="beta"))
        rows = {row.identity: row for row in await orbits.store.find(ExecutionRow, kind="Site")}
        assert [(rows[name].tenant, rows[name].priority) for name in ("acme", "beta")] == [("acme", 0), ("beta", 5)]
        assert rows["acme"].labels == {"plan": "large"}
        report = await orbits.start(program.Report())
        task = await orbits.store.get(TaskRow, report.id)
        assert task is not None
        assert task.needs == "memory"
        assert not await orbits.store.find(PermitRow)
        assert not await orbits.store.find(LineRow)


async def held(due: dict[str, int]) -> Counter[str]:
    """What a worker of 64 places holds of each, with so much of each due, in that order."""
    fairness, left, taken = Fairness(64), dict(due), Counter[str]()

    async def claim(ask: Ask) -> list[TaskRow]:
        tasks: list[TaskRow] = []
        for tenant in tuple(left):
            while left[tenant] and tenant not in ask.without and len(tasks) < ask.limit:
                left[tenant] -= 1
                tasks.append(
                    TaskRow(id=ExecutionId(f"{tenant}{left[tenant]}"), kind="K", build="b", tenant=tenant or None)
                )
        taken.update(task.tenant or "" for task in tasks)
        return tasks

    await fairness.fill(claim)
    return taken


async def test_the_figures_are_those_of_the_code() -> None:
    assert await held({"a": 100}) == {"a": 56}
    assert await held({"": 100}) == {"": 64}
    two = await held({"a": 100, "b": 100})
    assert max(two.values()) - min(two.values()) <= 8
    assert sum(two.values()) >= 58
    eight = await held(dict.fromkeys("abcdefgh", 100))
    assert set(eight.values()) <= {7, 8}
    assert "about 7 each" in PAGE
    assert limits.EVERY == 5
    assert "every five seconds" in PAGE
    assert sharing.EVERY < 5
