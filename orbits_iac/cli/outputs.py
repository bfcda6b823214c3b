"""What a command has returned, as the package that declares it shows it: read from what is kept, without user code.

A package whose outputs show themselves says by an entry point `orbits_iac.outputs` how these are read back: it is named
like a field that they have, and is a function from what is kept, secrets masked, to them; None if they are another's.
"""

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from orbits_iac.model.states import State

if TYPE_CHECKING:
    from orbits_iac.model.outputs import Outputs
    from orbits_iac.model.rows import ExecutionRow, Json

GROUP = "orbits_iac.outputs"


def kept(row: "ExecutionRow") -> "Outputs | None":
    """What an execution has returned; None if it has not, or no package here says how that is read."""
    return read(row.result) if row.identity is not None and row.state is State.SUCCESS else None


def read(text: "Json | None") -> "Outputs | None":
    """What is kept so; None if no package here says how that is read."""
    from orbits_iac.model.marks import masked

    said = masked(text)
    for point in entry_points(group=GROUP):
        if isinstance(said, Mapping) and point.name in said:
            try:
                by_package = point.load()
            except ModuleNotFoundError:  # its extra is not installed: it is shown as it is kept
                continue
            if (found := by_package(said)) is not None:
                outputs: Outputs = found
                return outputs
    return None
