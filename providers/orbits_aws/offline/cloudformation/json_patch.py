"""JSON Patch (RFC 6902), as UpdateResource of the Cloud Control API takes it. Pure."""

import copy
from typing import Any


class Unpatchable(ValueError):
    """A patch document that is none, or that does not fit what it is applied to."""


def patched(document: Any, operations: Any) -> Any:
    """A copy of a document with the operations done in order. Raises Unpatchable."""
    result = {"": copy.deepcopy(document)}
    if not isinstance(operations, list):
        raise Unpatchable("the patch document is not a list of operations")
    for operation in operations:
        try:
            _apply(result, operation)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as failure:
            raise Unpatchable(f"the operation {operation} does not fit: {failure}") from failure
    return result[""]


def _apply(root: dict[str, Any], operation: dict[str, Any]) -> None:
    path = str(operation["path"])
    match operation["op"]:
        case "add":
            _put(root, path, copy.deepcopy(operation["value"]))
        case "replace":
            _take(root, path)
            _put(root, path, copy.deepcopy(operation["value"]))
        case "remove":
            _take(root, path)
        case "move":
            _put(root, path, _take(root, str(operation["from"])))
        case "copy":
            _put(root, path, copy.deepcopy(_at(root, _parts(str(operation["from"])))))
        case "test":
            if _at(root, _parts(path)) != operation["value"]:
                raise ValueError(f"{path} is not {operation['value']}")
        case other:
            raise ValueError(f"there is no operation {other}")


def _parts(pointer: str) -> list[str]:
    """The names on the way, the root's empty one first."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")]


def _at(value: Any, parts: list[str]) -> Any:
    for part in parts:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _put(root: dict[str, Any], pointer: str, value: Any) -> None:
    *way, last = _parts(pointer)
    parent = _at(root, way)
    if not isinstance(parent, list):
        parent[last] = value
    elif last == "-":
        parent.append(value)
    else:
        parent.insert(int(last), value)


def _take(root: dict[str, Any], pointer: str) -> Any:
    *way, last = _parts(pointer)
    parent = _at(root, way)
    return parent.pop(int(last) if isinstance(parent, list) else last)
