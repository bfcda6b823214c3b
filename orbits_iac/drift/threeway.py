"""Desired, recorded and live: for each property, who changed what.

The recorded value is the common ancestor. What differs between recorded and live is drift; what differs between
desired and recorded is pending; what differs in both is never overwritten without being shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from orbits_iac.drift.compare import json_text
from orbits_iac.drift.rules import ABSENT, Path, Rules, Unknown, text_of, why_ignored
from orbits_iac.drift.walk import Gap, gaps
from orbits_iac.model.rows import Json


class Status(StrEnum):
    """How one property stands."""

    IN_SYNC = "in sync"
    PENDING = "pending"  # the code asks for something else than was recorded
    DRIFTED = "drifted"  # what is live is not what was recorded
    BOTH = "both"  # pending and drifted
    MISSING = "missing"  # recorded, and not there any more
    EXTRA = "extra"  # there, and neither recorded nor desired
    UNCHECKED = "unchecked"  # not compared; never counted as in sync


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """How one property stands, with its three values as JSON texts (null: not there)."""

    path: str
    status: Status
    desired: Json
    recorded: Json
    live: Json
    why: str = ""  # of what is unchecked


def three_way(
    desired: Mapping[str, Any], recorded: Mapping[str, Any], live: Mapping[str, Any], rules: Rules
) -> tuple[Finding, ...]:
    """How each property stands; one that is wholly in sync is one finding, under its own name."""
    names = dict.fromkeys((*desired, *recorded, *(live if rules.whole else ())))
    found: list[Finding] = []
    for name in names:
        if why_ignored(rules, (name,)) is None:
            absent = ABSENT if rules.whole else Unknown("not read")
            found.extend(
                _property((name,), desired.get(name, ABSENT), recorded.get(name, ABSENT), live.get(name, absent), rules)
            )
    return tuple(found)


def _property(path: Path, desired: Any, recorded: Any, live: Any, rules: Rules) -> list[Finding]:
    pending = [gap for gap in gaps(desired, recorded, rules, path) if not gap.ignored]
    drift = [gap for gap in gaps(recorded, live, rules, path) if not gap.ignored]
    if not pending and not drift:
        return [_finding(path, Status.IN_SYNC, desired, recorded, live)]
    found: list[Finding] = []
    for gap in drift:
        also = next((other for other in pending if _overlap(gap.path, other.path)), None)
        if gap.why is not None:
            found.append(_finding(gap.path, Status.UNCHECKED, desired, gap.recorded, gap.live, why=gap.why))
        elif also is not None:
            found.append(_finding(gap.path, Status.BOTH, also.recorded, gap.recorded, gap.live))
        else:
            found.append(_finding(gap.path, _drifted(gap), gap.recorded, gap.recorded, gap.live))
    for gap in pending:
        if not any(_overlap(gap.path, other.path) for other in drift):
            status = Status.PENDING if gap.why is None else Status.UNCHECKED
            found.append(_finding(gap.path, status, gap.recorded, gap.live, gap.live, why=gap.why or ""))
    return found


def _drifted(gap: Gap) -> Status:
    if gap.live is ABSENT:
        return Status.MISSING
    return Status.EXTRA if gap.recorded is ABSENT else Status.DRIFTED


def _overlap(one: Path, other: Path) -> bool:
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _finding(path: Path, status: Status, desired: Any, recorded: Any, live: Any, *, why: str = "") -> Finding:
    return Finding(
        path=text_of(path),
        status=status,
        desired=json_text(desired),
        recorded=json_text(recorded),
        live=json_text(live),
        why=why,
    )
