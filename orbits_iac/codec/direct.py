"""Which declared types pydantic's core may turn into JSON text and back by itself, and which it may read.

What always holds: for these types the text means the same, and the same value comes back, as by way of `plain`; a type
of which that is not certain is not among them. Decided once for each type, from its core schema. Called by the codec.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import Flag
from typing import Any

_LEAVES = frozenset(
    {
        "bool",
        "date",
        "datetime",
        "decimal",
        "definition-ref",
        "float",
        "int",
        "none",
        "str",
        "time",
        "timedelta",
        "uuid",
    }
)
_SCALARS = frozenset({"bool", "int", "none", "str"})  # of a union: no text of one is read as another
_CONFIG = frozenset(  # what a model may have set: none of it changes how its JSON looks
    {
        "extra_fields_behavior",
        "from_attributes",
        "frozen",
        "hide_input_in_errors",
        "populate_by_name",
        "regex_engine",
        "revalidate_instances",
        "str_max_length",
        "str_min_length",
        "str_strip_whitespace",
        "str_to_lower",
        "str_to_upper",
        "title",
        "validate_assignment",
        "validate_by_alias",
        "validate_by_name",
        "validate_default",
    }
)
_PLAIN_VALUES = (str, int, bool, type(None))

CONCEALER = "_serialize_secret"
"""How the functions are called with which pydantic writes secrets."""

Schema = Mapping[str, Any]


def is_direct(schema: Schema) -> bool:
    """Whether nothing in values of this schema needs us: no secret, no bytes, no set, nothing of unknown type."""
    return all(is_known(inner) for inner in _walk(schema))


def is_read_alike(schema: Schema) -> bool:
    """Whether text without a mark is read by it as it is by way of Python's own containers, however it was written."""
    return all(_is_read_alike(inner) for inner in _walk(schema))


def has_floats(schema: Schema) -> bool:
    """Whether there may be a number in it that JSON has no text for, which pydantic's core would write as null."""
    return any(inner["type"] == "float" for inner in _walk(schema))


def has_secrets(schema: object) -> bool:
    """Whether a field somewhere in it is declared to be secret."""
    if isinstance(schema, dict):
        named = getattr(schema.get("function"), "__name__", "")
        return named.startswith(CONCEALER) or any(has_secrets(inner) for inner in schema.values())
    return isinstance(schema, (list, tuple)) and any(has_secrets(inner) for inner in schema)


def _walk(schema: Schema) -> Iterator[Schema]:
    """The schema and every schema inside it."""
    yield schema
    for inner in _inside(schema):
        yield from _walk(inner)


def _inside(schema: Schema) -> Iterator[Schema]:
    for name in ("schema", "items_schema", "keys_schema", "values_schema"):
        inner = schema.get(name)
        yield from inner if isinstance(inner, list) else [inner] if inner is not None else []
    fields = schema.get("fields", {})
    if schema["type"] != "dataclass":  # whose fields are names
        yield from fields if isinstance(fields, list) else fields.values()
    choices = schema.get("choices", [])
    yield from choices.values() if isinstance(choices, dict) else [_alone(choice) for choice in choices]
    yield from schema.get("definitions", [])


def _alone(choice: Any) -> Schema:
    found: Schema = choice[0] if isinstance(choice, tuple) else choice  # with a label beside it
    return found


def is_known(schema: Schema) -> bool:
    """Whether this schema, whatever is inside it, needs nothing of us."""
    return "serialization" not in schema and schema["type"] not in _READ_ALONE and _is_read_alike(schema)


def _is_read_alike(schema: Schema) -> bool:
    check = _CHECKS.get(schema["type"]) or _READ_ALONE.get(schema["type"])
    return schema["type"] in _LEAVES if check is None else check(schema)


def _always(_: Schema) -> bool:
    return True


def _is_plain_model(schema: Schema) -> bool:
    config: Schema = schema.get("config", {})
    return config.keys() <= _CONFIG and config.get("extra_fields_behavior") != "allow"


def _has_plain_fields(schema: Schema) -> bool:
    return (
        not schema.get("computed_fields")
        and "extras_schema" not in schema
        and schema.get("extra_behavior") != "allow"
        and _is_plain_model(schema)
    )


def _is_told_nothing(schema: Schema) -> bool:
    """Whether a validator sees the value alone: one that is told more could ask whether it comes from JSON."""
    return bool(schema["function"]["type"] == "no-info")


def _is_text(schema: Schema) -> bool:
    return _is_text(schema["schema"]) if schema["type"] == "function-after" else bool(schema["type"] == "str")


def _has_plain_members(schema: Schema) -> bool:
    return not issubclass(schema["cls"], Flag) and all(type(m.value) in _PLAIN_VALUES for m in schema["members"])


_CHECKS: dict[str, Callable[[Schema], bool]] = {
    "dataclass": _is_plain_model,
    "dataclass-args": _has_plain_fields,
    "dataclass-field": _always,
    "default": _always,
    "definitions": _always,
    "dict": lambda schema: "values_schema" in schema and _is_text(schema.get("keys_schema", {"type": "any"})),
    "enum": _has_plain_members,
    "function-after": _is_told_nothing,
    "function-before": _is_told_nothing,
    "list": lambda schema: "items_schema" in schema,
    "literal": lambda schema: all(type(value) in _PLAIN_VALUES for value in schema["expected"]),
    "model": _is_plain_model,
    "model-field": _always,
    "model-fields": _has_plain_fields,
    "nullable": _always,
    "tagged-union": lambda schema: isinstance(schema["discriminator"], str),
    "tuple": _always,
    "typed-dict": _has_plain_fields,
    "typed-dict-field": _always,
    "union": lambda schema: all(_alone(choice)["type"] in _SCALARS for choice in schema["choices"]),
}
_READ_ALONE: dict[str, Callable[[Schema], bool]] = {  # of what is in these nobody knows what it is written as
    "any": _always,
    "function-plain": _is_told_nothing,
}
