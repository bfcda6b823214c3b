"""What a type's published schema says of reading and comparing it.

The schemas are CloudFormation's (its DescribeType gives them), in the form that "Resource type definition schema" of
the CloudFormation CLI's guide describes. Pure, but for `schema_of`, which asks once for each type in a process.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

from orbits_aws.readers.contract import Aws
from orbits_iac.provider import Rules

_DEEPEST = 8  # schemas refer to themselves
_KNOWN: dict[str, "Schema"] = {}
_LOCK = Lock()


@dataclass(frozen=True)
class Schema:
    """One type's schema."""

    document: Mapping[str, Any]

    @property
    def readable(self) -> bool:
        """Whether the type can be read."""
        return "read" in self.document.get("handlers", {})

    @property
    def identifier(self) -> tuple[str, ...]:
        """The properties that make up the primary identifier."""
        return tuple(_path(pointer) for pointer in self.document.get("primaryIdentifier", ()))

    @property
    def tags(self) -> str:
        """The property that holds the tags."""
        pointer = self.document.get("tagging", {}).get("tagProperty", "/properties/Tags")
        return str(pointer).rpartition("/")[2]

    @cached_property
    def write_only(self) -> frozenset[str]:
        """The properties that are taken and never given back, as patterns."""
        return frozenset(_path(pointer) for pointer in self.document.get("writeOnlyProperties", ()))

    @cached_property
    def rewritten(self) -> frozenset[str]:
        """The properties that the service keeps in another form than they are given in, as patterns."""
        return frozenset(_path(pointer) for pointer in self.document.get("propertyTransform", {}))

    @cached_property
    def rules(self) -> Rules:
        """How what was read is compared: only what was asked for, in lists of an order only where they have one."""
        unordered: list[str] = []
        defaults: dict[str, Any] = {}
        for pattern, declared in self._declared(self.document, "", _DEEPEST):
            if "items" in declared and declared.get("insertionOrder") is not True:  # what is not said is seldom meant
                unordered.append(pattern)
            if "default" in declared:
                defaults[pattern] = declared["default"]
        return Rules(whole=True, asked=True, unordered=tuple(unordered), defaults=defaults)

    def _declared(
        self, within: Mapping[str, Any], prefix: str, deepest: int
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Each property below a schema, with the pattern of its path."""
        if not deepest:
            return
        for name, given in within.get("properties", {}).items():
            yield from self._at(f"{prefix}{name}", given, deepest)

    def _at(self, pattern: str, given: Mapping[str, Any], deepest: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
        declared = self._followed(given)
        yield pattern, declared
        yield from self._declared(declared, f"{pattern}.", deepest - 1)
        if isinstance(declared.get("items"), Mapping) and deepest > 1:
            yield from self._at(f"{pattern}.*", declared["items"], deepest - 1)

    def _followed(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = given.get("$ref")
        if not isinstance(reference, str):
            return given
        found: Any = self.document
        for part in reference.removeprefix("#/").split("/"):
            found = found.get(part, {}) if isinstance(found, Mapping) else {}
        return {**found, **{name: value for name, value in given.items() if name != "$ref"}}


def schema_of(aws: Aws, type: str) -> Schema:  # noqa: A002 - CloudFormation's word
    """The schema of a public type; an AwsRefused where there is none, or it may not be read."""
    with _LOCK:
        known = _KNOWN.get(type)
    if known is None:
        found = aws("cloudformation").describe_type(Type="RESOURCE", TypeName=type)
        known = Schema(json.loads(found["Schema"]))
        with _LOCK:
            _KNOWN[type] = known
    return known


def _path(pointer: str) -> str:
    """A JSON pointer into the properties as a pattern over paths."""
    return pointer.removeprefix("/properties/").replace("/items/", "/*/").replace("/", ".")
