"""From what a person types to a step: which class, with which fields. All is checked before a store is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from orbits_iac.cli import fields
from orbits_iac.model.errors import UsageError
from orbits_iac.model.likeness import like

if TYPE_CHECKING:
    from orbits_iac.settings import Settings
    from orbits_iac.steps.step import Step


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
            f"(there: {known}){like(text, settings.stacks)}"
        )
    try:
        cls = load(spec)
    except UsageError:
        raise
    except Exception as error:
        raise cannot_import(spec.partition(":")[0], error) from error
    return Named(text=text, source=spec.partition(":")[0], cls=cls)


def step_of(text: str, arguments: Sequence[str], settings: "Settings") -> "tuple[Step[Any], Named]":
    """The step that was named, with its fields, checked before a store is opened; UsageError says what is wrong."""
    named = find_stack(text, settings)
    step = build(named, arguments)
    check(step, named)
    return step, named


def build(named: Named, arguments: Sequence[str]) -> "Step[Any]":
    """The step, with its fields; UsageError names each field that is unknown, missing or of the wrong type."""
    return cast("Step[Any]", fields.fill(named.text, named.cls, arguments))


def check(step: "Step[Any]", named: Named) -> None:
    """Refuse what `Orbits.start` would refuse, before a store is opened."""
    from orbits_iac.steps.resource import Resource

    if isinstance(step, Resource):
        resource_of(step, named)
    step.check_inputs()


def resource_of(step: "Step[Any]", named: Named) -> tuple[tuple[str, ...], str]:
    """The kind of a stack, with what it was called before, and its identity; UsageError if it has none."""
    from orbits_iac.steps.resource import Resource
    from orbits_iac.steps.step import kinds_of

    if not isinstance(step, Resource):
        raise UsageError(f"{named.text} is no Resource: nothing of it is kept between runs")
    identity = step.identity()
    if identity is None:
        raise UsageError(
            f"{named.text} has no identity(): on its own it belongs to no place. Give the class one, or name the "
            f"stack that does it."
        )
    return kinds_of(type(step)), identity


def name_record(subject: str, rest: Sequence[str], store: str | None) -> tuple[tuple[str, ...], str]:
    """The kind of the record that was named, by a stack with its fields or by itself, with former ones; its identity.

    The user's code, and settings, are loaded for a stack alone. A record that is called like its kind, as a fleet's is,
    may be named by that alone.
    """
    from orbits_iac.cli.session import configuration, settings_with

    known = configuration().get("stacks")
    if ":" in subject or (isinstance(known, dict) and subject in known):
        return identify(find_stack(subject, settings_with(store)), rest)
    if len(rest) > 1:
        raise UsageError(
            f"{subject!r} names no stack, and a record is named by its kind and identity: write a stack as "
            f"module:Class or file.py:Class with its fields, or KIND IDENTITY"
        )
    return (subject,), rest[0] if rest else subject


def identify(named: Named, arguments: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The kinds and identity that a stack has with these fields; what the identity does not need may be left out."""
    step = cast("Any", named.cls).model_construct(**fields.values(named.text, named.cls, arguments))
    try:
        return resource_of(step, named)
    except AttributeError as error:
        if error.name in named.cls.model_fields:
            raise UsageError(f"{named.text} takes its identity from {error.name!r}: add {error.name}=...") from error
        raise
