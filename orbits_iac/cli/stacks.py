"""From what a person types to a step: which class, with which fields. All is checked before a store is opened."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from orbits_iac.model.errors import UsageError

if TYPE_CHECKING:
    from orbits_iac.settings import Settings
    from orbits_iac.steps.step import Step

_ENV = "@env:"


@dataclass(frozen=True, kw_only=True)
class Named:
    """A stack as it was named: its class, and the module that a later process has to import to have it."""

    text: str
    source: str
    cls: "type[Step[Any]]"


def find_stack(text: str, settings: "Settings") -> Named:
    """The class that was named; UsageError says what of it there is not, and what there is instead."""
    from orbits_iac.cli.session import cannot_import
    from orbits_iac.registry import load

    spec = settings.stacks.get(text, text)
    if ":" not in spec:
        known = ", ".join(sorted(settings.stacks)) or "none"
        raise UsageError(
            f"{text!r} names no stack: write module:Class or file.py:Class, or one of [stacks] in orbits.toml "
            f"(there: {known}){_like(text, list(settings.stacks))}"
        )
    try:
        cls = load(spec)
    except UsageError:
        raise
    except Exception as error:
        raise cannot_import(spec.partition(":")[0], error) from error
    return Named(text=text, source=spec.partition(":")[0], cls=cls)


def build(named: Named, arguments: Sequence[str]) -> "Step[Any]":
    """The step, with its fields; UsageError names each field that is unknown, missing or of the wrong type."""
    from pydantic import ValidationError

    values = _values(named, arguments)
    missing = [name for name, field in named.cls.model_fields.items() if field.is_required() and name not in values]
    if missing:
        needed = ", ".join(f"{name} ({_type_of(named.cls, name)})" for name in missing)
        example = " ".join(f"{name}=..." for name in missing)
        raise UsageError(f"{named.text} needs {needed}: add {example}")
    try:
        return named.cls.model_validate(values)
    except ValidationError as error:
        raise _wrong(named, error) from error


def check(step: "Step[Any]", named: Named) -> None:
    """Refuse what `Orbits.start` would refuse, before a store is opened."""
    from orbits_iac.steps.resource import Resource

    if isinstance(step, Resource):
        resource_of(step, named)
    step.check_inputs()


def resource_of(step: "Step[Any]", named: Named) -> tuple[str, str]:
    """The kind and identity of a stack; UsageError if it has none."""
    from orbits_iac.steps.resource import Resource
    from orbits_iac.steps.step import kind_of

    if not isinstance(step, Resource):
        raise UsageError(f"{named.text} is no Resource: nothing of it is kept between runs")
    identity = step.identity()
    if identity is None:
        raise UsageError(
            f"{named.text} has no identity(): on its own it belongs to no place. Give the class one, or name the "
            f"stack that does it."
        )
    return kind_of(type(step)), identity


def name_record(subject: str, rest: Sequence[str], store: str | None) -> tuple[str, str]:
    """The kind and identity of the record that was named, by a stack with its fields or by themselves.

    The user's code, and settings, are loaded for a stack alone.
    """
    from orbits_iac.cli.session import configuration, settings_with

    known = configuration().get("stacks")
    if ":" in subject or (isinstance(known, dict) and subject in known):
        return identify(find_stack(subject, settings_with(store)), rest)
    if len(rest) != 1:
        raise UsageError(
            f"{subject!r} names no stack, and a record is named by its kind and identity: write a stack as "
            f"module:Class or file.py:Class with its fields, or KIND IDENTITY"
        )
    return subject, rest[0]


def identify(named: Named, arguments: Sequence[str]) -> tuple[str, str]:
    """The kind and identity that a stack has with these fields; what the identity does not need may be left out."""
    step = cast("Any", named.cls).model_construct(**_values(named, arguments))
    try:
        return resource_of(step, named)
    except AttributeError as error:
        if error.name in named.cls.model_fields:
            raise UsageError(f"{named.text} takes its identity from {error.name!r}: add {error.name}=...") from error
        raise


def _values(named: Named, arguments: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    fields = named.cls.model_fields
    for argument in arguments:
        name, separator, text = argument.partition("=")
        if not separator:
            raise UsageError(f"{argument!r} gives no field a value: write name=value")
        if name not in fields:
            there = ", ".join(fields) or "none"
            raise UsageError(f"{named.text} has no field {name!r}; it has: {there}{_like(name, list(fields))}")
        if name in values:
            raise UsageError(f"{name} is given twice")
        values[name] = _value(named, name, _text(name, text))
    return values


def _text(name: str, text: str) -> str:
    if not text.startswith(_ENV):
        return text
    variable = text.removeprefix(_ENV)
    if variable not in os.environ:
        raise UsageError(f"{name}: there is no variable {variable!r} in the environment")
    return os.environ[variable]


def _value(named: Named, name: str, text: str) -> Any:
    """The value of a field: as the field's type reads it from text, else from JSON."""
    from pydantic import TypeAdapter, ValidationError

    declared: Any = named.cls.model_fields[name].annotation
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
            raise _wrong(named, error, name=name, text=text) from error


def _wrong(named: Named, error: Any, *, name: str = "", text: str | None = None) -> UsageError:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in (*((name,) if name else ()), *problem["loc"]))
        lines.append(f"{where}: {problem['msg']}" if where else str(problem["msg"]))
    given = "" if text is None or "Secret" in _type_of(named.cls, name) else f", and is {text!r}"
    expected = f" ({name} is {_type_of(named.cls, name)}{given})" if name else ""
    hint = ""
    if name and any(part in _type_of(named.cls, name) for part in ("list", "dict", "tuple", "set")):
        hint = f"""; give JSON, as in {name}='["a", "b"]'"""
    return UsageError(f"{named.text}: {'; '.join(lines)}{expected}{hint}")


def _type_of(cls: "type[Step[Any]]", name: str) -> str:
    annotation: Any = cls.model_fields[name].annotation
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def _like(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f". Did you mean {close[0]!r}?" if close else ""
