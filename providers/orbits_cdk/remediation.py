"""What can be brought back, what bringing it back would change beside, and what was brought back. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orbits_cdk.live import StackLook
from orbits_cdk.wanted import Loss
from orbits_iac.provider import Difference

_DIRECT = "DirectModification"  # of the template or of what is live; else another resource's change is the cause


def can_be_brought_back(differences: Sequence[Difference]) -> bool:
    """Whether a deployment would mend any of this: that outputs are others than were recorded, only an update can."""
    return any(not each.path.startswith("outputs.") for each in differences)


def shown(differences: Iterable[Difference]) -> list[str]:
    """What may be changed when these are brought back: `Resource` as a whole, or `Resource Property`."""
    places = {f"{each.resource} {each.path.partition('.')[0].partition('[')[0]}".strip() for each in differences}
    return sorted(places)


def beside(changes: Iterable[Mapping[str, Any]], may: frozenset[str]) -> tuple[Loss, ...]:
    """What the resource changes of a drift-aware change set would overwrite though no look has shown it.

    A change set brings back the whole stack: also what somebody did since the look, what no look reads, and what the
    project ignores. What only follows from another resource's change is no overwriting.
    """
    if "" in may:  # the stack itself is gone
        return ()
    found = (
        (change["ResourceChange"], place)
        for change in changes
        if "ResourceChange" in change
        for place in _places(change["ResourceChange"])
    )
    return tuple(
        Loss(resource=each["LogicalResourceId"], why=f"{place} ({each['ResourceType']}) would be overwritten unseen")
        for each, place in found
        if place not in may and each["LogicalResourceId"] not in may
    )


def _places(change: Mapping[str, Any]) -> Iterator[str]:
    name = str(change["LogicalResourceId"])
    if change["Action"] != "Modify":
        yield name
        return
    for detail in change.get("Details", ()):
        target = detail.get("Target", {})
        if detail.get("ChangeSource", _DIRECT) == _DIRECT:
            yield f"{name} {target.get('Name') or target.get('Attribute', '')}".strip()


def healed(before: StackLook, after: StackLook) -> StackLook:
    """The second look, with the differences of the first that are gone marked as remediated."""
    still = {(each.resource, each.path) for each in after.differences}
    gone = tuple(
        replace(each, remediated=True) for each in before.differences if (each.resource, each.path) not in still
    )
    return after.model_copy(update={"differences": (*gone, *after.differences)})


def why_left(before: Sequence[Difference], after: StackLook) -> str:
    """What was to be brought back and was not, by the second look."""
    asked = {(each.resource, each.path) for each in before if not each.path.startswith("outputs.")}
    left = {f"{each.resource} ({each.type})" for each in after.differences if (each.resource, each.path) in asked}
    if not left:
        return ""
    return (
        f"CloudFormation has not brought back {', '.join(sorted(left))}: it does not compare this type with what is "
        f"live, or it was changed again. An update that changes the same properties writes them"
    )
