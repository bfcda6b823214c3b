"""pytest's fixtures: `orbits`, on a store in memory, and `clock`, which moves its time."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orbits_iac.orbits import Orbits
    from orbits_iac.settings import Settings
    from orbits_iac.testing.clock import Clock


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Let providers get ready before the first test module is imported."""
    from orbits_iac.registry import import_providers

    import_providers()


@pytest.fixture
def orbits_settings() -> "Settings":
    """The settings that `orbits` runs with; override the fixture to change them."""
    from orbits_iac.settings import Settings

    return Settings(project="tests", store="memory:")


@pytest.fixture
def clock() -> "Clock":
    """The clock of `orbits`: `await clock.advance(timedelta(hours=6))`."""
    from orbits_iac.testing.clock import Clock

    return Clock()


@pytest.fixture
async def orbits(orbits_settings: "Settings", clock: "Clock") -> "AsyncIterator[Orbits]":
    """An Orbits that advances executions in this process, on a store of its own."""
    from orbits_iac.orbits import Orbits

    async with Orbits(orbits_settings, clock=clock) as made:
        clock.tell(made.settled)
        yield made
