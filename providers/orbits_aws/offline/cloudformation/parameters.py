"""A template's parameters: from what was given to values that satisfy the declarations. Pure but for SSM."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import ValidationError
from .model import ParameterValue
from .parameter_types import is_list, ssm_value_type
from .template import Template

_LONGEST = 4096
Given = Sequence[Mapping[str, Any]]
"""Parameters as the API takes them: ParameterKey with ParameterValue or UsePreviousValue."""


def resolve_parameters(
    template: Template, given: Given, previous: Mapping[str, ParameterValue], ssm: Callable[[str], str]
) -> dict[str, ParameterValue]:
    """Every declared parameter's value; `ssm` reads a parameter of the account by name.

    Raises ValidationError with the service's words for one that is missing, unknown or not allowed.
    """
    by_key = {str(item["ParameterKey"]): item for item in given}
    if unknown := [key for key in by_key if key not in template.parameters]:
        raise ValidationError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
    texts: dict[str, str] = {}
    for key, declared in template.parameters.items():
        item = by_key.get(key, {})
        _check_previous(key, item, previous)
        if item.get("UsePreviousValue") and key in previous:
            texts[key] = _text(previous[key].given)
        elif "ParameterValue" in item:
            texts[key] = str(item["ParameterValue"])
        elif "Default" in declared:
            texts[key] = _text(declared["Default"])
    if missing := [key for key in template.parameters if key not in texts]:
        raise ValidationError(f"Parameters: [{', '.join(missing)}] must have values")
    return {key: _value(key, template.parameters[key], text, ssm) for key, text in texts.items()}


def _value(key: str, declared: Mapping[str, Any], text: str, ssm: Callable[[str], str]) -> ParameterValue:
    kind = str(declared.get("Type", "String"))
    secret = _text(declared.get("NoEcho", False)).lower() == "true"
    _check(key, declared, kind, text)
    inner = ssm_value_type(kind)
    if inner is not None:
        value = ssm(text)
        resolved: Any = value.split(",") if is_list(inner) else value
        return ParameterValue(given=text, resolved=resolved, secret=secret)
    if is_list(kind):
        parts = [part.strip() for part in text.split(",")] if text else []
        return ParameterValue(given=text, resolved=parts, secret=secret)
    return ParameterValue(given=text, secret=secret)


def _check_previous(key: str, item: Mapping[str, Any], previous: Mapping[str, ParameterValue]) -> None:
    if not item.get("UsePreviousValue"):
        return
    if "ParameterValue" in item:
        raise ValidationError(
            f"Invalid input for parameter key {key}. Cannot specify both usePreviousValue as true and parameterValue."
        )
    if key not in previous:
        raise ValidationError(
            f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not "
            "in the previous template"
        )


def _check(key: str, declared: Mapping[str, Any], kind: str, text: str) -> None:
    explained = declared.get("ConstraintDescription")

    def refuse(why: str) -> ValidationError:
        return ValidationError(f"Parameter '{key}' {f'must satisfy: {explained}' if explained else why}")

    if len(text) > _LONGEST:
        raise ValidationError(f"Parameter '{key}' must contain at most {_LONGEST} characters")
    values = text.split(",") if is_list(kind) else [text]
    allowed = [_text(value) for value in declared.get("AllowedValues", [])]
    if allowed and any(value.strip() not in allowed for value in values):
        raise refuse("must be one of AllowedValues")
    pattern = declared.get("AllowedPattern")
    if pattern is not None and not all(re.fullmatch(str(pattern), value) for value in values):
        raise refuse(f"must match pattern {pattern}")
    if kind in ("Number", "List<Number>"):
        for value in values:
            _check_number(value, declared, refuse)
    if len(text) < int(declared.get("MinLength", 0)) or len(text) > int(declared.get("MaxLength", len(text))):
        raise refuse(f"must contain {declared.get('MinLength', 0)} to {declared.get('MaxLength', 'any')} characters")


def _check_number(value: str, declared: Mapping[str, Any], refuse: Callable[[str], ValidationError]) -> None:
    try:
        number = float(value)
    except ValueError:
        raise refuse("must be a number") from None
    if number < float(declared.get("MinValue", number)):
        raise refuse(f"must be a number not less than {declared['MinValue']}")
    if number > float(declared.get("MaxValue", number)):
        raise refuse(f"must be a number not greater than {declared['MaxValue']}")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(str(item) for item in value) if isinstance(value, list) else str(value)
