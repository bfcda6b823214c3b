"""What is known of a type's properties beyond their values: where order, case or form has no meaning.

Rules name properties by patterns over their paths: `Tags`, `Rules.*.Prefix`, `Environment.Variables.*`. A `*` stands
for one name or one position; a pattern also stands for everything below what it names where that makes sense
(`ignore`). Providers give the rules of their types; users' own ignore rules are added to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


class Key(str):
    """Part of a path: which item of a list it is, by the field that tells items apart."""

    __slots__ = ()


Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands for a value that could not be found out, and says why; what it stands in for is unchecked."""

    why: str


class Absent:
    """Stands for a value that is not there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()
EMPTY: tuple[Any, ...] = (None, "", [], {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How the properties of one type are compared.

    Attributes:
        unordered: lists whose order has no meaning.
        keyed: lists of objects that are told apart by one of their fields: the pattern to that field's name.
        defaults: what a service takes where nothing is given: the pattern to the value, or to a tuple of values.
        filled: what a service fills in by itself where nothing is given (a generated name): compared where recorded.
        caseless: texts whose case has no meaning.
        named: references that may be given as an ARN or as a name.
        durations: lengths of time, in seconds or as ISO 8601 has them (`PT1H`).
        policies: policy documents.
        ignore: what is not compared, with the reason (a service manages it, somebody said so).
        whole: what is live was read wholly, so that a property it lacks is not there, and one that was not recorded is
            extra. Otherwise what it lacks was not read, and what it has beyond is not looked at.
        asked: only what was recorded is compared, at any depth: what a service adds by itself is not told from what
            somebody added. Items of lists count nevertheless.

    """

    unordered: tuple[str, ...] = ()
    keyed: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    filled: tuple[str, ...] = ()
    caseless: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    durations: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    ignore: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    asked: bool = False

    def ignoring(self, more: Mapping[str, str]) -> "Rules":
        """The same rules with more to ignore."""
        return replace(self, ignore={**self.ignore, **more})


def text_of(path: Path) -> str:
    """A path as people write it: `Tags[release]`, `Rules[0].Prefix`."""
    text = ""
    for part in path:
        if isinstance(part, (int, Key)):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def matches(pattern: str, path: Path) -> bool:
    """Whether the pattern names exactly this path."""
    parts = pattern.split(".")
    return len(parts) == len(path) and all(p in {"*", str(part)} for p, part in zip(parts, path, strict=True))


def covers(pattern: str, path: Path) -> bool:
    """Whether the pattern names this path or something above it."""
    return matches(pattern, path[: len(pattern.split("."))])


def found(table: Mapping[str, Any], path: Path) -> Any:
    """The value of the first pattern in the table that names the path, else ABSENT."""
    return next((value for pattern, value in table.items() if matches(pattern, path)), ABSENT)


def applies(patterns: tuple[str, ...], path: Path) -> bool:
    """Whether one of the patterns names the path."""
    return any(matches(pattern, path) for pattern in patterns)


def why_ignored(rules: Rules, path: Path) -> str | None:
    """Why the path is not compared, or None."""
    return next((why for pattern, why in rules.ignore.items() if covers(pattern, path)), None)
