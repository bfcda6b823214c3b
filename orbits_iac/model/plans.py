"""What a preview found to be done: a tree of changes, and the plan that it is kept as.

A plan holds digests of what is desired and the revisions that it was made from, so that what was approved can be held
against what is found later. Values in it are as the codec encodes them: a secret is encrypted, or masked.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from orbits_iac.model.errors import UsageError
from orbits_iac.model.rows import Json

FORMAT = 1
"""The version of a kept plan's format."""


class Verb(StrEnum):
    """What would happen to one thing."""

    UNCHANGED = "unchanged"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    REMOVE = "remove"
    RELEASE = "release"  # no longer this one's: it stays for others, or because it is retained
    RUN = "run"  # an Action that would run
    SKIP = "skip"  # `once`: its earlier success stands
    UNKNOWN = "unknown"  # depends on what is not known before something else has run


@dataclass(frozen=True, kw_only=True, slots=True)
class PropertyChange:
    """One property that would change: JSON texts of before and after.

    `live` is what it is live, where that is known and somebody has changed it from `before`: it would be overwritten.
    """

    path: str
    before: Json | None
    after: Json | None
    live: Json | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What would happen to one step or thing, and below it.

    A provider's `define_preview` says the verb, the properties, what would be lost and the parts below; the engine adds
    the rest.
    """

    verb: Verb
    ref: str = ""
    kind: str = ""
    identity: str = ""
    detail: str = ""  # for people: what of it
    properties: tuple[PropertyChange, ...] = ()
    no_return: bool = False
    stateful_loss: bool = False  # data would be lost
    below: tuple["Change", ...] = ()
    key: str = ""  # the step's key in the execution that does it; none of what is removed
    digest: str = ""  # of what is desired: kind, command and argument
    revision: int | None = None  # of the record, when this was found
    waits: tuple[str, ...] = ()  # steps on whose outcome depends what else there is to do here
    users: tuple[str, ...] = ()  # others whose record this is too
    whole: bool = False  # found by the thing itself: what is below are its parts, not steps
    aside: bool = False  # shown beside the changes that bring it: no change of its own
    protected: bool = False  # `protect=True`: not removed or replaced without being named
    fields: tuple[PropertyChange, ...] = ()  # of a Resource: its fields that are others than the standing revision's
    places: tuple[str, ...] = ()  # where the record is: account and region, cluster
    remarks: tuple[str, ...] = ()  # of a Resource: what its definition says to whoever approves it; part of the detail
    called: str = ""  # of a thing that can be recorded under a name of its own: what it is called where it is

    def __bool__(self) -> bool:
        """Whether anything would happen, here or below."""
        return self.verb not in {Verb.UNCHANGED, Verb.SKIP} or any(self.below)

    def walk(self) -> Iterator["Change"]:
        """This change and all below it, each before what is below it."""
        yield self
        for below in self.below:
            yield from below.walk()

    @property
    def essence(self) -> str:
        """A digest of what would be done to a thing, whoever says it in whatever words."""
        text = msgspec.json.encode(_essence(self))
        return hashlib.blake2b(text, digest_size=8).hexdigest()


def _essence(change: Change) -> tuple[object, ...]:
    below = [(one.ref, one.kind, *_essence(one)) for one in change.below if not one.aside]
    return change.verb, change.properties, change.stateful_loss, below


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """Something that would be lost: it has to be accepted by name."""

    kind: str
    identity: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind} {self.identity} {self.why}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a preview found: true if there is anything to do.

    Kept as JSON (`to_json`, `from_json`), it can be approved by somebody else and executed later: what is then done is
    what it shows, or nothing.
    """

    format: int = FORMAT
    project: str = ""
    stack: str = ""  # where the step's class is, as in `shop:Shop`
    kind: str = ""
    command: str = "update"  # what of it was previewed; "run" of an Action or a Workflow
    argument: Json = "{}"  # the step's fields
    options: Json = "{}"  # the command's own arguments
    targets: dict[str, Json] = field(default_factory=dict)  # where and as whom, by the targets' types
    build: str = ""  # the digest of the code that it was made with
    sources: dict[str, str] = field(default_factory=dict)  # of each module of that, a digest
    at: float = 0.0  # when it was made, in seconds since the epoch
    who: str = ""  # by whom
    root: Change

    def __bool__(self) -> bool:
        """Whether anything would happen."""
        return bool(self.root)

    @property
    def changes(self) -> list[str]:
        """Each change as a line: its path, the verb, and what of it."""
        return list(_lines(self.root, ()))

    @property
    def deferred(self) -> list[str]:
        """Where what is to be done cannot be known before something else has run: the path, and what it waits for."""
        return [
            f"{'.'.join(path) or change.kind}: then what depends on {', '.join(change.waits)}"
            for path, change in _paths(self.root, ())
            if change.waits
        ]

    @property
    def losses(self) -> list[Loss]:
        """What would be lost, by the name that it is accepted by, each once."""
        found = {(loss.kind, loss.identity): loss for loss in _losses(self.root, None)}
        return list(found.values())

    @property
    def digest(self) -> str:
        """What names this plan: the same for equal plans only."""
        return hashlib.blake2b(self.to_json().encode(), digest_size=8).hexdigest()

    def to_json(self) -> str:
        """The plan as JSON text, for `from_json`. Secrets in it are encrypted or masked."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Plan":
        """The plan that `to_json` gave; UsageError if it is none, or one of a newer format."""
        try:
            if (found := msgspec.json.decode(text, type=_Format).format) != FORMAT:
                raise UsageError(f"this plan has the format {found}, and this version of Orbits reads {FORMAT}")
            return msgspec.json.decode(text, type=cls)
        except msgspec.MsgspecError as error:
            raise UsageError(f"this is no plan that `orbits preview --out` has made: {error}") from error


class _Format(msgspec.Struct):
    format: int


def _lines(change: Change, path: tuple[str, ...]) -> list[str]:
    here = (*path, change.ref) if change.ref else path
    lines = [line for below in change.below if not below.aside for line in _lines(below, here)]
    if change.below or not change:
        return lines
    return [f"{'.'.join(here) or change.kind}: {change.verb.value} {change.kind} {change.detail}".rstrip()]


def _paths(change: Change, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Change]]:
    here = (*path, change.ref) if change.ref else path
    yield here, change
    for below in change.below:
        yield from _paths(below, here)


def _losses(change: Change, holder: Change | None) -> Iterator[Loss]:
    """What is lost here and below; a part of a thing is named after the record that holds it."""
    record = holder or change
    if change.stateful_loss:
        name = f"{record.identity}/{change.ref}" if holder is not None else record.identity
        yield Loss(kind=record.kind, identity=name, why="loses data")
    elif change.protected and change.verb in {Verb.REMOVE, Verb.REPLACE}:
        yield Loss(kind=record.kind, identity=record.identity, why="is protected")
    for below in change.below:
        yield from _losses(below, record if change.whole or holder is not None else None)
