"""Taking what exists into a stack: which resources a change set imports, and what is refused about them.

A resource to import is named by its type's primary identifier, which is its physical id. It has to exist, to be no
other stack's, and to have a deletion policy, so that nothing is lost when the stack goes. Nothing is written here.
"""

from collections.abc import Mapping
from typing import Any

from .changes import Changes
from .desired import fresh_resource, handler_of, keeps, properties_of
from .errors import ValidationError
from .model import Goal, Stack, StackResource
from .resources.contract import Unreadable
from .schemas import schema_of
from .template import Template
from .work import read_live
from .world import World

Imports = Mapping[str, str]
"""The resources to take: logical id to physical id."""


def imports_of(template: Template, asked: list[Mapping[str, Any]], stack: Stack | None) -> Imports:
    """ResourcesToImport as physical ids. Raises ValidationError for what the service refuses at once."""
    if not asked:
        raise ValidationError("ResourcesToImport must be specified for change sets of type IMPORT")
    found: dict[str, str] = {}
    for item in asked:
        name, kind = str(item["LogicalResourceId"]), str(item["ResourceType"])
        definition = template.resources.get(name)
        if definition is None or definition.type != kind:
            raise ValidationError(f"Resources to import [{name}] of type [{kind}] are missing from the template")
        if stack is not None and name in stack.resources:
            raise ValidationError(f"Resources to import [{name}] already exist in stack {stack.id}")
        found[name] = _identified(name, kind, item.get("ResourceIdentifier") or {}, definition.properties)
    if bare := [name for name in found if template.resources[name].deletion_policy is None]:
        raise ValidationError(
            f"The following resources to import [{', '.join(bare)}] must have DeletionPolicy attribute specified in "
            "the template."
        )
    return found


def _identified(name: str, kind: str, identifier: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
    schema = schema_of(kind)
    wanted = [path[-1] for path in schema.identifier] if schema else []
    if sorted(identifier) != sorted(wanted):
        raise ValidationError(
            f"Invalid resource identifier for resource [{name}]: expected [{', '.join(wanted)}], "
            f"got [{', '.join(sorted(identifier))}]"
        )
    for key, value in identifier.items():
        if isinstance(properties.get(key), str) and properties[key] != str(value):
            raise ValidationError(
                f"Resource identifier [{key}: {value}] of resource [{name}] does not match the value in the template "
                f"[{properties[key]}]"
            )
    return handler_of(kind).physical_id({key: str(identifier[key]) for key in wanted})


def check_import(world: World, stack: Stack, goal: Goal, imports: Imports, changes: Changes) -> None:
    """Whether the resources can be taken, and nothing else is changed by it. Raises ValidationError."""
    others = [
        change["ResourceChange"]["LogicalResourceId"]
        for change in changes
        if change["ResourceChange"]["Action"] != "Import"
    ]
    if others:
        raise ValidationError(
            f"You have modified resources [{', '.join(others)}] in your template that are not being imported. Update, "
            "create or delete operations cannot be executed during import operations."
        )
    before = stack.goal.template.section("Outputs") if stack.goal else {}
    after = goal.template.section("Outputs")
    if any(before.get(key) != value for key, value in after.items()):
        raise ValidationError("As part of the import operation, you cannot modify or add [Outputs]")
    scope = world.scope(stack, goal)
    for name, physical_id in imports.items():
        definition = goal.template.resources[name]
        check_free(world, stack, definition.type, physical_id)
        resource = fresh_resource(definition, properties_of(definition, goal, scope), ("Retain", "Retain"))
        if not exists(world, stack, resource, physical_id):
            raise ValidationError(
                f"Resource import validation failed: {definition.type} with identifier [{physical_id}] does not exist"
            )


def check_free(world: World, stack: Stack, kind: str, physical_id: str) -> None:
    """Raise ValidationError if a stack has the resource already."""
    for other in world.stacks(stack.account, stack.region):
        for resource in other.resources.values():
            if (resource.type, resource.physical_id) == (kind, physical_id):
                raise ValidationError(f"{physical_id} already exists in stack {other.id}")


def exists(world: World, stack: Stack, resource: StackResource, physical_id: str) -> bool:
    """Whether there is such a resource. Raises ValidationError for a type that cannot be imported."""
    resource.physical_id = physical_id
    try:
        return read_live(world, stack, resource) is not None
    except Unreadable as failure:
        raise ValidationError(f"ResourceTypes [{resource.type}] are not supported for Import") from failure


def existing_by_name(world: World, stack: Stack, goal: Goal) -> Imports:
    """What ImportExistingResources takes: new resources of a retaining policy whose name of their own is in use."""
    found: dict[str, str] = {}
    for name, definition in goal.template.resources.items():
        schema, named_by = schema_of(definition.type), handler_of(definition.type).named_by
        physical_id = definition.properties.get(named_by or "")
        if (
            name in stack.resources
            or schema is None
            or schema.identifier != ((named_by,),)
            or not isinstance(physical_id, str)
            or not keeps(str(definition.deletion_policy))
        ):
            continue
        resource = fresh_resource(definition, {}, ("Retain", "Retain"))
        if exists(world, stack, resource, physical_id):
            check_free(world, stack, definition.type, physical_id)
            found[name] = physical_id
    return found
