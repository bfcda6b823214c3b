"""When two values mean the same: scalars in other forms, JSON in strings, policy documents."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from orbits_iac.drift.rules import Path, Rules, applies

_ACCOUNT_ROOT = re.compile(r"^arn:[\w-]+:iam::(\d{12}):root$")
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
_SECONDS = {"weeks": 604_800, "days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
_ELEMENTS = ("Action", "NotAction", "Resource", "NotResource")


def same_scalar(recorded: Any, live: Any, path: Path, rules: Rules) -> bool:
    """Whether two scalars mean the same: `30` and `"30"`, `true` and `"True"`.

    By rule: texts but for their case, a length of time in seconds and in ISO 8601, an ARN and a name.
    """
    if type(recorded) is type(live) and recorded == live:
        return True
    if applies(rules.durations, path):
        one, other = _seconds(recorded), _seconds(live)
        return one is not None and one == other
    if isinstance(recorded, str) and isinstance(live, str):
        if applies(rules.caseless, path) and recorded.casefold() == live.casefold():
            return True
        return applies(rules.named, path) and _same_name(recorded, live)
    return _as_number_or_boolean(recorded, live)


def _as_number_or_boolean(recorded: Any, live: Any) -> bool:
    if isinstance(recorded, bool) or isinstance(live, bool):
        return str(recorded).lower() == str(live).lower() and {type(recorded), type(live)} <= {bool, str}
    if not {type(recorded), type(live)} <= {int, float, str}:
        return False
    try:
        return Decimal(str(recorded)) == Decimal(str(live))
    except InvalidOperation:
        return False


def _seconds(value: Any) -> Decimal | None:
    """The length of a time: a number of seconds, or ISO 8601 without months and years, which have no one length."""
    text = str(value)
    found = _DURATION.fullmatch(text)
    if found is not None and any(found.groupdict().values()):
        return sum((Decimal(part) * _SECONDS[unit] for unit, part in found.groupdict().items() if part), Decimal(0))
    try:
        return None if isinstance(value, bool) else Decimal(text)
    except InvalidOperation:
        return None


def _same_name(recorded: str, live: str) -> bool:
    if recorded.startswith("arn:") == live.startswith("arn:"):
        return False
    arn, name = (recorded, live) if recorded.startswith("arn:") else (live, recorded)
    resource = arn.split(":", 5)[-1]
    return name in {resource, re.split(r"[:/]", resource)[-1], resource.partition("/")[2], resource.partition(":")[2]}


def unwrapped(recorded: Any, live: Any) -> tuple[Any, Any]:
    """The two values, with JSON texts of objects and lists parsed where that makes them comparable."""
    if isinstance(recorded, str) and isinstance(live, str):
        one, other = _parsed(recorded), _parsed(live)
        return (one, other) if one is not None and other is not None else (recorded, live)
    if isinstance(recorded, str) and isinstance(live, (dict, list)):
        parsed = _parsed(recorded)
        return (recorded if parsed is None else parsed), live
    if isinstance(live, str) and isinstance(recorded, (dict, list)):
        parsed = _parsed(live)
        return recorded, (live if parsed is None else parsed)
    return recorded, live


def _parsed(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def is_policy(value: Any) -> bool:
    """Whether this is a policy document: nothing else has statements with effects."""
    if not isinstance(value, Mapping) or "Statement" not in value:
        return False
    statements = _listed(value["Statement"])
    return bool(statements) and all(isinstance(each, Mapping) and "Effect" in each for each in statements)


def policy(document: Any) -> Any:
    """A policy document in one form, whichever of those that mean the same it is written in.

    As the reference of IAM's JSON policy elements has it: one value stands for a list of one, lists and statements are
    sets, actions have no case, an account stands for its root, and `"*"` for any principal.
    """
    if isinstance(document, str):
        document = _parsed(document) or document
    if not isinstance(document, Mapping):
        return document
    statements = [_statement(statement) for statement in _listed(document.get("Statement", []))]
    return {
        "Version": document.get("Version", "2008-10-17"),
        "Statement": sorted(statements, key=lambda statement: json.dumps(statement, sort_keys=True)),
    }


def _statement(statement: Any) -> Any:
    if not isinstance(statement, Mapping):
        return statement
    form: dict[str, Any] = {}
    for name, value in statement.items():
        if name in _ELEMENTS:
            texts = [str(each) for each in _listed(value)]
            form[name] = sorted({text.lower() for text in texts} if "Action" in name else set(texts))
        elif name in {"Principal", "NotPrincipal"}:
            form[name] = _principal(value)
        elif name == "Condition":
            form[name] = _condition(value)
        elif name != "Sid" or value:
            form[name] = value
    return form


def _principal(value: Any) -> Any:
    if value == "*":
        value = {"AWS": "*"}
    if not isinstance(value, Mapping):
        return value
    return {kind: sorted({_account(str(each)) for each in _listed(who)}) for kind, who in sorted(value.items())}


def _account(principal: str) -> str:
    root = _ACCOUNT_ROOT.match(principal)
    return root.group(1) if root else principal


def _condition(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        operator: {
            key: sorted(str(each).lower() if isinstance(each, bool) else str(each) for each in _listed(values))
            for key, values in sorted(keys.items())
        }
        for operator, keys in sorted(value.items())
        if isinstance(keys, Mapping)
    }


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
