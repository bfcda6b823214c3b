"""What is broken in a soak, and in which order: a seed gives the same order each time.

A deck of all faults is shuffled and gone through, then shuffled again: so within one deck everything is broken once,
each command of MongoDB's that the store uses among it.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

WORKERS = 3

COMMANDS = (
    "find",
    "aggregate",
    "update",
    "insert",
    "delete",
    "findAndModify",
    "commitTransaction",
    "abortTransaction",
    "getMore",
)
"""What the store sends."""

_HOW: tuple[dict[str, Any], ...] = (
    {"errorCode": 11602},  # interrupted by an election: a driver tries again
    {"errorCode": 91},  # the server shuts down
    {"errorCode": 50},  # took too long: a driver does not try again
    {"errorCode": 8},  # anything
    {"closeConnection": True},
    {"blockConnection": True, "blockTimeMS": 700},
)
_DONE: tuple[dict[str, Any], ...] = (
    {"writeConcernError": {"code": 91, "errmsg": "done, and not known to whom"}},
    {"writeConcernError": {"code": 64, "errmsg": "done, and a majority not waited for"}},
)
_CONFLICT: dict[str, Any] = {"errorCode": 112, "errorLabels": ["TransientTransactionError"]}
_WRITES = frozenset({"update", "insert", "delete", "findAndModify", "commitTransaction"})


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that is broken, for so many seconds."""

    what: str
    worker: int = 0  # whose, from 1; 0: that of all
    seconds: float = 0.0
    how: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        whose = f" worker {self.worker}" if self.worker else ""
        return f"{self.what}{whose} {self.seconds:.2f} s {self.how or ''}".rstrip()


def faults(seed: int, *, lease: float) -> Iterator[Fault]:
    """Without end."""
    chance = random.Random(seed)
    while True:
        deck = list(_deck(chance, lease))
        chance.shuffle(deck)
        yield from deck


def _deck(chance: random.Random, lease: float) -> Iterator[Fault]:
    for what, times, least, most in (
        ("kill", 3, 0.0, 0.5),
        ("stop", 3, 1.1 * lease, 2 * lease),
        ("cut", 3, 0.0, 0.1),
        ("delay", 2, 0.5, 2.0),
        ("refuse", 1, 0.5, 2 * lease),
        ("deaf", 1, 0.5, 2 * lease),
        ("mute", 1, 0.5, 2 * lease),
    ):
        for _ in range(times):
            how: dict[str, Any] = {"delay": round(chance.uniform(0.02, 0.4), 2)} if what == "delay" else {}
            yield Fault(what=what, worker=chance.randint(1, WORKERS), seconds=chance.uniform(least, most), how=how)
    for what, least, most in (("kill primary", 0.2, 2.5), ("step down", 0.5, 1.0), ("pause primary", 0.3, 2.0)):
        yield Fault(what=what, seconds=chance.uniform(least, most))
    for command in COMMANDS:
        ways = [*_HOW, *(_DONE if command in _WRITES else ())]
        if command != "getMore":
            ways.append(_CONFLICT)
        how = {"command": command, "times": chance.randint(1, 6), **chance.choice(ways)}
        yield Fault(what="fail", worker=chance.randint(0, WORKERS), seconds=chance.uniform(0.3, 1.0), how=how)
