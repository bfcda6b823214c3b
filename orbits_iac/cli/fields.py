"""From `name=value`, as a person types it, to the fields of a model: a stack's, or an event's."""

import os
from collections.abc import Sequence
from types import GenericAlias, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from orbits_iac.model.errors import UsageError, in_words
from orbits_iac.model.likeness import like

if TYPE_CHECKING:
    from pydantic import BaseModel

_ENV = "@env:"
_EXAMPLES = {**dict.fromkeys(("list", "tuple", "set"), '["a", "b"]'), "dict": '{"a": "b"}', "Mapping": '{"a": "b"}'}


def fill(text: str, cls: "type[BaseModel]", arguments: Sequence[str]) -> "BaseModel":
    """The model with these fields; UsageError names each that is unknown, missing or of the wrong type.

    `text` is what a person calls it.
    """
    from pydantic import ValidationError

    given = values(text, cls, arguments)
    missing = [name for name, field in cls.model_fields.items() if field.is_required() and name not in given]
    if missing:
        needed = ", ".join(f"{name} ({_type_of(cls, name)})" for name in missing)
        example = " ".join(f"{name}=..." for name in missing)
        raise UsageError(f"{text} needs {needed}: add {example}")
    try:
        return cls.model_validate(given)
    except ValidationError as error:
        raise _wrong(text, cls, error) from error


def values(text: str, cls: "type[BaseModel]", arguments: Sequence[str]) -> dict[str, Any]:
    """What each field is given, read by its type; UsageError names one that is unknown, given twice or wrong."""
    found: dict[str, Any] = {}
    others: frozenset[str] = getattr(cls, "asked_by_commands", frozenset())
    fields = {name: field for name, field in cls.model_fields.items() if name not in others}
    for argument in arguments:
        name, separator, given = argument.partition("=")
        if not separator:
            raise UsageError(f"{argument!r} gives no field a value: write name=value")
        if name not in fields:
            there = ", ".join(fields) or "none"
            raise UsageError(f"{text} has no field {name!r}; it has: {there}{like(name, fields)}")
        if name in found:
            raise UsageError(f"{name} is given twice")
        found[name] = _value(text, cls, name, _text(name, given))
    return found


def _text(name: str, text: str) -> str:
    if not text.startswith(_ENV):
        return text
    variable = text.removeprefix(_ENV)
    if variable not in os.environ:
        raise UsageError(f"{name}: there is no variable {variable!r} in the environment")
    return os.environ[variable]


def _value(subject: str, cls: "type[BaseModel]", name: str, text: str) -> Any:
    """The value of a field: as the field's type reads it from text, else from JSON."""
    from pydantic import TypeAdapter, ValidationError

    declared: Any = cls.model_fields[name].annotation
    adapter: TypeAdapter[Any] = TypeAdapter(declared)
    looks_like_json = text[:1] in {"[", "{"}
    if looks_like_json and declared is Any:
        return adapter.validate_json(text)
    try:
        return adapter.validate_strings(text)
    except ValidationError as as_text:
        try:
            return adapter.validate_json(text)
        except ValidationError as as_json:
            invalid = as_json.errors(include_url=False)[0]["type"] == "json_invalid"
            error = as_text if invalid and not looks_like_json else as_json
            raise _wrong(subject, cls, error, name=name, text=text) from error


def _wrong(subject: str, cls: "type[BaseModel]", error: Any, *, name: str = "", text: str | None = None) -> UsageError:
    lines = []
    for problem in error.errors(include_url=False):
        where = ".".join(str(part) for part in (*((name,) if name else ()), *problem["loc"]))
        lines.append(f"{where}: {in_words(problem)}" if where else in_words(problem))
    kind, hint = _type_of(cls, name) if name else "", ""
    given = "" if text is None or "Secret" in kind else f", and is {text!r}"
    expected = f" ({name} is {kind}{given})" if name else ""
    places = {kind.index(part): example for part, example in _EXAMPLES.items() if part in kind}
    if places:  # what stands first is around the others
        hint = f"; give JSON, as in {name}='{places[min(places)]}'"
    return UsageError(f"{subject}: {'; '.join(lines)}{expected}{hint}")


def _type_of(cls: "type[BaseModel]", name: str) -> str:
    annotation = _bare(cls.model_fields[name].annotation)
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _bare(annotation: Any) -> Any:
    """A type without what is demanded of its values: the message says what of that they are not."""
    if get_origin(annotation) is Annotated:
        return _bare(annotation.__origin__)
    if get_origin(annotation) in {Union, UnionType}:
        return Union[tuple(_bare(one) for one in get_args(annotation))]  # noqa: UP007 - of what is known only here
    if isinstance(annotation, GenericAlias):
        origin: Any = annotation.__origin__
        return origin[tuple(_bare(one) for one in annotation.__args__)]
    return annotation
