"""A template's properties as they were meant: intrinsic functions worked out on this side, as far as can be.

Pure: a `World` says what is known. What cannot be worked out becomes `Unknown` with the reason, in its place and no
further, so that everything beside it can still be compared.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orbits_iac.provider import Unknown

NO_VALUE = object()
_VARIABLE = re.compile(r"\$\{([^!][^}]*)\}")


@dataclass(frozen=True, kw_only=True)
class World:
    """What is known while a template is worked out."""

    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    pseudo: Mapping[str, Any]
    physical_ids: Mapping[str, str]
    attribute: Callable[[Mapping[str, Any], str, str], str | None] = field(default=lambda _what, _id, _name: None)
    looked_up: Mapping[str, str] = field(default_factory=dict[str, str])  # parameters that are kept in Systems Manager
    export: Callable[[str], str | None] = field(default=lambda _name: None)


def resolve(value: Any, world: World) -> Any:
    """`value` with its intrinsic functions worked out; `Unknown` where one cannot be."""
    if isinstance(value, str):
        return _filled_in(value)
    if isinstance(value, list):
        items = [resolve(each, world) for each in value]
        return [each for each in items if each is not NO_VALUE]
    if not isinstance(value, Mapping):
        return value
    if len(value) == 1:
        name, argument = next(iter(value.items()))
        if name == "Ref" or name.startswith("Fn::"):
            return _function(name, argument, world)
    properties = {name: resolve(each, world) for name, each in value.items()}
    return {name: each for name, each in properties.items() if each is not NO_VALUE}


def _filled_in(text: str) -> str | Unknown:
    """A text, unless CloudFormation puts something in that is kept elsewhere: a secret, or a parameter."""
    if "{{resolve:" not in text:
        return text
    return Unknown("a dynamic reference is worked out by CloudFormation alone")


def is_made(resource: Mapping[str, Any], world: World) -> bool | Unknown:
    """Whether the resource's condition holds."""
    condition = resource.get("Condition")
    return True if condition is None else _condition({"Condition": condition}, world)


def _function(name: str, argument: Any, world: World) -> Any:
    known = _FUNCTIONS.get(name)
    if known is None:
        return Unknown(f"{name} is worked out by CloudFormation alone")
    try:
        return known(argument, world)
    except (LookupError, TypeError, ValueError) as error:
        return Unknown(f"{name} could not be worked out: {error!r}")


def _ref(name: Any, world: World) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    if name in world.pseudo:
        return world.pseudo[name]
    if name in world.template.get("Parameters", {}):
        return _parameter(name, world)
    if name in world.physical_ids:
        return world.physical_ids[name]
    return Unknown(f"{name} has no physical id that is known")


def _parameter(name: str, world: World) -> Any:
    declared = world.template["Parameters"][name]
    if declared.get("NoEcho"):
        return Unknown(f"the parameter {name} is not echoed")
    text = world.parameters.get(name, declared.get("Default"))
    if text is None:
        return Unknown(f"the parameter {name} is not known")
    kind = str(declared.get("Type", "String"))
    if kind.startswith("AWS::SSM::Parameter::Value"):
        if name not in world.looked_up:
            return Unknown(f"the parameter {name} is kept in Systems Manager")
        text = world.looked_up[name]
    return [each.strip() for each in str(text).split(",")] if "List" in kind else text


def _get_att(argument: Any, world: World) -> Any:
    logical_id, _, name = argument.partition(".") if isinstance(argument, str) else (argument[0], ".", argument[1])
    resource = world.template.get("Resources", {}).get(logical_id, {})
    physical_id = world.physical_ids.get(logical_id)
    if physical_id is None:
        return Unknown(f"{logical_id} has no physical id that is known")
    found = world.attribute(resource, physical_id, str(name))
    return Unknown(f"{logical_id}.{name} is not known without asking CloudFormation") if found is None else found


def _join(argument: Any, world: World) -> Any:
    separator, parts = argument[0], resolve(argument[1], world)
    if isinstance(parts, Unknown):
        return parts
    unknown = next((part for part in parts if isinstance(part, Unknown)), None)
    return unknown or _filled_in(str(separator).join(_text(part) for part in parts))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sub(argument: Any, world: World) -> Any:
    text, variables = (argument, {}) if isinstance(argument, str) else (argument[0], argument[1])
    values: dict[str, Any] = {}
    for name in _VARIABLE.findall(text):
        if name in variables:
            values[name] = resolve(variables[name], world)
        else:
            values[name] = _get_att(name, world) if "." in name else _ref(name, world)
    unknown = next((value for value in values.values() if isinstance(value, Unknown)), None)
    if unknown is not None:
        return unknown
    return _filled_in(_VARIABLE.sub(lambda match: _text(values[match.group(1)]), text).replace("${!", "${"))


def _import(argument: Any, world: World) -> Any:
    name = resolve(argument, world)
    if isinstance(name, Unknown):
        return name
    found = world.export(str(name))
    return Unknown(f"nothing is exported as {name}") if found is None else found


def _select(argument: Any, world: World) -> Any:
    index, items = resolve(argument[0], world), resolve(argument[1], world)
    unknown = next((each for each in (index, items) if isinstance(each, Unknown)), None)
    return unknown or items[int(index)]


def _split(argument: Any, world: World) -> Any:
    text = resolve(argument[1], world)
    return text if isinstance(text, Unknown) else str(text).split(argument[0])


def _if(argument: Any, world: World) -> Any:
    holds = _condition({"Condition": argument[0]}, world)
    return holds if isinstance(holds, Unknown) else resolve(argument[1 if holds else 2], world)


def _find_in_map(argument: Any, world: World) -> Any:
    keys = [resolve(each, world) for each in argument[:3]]
    unknown = next((each for each in keys if isinstance(each, Unknown)), None)
    return unknown or world.template["Mappings"][keys[0]][keys[1]][keys[2]]


def _base64(argument: Any, world: World) -> Any:
    text = resolve(argument, world)
    return text if isinstance(text, Unknown) else base64.b64encode(str(text).encode()).decode()


def _condition(value: Any, world: World) -> bool | Unknown:
    name, argument = next(iter(value.items()))
    if name == "Condition":
        return _condition(world.template["Conditions"][argument], world)
    if name == "Fn::Equals":
        one, other = (resolve(each, world) for each in argument)
        unknown = next((each for each in (one, other) if isinstance(each, Unknown)), None)
        return unknown or _text(one) == _text(other)
    inner = [_condition(each, world) for each in argument]
    unknown = next((each for each in inner if isinstance(each, Unknown)), None)
    if unknown is not None:
        return unknown
    if name == "Fn::Not":
        return not inner[0]
    if name == "Fn::And":
        return all(inner)
    return any(inner) if name == "Fn::Or" else Unknown(f"{name} is worked out by CloudFormation alone")


_FUNCTIONS: dict[str, Callable[[Any, World], Any]] = {
    "Ref": _ref,
    "Fn::Base64": _base64,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::ImportValue": _import,
    "Fn::Join": _join,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
}
