"""Properties against their type's schema, as CloudFormation checks them before anything is done. Pure.

It is as lenient as the service: numbers and booleans may be written as text and texts as numbers; a pattern that Python
cannot read is passed over, and so is what is not known yet. What a schema says beyond JSON Schema is left to the type.
"""

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .intrinsics import UNKNOWN, text_of
from .schemas import at, published, schema_of

_STRUCTURE = frozenset({"additionalProperties", "readOnly", "required", "type"})
_KINDS = {
    "array": "JSONArray",
    "boolean": "Boolean",
    "integer": "Integer",
    "null": "Null",
    "number": "Number",
    "object": "JSONObject",
    "string": "String",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that the schema does not allow."""

    path: tuple[str, ...]
    keyword: str
    """The schema's keyword that is not satisfied."""
    said: str

    @property
    def told(self) -> str:
        """What is said of it where the value is not to be shown."""
        if self.keyword in _STRUCTURE:
            return self.said
        return f"failed validation constraint for keyword [{self.keyword}]"

    @property
    def pointer(self) -> str:
        """Where it is, as messages write it."""
        return "/".join(("#", *self.path))


def problems(type_name: str, properties: Mapping[str, Any]) -> list[Problem]:
    """Everything that the type's schema does not allow in properties; nothing for a type without a schema."""
    document = _document(type_name)
    schema = schema_of(type_name)
    if document is None or schema is None:
        return []
    read_only = [
        Problem(path=path, keyword="readOnly", said=f"Encountered read-only property {path[-1]}")
        for path in sorted(schema.read_only)
        if "*" not in path and at(properties, path) is not None
    ]
    hidden = {path[0] for path in schema.read_only if len(path) == 1}
    given = {name: value for name, value in properties.items() if name not in hidden}
    return [*read_only, *_Check(document).against(document, given, ())]


def reason(logical_id: str | None, found: list[Problem]) -> str:
    """The reason that a resource's event gives."""
    if logical_id is not None and any(one.keyword in _STRUCTURE for one in found):
        lines = "\n".join(f"{one.pointer}: {one.told}" for one in found)
        return f"Properties validation failed for resource {logical_id} with message:\n{lines}"
    return f"Model validation failed ({', '.join(f'{one.pointer}: {one.told}' for one in found)})"


@functools.cache
def _document(type_name: str) -> Mapping[str, Any] | None:
    text = published(type_name)
    if text is None:
        return None
    document: Mapping[str, Any] = json.loads(text)
    return document


@functools.cache
def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text)
    except re.error:
        return None


def _matches(pattern: str, text: str) -> bool:
    """Whether a text matches a schema's pattern; it does if Python cannot read the pattern."""
    compiled = _pattern(pattern)
    return compiled is None or compiled.search(text) is not None


