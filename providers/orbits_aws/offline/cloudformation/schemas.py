"""What AWS's published schemas say of a resource type: which properties there are and which mean a replacement.

The schemas are the JSON files that cfn-lint brings; they are read from its folder, without importing it.
"""

import functools
import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

Path = tuple[str, ...]
"""A property's place: the names on the way to it; `*` is any item of a list."""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The parts of a type's schema that deploying needs."""

    type: str
    properties: frozenset[str]
    required: frozenset[str]
    create_only: frozenset[Path]
    read_only: frozenset[Path]
    write_only: frozenset[Path]
    identifier: tuple[Path, ...]
    tag_property: str | None
    """The property that takes tags; None if the type takes none."""
    tags_as_map: bool
    """Whether tags are written as a map instead of a list of Key and Value."""


@functools.cache
def _folder() -> FilePath:
    spec = importlib.util.find_spec("cfnlint")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the offline AWS needs cfn-lint, which moto[server] brings: install orbits-iac[offline]")
    return FilePath(spec.submodule_search_locations[0], "data", "schemas")


@functools.cache
def _index() -> Mapping[str, str]:
    text = (_folder() / "providers" / "us-east-1.json").read_text(encoding="utf-8")
    return {str(name): str(file) for name, file in json.loads(text).items()}


def known(type_name: str) -> bool:
    """Whether AWS has a resource type of this name."""
    return type_name in _index()


@functools.cache
def schema_of(type_name: str) -> Schema | None:
    """The schema of a type; None if AWS has none."""
    text = published(type_name)
    return None if text is None else _read(json.loads(text))


def published(type_name: str) -> str | None:
    """The schema of a type as AWS publishes it, a JSON text; None if AWS has none."""
    file = _index().get(type_name)
    return None if file is None else (_folder() / "resources" / f"{file}.json").read_text(encoding="utf-8")


def _read(data: Mapping[str, Any]) -> Schema:
    tagging = data.get("tagging", {})
    tag_property = str(tagging.get("tagProperty", "/properties/Tags")).rpartition("/")[2]
    takes_tags = bool(tagging.get("taggable")) and tag_property in data["properties"]
    return Schema(
        type=data["typeName"],
        properties=frozenset(data["properties"]),
        required=frozenset(data.get("required", [])),
        create_only=_paths(data, "createOnlyProperties"),
        read_only=_paths(data, "readOnlyProperties"),
        write_only=_paths(data, "writeOnlyProperties"),
        identifier=tuple(_path(name) for name in data.get("primaryIdentifier", [])),
        tag_property=tag_property if takes_tags else None,
        tags_as_map=takes_tags and _is_map(data, data["properties"][tag_property]),
    )


def _paths(data: Mapping[str, Any], key: str) -> frozenset[Path]:
    return frozenset(_path(name) for name in data.get(key, []))


def _path(pointer: str) -> Path:
    return tuple(pointer.removeprefix("/properties/").split("/"))


def _is_map(data: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    while "$ref" in declared:
        declared = data["definitions"][declared["$ref"].rpartition("/")[2]]
    return declared.get("type") == "object"


def at(properties: Any, path: Path) -> Any:
    """What stands at a path; None if nothing does, a list where the path leads through one."""
    value = properties
    for index, name in enumerate(path):
        if isinstance(value, list):
            rest = path[index + 1 :] if name == "*" else path[index:]
            return [at(item, rest) for item in value]
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
