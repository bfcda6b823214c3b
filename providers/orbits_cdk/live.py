"""What is live, compared with a deployed template: every property is in sync, different, or named as unchecked.

A resource is read by the reader of its type; without one through Cloud Control; what that does not offer is left to
CloudFormation's own detection. What none of them can read, or may not, is unchecked, with what each of them said.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from orbits_aws.errors import AwsRefused
from orbits_aws.readers import Aws, Reader, reader
from orbits_aws.readers.cloud_control import NotFound, NotOffered, compare_with_live, read
from orbits_cdk.attributes import attribute_of
from orbits_cdk.cloudformation import ABSENT, STACK, Stack, find_stack, template_of
from orbits_cdk.detection import Detecting, Left, begin, go_on
from orbits_cdk.outputs import output_values
from orbits_cdk.payload import StackPayload
from orbits_cdk.resolve import World, is_made, resolve
from orbits_iac.provider import Comparison, Difference, Rules, Unknown, compare, json_text

_NOTHING = frozenset({"AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle"})  # there is nothing behind them
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")


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
    summaries = _summaries(cfn, stack)
    world = _world(payload, stack, where, {name: each["PhysicalResourceId"] for name, each in summaries.items()})
    looks = {name: _resource(aws, name, each, world, stack) for name, each in sorted(payload.resources().items())}
    left = {name: each for name, each in looks.items() if isinstance(each, Left)}
    found = StackLook().joined(
        [
            *(each for each in looks.values() if isinstance(each, Comparison)),
            _outputs(payload, stack, published),
            _added(cfn, payload, stack),
        ]
    )
    return _gone_on(found, begin(cfn, Detecting(stack=stack.id, left=left))) if left else found


def look_on(aws: Aws, looking: Looking) -> StackLook | Looking:
    """Go on with a look that waits for CloudFormation's detection."""
    return _gone_on(looking.found, go_on(aws("cloudformation"), looking.detecting))


def _gone_on(found: StackLook, detected: Detecting | Comparison) -> StackLook | Looking:
    if isinstance(detected, Detecting):
        return Looking(found=found, detecting=detected)
    return found.joined([detected])


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


def _resource(aws: Aws, name: str, declared: Mapping[str, Any], world: World, stack: Stack) -> Comparison | Left:
    kind = str(declared["Type"])
    made = is_made(declared, world)
    if isinstance(made, Unknown):
        return Comparison(unchecked=(f"{name} {kind}: {made.why}",))
    if not made or kind in _NOTHING:
        return Comparison()
    if kind.startswith(_CUSTOM):
        return Comparison(unchecked=(f"{name} {kind}: what a custom resource has made, only its own code knows",))
    physical_id = world.physical_ids.get(name)
    if physical_id is None:
        return _removed(name, kind)
    recorded = resolve(declared.get("Properties", {}), world)
    known = reader(kind)
    if known is None:
        return _through_cloud_control(aws, name, kind, physical_id, recorded, stack)
    try:
        live = known.read(aws, physical_id, recorded)
    except AwsRefused as error:
        return Comparison(unchecked=(f"{name} {kind}: it could not be read: {error}",))
    if live is None:
        return _removed(name, kind)
    live = known.own(live, physical_id, recorded, partial(_beside, name, world))
    return _compared(name, known, recorded, _without_stack_tags(live, recorded, stack))


def _through_cloud_control(
    aws: Aws, name: str, kind: str, physical_id: str, recorded: Mapping[str, Any], stack: Stack
) -> Comparison | Left:
    """What Cloud Control says; what it says is gone, CloudFormation has to say too."""
    try:
        live, schema = read(aws, kind, physical_id, recorded)
    except (NotOffered, NotFound) as error:
        return Left(type=kind, why=f"no reader for this type; {error}")
    own = _without_stack_tags(live, recorded, stack, schema.tags)
    return _named(compare_with_live(recorded, own, schema), name, kind)


def _beside(own: str, world: World, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The other resources of a type that exist, with their properties as they were deployed."""
    for name, declared in world.template.get("Resources", {}).items():
        if name != own and declared.get("Type") == kind and name in world.physical_ids:
            yield world.physical_ids[name], resolve(declared.get("Properties", {}), world)


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
    return _named(compare(recorded, {**live, **unread}, known.rules), name, known.type)


def _named(found: Comparison, name: str, kind: str) -> Comparison:
    """A comparison of properties as one of a resource's."""
    return replace(
        found,
        differences=tuple(replace(each, resource=name, type=kind) for each in found.differences),
        unchecked=tuple(f"{name} {kind} {each}" for each in found.unchecked),
        ignored=tuple(f"{name} {kind} {each}" for each in found.ignored),
    )


def _without_stack_tags(
    live: Mapping[str, Any], recorded: Mapping[str, Any], stack: Stack, name: str = "Tags"
) -> Mapping[str, Any]:
    """The live properties without the tags that CloudFormation sets, or hands down from the stack; a list, or a map."""

    def stays(key: str, value: Any) -> bool:
        return key in own or not (key.startswith("aws:") or stack.tags.get(key) == value)

    tags, asked = live.get(name), recorded.get(name) or ()
    own = set(asked) if isinstance(asked, Mapping) else {e.get("Key") for e in asked if isinstance(e, Mapping)}
    if isinstance(tags, Mapping):
        return {**live, name: {key: value for key, value in tags.items() if stays(key, value)}}
    if isinstance(tags, list) and all("Key" in each for each in tags):
        return {**live, name: [each for each in tags if stays(each["Key"], each.get("Value"))]}
    return live
