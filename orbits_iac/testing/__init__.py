"""What tests of stacks and providers use: a held clock, pytest's fixtures `orbits` and `clock`, and a crash harness.

For providers there is also `ProviderSuite`: what every Resource of theirs has to do, as tests. The plugin is found by
pytest itself where Orbits is installed.
"""

from typing import TYPE_CHECKING, Any

from orbits_iac.testing.clock import Clock
from orbits_iac.testing.crashes import CrashReport, crash_everywhere, start_once
from orbits_iac.testing.life import World, outside

if TYPE_CHECKING:
    from orbits_iac.testing.provider_suite import ProviderSuite, Subject

__all__ = [
    "Clock",
    "CrashReport",
    "ProviderSuite",
    "Subject",
    "World",
    "crash_everywhere",
    "outside",
    "start_once",
]


def __getattr__(name: str) -> Any:
    if name not in {"ProviderSuite", "Subject"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from orbits_iac.testing import provider_suite  # needs pytest, which is not there where stacks are run

    return getattr(provider_suite, name)
