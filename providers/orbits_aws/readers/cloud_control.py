"""Reading any type through Cloud Control, where the type offers it.

What Cloud Control gives has the form of the template. Its schema says what is never given back and where order has no
meaning; without it nothing is read, because much would only look different. Called by whoever has no reader for a type.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from orbits_aws.errors import AwsRefused, NotThere
from orbits_aws.readers.contract import Aws, Properties
from orbits_aws.readers.schema import Schema, schema_of
from orbits_iac.provider import Comparison, Unknown, compare

_WRITE_ONLY = "it is never given back"


class NotOffered(Exception):
    """Cloud Control does not read this; the message says why."""


class NotFound(Exception):
    """Cloud Control knows nothing under the identifier: it is gone, or known there by another."""


def read(aws: Aws, type: str, physical_id: str, recorded: Mapping[str, Any]) -> tuple[Properties, Schema]:  # noqa: A002
    """The live properties, and the schema to compare them by.

    Raises NotOffered, NotFound, and AwsUnavailable where it is worth trying again.
    """
    schema = _schema(aws, type)
    identifier = _identifier(schema, physical_id, recorded)
    try:
        answer = aws("cloudcontrol").get_resource(TypeName=type, Identifier=identifier)
    except NotThere as error:
        raise NotFound(f"Cloud Control finds nothing under {identifier}") from error
    except AwsRefused as error:
        raise NotOffered(f"Cloud Control does not read it ({error.code}: {_words(error)})") from error
    live: Properties = json.loads(answer["ResourceDescription"]["Properties"])
    return live, schema


def as_given_back(type: str, recorded: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: A002
    """The recorded properties as Cloud Control gives them back: with what a type substitutes in them."""
    substitutions = recorded.get("DefinitionSubstitutions")
    if type != "AWS::StepFunctions::StateMachine" or not isinstance(substitutions, Mapping):
        return recorded
    text = recorded.get("DefinitionString")
    for name, value in substitutions.items():
        if isinstance(value, Unknown):
            text = value
        if isinstance(text, str):
            text = text.replace(f"${{{name}}}", str(value))
    return {**recorded, "DefinitionString": text} if text is not None else recorded


_NOTHING: Mapping[str, str] = {}


def compare_with_live(
    recorded: Mapping[str, Any], live: Mapping[str, Any], schema: Schema, *, ignore: Mapping[str, str] = _NOTHING
) -> Comparison:
    """What of the recorded properties, and of tags at all, is otherwise, and what cannot be known."""
    asked = {schema.tags: [], **recorded} if isinstance(live.get(schema.tags), list) else recorded
    rules = schema.rules.ignoring(ignore)
    return _believable(compare(asked, _with_write_only(recorded, live, schema), rules), schema)


def _schema(aws: Aws, type: str) -> Schema:  # noqa: A002
    try:
        schema = schema_of(aws, type)
    except AwsRefused as error:
        raise NotOffered(f"its schema cannot be read ({error.code}: {_words(error)})") from error
    if not schema.readable:
        raise NotOffered("its type cannot be read through Cloud Control")
    return schema


def _words(error: AwsRefused) -> str:
    return str(error).partition(": ")[2] or str(error)


def _identifier(schema: Schema, physical_id: str, recorded: Mapping[str, Any]) -> str:
    """The primary identifier: the physical id, or several properties with bars between, of which it may be one."""
    names = schema.identifier
    if len(names) <= 1 or physical_id.count("|") == len(names) - 1:
        return physical_id
    parts = [recorded.get(name) for name in names]
    if parts.count(None) > 1 or any(isinstance(part, Unknown) for part in parts):
        raise NotOffered(f"Cloud Control knows it by {', '.join(names)}, which are not all known")
    return "|".join(physical_id if part is None else str(part) for part in parts)


def _with_write_only(recorded: Mapping[str, Any], live: Mapping[str, Any], schema: Schema) -> Properties:
    found: Any = live
    for pattern in schema.write_only:
        found = _hidden(recorded, found, pattern.split("."))
    return dict(found)


def _hidden(recorded: Any, live: Any, pattern: list[str]) -> Any:
    """What is live, with what is recorded at the pattern and cannot be given back marked as unknown."""
    if not pattern:
        return Unknown(_WRITE_ONLY)
    name, rest = pattern[0], pattern[1:]
    if name == "*" and isinstance(recorded, list) and isinstance(live, list) and len(recorded) == len(live):
        return [_hidden(one, other, rest) for one, other in zip(recorded, live, strict=True)]
    if isinstance(recorded, Mapping) and name in recorded and isinstance(live, Mapping | None):
        return {**(live or {}), name: _hidden(recorded[name], (live or {}).get(name), rest)}
    return live


def _believable(found: Comparison, schema: Schema) -> Comparison:
    """The comparison, without differences of what the service keeps in a form of its own."""
    doubtful = [each for each in found.differences if _concerns(schema.rewritten, each.path)]
    return replace(
        found,
        differences=tuple(each for each in found.differences if each not in doubtful),
        unchecked=(
            *found.unchecked,
            *(f"{each.path}: the service gives it back in a form of its own" for each in doubtful),
        ),
    )


def _concerns(patterns: Iterable[str], path: str) -> bool:
    """Whether one of the patterns names the path, something above it, or something below."""
    parts = path.replace("[", ".").replace("]", "").split(".")
    return any(
        all(one in {"*", other} for one, other in zip(pattern.split("."), parts, strict=False)) for pattern in patterns
    )
