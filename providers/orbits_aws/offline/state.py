"""The state of an offline AWS as bytes: everything in it, to go back to.

Resources, accounts, stacks, change sets, faults and settings are a part of it; the log of calls is not. Locks are made
anew, and what is no state (the way that calls take) is connected to the AWS that it is loaded into. The bytes can run
code when they are loaded, as any pickle can: load only what you saved.
"""

from typing import TYPE_CHECKING, Any

from . import moto_state
from .freeze import freeze, thaw

if TYPE_CHECKING:
    from .cloud import Cloud

_WORLD = "the world around the stacks"


def dump(cloud: "Cloud") -> bytes:
    """Everything that is in `cloud`."""
    return freeze(
        {
            "moto": moto_state.state(),
            "cloudformation": cloud.cloudformation.state(),
            "access": cloud.access.state(),
            "organizations": cloud.organizations.state(),
            "faults": cloud.gateway.faults.state(),
            "settings": cloud.settings,
        },
        {_WORLD: cloud.cloudformation.world},
    )


def load(cloud: "Cloud", saved: bytes) -> None:
    """Let `cloud` hold what was saved, and nothing else."""
    moto_state.reset()  # before anything is loaded: moto closes the files of all objects in S3 that there are
    cloud.gateway.callers.clear()
    state: dict[str, Any] = thaw(saved, {_WORLD: cloud.cloudformation.world})
    moto_state.restore(state["moto"])
    cloud.cloudformation.restore(state["cloudformation"])
    cloud.access.restore(state["access"])
    cloud.organizations.restore(state["organizations"])
    cloud.gateway.faults.restore(state["faults"])
    cloud.configure(state["settings"])
