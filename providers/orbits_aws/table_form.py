"""A DynamoDB table's keys and indexes, as fields say them and as DynamoDB does. Pure; called by `table`."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

KeyType = Literal["S", "N", "B"]
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Key:
    """An attribute that items are found by: its name, and whether it is a text, a number or bytes."""

    name: str
    type: KeyType = "S"


@dataclass(frozen=True, config=_STRICT)
class Index:
    """A global secondary index: other keys by which the items of a table are found.

    Attributes:
        projected: what of an item is in it: all, the keys, or these attributes beside the keys.
        read_capacity: units a second, where the table's are given.
        write_capacity: units a second, where the table's are given.

    """

    name: str
    partition_key: Key
    sort_key: Key | None = None
    projected: Literal["ALL", "KEYS_ONLY"] | list[str] = "ALL"
    read_capacity: int | None = Field(default=None, ge=1)
    write_capacity: int | None = Field(default=None, ge=1)


def key_schema(partition_key: Key, sort_key: Key | None) -> list[dict[str, str]]:
    """Keys as DynamoDB takes them."""
    keys = [{"AttributeName": partition_key.name, "KeyType": "HASH"}]
    return keys if sort_key is None else [*keys, {"AttributeName": sort_key.name, "KeyType": "RANGE"}]


def attributes(keys: Iterable[Key | None]) -> list[dict[str, str]]:
    """The definitions of the attributes that these keys are of, each once."""
    types = {key.name: key.type for key in keys if key is not None}
    return [{"AttributeName": name, "AttributeType": kind} for name, kind in sorted(types.items())]


def keys_of(found: Mapping[str, Any], types: Mapping[str, Any]) -> tuple[Key, Key | None]:
    """The partition key and the sort key of a table or an index."""
    by_kind = {one["KeyType"]: one["AttributeName"] for one in found["KeySchema"]}
    partition, sort = by_kind["HASH"], by_kind.get("RANGE")
    return Key(partition, types[partition]), None if sort is None else Key(sort, types[sort])


def throughput(read: int | None, write: int | None) -> dict[str, Any]:
    """A table's or an index' units a second, as DynamoDB takes them; nothing where it is paid by request."""
    if read is None or write is None:
        return {}
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def capacity_of(found: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """The units a second of a table or an index that is not paid by request."""
    given = found.get("ProvisionedThroughput", {})
    return given.get("ReadCapacityUnits") or None, given.get("WriteCapacityUnits") or None


def index(one: Index) -> dict[str, Any]:
    """An index as DynamoDB takes it."""
    if isinstance(one.projected, str):
        projection: dict[str, Any] = {"ProjectionType": one.projected}
    else:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": one.projected}
    return {
        "IndexName": one.name,
        "KeySchema": key_schema(one.partition_key, one.sort_key),
        "Projection": projection,
        **throughput(one.read_capacity, one.write_capacity),
    }


def index_of(found: Mapping[str, Any], types: Mapping[str, Any], *, by_request: bool) -> Index:
    """An index by the fields of `Index`."""
    partition_key, sort_key = keys_of(found, types)
    read, write = (None, None) if by_request else capacity_of(found)
    projection = found["Projection"]
    included = projection["ProjectionType"] == "INCLUDE"
    return Index(
        name=found["IndexName"],
        partition_key=partition_key,
        sort_key=sort_key,
        projected=sorted(projection["NonKeyAttributes"]) if included else projection["ProjectionType"],
        read_capacity=read,
        write_capacity=write,
    )
