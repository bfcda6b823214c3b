"""What tests of stacks and providers use: a held clock, pytest's fixtures `orbits` and `clock`, and a crash harness.

The plugin is found by pytest itself where Orbits is installed.
"""

from orbits_iac.testing.clock import Clock
from orbits_iac.testing.crashes import CrashReport, crash_everywhere, start_once
from orbits_iac.testing.life import World, outside

__all__ = ["Clock", "CrashReport", "World", "crash_everywhere", "outside", "start_once"]
