"""What is below a record that stands: its children for a fleet's cycle, and all the way down, with what was found."""

from collections.abc import Iterable, Mapping
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


def everything_below(
    root: RecordId, records: Mapping[RecordId, RecordRow], looks: Mapping[RecordId, LookRow]
) -> Iterable[tuple[tuple[str, ...], RecordRow, LookRow | None]]:
    """A record that stands and all that stand below it, the parents first, each once: the refs, its row, its look."""
    seen: set[RecordId] = set()
    waiting: list[tuple[tuple[str, ...], RecordId]] = [((), root)]
    while waiting:
        path, one = waiting.pop()
        row = records.get(one)
        if row is None or one in seen:
            continue
        seen.add(one)
        if row.revision is not None:
            yield path, row, looks.get(one)
        waiting += [
            ((*path, *child.ref.split("/")), RecordId(child.kind, child.identity)) for child in reversed(row.children)
        ]


def looked_at(found: Iterable[LookRow | None]) -> LookedAt:
    """The looks at a Resource and at everything below it, as one."""
    rows = [look for look in found if look is not None]
    drifted = sum(any(not difference.remediated for difference in look.differences) for look in rows)
    return LookedAt(drifted=drifted, at=min((look.at for look in rows), default=None))
