"""What tests of stacks and providers use: a clock that is held, and pytest's fixtures `orbits` and `clock`.

The plugin is found by pytest itself where Orbits is installed.
"""

from orbits_iac.testing.clock import Clock

__all__ = ["Clock"]
