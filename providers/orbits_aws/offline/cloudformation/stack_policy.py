"""Stack policies: which updates of which resources a stack allows. Pure.

Without a policy everything is allowed; with one, what no statement allows is denied, and a Deny goes before an Allow.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import ValidationError

_LONGEST = 16_384
_ACTIONS = frozenset({"Update:*", "Update:Delete", "Update:Modify", "Update:Replace"})
_OPERATORS = frozenset({"StringEquals", "StringLike", "StringNotEquals", "StringNotLike"})


def parse_policy(body: str) -> str:
    """A policy's text, checked. Raises ValidationError with the service's words."""
    try:
        if len(body) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} characters")
        for statement in _statements(json.loads(body)):
            _check(statement)
    except (AttributeError, KeyError, TypeError, ValueError) as failure:
        raise ValidationError(f"Error validating stack policy: Invalid stack policy: {failure}") from failure
    return body


def denied(body: str | None, action: str, logical_id: str, type_name: str) -> str | None:
    """Why a policy does not allow an action (`Modify`, `Replace`, `Delete`) on a resource; None if it does."""
    if body is None:
        return None
    resource = f"LogicalResourceId/{logical_id}"
    allowed = False
    for number, statement in enumerate(_statements(json.loads(body)), 1):
        if not _applies(statement, f"Update:{action}", resource, type_name):
            continue
        if statement["Effect"] == "Deny":
            return (
                f"Action denied by stack policy: Statement [#{number}] does not allow [Update:{action}] for resource "
                f"[{resource}]"
            )
        allowed = True
    return (
        None
        if allowed
        else f"Action denied by stack policy: no statement allows [Update:{action}] for resource " + (f"[{resource}]")
    )


def _statements(document: Any) -> list[Mapping[str, Any]]:
    statements = document["Statement"]
    return [statements] if isinstance(statements, Mapping) else list(statements)


def _check(statement: Mapping[str, Any]) -> None:
    if statement["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"Effect {statement['Effect']}")
    if statement.get("Principal") != "*":
        raise ValueError("Principal has to be *")
    if unknown := set(_listed(statement.get("Action", statement.get("NotAction")))) - _ACTIONS:
        raise ValueError(f"Action {', '.join(sorted(unknown))}")
    if "Resource" not in statement and "NotResource" not in statement:
        raise ValueError("Resource is missing")
    for operator, tested in statement.get("Condition", {}).items():
        if operator not in _OPERATORS or set(tested) != {"ResourceType"}:
            raise ValueError(f"Condition {operator}")


def _applies(statement: Mapping[str, Any], action: str, resource: str, type_name: str) -> bool:
    if "Action" in statement:
        covered = any(_like(pattern, action) for pattern in _listed(statement["Action"]))
    else:
        covered = not any(_like(pattern, action) for pattern in _listed(statement["NotAction"]))
    if "Resource" in statement:
        covered &= any(_like(pattern, resource) for pattern in _listed(statement["Resource"]))
    else:
        covered &= not any(_like(pattern, resource) for pattern in _listed(statement["NotResource"]))
    return covered and all(
        _holds(operator, _listed(tested["ResourceType"]), type_name)
        for operator, tested in statement.get("Condition", {}).items()
    )


def _holds(operator: str, patterns: list[str], type_name: str) -> bool:
    if operator.endswith("Like"):
        found = any(_like(pattern, type_name) for pattern in patterns)
    else:
        found = type_name in patterns
    return found is ("Not" not in operator)


def _like(pattern: str, text: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), text) is not None


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sequence):
        return [str(item) for item in value]
    raise ValueError(f"{value!r} is neither a text nor a list of texts")
