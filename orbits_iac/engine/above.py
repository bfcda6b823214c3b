"""Where a definition stands while it runs: the key below which its steps have theirs, and whose `self` may do them.

Tasks that a definition makes inherit both.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING

from orbits_iac.model.ids import StepKey

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow

ABOVE: ContextVar[StepKey] = ContextVar("orbits_above")
ADMITTED: ContextVar[bool] = ContextVar("orbits_admitted", default=False)
"""Whether what is done here needs no plan that shows it."""
RUNNING: "ContextVar[RunFlow]" = ContextVar("orbits_running")


def enter(name: str, flow: "RunFlow") -> None:
    """Let the steps of this definition task be those of `flow`, with their keys below `name`."""
    ABOVE.set(StepKey(name))
    RUNNING.set(flow)
