"""Ids: what names an execution, a record and a step, for ever and in every store."""

import re
import secrets
from functools import lru_cache
from typing import NamedTuple, NewType, Self

ExecutionId = NewType("ExecutionId", str)
WorkerId = NewType("WorkerId", str)
StepKey = NewType("StepKey", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter is mistaken for another
_ESCAPES = str.maketrans({"%": "%25", ":": "%3A", "/": "%2F"})
_NAMED = frozenset({"main", "define"})  # commands of steps that only `key=` tells apart

TIMER = "timer"
"""The kind of the entry of a timer that fired; its key stands below the definition that had set it."""

NOTIFICATION = "orbits notification"
"""The kind of the executions that send what people are to be told: no class of a project can be called so."""

NOBODYS = ""
"""The tenant of what belongs to none, wherever tenants are counted."""

KEEP = "keep"
"""The command in the key of an entry that is no step: a child that was not asked for, and stays one."""

UNDO = "undo"
"""What the keys of steps that undo others begin with; the key of the one that is undone follows."""


def new_id(at: float) -> ExecutionId:
    """A new id, unique without coordination; ids sort by the second `at` (since the epoch) in which they were made."""
    number = (int(at) << 50) | secrets.randbits(50)
    return ExecutionId("".join(_ALPHABET[(number >> shift) & 31] for shift in range(80, -5, -5)))


def made_at(id: ExecutionId) -> float:  # noqa: A002 - as everywhere
    """The second (since the epoch) in which an id was made."""
    number = 0
    for character in id:
        number = number << 5 | _ALPHABET.index(character)
    return float(number >> 50)


class RecordId(NamedTuple):
    """What a record is kept under: the Resource's kind and its identity."""

    kind: str
    identity: str

    def __str__(self) -> str:
        return f"{self.kind} {self.identity}"

    @classmethod
    def named(cls, text: str) -> Self:
        """The record that is written so: kinds have no spaces."""
        kind, _, identity = text.partition(" ")
        return cls(kind, identity)


def step_key(above: str, ref: str, kind: str, command: str, name: str) -> StepKey:
    """The key of a step: where it stands, its ref, kind, command, and `key=` or a Resource's identity.

    `above` is the key of the Workflow or hook that does it. Keys are paths: `update/backend:Backend:update:acme`.
    """
    own = f"{_own_part(ref, kind, command)}:{name.translate(_ESCAPES)}".rstrip(":")
    return StepKey(f"{above}/{own}" if above else own)


@lru_cache(maxsize=8192)
def _own_part(*parts: str) -> str:
    return ":".join(part.translate(_ESCAPES) for part in parts)


def keeps(key: str) -> bool:
    """Whether an entry with this key is no step that was asked for, but a child that stays as it was."""
    return key.rpartition("/")[2].split(":")[2:3] == [KEEP]


def first_attempt(key: StepKey) -> StepKey:
    """The key that a step had at its first attempt, and the Workflows around it at theirs; a repeat's, if done once."""
    if ":repeat/" in key:
        key = StepKey(_repeated.sub(r"\1\2:", key))
    return StepKey("/".join(_first(part) for part in key.split("/"))) if "~" in key else key


_repeated = re.compile(r"(^|/)([^/:]*):[^/:]*:repeat/\d+:")  # the repeat, and which time it is


def _first(part: str) -> str:
    fields = part.split(":")
    return ":".join((*fields[:2], fields[2].partition("~")[0], *fields[3:])) if len(fields) > 2 else part


def refs(key: str) -> tuple[str, ...]:
    """The refs along a step's key, without the hook it starts with: what a person calls its path."""
    return tuple(_label(part) for part in _below_hook(key))


def place_of(key: str) -> str:
    """The refs and names along a step's key, joined by "/": what is remembered of a step beyond one execution."""
    return "/".join(_label(part, named=True) for part in _below_hook(key))


def _below_hook(key: str) -> list[str]:
    parts = key.split("/")
    return parts[2 if parts[0] == UNDO else 1 :]


def _label(part: str, *, named: bool = False) -> str:
    """A step's ref, with its `key=` behind it; `named`: with the identity too, if it is a Resource that has one."""
    ref, _, rest = part.partition(":")
    fields = rest.split(":")
    name = fields[2] if len(fields) > 2 and (named or fields[1].partition("~")[0] in _NAMED) else ""
    text = f"{ref}[{name}]" if name else ref
    return text.replace("%2F", "/").replace("%3A", ":").replace("%25", "%")
