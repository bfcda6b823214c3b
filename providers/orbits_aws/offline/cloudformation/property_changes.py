"""Where the properties of a resource differ, as the details of a change set tell it. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from .desired import as_text, handler_of, same
from .intrinsics import UNKNOWN
from .model import Properties, StackResource
from .schemas import Path, schema_of
from .template import ResourceDefinition, references

_ABSENT = object()


def property_changes(
    definition: ResourceDefinition,
    existing: StackResource,
    name: str,
    values: tuple[Properties, Properties],
) -> Iterator[dict[str, Any]]:
    """A detail for each place below a property where its values before and after differ."""
    before, after = values
    causes = [other for other in references(definition.properties.get(name)) if not other.startswith("AWS::")]
    for path, old, new in _differing(before.get(name, _ABSENT), after.get(name, _ABSENT), (name,)):
        recreates, dynamic = _recreates(existing.type, path), not known(new)
        target: dict[str, Any] = {
            "Attribute": "Tags" if name == tags_of(existing.type) else "Properties",
            "Name": name,
            "Path": "/".join(("/Properties", *path)),
            "RequiresRecreation": ("Conditionally" if dynamic else "Always") if recreates else "Never",
            "AttributeChangeType": "Add" if old is _ABSENT else "Remove" if new is _ABSENT else "Modify",
        }
        if old is not _ABSENT:
            target["BeforeValue"] = _shown(old)
        if new is not _ABSENT:
            target["AfterValue"] = _shown(new)
        recorded, actual = _at(existing.shown, path), None if old is _ABSENT else old
        if not same(recorded, actual):
            target["Drift"] = {"PreviousValue": _shown(recorded), "ActualValue": _shown(actual)}
        detail: dict[str, Any] = {
            "Target": target,
            "Evaluation": "Dynamic" if dynamic else "Static",
            "ChangeSource": "DirectModification",
        }
        if dynamic and causes:
            detail |= {"ChangeSource": "ResourceReference", "CausingEntity": causes[0]}
        yield detail


def name_causes(change: dict[str, Any], definition: ResourceDefinition, changed: set[str]) -> None:
    """Tell which changed parameter is behind a change of a property that refers to it."""
    for detail in change["Details"]:
        named = references(definition.properties.get(detail["Target"]["Name"]))
        causes = [name for name in named if name in changed]
        if causes and detail["ChangeSource"] == "DirectModification":
            detail |= {"ChangeSource": "ParameterReference", "CausingEntity": causes[0]}


def known(value: Any) -> bool:
    """Whether all of a value is known before the change is made."""
    if isinstance(value, Mapping):
        return all(known(inner) for inner in value.values())
    if isinstance(value, list):
        return all(known(inner) for inner in value)
    return value is not UNKNOWN


def tags_of(type_name: str) -> str | None:
    """The property of a type that takes tags."""
    schema = schema_of(type_name)
    return schema.tag_property if schema else None


def _differing(before: Any, after: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from _differing(before.get(name, _ABSENT), after.get(name, _ABSENT), (*path, name))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _differing(old, new, (*path, str(index)))
    elif before is _ABSENT or after is _ABSENT or not same(before, after):
        yield path, before, after


def _at(value: Any, path: Path) -> Any:
    for name in path:
        if isinstance(value, list):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _recreates(type_name: str, path: Path) -> bool:
    """Whether a change at a place means a new resource: something at it, above it or below it is create-only."""
    schema = schema_of(type_name)
    places = set(schema.create_only) if schema else set[Path]()
    places |= {(name,) for name in handler_of(type_name).replaced_by}
    return any(
        all(one in ("*", other) or other.isdecimal() for one, other in zip(place, path, strict=False))
        for place in places
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else as_text(value)
