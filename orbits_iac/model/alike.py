"""Which of the changes below one are alike: the same would be done to them, but for their own names. Pure.

Where one step is done many times, with a `key=` or an identity each, as a roll-out does its tenants, a person wants to
see once what is the same for all, and who is otherwise. Two are alike if the same is shown of them and of all below
them when the names that each has for itself are taken out: its key, identities and places, and the values of fields in
which most differ from all others. The other fields count, as far as they change. Called by whoever shows a plan.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orbits_iac.model.plans import Change, PropertyChange, Verb

FEWEST = 4
"""Steps of one kind under one ref, from which on they are put in groups."""

_OWN = "\0"  # what stands for a name of its own
_SHORTEST = 2  # characters of a name that is looked for in texts
_REVISIONS = re.compile(r"^revision \d+ → \d+$")  # what an update says of itself: each has its own numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Changes that are alike, in the order in which they stand; what is shown of the first holds for all.

    Attributes:
        members: the changes.
        fields: their fields that change in the same way; where nothing stands yet, those in which others differ.
        own: fields in which each of them has a value of its own.
        crowd: how many they were chosen from: all under one ref; 1 of what stands alone.

    """

    members: tuple[Change, ...]
    fields: tuple[PropertyChange, ...] = ()
    own: tuple[str, ...] = ()
    crowd: int = 1

    @property
    def first(self) -> Change:
        """The one that stands for all."""
        return self.members[0]

    @property
    def names(self) -> tuple[str, ...]:
        """What each of them is called."""
        return tuple(map(name_of, self.members))

    @property
    def removes(self) -> bool:
        """Whether something would be removed, or data lost."""
        return any(one.stateful_loss or one.verb in {Verb.REMOVE, Verb.REPLACE} for one in self.first.walk())


def name_of(change: Change) -> str:
    """What tells a change from others under the same ref: its `key=`, or else its identity."""
    fields = change.key.rpartition("/")[2].split(":")
    if len(fields) > 3:
        return fields[3].replace("%2F", "/").replace("%3A", ":").replace("%25", "%")
    return change.identity or change.ref


def grouped(changes: Sequence[Change]) -> list[Group]:
    """Changes that stand side by side, in groups; whatever is not one of many under one ref stands alone, in its place.

    Of many, those of which something is removed come first, then the most common; to the last nothing happens.
    """
    crowds: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        crowds.setdefault(_crowd(change), []).append(change)
    found: list[Group] = []
    for change in changes:
        crowd = crowds.get(_crowd(change))
        if crowd is None:  # came with the first of it
            continue
        if len(crowd) < FEWEST:
            found.append(Group(members=(change,)))
            continue
        del crowds[_crowd(change)]
        found += _groups(crowd)
    return found


def _crowd(change: Change) -> tuple[str, str]:
    return change.ref.partition("[")[0], change.kind


def _groups(crowd: Sequence[Change]) -> list[Group]:
    values = [_values(change) for change in crowd]
    own = _own_fields(values)
    counts = Counter(name for change in crowd for name in _names(change))
    members: dict[str, list[Change]] = {}
    for change, its in zip(crowd, values, strict=True):
        names = {name for name in _names(change) if counts[name] == 1}
        names |= {value for path, pair in its.items() if path in own for value in pair if isinstance(value, str)}
        members.setdefault(_Alike(names, own).digest(change), []).append(change)
    alike = [tuple(one) for one in members.values()]
    groups = [
        Group(members=one, fields=_same_fields(one[0], own, alike), own=_told(one, own), crowd=len(crowd))
        for one in alike
    ]
    return sorted(groups, key=lambda group: (not group.removes, not group.first, -len(group.members)))


