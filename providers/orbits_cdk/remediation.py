"""What was brought back: the differences that a second look no longer finds."""

from dataclasses import replace

from orbits_cdk.live import StackLook


def healed(before: StackLook, after: StackLook) -> StackLook:
    """The second look, with the differences of the first that are gone marked as remediated."""
    still = {(each.resource, each.path) for each in after.differences}
    gone = tuple(
        replace(each, remediated=True) for each in before.differences if (each.resource, each.path) not in still
    )
    return after.model_copy(update={"differences": (*gone, *after.differences)})
