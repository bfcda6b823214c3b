"""Intrinsic functions: from a template's values to plain ones. Pure; what has to be looked up, `Lookups` answers.

A value that cannot be known yet (an attribute of a resource that a change set is only going to make) becomes `UNKNOWN`,
and so does everything computed from it.
"""

import base64
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from typing import Protocol as Interface

from .errors import ValidationError
from .template import get_att


class Unknown:
    """The value of what does not exist yet."""

    def __repr__(self) -> str:
        return "{{changeSet:KNOWN_AFTER_APPLY}}"


UNKNOWN: Final = Unknown()
NO_VALUE: Final = object()

_VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
_LITERAL = re.compile(r"\$\{!([^}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:([^:}]+):([^}]*)\}\}")


class Lookups(Interface):
    """What resolution asks of the world around the template."""

    imports: set[str]
    """The exports that were asked for."""

    def ref(self, logical_id: str) -> Any:
        """A resource's physical id, or UNKNOWN."""
        ...

    def attribute(self, logical_id: str, name: str) -> Any:
        """A resource's attribute, or UNKNOWN. Raises ValidationError if the type has no such attribute."""
        ...

    def imported(self, export: str) -> Any:
        """The value of an export of the account and region. Raises ValidationError if there is none."""
        ...

    def dynamic(self, service: str, key: str) -> Any:
        """What a dynamic reference stands for."""
        ...

    def stack_output(self, argument: Mapping[str, Any]) -> Any:
        """An output of another stack."""
        ...


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Everything that a template's values are resolved against."""

    names: Mapping[str, Any]
    """Parameters and pseudo parameters."""
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    lookups: Lookups
    secrets: frozenset[str] = frozenset()
    """The parameters whose values are not to be shown."""
    deciding: "Scope | None" = None
    """What decides the conditions, for a scope that only shows values."""
    _decided: dict[str, bool] = field(default_factory=dict[str, bool])

    def condition(self, name: str) -> bool:
        """Whether a condition holds."""
        if self.deciding is not None:
            return self.deciding.condition(name)
        if name not in self._decided:
            if name not in self.conditions:
                raise ValidationError(f"Template format error: Unresolved condition dependency {name} in the template")
            self._decided[name] = _true(self.resolve(self.conditions[name]))
        return self._decided[name]

    def resolve(self, value: Any) -> Any:
        """A value with all its functions carried out; members without a value are left out."""
        if isinstance(value, Mapping):
            if len(value) == 1:
                [(name, argument)] = value.items()
                function = _FUNCTIONS.get(str(name))
                if function is not None:
                    return self._call(str(name), function, argument)
                if str(name).startswith("Fn::"):
                    raise ValidationError(f"Template format error: {name} is not supported")
            resolved = {str(name): self.resolve(inner) for name, inner in value.items()}
            return {name: inner for name, inner in resolved.items() if inner is not NO_VALUE}
        if isinstance(value, Sequence) and not isinstance(value, str):
            items = [self.resolve(inner) for inner in value]
            return [inner for inner in items if inner is not NO_VALUE]
        return self._dynamic(value) if isinstance(value, str) else value

    def shown(self) -> "Scope":
        """What values are shown with: secrets masked, dynamic references as they are written."""
        names = {**self.names, **dict.fromkeys(self.secrets, "****")}
        return replace(self, names=names, deciding=self)

    def _call(self, name: str, function: Callable[["Scope", Any], Any], argument: Any) -> Any:
        try:
            return function(self, argument)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as failure:
            raise ValidationError(f"Template error: {name} cannot be given {argument!r}") from failure

    def _dynamic(self, text: str) -> Any:
        if "{{resolve:" not in text or self.deciding is not None:
            return text
        return _DYNAMIC.sub(lambda found: str(self.lookups.dynamic(found.group(1), found.group(2))), text)

    def ref(self, name: str) -> Any:
        """What Ref gives for a parameter, a pseudo parameter or a resource."""
        return self.names[name] if name in self.names else self.lookups.ref(name)