def _same_fields(first: Change, own: frozenset[str], alike: Sequence[tuple[Change, ...]]) -> tuple[PropertyChange, ...]:
    """The fields of a group that are told: of what stands, those that change; else those in which groups differ."""
    if not first:
        return ()
    others = [_values(one[0]) for one in alike if one[0].verb is Verb.CREATE]
    return tuple(
        PropertyChange(path=path, before=_written(before), after=_written(after))
        for path, (before, after) in _values(first).items()
        if path not in own
        and (first.verb is not Verb.CREATE or any(other.get(path) != (before, after) for other in others))
    )


def _written(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _told(alike: Sequence[Change], own: frozenset[str]) -> tuple[str, ...]:
    """The fields of their own that change in these: nothing is said where there is but one, or nothing to do."""
    if len(alike) == 1 or not alike[0]:
        return ()
    return tuple(path for path in _values(alike[0]) if path in own)


def _names(change: Change) -> set[str]:
    """What a change and all below it are called, and where they are."""
    found = {name_of(change)}
    for one in change.walk():
        found |= {one.identity, *(part for place in one.places for part in place.split("/"))}
    return found - {""}


def _values(change: Change) -> dict[str, tuple[Any, Any]]:
    """The values of the fields that change, before and after, those of models by their own fields."""
    return {
        path: pair
        for field in change.fields
        for path, pair in _leaves(field.path, _read(field.before), _read(field.after))
    }


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _leaves(path: str, before: Any, after: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    if not isinstance(after, Mapping) or not after:
        yield path, (before, after)
        return
    earlier = before if isinstance(before, Mapping) else {}
    for name in dict.fromkeys((*after, *earlier)):
        if after.get(name) != earlier.get(name) or name not in earlier:
            yield from _leaves(f"{path}.{name}", earlier.get(name), after.get(name))


def _own_fields(values: Sequence[Mapping[str, tuple[Any, Any]]]) -> frozenset[str]:
    """The fields in which most have a value that nobody else has."""
    seen: dict[str, Counter[str]] = {}
    for its in values:
        for path, (_, after) in its.items():
            seen.setdefault(path, Counter())[json.dumps(after, sort_keys=True)] += 1
    return frozenset(
        path
        for path, counts in seen.items()
        if sum(count == 1 for count in counts.values()) * 2 > max(FEWEST, counts.total())
    )


class _Alike:
    """What is shown of one change, without its own names."""

    def __init__(self, names: set[str], own: frozenset[str]) -> None:
        self._own = own
        self._names = names
        words = sorted((re.escape(name) for name in names if len(name) >= _SHORTEST), key=len, reverse=True)
        self._found = re.compile(rf"(?<![^\W_])(?:{'|'.join(words)})(?![^\W_])", re.IGNORECASE) if words else None

    def digest(self, change: Change) -> str:
        """The same for those that are alike."""
        said: object = None
        if change:
            fields = [
                (path, None if path in self._own else (self._value(before), self._value(after)))
                for path, (before, after) in _values(change).items()
            ]
            said = (fields, self._shown(change))
        return hashlib.blake2b(repr(said).encode(), digest_size=16).hexdigest()

    def _shown(self, change: Change) -> tuple[object, ...]:
        gone = change.protected and change.verb in {Verb.REMOVE, Verb.REPLACE}
        marks = (change.no_return, change.stateful_loss, gone, change.aside)
        detail = _REVISIONS.sub("", change.detail)
        words = tuple(self._text(word) for word in (detail, *change.waits, *change.users))
        properties = tuple(map(self._property, change.properties))
        below = tuple(
            (self._text(one.ref), one.kind, "" if "/" in one.identity else self._text(one.identity), self._shown(one))
            for one in change.below
        )
        return change.verb.value, marks, words, properties, below

    def _property(self, one: PropertyChange) -> tuple[object, ...]:
        return tuple(None if text is None else self._text(text) for text in (one.path, one.before, one.after, one.live))

    def _value(self, value: Any) -> str:
        return self._text(json.dumps(value, sort_keys=True, ensure_ascii=False))

    def _text(self, text: str) -> str:
        return _OWN if text in self._names else text if self._found is None else self._found.sub(_OWN, text)
