"""What is live, compared with a deployed template: every property is in sync, different, or named as unchecked.

Each resource is looked at by itself; what nothing but CloudFormation's own detection can read waits for that. What
cannot be read, or may not be, is unchecked, with what everybody who was asked has said.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from orbits_aws.readers import Aws
from orbits_cdk.attributes import attribute_of
from orbits_cdk.cloudformation import STACK, Stack, exports, find_stack, physical_ids, template_of
from orbits_cdk.detection import Detecting, begin, go_on
from orbits_cdk.outputs import output_values
from orbits_cdk.payload import StackPayload
from orbits_cdk.resolve import World
from orbits_cdk.resource import Seen, look_at_resource, removed
from orbits_iac.provider import Comparison, Difference, Rules, compare, json_text


class StackLook(BaseModel):
    """What a look at a stack found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    checked: int = 0
    busy: str = ""  # the state in which the stack cannot be looked at

    def joined(self, others: Iterable[Comparison]) -> "StackLook":
        """This and what comparisons have found beside."""
        all_of: list[StackLook | Comparison] = [self, *others]
        return self.model_copy(
            update={
                "differences": tuple(each for one in all_of for each in one.differences),
                "unchecked": tuple(each for one in all_of for each in one.unchecked),
                "ignored": tuple(each for one in all_of for each in one.ignored),
                "checked": sum(one.checked for one in all_of),
            }
        )


class Looking(BaseModel):
    """A look that waits for CloudFormation's detection, with what it has found already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: StackLook
    detecting: Detecting


@dataclass(frozen=True, kw_only=True)
class Where:
    """The account and region that are looked at."""

    account: str
    region: str
    partition: str = "aws"


def look_at(aws: Aws, payload: StackPayload, where: Where, published: Mapping[str, Any]) -> StackLook | Looking:
    """Read each resource of the deployed template and compare it with what the template says.

    `published` are the recorded outputs: what was made anew may have another name than others were told.
    """
    cfn = aws("cloudformation")
    stack = find_stack(cfn, payload.stack_name)
    if stack is None:
        gone = Difference(path="", recorded=json_text(payload.stack_name), live="null", type=STACK)
        return StackLook(differences=(gone,))
    if stack.busy:
        return StackLook(busy=stack.status)
    seen = dict(_each(aws, payload, stack, where))
    left = {name: each.left for name, each in seen.items() if each.left is not None}
    found = StackLook().joined(
        [*(each.found for each in seen.values()), _outputs(payload, stack, published), _added(cfn, payload, stack)]
    )
    return _gone_on(found, begin(cfn, Detecting(stack=stack.id, left=left))) if left else found


def _each(aws: Aws, payload: StackPayload, stack: Stack, where: Where, within: str = "") -> Iterator[tuple[str, Seen]]:
    """Each resource of a stack and of those nested in it, whose names follow that of the nested stack and a slash."""
    world = world_of(aws("cloudformation"), payload, stack, where)
    for name, declared in sorted(payload.resources().items()):
        if declared["Type"] == STACK and name in world.physical_ids:
            yield from _nested(aws, world.physical_ids[name], where, f"{within}{name}")
        else:
            seen = look_at_resource(aws, name, declared, world, stack, within=within)
            yield f"{within}{name}", _without_detection(f"{within}{name}", seen) if within else seen


def _nested(aws: Aws, stack_id: str, where: Where, name: str) -> Iterator[tuple[str, Seen]]:
    """A nested stack, compared with the template that it was deployed with last."""
    cfn = aws("cloudformation")
    stack = find_stack(cfn, stack_id)
    if stack is None:
        yield name, Seen(removed(name, STACK))
        return
    template = template_of(cfn, stack_id)
    if template is None:
        yield name, Seen(Comparison(unchecked=(f"{name} {STACK}: its template is no JSON",)))
        return
    payload = StackPayload(stack_name=stack.id, region=where.region, template=template)
    yield from _each(aws, payload, stack, where, f"{name}/")


def _without_detection(name: str, seen: Seen) -> Seen:
    """CloudFormation's detection is for one stack; in nested ones it is not asked for."""
    if seen.left is None:
        return seen
    why = "CloudFormation's detection is not asked for inside nested stacks"
    return Seen(seen.found.joined(seen.left.unchecked(name, why)))


def look_on(aws: Aws, looking: Looking) -> StackLook | Looking:
    """Go on with a look that waits for CloudFormation's detection."""
    return _gone_on(looking.found, go_on(aws("cloudformation"), looking.detecting))


def _gone_on(found: StackLook, detected: Detecting | Comparison) -> StackLook | Looking:
    if isinstance(detected, Detecting):
        return Looking(found=found, detecting=detected)
    return found.joined([detected])


def world_of(cfn: Any, payload: StackPayload, stack: Stack, where: Where) -> World:
    """What is known of a stack that was deployed from this template: enough to work out what it was meant to be."""
    follows = attribute_of(where.partition, where.region, where.account)

    @cache
    def outputs(stack_id: str) -> Mapping[str, str]:
        nested = find_stack(cfn, stack_id)
        return {} if nested is None else nested.outputs

    def attribute(resource: Mapping[str, Any], physical_id: str, name: str) -> str | None:
        if resource.get("Type") == STACK and name.startswith("Outputs."):
            return outputs(physical_id).get(name.removeprefix("Outputs."))
        return follows(resource, physical_id, name)

    exported = cache(partial(exports, cfn))  # asked for once, where something is imported
    return World(
        template=payload.template,
        parameters={**payload.parameters, **stack.parameters},
        pseudo={
            "AWS::AccountId": where.account,
            "AWS::NotificationARNs": [],
            "AWS::Partition": where.partition,
            "AWS::Region": where.region,
            "AWS::StackId": stack.id,
            "AWS::StackName": stack.name,
            "AWS::URLSuffix": "amazonaws.com.cn" if where.partition == "aws-cn" else "amazonaws.com",
        },
        physical_ids=physical_ids(cfn, stack.name),
        attribute=attribute,
        looked_up=stack.looked_up,
        export=lambda name: exported().get(name),
    )


def _outputs(payload: StackPayload, stack: Stack, published: Mapping[str, Any]) -> Comparison:
    """The recorded outputs against the stack's; they count as one property each only where they differ."""
    live = output_values(payload, stack.outputs)
    found = compare({name: published.get(name) for name in live}, live, Rules(whole=True))
    changed = tuple(replace(each, path=f"outputs.{each.path}", type=STACK) for each in found.differences)
    return Comparison(differences=changed)


def _added(cfn: Any, payload: StackPayload, stack: Stack) -> Comparison:
    """Resources that somebody added to the stack by deploying another template."""
    deployed = (template_of(cfn, stack.name) or {}).get("Resources", {})
    new = [name for name in deployed if name not in payload.resources()]
    return Comparison(
        differences=tuple(
            Difference(path="", recorded="null", live=json_text("there"), resource=name, type=deployed[name]["Type"])
            for name in new
        )
    )
