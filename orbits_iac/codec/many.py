"""Dictionaries of many values in the fields of a model: dumped one by one, so that all of them are never there twice.

What always holds: what comes of it is what pydantic's core would dump in one piece; a model or a field of which that is
not certain is left to it. Decided once for each type, from its core schema. Called by the codec.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from pydantic import SerializationInfo
from pydantic_core import SchemaSerializer

from orbits_iac.codec.direct import Schema, is_known

_MANY = 100  # values, from which on they are dumped one by one

_KEPT: Mapping[str, bool] = {"kept": True}  # the context of what is dumped for a store

Dump = Callable[..., Any]
"""`to_python` of one of pydantic's serializers, for what is to be kept."""


def dump_of(serializer: SchemaSerializer) -> Dump:
    """How a serializer dumps what is to be kept."""
    return partial(serializer.to_python, context=_KEPT)


def is_kept(info: SerializationInfo) -> bool:
    """Whether what a model's own serializer returns is kept in a store: it may be shorter there than for others."""
    return info.context is _KEPT


class Each:
    """The items of a dictionary, of which each value is dumped once it is come to."""

    def __init__(self, items: Mapping[str, Any], dump: Dump) -> None:
        self._items = items
        self._dump = dump

    def __len__(self) -> int:
        """How many there are."""
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        """Their keys."""
        return iter(self._items)

    def values(self) -> Iterator[Any]:
        """What they are dumped to."""
        return (self._dump(value, warnings="error") for value in self._items.values())


def fields_of_many(schema: Schema) -> Mapping[str, Dump]:
    """The fields of a model's core schema that may hold many values, each with what dumps one of these."""
    definitions = schema.get("definitions", [])
    model = schema["schema"] if schema["type"] == "definitions" else schema
    if model["type"] != "model" or model["schema"]["type"] != "model-fields":
        return {}
    if not is_known(model) or not is_known(model["schema"]):
        return {}
    found = {name: _values_of(field) for name, field in model["schema"]["fields"].items()}
    return {
        name: dump_of(SchemaSerializer({"type": "definitions", "schema": values, "definitions": definitions}))
        for name, values in found.items()
        if values is not None
    }


def _values_of(field: Schema) -> Any:
    """The schema of the values of a field that is a dictionary, and is written as one; None for any other."""
    if any(name.startswith("serialization_exclude") for name in field):
        return None
    inner = field["schema"]
    while inner["type"] == "default" and is_known(inner):
        inner = inner["schema"]
    return inner["values_schema"] if inner["type"] == "dict" and is_known(inner) else None


def in_parts(value: Any, fields: Mapping[str, Dump], dump: Dump) -> Any:
    """`value` as `dump` has it, but for those of its `fields` that do hold many: their values are dumped one by one."""
    many = {name: Each(vars(value)[name], each) for name, each in fields.items() if _holds_many(vars(value).get(name))}
    if not many:
        return dump(value, warnings="error")
    rest = dump(value, exclude=set(many), warnings="error")
    return {name: many.get(name, rest.get(name)) for name in vars(value) if name in many or name in rest}


def _holds_many(held: Any) -> bool:
    return type(held) is dict and len(held) >= _MANY and all(type(key) is str for key in held)
