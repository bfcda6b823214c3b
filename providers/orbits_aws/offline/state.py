"""The state of an offline AWS as bytes: everything in it, to go back to.

Resources, accounts, stacks, change sets, faults and settings are a part of it; the log of calls is not. Locks are made
anew, and what is no state (the way that calls take) is connected to the AWS that it is loaded into. The bytes can run
code when they are loaded, as any pickle can: load only what you saved.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import moto_state
from .freeze import freeze, thaw
from .state_file import StateRefused, read_state, write_state

if TYPE_CHECKING:
    from .cloud import Cloud

_WORLD = "the world around the stacks"


def dump(cloud: "Cloud") -> bytes:
    """Everything that is in `cloud`, between two calls."""
    with cloud.gateway.gate.alone():
        return _dump(cloud)


def _dump(cloud: "Cloud") -> bytes:
    return freeze(
        {
            "moto": moto_state.state(),
            "cloudformation": cloud.cloudformation.state(),
            "access": cloud.access.state(),
            "organizations": cloud.organizations.state(),
            "regions": cloud.regions.state(),
            "faults": cloud.gateway.faults.state(),
            "settings": cloud.settings,
        },
        {_WORLD: cloud.cloudformation.world},
    )


def load(cloud: "Cloud", saved: bytes) -> None:
    """Let `cloud` hold what was saved, and nothing else. Raises ValueError, and holds nothing, if that is no state."""
    with cloud.gateway.gate.alone():
        _load(cloud, saved)


def save_file(cloud: "Cloud", path: Path) -> None:
    """Save everything into a file. Raises OSError, or Unfreezable where a service holds what cannot be saved."""
    write_state(path, dump(cloud))


def load_file(cloud: "Cloud", path: Path) -> None:
    """Load what was saved into a file. Raises StateRefused."""
    content = read_state(path)
    try:
        load(cloud, content)
    except ValueError as failure:
        raise StateRefused(f"{path} cannot be loaded: {failure}. Remove the file to begin anew") from failure


def _load(cloud: "Cloud", saved: bytes) -> None:
    moto_state.reset()  # before anything is loaded: moto closes the files of all objects in S3 that there are
    cloud.gateway.callers.clear()
    cloud.gateway.past.clear()
    state: dict[str, Any] = thaw(saved, {_WORLD: cloud.cloudformation.world})
    moto_state.restore(state["moto"])
    cloud.cloudformation.restore(state["cloudformation"])
    cloud.access.restore(state["access"])
    cloud.organizations.restore(state["organizations"])
    cloud.regions.restore(state["regions"])
    cloud.gateway.faults.restore(state["faults"])
    cloud.configure(state["settings"])
