"""What a reader is, and what all of them need."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orbits_iac.provider import Rules

Aws = Callable[[str], Any]
"""Gives a client of a service, for the account and region that are read."""

Properties = dict[str, Any]

Beside = Callable[[str], Iterable[tuple[str, Mapping[str, Any]]]]
"""Gives the other resources of a type in the same template: physical id and properties as they were deployed."""


def _as_read(live: Properties, _physical_id: str, _recorded: Mapping[str, Any], _beside: Beside) -> Properties:
    return live


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How one type is read.

    Attributes:
        type: CloudFormation's name of it.
        read: reads the thing with this physical id; `recorded` are its properties as they were deployed, which some
            types need to be found at all. Returns None where it is gone.
        covers: the properties that `read` gives; one of these that is not in its answer is not there.
        rules: how they are compared.
        unread: why a property cannot be read by anybody; what is in neither, Cloud Control may give.
        own: what was read, without what other resources of the same template have put there.

    """

    type: str
    read: Callable[[Aws, str, Mapping[str, Any]], Properties | None]
    covers: frozenset[str]
    rules: Rules
    unread: Mapping[str, str] = field(default_factory=dict)
    own: Callable[[Properties, str, Mapping[str, Any], Beside], Properties] = _as_read


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Tags as CloudFormation has them, without those that AWS itself sets."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items()) if not key.startswith("aws:")]


def tags_by_key(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """A list of tags as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in tags}


def given(properties: Properties) -> Properties:
    """The properties without those that have no value."""
    return {name: value for name, value in properties.items() if value is not None}
