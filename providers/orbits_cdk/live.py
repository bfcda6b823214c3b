"""What is live, compared with a deployed template: every property is in sync, different, or named as unchecked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from orbits_aws.readers import Aws, Reader, reader
from orbits_cdk.attributes import attribute_of
from orbits_cdk.cloudformation import ABSENT, STACK, Stack, find_stack, template_of
from orbits_cdk.outputs import output_values
from orbits_cdk.payload import StackPayload
from orbits_cdk.resolve import World, is_made, resolve
from orbits_iac.provider import Comparison, Difference, Rules, Unknown, compare, json_text


class StackLook(BaseModel):
    """What a look at a stack found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    differences: tuple[Difference, ...] = ()
    unchecked: tuple[str, ...] = ()
    checked: int = 0
    busy: str = ""  # the state in which the stack cannot be looked at


@dataclass(frozen=True, kw_only=True)
class Where:
    """The account and region that are looked at."""

    account: str
    region: str
    partition: str = "aws"


def look_at(aws: Aws, payload: StackPayload, where: Where, published: Mapping[str, Any]) -> StackLook:
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
    summaries = _summaries(cfn, stack)
    world = _world(payload, stack, where, {name: each["PhysicalResourceId"] for name, each in summaries.items()})
    looks = [_resource(aws, name, each, world, stack) for name, each in sorted(payload.resources().items())]
    looks.append(_outputs(payload, stack, published))
    looks.append(_added(cfn, payload, stack))
    return StackLook(
        differences=tuple(each for look in looks for each in look.differences),
        unchecked=tuple(each for look in looks for each in look.unchecked),
        checked=sum(look.checked for look in looks),
    )


def _summaries(cfn: Any, stack: Stack) -> dict[str, Any]:
    summaries = cfn.items("list_stack_resources", "StackResourceSummaries", StackName=stack.name)
    return {
        each["LogicalResourceId"]: each
        for each in summaries
        if each.get("PhysicalResourceId") and each["ResourceStatus"] != ABSENT
    }


def _world(payload: StackPayload, stack: Stack, where: Where, physical_ids: Mapping[str, str]) -> World:
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
        physical_ids=physical_ids,
        attribute=attribute_of(where.partition, where.region, where.account),
    )


def _resource(aws: Aws, name: str, declared: Mapping[str, Any], world: World, stack: Stack) -> Comparison:
    kind = str(declared["Type"])
    made = is_made(declared, world)
    if isinstance(made, Unknown):
        return Comparison(unchecked=(f"{name} {kind}: {made.why}",))
    if not made:
        return Comparison()
    known = reader(kind)
    if known is None:
        return Comparison(unchecked=(f"{name} {kind}: no reader for this type",))
    physical_id = world.physical_ids.get(name)
    if physical_id is None:
        return _removed(name, kind)
    recorded = resolve(declared.get("Properties", {}), world)
    live = known.read(aws, physical_id, recorded)
    if live is None:
        return _removed(name, kind)
    return _compared(name, known, recorded, _without_stack_tags(live, recorded, stack))


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


def _removed(name: str, kind: str) -> Comparison:
    gone = Difference(path="", recorded=json_text("there"), live="null", resource=name, type=kind)
    return Comparison(differences=(gone,), checked=1)


def _compared(name: str, known: Reader, recorded: Mapping[str, Any], live: Mapping[str, Any]) -> Comparison:
    unread = {each: Unknown(why) for each in recorded if (why := known.why_unread(each)) is not None}
    found = compare(recorded, {**live, **unread}, known.rules)
    return Comparison(
        differences=tuple(replace(each, resource=name, type=known.type) for each in found.differences),
        unchecked=tuple(f"{name} {known.type} {each}" for each in found.unchecked),
        checked=found.checked,
    )


def _without_stack_tags(live: Mapping[str, Any], recorded: Mapping[str, Any], stack: Stack) -> Mapping[str, Any]:
    """The live properties without the tags that CloudFormation hands down from the stack."""
    tags = live.get("Tags")
    if not isinstance(tags, list):
        return live
    own = {each.get("Key") for each in recorded.get("Tags") or () if isinstance(each, Mapping)}
    handed_down = [each for each in tags if each["Key"] not in own and stack.tags.get(each["Key"]) == each["Value"]]
    return {**live, "Tags": [each for each in tags if each not in handed_down]}
