"""One resource of a stack as it is, compared with what was deployed.

By the reader of its type; what that does not cover, and types without one, through Cloud Control. What Cloud Control
does not offer either, or does not find, is left to CloudFormation's own detection, by the caller.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from orbits_aws.errors import AwsRefused
from orbits_aws.readers import Aws, Beside, Reader, reader
from orbits_aws.readers.cloud_control import NotFound, NotOffered, as_given_back, compare_with_live, read
from orbits_aws.readers.service_managed import by_the_service
from orbits_cdk.cloudformation import Stack
from orbits_cdk.detection import Left
from orbits_cdk.resolve import World, is_made, resolve
from orbits_iac.provider import Comparison, Difference, Unknown, compare, json_text

_NOTHING = frozenset({"AWS::CDK::Metadata", "AWS::CloudFormation::WaitConditionHandle"})  # there is nothing behind them
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")


@dataclass(frozen=True)
class Seen:
    """What was found of a resource, and what of it is left to CloudFormation's detection."""

    found: Comparison
    left: Left | None = None


def look_at_resource(
    aws: Aws, name: str, declared: Mapping[str, Any], world: World, stack: Stack, *, within: str = ""
) -> Seen:
    """What of a resource of the template is otherwise; `within` is what its name is said after: the nested stack's."""
    kind, said = str(declared["Type"]), f"{within}{name}"
    made = is_made(declared, world)
    if isinstance(made, Unknown):
        return Seen(_named(Comparison(unchecked=(made.why,)), said, kind))
    if not made or kind in _NOTHING:
        return Seen(Comparison())
    if kind.startswith(_CUSTOM):
        why = "what a custom resource has made, only its own code knows"
        return Seen(_named(Comparison(unchecked=(why,)), said, kind))
    physical_id = world.physical_ids.get(name)
    if physical_id is None:
        return Seen(removed(said, kind))
    recorded = resolve(declared.get("Properties", {}), world)
    return _read(aws, said, kind, physical_id, recorded, stack, partial(_beside, name, world))


def _read(
    aws: Aws, name: str, kind: str, physical_id: str, recorded: Mapping[str, Any], stack: Stack, beside: Beside
) -> Seen:
    known = reader(kind)
    try:
        if known is None:
            return _sure(_by_cloud_control(aws, kind, physical_id, recorded, stack), name, kind)
        live = known.read(aws, physical_id, recorded)
    except (NotOffered, NotFound) as error:
        return Seen(Comparison(), Left(type=kind, why=f"no reader for this type; {error}"))
    except AwsRefused as error:
        return Seen(_named(Comparison(unchecked=(f"it could not be read: {error}",)), name, kind))
    if live is None:
        return Seen(removed(name, kind))
    live = known.own(live, physical_id, recorded, beside)
    found = _named(_by_reader(known, recorded, _without_stack_tags(live, recorded, stack)), name, kind)
    rest = {each: value for each, value in recorded.items() if each not in known.covers and each not in known.unread}
    if not rest:
        return Seen(found)
    more = _sure(_rest(aws, kind, physical_id, rest), name, kind)
    return Seen(found.joined(more.found), more.left)


def _sure(found: Comparison, name: str, kind: str) -> Seen:
    """What Cloud Control found, but for what it did not give: that may be gone, or never be given back.

    An item of a list that was given is gone.
    """
    absent = [each for each in found.differences if each.live == "null" and not each.path.endswith("]")]
    if not absent:
        return Seen(_named(found, name, kind))
    tops = {each.path for each in absent if "." not in each.path and "[" not in each.path}
    sure = replace(
        found,
        differences=tuple(each for each in found.differences if each not in absent),
        checked=found.checked - len(tops),
    )
    left = Left(type=kind, why="Cloud Control does not give it", paths=tuple(each.path for each in absent))
    return Seen(_named(sure, name, kind), left)


def _by_reader(known: Reader, recorded: Mapping[str, Any], live: Mapping[str, Any]) -> Comparison:
    asked = {name: value for name, value in recorded.items() if name in known.covers or name in known.unread}
    unread = {name: Unknown(known.unread[name]) for name in asked if name in known.unread}
    return compare(asked, {**live, **unread}, known.rules.ignoring(by_the_service(known.type)))


def _by_cloud_control(aws: Aws, kind: str, physical_id: str, recorded: Mapping[str, Any], stack: Stack) -> Comparison:
    live, schema = read(aws, kind, physical_id, recorded)
    own = _without_stack_tags(live, recorded, stack, schema.tags)
    return compare_with_live(as_given_back(kind, recorded), own, schema, ignore=by_the_service(kind))


def _rest(aws: Aws, kind: str, physical_id: str, rest: Mapping[str, Any]) -> Comparison:
    """Properties that the reader of the type does not cover."""
    try:
        live, schema = read(aws, kind, physical_id, rest)
    except (NotOffered, NotFound) as error:
        return Comparison(unchecked=tuple(f"{each}: not read by the reader of its type; {error}" for each in rest))
    return compare_with_live(rest, {name: live[name] for name in rest if name in live}, schema)


def _beside(own: str, world: World, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The other resources of a type that exist, with their properties as they were deployed."""
    for name, declared in world.template.get("Resources", {}).items():
        if name != own and declared.get("Type") == kind and name in world.physical_ids:
            yield world.physical_ids[name], resolve(declared.get("Properties", {}), world)


def removed(name: str, kind: str) -> Comparison:
    """That a resource is not there any more."""
    gone = Difference(path="", recorded=json_text("there"), live="null", resource=name, type=kind)
    return Comparison(differences=(gone,), checked=1)


def _named(found: Comparison, name: str, kind: str) -> Comparison:
    """A comparison of properties as one of a resource's."""
    return replace(
        found,
        differences=tuple(replace(each, resource=name, type=kind) for each in found.differences),
        unchecked=tuple(_line(name, kind, each) for each in found.unchecked),
        ignored=tuple(_line(name, kind, each) for each in found.ignored),
    )


def _line(name: str, kind: str, said: str) -> str:
    """`Site AWS::S3::Bucket Tags: why` of a property; `Site AWS::S3::Bucket: why` of the whole resource."""
    path, colon, _ = said.partition(": ")
    of_a_property = bool(colon) and " " not in path
    return f"{name} {kind} {said}" if of_a_property else f"{name} {kind}: {said}"


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