def text_of(value: Any) -> str:
    """A value as CloudFormation writes it into text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _true(value: Any) -> bool:
    return value is True or value == "true"


def _ref(scope: Scope, argument: Any) -> Any:
    return scope.ref(str(argument))


def _get_att(scope: Scope, argument: Any) -> Any:
    logical_id, attribute = get_att(argument)
    return scope.lookups.attribute(logical_id, str(scope.resolve(attribute)))


def _join(scope: Scope, argument: Any) -> Any:
    separator, parts = argument
    values = scope.resolve(parts)
    if values is UNKNOWN or UNKNOWN in values:
        return UNKNOWN
    return scope.resolve(str(separator).join(text_of(value) for value in values))


def _sub(scope: Scope, argument: Any) -> Any:
    text, own = (argument, {}) if isinstance(argument, str) else argument
    unknown = False

    def substitute(found: re.Match[str]) -> str:
        nonlocal unknown
        name = found.group(1).strip()
        if name in own:
            value = scope.resolve(own[name])
        elif "." in name:
            value = scope.lookups.attribute(*name.split(".", 1))
        else:
            value = scope.ref(name)
        unknown = unknown or value is UNKNOWN
        return text_of(value)

    result = _LITERAL.sub(r"${\1}", _VARIABLE.sub(substitute, text))
    return UNKNOWN if unknown else scope.resolve(result)


def _select(scope: Scope, argument: Any) -> Any:
    index, values = scope.resolve(argument[0]), scope.resolve(argument[1])
    if values is UNKNOWN or index is UNKNOWN:
        return UNKNOWN
    try:
        return values[int(index)]
    except IndexError as failure:
        raise ValidationError(
            f"Template error: Fn::Select cannot select nonexistent value at index {index}"
        ) from failure


def _split(scope: Scope, argument: Any) -> Any:
    value = scope.resolve(argument[1])
    return UNKNOWN if value is UNKNOWN else str(value).split(str(argument[0]))


def _if(scope: Scope, argument: Any) -> Any:
    name, yes, no = argument
    return scope.resolve(yes if scope.condition(str(name)) else no)


def _equals(scope: Scope, argument: Any) -> Any:
    first, second = scope.resolve(argument[0]), scope.resolve(argument[1])
    return text_of(first) == text_of(second) if not isinstance(first, list | dict) else first == second


def _find_in_map(scope: Scope, argument: Any) -> Any:
    name, first, second = (scope.resolve(part) for part in argument[:3])
    try:
        return scope.resolve(scope.mappings[name][text_of(first)][text_of(second)])
    except KeyError as failure:
        if len(argument) > 3 and "DefaultValue" in argument[3]:
            return scope.resolve(argument[3]["DefaultValue"])
        raise ValidationError(
            f"Template error: Unable to get mapping for {name}::{text_of(first)}::{text_of(second)}"
        ) from failure


def _base64(scope: Scope, argument: Any) -> Any:
    value = scope.resolve(argument)
    return UNKNOWN if value is UNKNOWN else base64.b64encode(text_of(value).encode()).decode()


def _cidr(scope: Scope, argument: Any) -> Any:
    block, count = scope.resolve(argument[0]), int(scope.resolve(argument[1]))
    if block is UNKNOWN:
        return UNKNOWN
    network = ipaddress.ip_network(block, strict=False)
    bits = int(scope.resolve(argument[2])) if len(argument) > 2 else 8
    subnets = network.subnets(new_prefix=network.max_prefixlen - bits)
    return [str(subnet) for subnet, _ in zip(subnets, range(count), strict=False)]


def _zones(scope: Scope, argument: Any) -> Any:
    region = scope.resolve(argument) or scope.names["AWS::Region"]
    return [f"{region}{letter}" for letter in "abc"]


def _import(scope: Scope, argument: Any) -> Any:
    return scope.lookups.imported(text_of(scope.resolve(argument)))


def _stack_output(scope: Scope, argument: Any) -> Any:
    return scope.lookups.stack_output(scope.resolve(argument))


def _json_text(scope: Scope, argument: Any) -> Any:
    return json.dumps(scope.resolve(argument), separators=(",", ":"))


_FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Condition": lambda scope, argument: (
        scope.condition(argument) if isinstance(argument, str) else {"Condition": scope.resolve(argument)}
    ),
    "Fn::And": lambda scope, argument: all(_true(scope.resolve(part)) for part in argument),
    "Fn::Base64": _base64,
    "Fn::Cidr": _cidr,
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _zones,
    "Fn::GetAtt": _get_att,
    "Fn::GetStackOutput": _stack_output,
    "Fn::If": _if,
    "Fn::ImportValue": _import,
    "Fn::Join": _join,
    "Fn::Length": lambda scope, argument: len(scope.resolve(argument)),
    "Fn::Not": lambda scope, argument: not _true(scope.resolve(argument[0])),
    "Fn::Or": lambda scope, argument: any(_true(scope.resolve(part)) for part in argument),
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _json_text,
    "Ref": _ref,
}
