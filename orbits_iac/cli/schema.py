"""From an event's JSON schema, as a waiting step has recorded it, to a model that checks what a person types.

So an event can be sent where its class is not imported. What a schema cannot say (a validator of the class) is checked
by the class when the event arrives.
"""

import warnings
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Union
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, create_model

_FORMATS: Mapping[str, Any] = {
    "date-time": datetime,
    "date": date,
    "time": time,
    "duration": timedelta,
    "uuid": UUID,
    "password": SecretStr,
}
_PLAIN: Mapping[str, Any] = {"integer": int, "number": float, "boolean": bool, "null": None}
_LIMITS: Mapping[str, str] = {  # as a schema names them, and as pydantic does
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minItems": "min_length",
    "maxItems": "max_length",
}


def model_of(schema: Mapping[str, Any]) -> type[BaseModel]:
    """A model with the fields of this schema of an object."""
    return _model(schema, schema.get("$defs", {}))


def _model(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> type[BaseModel]:
    needed = schema.get("required", ())
    fields: dict[str, Any] = {
        name: (_type(field, defs), ... if name in needed else field.get("default"))
        for name, field in schema.get("properties", {}).items()
    }
    config = ConfigDict(extra="forbid", protected_namespaces=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a field that has the name of a method: its class has said so already
        return create_model(str(schema.get("title", "Event")), __config__=config, **fields)


def _type(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    """The type that admits what the schema admits, or more."""
    if "$ref" in schema:
        return _type(defs[str(schema["$ref"]).rpartition("/")[2]], defs)
    if "const" in schema:
        return Literal[schema["const"]]
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    either: Sequence[Any] = schema.get("anyOf") or schema.get("oneOf") or ()
    if either:
        return Union[tuple(_type(one, defs) for one in either)]  # noqa: UP007 - the members are known only here
    made = _of_type(schema, defs)
    limits = {_LIMITS[name]: value for name, value in schema.items() if name in _LIMITS}
    return Annotated[made, Field(**limits)] if limits else made


def _of_type(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "string":
            return _FORMATS.get(str(schema.get("format")), str)
        case "array":
            return list[_type(schema.get("items", {}), defs)]  # type: ignore[misc] # made from data
        case "object" if "properties" in schema:
            return _model(schema, defs)
        case "object":
            more = schema.get("additionalProperties")
            return dict[str, _type(more, defs) if isinstance(more, dict) else Any]  # type: ignore[misc] # as above
        case str(name):
            return _PLAIN.get(name, Any)
        case _:
            return Any
