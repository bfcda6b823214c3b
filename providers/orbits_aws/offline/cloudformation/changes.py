"""What bringing a stack to a goal would change: the list that a change set shows. Nothing is written."""

from collections.abc import Mapping
from typing import Any

from .desired import as_text, different, keeps, masked, policy_of, properties_of, replacing, shown_of
from .graph import in_order
from .intrinsics import UNKNOWN, Scope
from .model import STACK_TYPE, Goal, Properties, Stack, StackResource
from .property_changes import known, name_causes, property_changes, tags_of
from .template import ResourceDefinition
from .world import Known, World

Live = Mapping[str, Properties | None]
Changes = list[dict[str, Any]]


class Planned(Known):
    """What will be known of the resources: nothing of those that are to be made or replaced."""

    def __init__(self, stack: Stack, unknown: set[str]) -> None:
        super().__init__(stack)
        self._unknown = unknown

    def ref(self, logical_id: str) -> Any:
        return UNKNOWN if logical_id in self._unknown else super().ref(logical_id)

    def attribute(self, logical_id: str, name: str) -> Any:
        return UNKNOWN if logical_id in self._unknown else super().attribute(logical_id, name)


def changes_to(
    world: World, stack: Stack, goal: Goal, live: Live | None = None, imports: Mapping[str, str] | None = None
) -> Changes:
    """The changes, as DescribeChangeSet lists them.

    `live`: what was read, where drift is to be brought back. `imports`: the physical ids of what is to be taken.
    """
    live, imports = live or {}, imports or {}
    unknown: set[str] = set(goal.template.resources) - set(stack.resources)
    scope = world.scope(stack, goal, Planned(stack, unknown))
    active = {
        name: definition
        for name, definition in goal.template.resources.items()
        if definition.condition is None or scope.condition(definition.condition)
    }
    old_values = stack.goal.parameters if stack.goal else {}
    changed = {key for key, one in goal.parameters.items() if key in old_values and old_values[key].value != one.value}
    changes: Changes = []
    for name in in_order({name: definition.depends_on for name, definition in active.items()}):
        existing = stack.resources.get(name)
        if existing is not None and existing.unmade:
            existing = None
        if existing is None or (name in live and live[name] is None):
            unknown.add(name)
            change = _added(active[name], existing, scope, goal)
            if name in imports:
                change |= {"Action": "Import", "PhysicalResourceId": imports[name]}
            changes.append(change)
            continue
        modified = _modified(active[name], existing, scope, goal, live.get(name))
        if modified is not None:
            name_causes(modified, active[name], changed)
            if modified["Replacement"] == "True" or active[name].type == STACK_TYPE:
                unknown.add(name)
            changes.append(modified)
    changes += [_removed(resource) for name, resource in stack.resources.items() if name not in active]
    return [{"Type": "Resource", "ResourceChange": change} for change in changes]


def is_change(world: World, stack: Stack, goal: Goal, changes: Changes | None = None) -> bool:
    """Whether a goal differs from what the stack is: in its resources, outputs, parameters or tags."""
    if stack.goal is None or (changes_to(world, stack, goal) if changes is None else changes):
        return True
    old = stack.goal
    return (
        old.template.section("Outputs") != goal.template.section("Outputs")
        or {name: value.value for name, value in old.parameters.items()}
        != {name: value.value for name, value in goal.parameters.items()}
        or dict(old.tags) != dict(goal.tags)
        or old.notification_arns != goal.notification_arns
    )


def _added(definition: ResourceDefinition, existing: StackResource | None, scope: Scope, goal: Goal) -> dict[str, Any]:
    after = properties_of(definition, goal, scope)
    change: dict[str, Any] = {
        "Action": "Add",
        "LogicalResourceId": definition.logical_id,
        "ResourceType": definition.type,
        "Scope": [],
        "Details": [],
        "AfterContext": as_text({"Properties": shown_of(definition, goal, scope, after)}),
    }
    if existing is not None:
        change |= {"PhysicalResourceId": existing.physical_id, "ResourceDriftStatus": "DELETED"}
    return change


def _modified(
    definition: ResourceDefinition, existing: StackResource, scope: Scope, goal: Goal, live: Properties | None
) -> dict[str, Any] | None:
    after = properties_of(definition, goal, scope)
    before = existing.properties if live is None else live
    names = different(before, after)
    recreate = replacing(existing.type, before, after)
    deletion, replacement = policy_of(definition, scope)
    scopes = [
        scope_name
        for scope_name, differs in (
            ("Properties", any(name != tags_of(existing.type) for name in names)),
            ("Tags", tags_of(existing.type) in names),
            ("Metadata", existing.metadata != definition.metadata),
            ("DeletionPolicy", existing.deletion_policy != deletion),
            ("UpdateReplacePolicy", existing.update_replace_policy != replacement),
        )
        if differs
    ]
    if not scopes and existing.type == definition.type:
        return None
    dynamic = {name for name in names if not known(after.get(name))}
    sure = recreate - dynamic
    old, new = masked(before, existing), shown_of(definition, goal, scope, after)
    details = [detail for name in names for detail in property_changes(definition, existing, name, (old, new))]
    change: dict[str, Any] = {
        "Action": "Modify",
        "LogicalResourceId": existing.logical_id,
        "PhysicalResourceId": existing.physical_id,
        "ResourceType": existing.type,
        "Replacement": "True" if sure else "Conditional" if recreate else "False",
        "Scope": scopes,
        "Details": details,
        "BeforeContext": as_text({"Properties": old}),
        "AfterContext": as_text({"Properties": new}),
    }
    if recreate:
        change["PolicyAction"] = "ReplaceAndRetain" if replacement == "Retain" else "ReplaceAndDelete"
    if live is not None:
        drifted = different(existing.properties, live)
        change["ResourceDriftStatus"] = "MODIFIED" if drifted else "IN_SYNC"
    return change


def _removed(resource: StackResource) -> dict[str, Any]:
    return {
        "Action": "Remove",
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "PolicyAction": "Retain" if keeps(resource.deletion_policy) else "Delete",
        "Scope": [],
        "Details": [],
        "BeforeContext": as_text({"Properties": resource.shown}),
    }
