"""Whether a policy document lets a caller do something: for trust policies and for those of buckets and queues.

Pure. Known: Allow and Deny, Principal and NotPrincipal, Action and NotAction, Resource and NotResource with wildcards,
and conditions on texts, ARNs, booleans, numbers and on what is absent. A condition of another kind is never met.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from .principals import Caller

EVERYBODY = Caller(kind="unknown", account="", arn="")
"""Whoever does not say who it is."""

Decision = Literal["allow", "deny", "none"]
Context = Mapping[str, str | tuple[str, ...]]
"""Condition keys in small letters, and their values."""


def decide(document: Any, caller: Caller, action: str, resource: str, context: Context) -> Decision:
    """What a policy, as text or parsed, says of an action; `none` if no statement of it is about that."""
    decision: Decision = "none"
    for statement in _statements(document):
        if _matches(statement, caller, action, resource, context):
            if statement.get("Effect") == "Deny":
                return "deny"
            decision = "allow"
    return decision


def _statements(document: Any) -> list[Mapping[str, Any]]:
    if isinstance(document, str | bytes):
        try:
            document = json.loads(document)
        except ValueError:
            return []
    return [one for one in _list((document or {}).get("Statement", [])) if isinstance(one, Mapping)]


def _matches(statement: Mapping[str, Any], caller: Caller, action: str, resource: str, context: Context) -> bool:
    return (
        _about(statement, "Principal", lambda named: _is_principal(named, caller))
        and _about(statement, "Action", lambda named: _any_like(named, action.lower(), lower=True))
        and _about(statement, "Resource", lambda named: _any_like(named, resource))
        and all(
            _met(operator, key.lower(), _list(wanted), {**_of(caller), **context})
            for operator, keys in (statement.get("Condition") or {}).items()
            for key, wanted in keys.items()
        )
    )


def _about(statement: Mapping[str, Any], element: str, named: Callable[[Any], bool]) -> bool:
    if f"Not{element}" in statement:
        return not named(statement[f"Not{element}"])
    return named(statement[element]) if element in statement else element == "Resource"


def _is_principal(named: Any, caller: Caller) -> bool:
    if named == "*":
        return True
    if not isinstance(named, Mapping):
        return False
    given = _list(named.get("AWS", []))
    return "*" in given or any(one in caller.principals for one in given) or caller.arn in _list(named.get("Federated"))


def _of(caller: Caller) -> Context:
    """The condition keys that every call has. Calls count as encrypted: on loopback there is nobody to listen."""
    principal = caller.session.role_arn if caller.session else caller.arn
    return {
        "aws:principalaccount": caller.account,
        "aws:principalarn": principal,
        "aws:securetransport": "true",
        "aws:multifactorauthpresent": "false",
        "aws:sourceip": "127.0.0.1",
    }


def _met(operator: str, key: str, wanted: list[Any], context: Context) -> bool:
    quantity, _, rest = operator.rpartition(":")
    name = rest.removesuffix("IfExists")
    found = context.get(key)
    if name == "Null":
        return (found is None) is (str(wanted[0]).lower() == "true")
    values = () if found is None else (found,) if isinstance(found, str) else found
    if not values:
        return rest.endswith("IfExists") or quantity == "ForAllValues" or name in _NEGATIVE
    compare = _OPERATORS.get(name)
    if compare is None:
        return False
    negative = name in _NEGATIVE
    every = negative or quantity == "ForAllValues"
    results = [any(compare(value, str(one)) for one in wanted) is not negative for value in values]
    return all(results) if every else any(results)


def _like(found: str, pattern: str) -> bool:
    """Whether a text matches a pattern, in which `*` and `?` alone are wildcards."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), found, re.DOTALL) is not None


def _number(compare: Callable[[float, float], bool]) -> Callable[[str, str], bool]:
    return lambda found, wanted: compare(float(found), float(wanted))


def _same(found: str, wanted: str) -> bool:
    return found == wanted


def _same_word(found: str, wanted: str) -> bool:
    return found.lower() == wanted.lower()


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _like,
    "ArnLike": _like,
    "ArnNotEquals": _like,
    "ArnNotLike": _like,
    "Bool": _same_word,
    "NumericEquals": _number(lambda found, wanted: found == wanted),
    "NumericGreaterThan": _number(lambda found, wanted: found > wanted),
    "NumericGreaterThanEquals": _number(lambda found, wanted: found >= wanted),
    "NumericLessThan": _number(lambda found, wanted: found < wanted),
    "NumericLessThanEquals": _number(lambda found, wanted: found <= wanted),
    "StringEquals": _same,
    "StringEqualsIgnoreCase": _same_word,
    "StringLike": _like,
    "StringNotEquals": _same,
    "StringNotEqualsIgnoreCase": _same_word,
    "StringNotLike": _like,
}
_NEGATIVE = frozenset(name for name in _OPERATORS if "Not" in name)


def _any_like(patterns: Any, text: str, *, lower: bool = False) -> bool:
    return any(_like(text, str(one).lower() if lower else str(one)) for one in _list(patterns))


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping) else [value]
