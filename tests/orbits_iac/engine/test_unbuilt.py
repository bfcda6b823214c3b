"""What the signatures admit and is not built yet is refused by name before anything is done."""

from typing import Any

import pytest

from orbits_iac import Docker, ExecutionFailed, Orbits, Ssh, Workflow
from orbits_iac.steps.options import Pool

from .world import WORLD, Chain, add


class Asking(Workflow):
    """Does one step with whatever it is told."""

    async def define(self) -> None:
        await self.do("step", *STEP, **GIVEN)


STEP: list[Any] = []
GIVEN: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("step", "given", "named"),
    [
        (add(1, 2), {"pool": Pool("db", 3)}, "pool"),
        (add(1, 2), {"executor": Docker("node:18")}, "the executor Docker"),
        (add(1, 2), {"executor": Ssh("staging.example.com", user="deploy")}, "the executor Ssh"),
        (Chain(length=2), {"executor": Docker("node:18")}, "the executor Docker"),
    ],
)
async def test_at_a_do(orbits: Orbits, step: Any, given: dict[str, Any], named: str) -> None:
    WORLD.clear()
    STEP[:] = [step]
    GIVEN.clear()
    GIVEN.update(given)
    with pytest.raises(ExecutionFailed, match=f"step: {named} is not built yet"):
        await orbits.run(Asking())
    assert WORLD.log == []
