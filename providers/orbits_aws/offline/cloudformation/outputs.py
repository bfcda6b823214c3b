"""A stack's outputs and exports, resolved when all its resources stand."""

from collections.abc import Mapping
from typing import Any

from .errors import ValidationError
from .intrinsics import Scope, text_of
from .model import Goal, Output, Stack
from .world import World


def resolve_outputs(world: World, stack: Stack, goal: Goal, scope: Scope) -> list[Output]:
    """The outputs of a goal. Raises ValidationError for one that cannot be resolved or an export that is taken."""
    outputs = [
        _output(key, declared, scope)
        for key, declared in goal.template.section("Outputs").items()
        if "Condition" not in declared or scope.condition(str(declared["Condition"]))
    ]
    exports = world.exports(stack.account, stack.region)
    for output in outputs:
        owner = exports.get(output.export or "")
        if owner is not None and owner[0] is not stack:
            raise ValidationError(f"Export with name {output.export} is already exported by stack {owner[0].name}")
    old, new = ({one.export: one.value for one in listed if one.export} for listed in (stack.outputs, outputs))
    refuse_used(world, stack, set(old) - set(new), "deleted")
    refuse_used(world, stack, {name for name in old if name in new and old[name] != new[name]}, "updated")
    return outputs


def refuse_used(world: World, stack: Stack, names: set[str], verb: str) -> None:
    """Raise ValidationError if another stack uses one of a stack's exports, which is to go or to change."""
    for other in world.stacks(stack.account, stack.region):
        if other is not stack and (used := sorted(names & other.imports)):
            raise ValidationError(f"Export {used[0]} cannot be {verb} as it is in use by {other.name}")


def _output(key: str, declared: Mapping[str, Any], scope: Scope) -> Output:
    export = declared.get("Export")
    description = declared.get("Description")
    value = scope.resolve(declared.get("Value"))
    if isinstance(value, list | Mapping) or value is None:
        raise ValidationError(f"Template format error: Output {key} is malformed. The Value field must be a String")
    return Output(
        key=key,
        value=text_of(value),
        description=None if description is None else str(description),
        export=None if export is None else text_of(scope.resolve(export["Name"])),
    )
