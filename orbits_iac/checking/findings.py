"""What a check finds, and the transaction that repairs it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from orbits_iac.model.ids import ExecutionId
from orbits_iac.store.contract import Transaction

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """How to make it fit again, without a guess: a compare-and-set that nobody's later write is lost to."""

    how: str  # what it does, for people
    transaction: Transaction
    execution: ExecutionId  # whose history says that it was repaired
    root: ExecutionId


@dataclass(frozen=True, kw_only=True, slots=True)
class Odd:
    """Something that does not fit: with a repair, or with what a person can do."""

    what: str
    todo: str = ""
    repair: Repair | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What a check has found of a subject."""

    check: str
    about: str
    what: str
    why: str  # what must hold, and how it may come that it does not
    todo: str
    repair: Repair | None


def found_by(checks: Sequence[Callable[[S], Iterable[Odd]]], subject: S, about: str) -> list[Finding]:
    """What these checks find of a subject."""
    return [
        Finding(
            check=check.__name__.replace("_", " "),
            about=about,
            what=odd.what,
            why=" ".join((check.__doc__ or "").split()),
            todo=odd.todo,
            repair=odd.repair,
        )
        for check in checks
        for odd in check(subject)
    ]
