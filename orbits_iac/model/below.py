"""What is below a record that stands: its children for a fleet's cycle, and all the way down, with what was found."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import LookRow, RecordRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Below:
    """A child of a Resource that stands, as its record says."""

    ref: str
    kind: str
    identity: str
    owned: bool
    tenant: str | None
    labels: dict[str, str] = field(default_factory=dict)
    held: bool = False  # forward only: it is looked at, and not brought back


@dataclass(frozen=True, kw_only=True, slots=True)
class LookedAt:
    """What the last looks at a Resource and at everything below it have found."""

    drifted: int  # things that are not as they were recorded, and were not brought back
    at: float | None  # the look that was longest ago; None: nothing of it was ever looked at


def everything_below(of: RecordId, records: Mapping[RecordId, RecordRow]) -> Iterator[tuple[tuple[str, ...], RecordId]]:
    """A record and each below it that there is, once, the parents first; with the refs that lead to it."""
    seen: set[RecordId] = set()
    waiting: list[tuple[tuple[str, ...], RecordId]] = [((), of)]
    while waiting:
        path, one = waiting.pop()
        if one in seen or one not in records:
            continue
        seen.add(one)
        yield path, one
        waiting += [
            ((*path, *child.ref.split("/")), RecordId(child.kind, child.identity))
            for child in reversed(records[one].children)
        ]


def looked_at(found: Iterable[LookRow | None]) -> LookedAt:
    """The looks at a Resource and at everything below it, as one."""
    rows = [look for look in found if look is not None]
    drifted = sum(any(not difference.remediated for difference in look.differences) for look in rows)
    return LookedAt(drifted=drifted, at=min((look.at for look in rows), default=None))
