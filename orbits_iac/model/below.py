"""What is below a record that stands: its children, for a fleet's cycle, and all the way down."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import RecordRow


@dataclass(frozen=True, kw_only=True, slots=True)
class Below:
    """A child of a Resource that stands, as its record says."""

    ref: str
    kind: str
    identity: str
    owned: bool
    tenant: str | None
    labels: dict[str, str] = field(default_factory=dict)
    revision: int | None = None  # that stands
    held: bool = False  # forward only: it is looked at, and not brought back


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
