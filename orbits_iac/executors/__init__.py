"""Where an Action runs when it is not in this process: the contract, and what keeps it, a file for each technology.

A file here knows how processes are started, found again and stopped in its system, and how files get there and back. It
knows nothing of executions and journals: that is the engine's (`orbits_iac.engine.elsewhere`).
"""

from orbits_iac.executors.local import Local
from orbits_iac.executors.subprocess import Subprocess

__all__ = ["Local", "Subprocess"]
