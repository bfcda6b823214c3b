"""What a goal means for a resource: its resolved properties, its policies, and what differs from before. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from .errors import NothingDone, ValidationError
from .intrinsics import UNKNOWN, Scope, text_of
from .model import Goal, Properties, StackResource
from .resources import TYPES, ResourceType
from .resources.contract import tag_list, tag_map
from .schemas import at, known, schema_of
from .template import ResourceDefinition, Template, attributes_named
from .validation import problems, reason

IAM_TYPES = frozenset(
    {
        "AWS::IAM::AccessKey",
        "AWS::IAM::Group",
        "AWS::IAM::InstanceProfile",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Policy",
        "AWS::IAM::Role",
        "AWS::IAM::User",
        "AWS::IAM::UserToGroupAddition",
    }
)
_CUSTOM = ("Custom::", "AWS::CloudFormation::CustomResource")
_LAUNCHES = "AWS::AutoScaling::AutoScalingGroup"  # its tags say whether what it launches has them too
_NAMES = ("GroupName", "ManagedPolicyName", "RoleName", "UserName", "InstanceProfileName")


def check_types(template: Template) -> None:
    """Refuse a template with types that no stack can hold here. Raises ValidationError."""
    types = sorted({resource.type for resource in template.resources.values()} - set(TYPES))
    if not types:
        return
    refused = f"Template format error: Unrecognized resource types: [{', '.join(types)}]"
    if any(name.startswith(_CUSTOM) for name in types):
        own = ", ".join(sorted(name for name in TYPES if name.startswith("Custom::")))
        refused += f". The offline AWS runs no functions: of custom resources it has CDK's own alone, {own}"
    elif any(known(name) for name in types):
        refused += ". AWS has them, the offline AWS does not"
    raise ValidationError(refused)


def check_attributes(template: Template) -> None:
    """Refuse Fn::GetAtt of attributes that the type does not have. Raises ValidationError."""
    values = [*(resource.properties for resource in template.resources.values()), template.section("Outputs")]
    for logical_id, attribute in attributes_named(values):
        resource = template.resources.get(logical_id)
        schema = schema_of(resource.type) if resource else None
        if (
            schema is not None
            and not attribute.startswith("Outputs.")
            and attribute.split(".")[0] not in schema.properties
        ):
            raise ValidationError(
                f"Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt"
            )


def required_capabilities(template: Template) -> list[str]:
    """The capabilities of which the caller has to hand over at least one; empty if none is needed."""
    resources = [resource for resource in template.resources.values() if resource.type in IAM_TYPES]
    if not resources:
        return []
    named = any(name in resource.properties for resource in resources for name in _NAMES)
    return ["CAPABILITY_NAMED_IAM"] if named else ["CAPABILITY_NAMED_IAM", "CAPABILITY_IAM"]


def handler_of(type_name: str) -> ResourceType:
    """The handler of a type that `check_types` let pass."""
    return TYPES[type_name]


def properties_of(definition: ResourceDefinition, goal: Goal, scope: Scope) -> Properties:
    """The resolved properties, with the stack's tags where the type takes tags."""
    properties: dict[str, Any] = scope.resolve(definition.properties)
    schema = schema_of(definition.type)
    if not goal.tags or schema is None or schema.tag_property is None:
        return properties
    if properties.get(schema.tag_property) is UNKNOWN:
        return properties
    given = properties.get(schema.tag_property)
    own = tag_map(properties, schema.tag_property)
    more = {name: value for name, value in goal.tags.items() if name not in own}
    if schema.tags_as_map:
        return {**properties, schema.tag_property: {**more, **own}}
    listed: list[dict[str, Any]] = [*tag_list(more)]
    if definition.type == _LAUNCHES:
        listed = [{**tag, "PropagateAtLaunch": True} for tag in listed]
    return {**properties, schema.tag_property: [*(given or []), *listed]}


def shown_of(definition: ResourceDefinition, goal: Goal, scope: Scope, properties: Properties) -> Properties:
    """The properties as they are shown: values of parameters with NoEcho masked, dynamic references as written."""
    if not scope.secrets and "{{resolve:" not in goal.template.body:
        return properties
    return properties_of(definition, goal, scope.shown())


def masked(properties: Properties, resource: StackResource) -> Properties:
    """Values of a resource, those that are not to be shown as they stand in its template."""
    recorded, shown = resource.properties, resource.shown
    return {
        name: value if recorded.get(name) == shown.get(name) else shown.get(name) for name, value in properties.items()
    }


def check_properties(type_name: str, properties: Properties, logical_id: str | None = None) -> None:
    """Refuse properties that the type's schema does not allow, or that the offline AWS does not carry out.

    Raises NothingDone with the service's words.
    """
    handler, schema = TYPES[type_name], schema_of(type_name)
    left_out = set(properties) - handler.carried_out() - handler.ignored
    if schema is not None:
        left_out = {name for name in left_out & schema.properties if (name,) not in schema.read_only}
    for name in sorted(left_out):
        raise NothingDone(f"The offline AWS does not carry out property {name} of {type_name}")
    if found := problems(type_name, properties):
        raise NothingDone(reason(logical_id, found))


def replacing(type_name: str, before: Properties, after: Properties) -> frozenset[str]:
    """The top-level properties whose change means a new resource; unknown values count as changed."""
    schema = schema_of(type_name)
    paths = schema.create_only if schema else frozenset[tuple[str, ...]]()
    found = {path[0] for path in paths if not same(at(before, path), at(after, path))}
    found |= {name for name in TYPES[type_name].replaced_by if not same(before.get(name), after.get(name))}
    return frozenset(found)


def different(before: Properties, after: Properties) -> list[str]:
    """The top-level properties that differ, in alphabetical order."""
    return sorted(name for name in {*before, *after} if not same(before.get(name), after.get(name)))


def same(first: Any, second: Any) -> bool:
    """Whether two values mean the same: 60 and "60", true and "true", maps member by member, lists item by item."""
    if first is UNKNOWN or second is UNKNOWN:
        return False
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return first.keys() == second.keys() and all(same(first[name], second[name]) for name in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    if first is None or second is None or isinstance(first, Mapping | list) or isinstance(second, Mapping | list):
        return first is second
    return text_of(first) == text_of(second)


def policy_of(definition: ResourceDefinition, scope: Scope) -> tuple[str, str]:
    """The deletion policy and the update-replace policy."""
    deletion = scope.resolve(definition.deletion_policy) or "Delete"
    replacement = scope.resolve(definition.update_replace_policy) or "Delete"
    return str(deletion), str(replacement)


def keeps(policy: str) -> bool:
    """Whether a policy leaves a resource that stood before to its owner."""
    return policy in ("Retain", "RetainExceptOnCreate")


def fresh_resource(
    definition: ResourceDefinition, properties: Properties, policies: tuple[str, str], shown: Properties | None = None
) -> StackResource:
    """A resource as it is before it is made."""
    return StackResource(
        logical_id=definition.logical_id,
        type=definition.type,
        physical_id="",
        properties=properties,
        shown=properties if shown is None else shown,
        attributes={},
        depends_on=definition.depends_on,
        deletion_policy=policies[0],
        update_replace_policy=policies[1],
        metadata=definition.metadata,
    )


def as_text(properties: Properties) -> str:
    """Properties as events and drifts show them."""
    return json.dumps(properties, default=repr, separators=(",", ":"))
