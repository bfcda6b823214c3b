"""What a preview found to be done: a tree of changes."""

from dataclasses import dataclass
from enum import StrEnum

from orbits_iac.model.rows import Json


class Verb(StrEnum):
    """What would happen to one thing."""

    UNCHANGED = "unchanged"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    REMOVE = "remove"
    RUN = "run"  # an Action that would run
    SKIP = "skip"  # `once`: its earlier success stands
    UNKNOWN = "unknown"  # depends on what is not known before something else has run


@dataclass(frozen=True, kw_only=True, slots=True)
class PropertyChange:
    """One property that would change: JSON texts of before and after."""

    path: str
    before: Json | None
    after: Json | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What would happen to one step or thing, and below it."""

    verb: Verb
    ref: str = ""
    kind: str = ""
    identity: str = ""
    detail: str = ""  # for people: what of it
    properties: tuple[PropertyChange, ...] = ()
    no_return: bool = False
    stateful_loss: bool = False  # data would be lost
    below: tuple["Change", ...] = ()

    def __bool__(self) -> bool:
        """Whether anything would happen, here or below."""
        return self.verb not in {Verb.UNCHANGED, Verb.SKIP} or any(self.below)


class Plan:
    """What a preview found: true if there is anything to do."""

    def __init__(self, root: Change) -> None:
        self.root = root

    def __bool__(self) -> bool:
        """Whether anything would happen."""
        return bool(self.root)

    @property
    def changes(self) -> list[str]:
        """Each change as a line: its path, the verb, and what of it."""
        return list(_lines(self.root, ()))


def _lines(change: Change, path: tuple[str, ...]) -> list[str]:
    here = (*path, change.ref) if change.ref else path
    lines = [line for below in change.below for line in _lines(below, here)]
    if change.below or not change:
        return lines
    return [f"{'.'.join(here) or change.kind}: {change.verb.value} {change.kind} {change.detail}".rstrip()]
