"""Values between a template and an API: the same things, written in each in its own way.

botocore's shape of an argument says how a property is written (`written`), and that of an answer how it is read back
(`shown`). Names are compared without case. What an argument has no place for is refused with the way to it, so that
nothing of a template is dropped. Pure; used by `mapped`.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from orbits_aws.offline.cloudformation.errors import NothingDone
from orbits_aws.offline.cloudformation.intrinsics import text_of

from .contract import is_true, tag_map

_SCALARS: dict[str, Callable[[Any], Any]] = {
    "blob": lambda value: value.encode() if isinstance(value, str) else value,
    "boolean": is_true,
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
    "string": text_of,
}


def member_of(shape: Any, name: str) -> str | None:
    """The member of a structure that has a name, whatever its case; Key and Value of a tag may begin with Tag."""
    if name in shape.members:
        return name
    names = (name.lower(), f"tag{name.lower()}")
    return next((str(member) for member in shape.members if member.lower() in names), None)


def written(value: Any, shape: Any, path: str) -> Any:
    """A property's value as an argument of this shape. Raises NothingDone for what the shape has no place for."""
    match shape.type_name:
        case "structure":
            return _structure(value, shape, path)
        case "list":
            items = _tags(value, shape) if isinstance(value, Mapping) else value
            items = items if isinstance(items, list) else [items]
            return [written(item, shape.member, f"{path}/{index}") for index, item in enumerate(items)]
        case "map":
            pairs = tag_map({"Tags": value}) if isinstance(value, list) else value
            return {str(name): written(inner, shape.value, f"{path}/{name}") for name, inner in pairs.items()}
        case "string" if isinstance(value, Mapping | list):
            return json.dumps(value)
        case _:
            convert = _SCALARS.get(shape.type_name)
            return convert(value) if convert else value


def _structure(value: Any, shape: Any, path: str) -> dict[str, Any]:
    if isinstance(value, list) and {"Quantity", "Items"} <= set(shape.members):
        items = written(value, shape.members["Items"], path)
        return {"Quantity": len(items), **({"Items": items} if items else {})}
    if not isinstance(value, Mapping) and list(shape.members) == ["Value"]:
        return {"Value": written(value, shape.members["Value"], path)}
    if not isinstance(value, Mapping):
        raise NothingDone(f"{path} has to be an object")
    result: dict[str, Any] = {}
    for name, inner in value.items():
        member = member_of(shape, str(name))
        if member is None:
            raise NothingDone(f"The offline AWS does not carry out {path}/{name}")
        result[member] = written(inner, shape.members[member], f"{path}/{name}")
    return result


def _tags(value: Mapping[str, Any], shape: Any) -> Any:
    """A map where the API wants a list of key and value; anything else is a list of one."""
    if shape.member.type_name == "structure" and {name.lower() for name in shape.member.members} == {"key", "value"}:
        return [{"Key": key, "Value": inner} for key, inner in value.items()]
    return value


def shown(live: Any, shape: Any, like: Any = None) -> Any:
    """An answer's value as a property; names are spelt as in `like`, the recorded value, else with a capital."""
    match shape.type_name:
        case "structure" if {"Quantity", "Items"} <= set(shape.members) and not isinstance(like, Mapping):
            return [shown(item, shape.members["Items"].member) for item in live.get("Items", [])]
        case "structure":
            spelt: dict[str, str] = {str(name).lower(): str(name) for name in like} if isinstance(like, Mapping) else {}
            return {
                (name := spelt.get(member.lower(), member[:1].upper() + member[1:])): shown(
                    inner, shape.members[member], like.get(name) if isinstance(like, Mapping) else None
                )
                for member, inner in live.items()
                if member in shape.members
            }
        case "list":
            likes: list[Any] = like if isinstance(like, list) else []
            return [
                shown(item, shape.member, likes[index] if index < len(likes) else (likes or [None])[0])
                for index, item in enumerate(live)
            ]
        case "map":
            return dict(live)
        case "double" | "float":
            return int(live) if float(live).is_integer() else live
        case "timestamp":
            return live.isoformat() if hasattr(live, "isoformat") else live
        case "blob":
            return live.decode() if isinstance(live, bytes) else live
        case _:
            return live
