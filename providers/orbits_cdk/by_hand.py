"""What somebody has changed of the resources that an update is about to write: shown before it is overwritten.

CloudFormation compares two templates. What is live is in neither, so a fix that was made by hand goes with the first
update of its resource, in silence. Asked by previews, and by deployments just before a change set is executed.
"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from orbits_aws.readers import Aws
from orbits_cdk.cloudformation import find_stack, template_of
from orbits_cdk.live import Where, world_of
from orbits_cdk.payload import StackPayload
from orbits_cdk.resource import look_at_resource
from orbits_iac.provider import Change, Difference, PropertyChange, Verb


def changed_by_hand(aws: Aws, stack_name: str, where: Where, names: Collection[str]) -> tuple[Difference, ...]:
    """What of these resources is otherwise than the template says that was deployed last, as far as it can be read.

    CloudFormation's own detection is not waited for. What is gone is not named: the deployment will say so.
    """
    cfn = aws("cloudformation")
    stack = find_stack(cfn, stack_name)
    template = template_of(cfn, stack_name) if stack is not None and names else None
    if stack is None or template is None:
        return ()
    payload = StackPayload(stack_name=stack.name, region=where.region, template=template)
    world = world_of(cfn, payload, stack, where)
    found = [
        look_at_resource(aws, name, declared, world, stack)
        for name, declared in payload.resources().items()
        if name in names
    ]
    return tuple(d for one in found for d in one.found.differences if d.path)


def written(changes: Collection[Any]) -> frozenset[str]:
    """The resources that a change set changes in place."""
    resources = (change["ResourceChange"] for change in changes if "ResourceChange" in change)
    return frozenset(str(each["LogicalResourceId"]) for each in resources if each["Action"] == "Modify")


def shown_in(change: Change, found: Collection[Difference]) -> Change:
    """A plan of a stack with what was changed by hand of each resource that it writes."""
    below = tuple(_with(each, [d for d in found if d.resource == each.ref]) for each in change.below)
    return replace(change, below=below)


def sentence(found: Difference) -> str:
    """One difference, for people."""
    return (
        f"{found.resource} {found.path}: it was changed from {found.recorded} to {found.live} by hand, and this update "
        f"may overwrite that"
    )


def _with(part: Change, found: list[Difference]) -> Change:
    if part.verb not in {Verb.UPDATE, Verb.REPLACE} or not found:
        return part
    properties = tuple(_over(each, found) for each in part.properties)
    beside = [d.path for d in found if not any(_overlap(each.path, d.path) for each in part.properties)]
    said = f"changed by hand, and may be overwritten: {', '.join(beside)}" if beside else ""
    return replace(part, properties=properties, detail="; ".join(filter(None, (part.detail, said))))


def _over(change: PropertyChange, found: list[Difference]) -> PropertyChange:
    live = next((d.live for d in found if _overlap(change.path, d.path)), None)
    return change if live is None else replace(change, live=live)


def _overlap(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer == shorter or longer.startswith((f"{shorter}.", f"{shorter}["))