class _Check:
    """One schema document, with its definitions."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = document.get("definitions", {})

    def against(self, schema: Any, value: Any, path: tuple[str, ...]) -> Iterator[Problem]:
        """What a schema does not allow in a value."""
        if value is UNKNOWN or not isinstance(schema, Mapping):
            return
        if "$ref" in schema:
            yield from self.against(self._referred(str(schema["$ref"])), value, path)
            return
        kinds = schema.get("type", ())
        allowed = [kinds] if isinstance(kinds, str) else list(kinds)
        if allowed and not any(_is_kind(kind, value) for kind in allowed):
            expected, found = " or ".join(_KINDS[kind] for kind in allowed), _KINDS[_kind_of(value)]
            yield Problem(path=path, keyword="type", said=f"expected type: {expected}, found: {found}")
            return
        if isinstance(value, Mapping):
            yield from self._object(schema, value, path)
        elif isinstance(value, list):
            yield from self._array(schema, value, path)
        else:
            yield from _scalar(schema, value, path, allowed)
        yield from self._combined(schema, value, path)

    def _referred(self, pointer: str) -> Any:
        found: Any = {"definitions": self._definitions}
        for name in pointer.removeprefix("#/").split("/"):
            found = found.get(name, {}) if isinstance(found, Mapping) else {}
        return found

    def _object(self, schema: Mapping[str, Any], value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Problem]:
        for name in schema.get("required", ()):
            if name not in value:
                yield Problem(path=path, keyword="required", said=f"required key [{name}] not found")
        declared: Mapping[str, Any] = schema.get("properties", {})
        patterns: Mapping[str, Any] = schema.get("patternProperties", {})
        for name, inner in value.items():
            by_pattern = [one for text, one in patterns.items() if _matches(text, name)]
            if name in declared:
                yield from self.against(declared[name], inner, (*path, name))
            elif by_pattern:
                yield from self.against(by_pattern[0], inner, (*path, name))
            elif schema.get("additionalProperties") is False:
                said = f"extraneous key [{name}] is not permitted"
                yield Problem(path=path, keyword="additionalProperties", said=said)
            else:
                yield from self.against(schema.get("additionalProperties"), inner, (*path, name))
        yield from _sized(schema, len(value), path, "minProperties", "maxProperties")

    def _array(self, schema: Mapping[str, Any], value: list[Any], path: tuple[str, ...]) -> Iterator[Problem]:
        yield from _sized(schema, len(value), path, "minItems", "maxItems")
        written = [json.dumps(one, sort_keys=True, default=repr) for one in value if one is not UNKNOWN]
        if schema.get("uniqueItems") and len(set(written)) < len(written):
            yield Problem(path=path, keyword="uniqueItems", said="array items are not unique")
        for index, inner in enumerate(value):
            yield from self.against(schema.get("items"), inner, (*path, str(index)))

    def _combined(self, schema: Mapping[str, Any], value: Any, path: tuple[str, ...]) -> Iterator[Problem]:
        for part in schema.get("allOf", ()):
            yield from self.against(part, value, path)
        for keyword in ("anyOf", "oneOf"):
            parts: list[Any] = schema.get(keyword, [])
            matching = sum(1 for part in parts if not list(self.against(part, value, path)))
            if parts and (matching == 0 or (keyword == "oneOf" and matching > 1)):
                said = f"#: only {matching} subschema matches out of {len(parts)}"
                yield Problem(path=path, keyword=keyword, said=said)


def _kind_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, Mapping):
        return "object"
    if isinstance(value, list):
        return "array"
    return "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number"


def _is_kind(kind: str, value: Any) -> bool:
    found = _kind_of(value)
    if found in ("array", "object", "null"):
        return kind == found
    match kind:
        case "string":
            return True
        case "boolean":
            return text_of(value).lower() in ("true", "false")
        case "number" | "integer":
            number = _number(value)
            return number is not None and (kind == "number" or number == int(number))
        case _:
            return False


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (OverflowError, ValueError):
        return None


def _scalar(schema: Mapping[str, Any], value: Any, path: tuple[str, ...], kinds: list[str]) -> Iterator[Problem]:
    text = text_of(value)
    enumerated = [text_of(one) for one in schema.get("enum", ())]
    if "const" in schema:
        enumerated = [text_of(schema["const"])]
    if enumerated and text not in enumerated:
        yield Problem(path=path, keyword="enum", said=f"{text} is not a valid enum value")
    if "string" in kinds or not kinds:
        if "pattern" in schema and not _matches(str(schema["pattern"]), text):
            said = f"string [{text}] does not match pattern {schema['pattern']}"
            yield Problem(path=path, keyword="pattern", said=said)
        yield from _sized(schema, len(text), path, "minLength", "maxLength")
    number = _number(value)
    if number is None or not {"integer", "number"} & set(kinds):
        return
    for keyword, wrong, said in (
        ("minimum", number < float(schema.get("minimum", number)), "greater or equal to"),
        ("maximum", number > float(schema.get("maximum", number)), "less or equal to"),
    ):
        if wrong:
            yield Problem(path=path, keyword=keyword, said=f"{text} is not {said} {schema[keyword]}")


def _sized(schema: Mapping[str, Any], size: int, path: tuple[str, ...], least: str, most: str) -> Iterator[Problem]:
    if size < int(schema.get(least, size)):
        yield Problem(path=path, keyword=least, said=f"expected {least}: {schema[least]}, actual: {size}")
    if size > int(schema.get(most, size)):
        yield Problem(path=path, keyword=most, said=f"expected {most}: {schema[most]}, actual: {size}")
