"""What can be brought back, and what was: the differences that a second look no longer finds."""

from collections.abc import Sequence
from dataclasses import replace

from orbits_cdk.live import StackLook
from orbits_iac.provider import Difference


def healed(before: StackLook, after: StackLook) -> StackLook:
    """The second look, with the differences of the first that are gone marked as remediated."""
    still = {(each.resource, each.path) for each in after.differences}
    gone = tuple(
        replace(each, remediated=True) for each in before.differences if (each.resource, each.path) not in still
    )
    return after.model_copy(update={"differences": (*gone, *after.differences)})


def can_be_brought_back(differences: Sequence[Difference]) -> bool:
    """Whether a deployment would mend any of this: that outputs are others than were recorded, only an update can."""
    return any(not each.path.startswith("outputs.") for each in differences)
