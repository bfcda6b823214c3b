"""All that stands below a record, read by few queries: a fleet of thousands comes in a second or two.

Reads alone, from rows alone: no class of the user is imported. Called by whoever reports on a fleet.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from orbits_iac.model.below import everything_below
from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import Child, LookRow, RecordRow
from orbits_iac.store.contract import Store

R = TypeVar("R", RecordRow, LookRow)

_ROUGHLY = 4  # a whole kind is read where at least one in so many of its rows is wanted
_AT_ONCE = 50  # single reads


@dataclass(frozen=True, kw_only=True)
class Subtree:
    """Records and all below them, with the last look at each; what was never made or looked at is not there."""

    records: Mapping[RecordId, RecordRow]
    looks: Mapping[RecordId, LookRow]

    def children(self, of: RecordId) -> tuple[Child, ...]:
        """What a record is made of."""
        return self.records[of].children if of in self.records else ()

    def under(self, of: RecordId) -> Iterator[tuple[tuple[str, ...], RecordId]]:
        """A record and each below it that there is, once, the parents first; with the refs that lead to it."""
        return everything_below(of, self.records)


def record_of(child: Child) -> RecordId:
    """The record that a child is kept under."""
    return RecordId(child.kind, child.identity)


async def subtree(store: Store, *tops: RecordId) -> Subtree:
    """Records and all below them, level by level: a query or two for each kind there."""
    records: dict[RecordId, RecordRow] = {}
    wanted = set(tops)
    while wanted:
        found = await _rows(store, RecordRow, wanted)
        records.update(found)
        wanted = {record_of(child) for row in found.values() for child in row.children} - records.keys() - wanted
    return Subtree(records=records, looks=await _rows(store, LookRow, records))


async def _rows(store: Store, table: type[R], wanted: Iterable[RecordId]) -> dict[RecordId, R]:
    """The rows of these records that there are."""
    kinds: dict[str, set[str]] = {}
    for kind, identity in wanted:
        kinds.setdefault(kind, set()).add(identity)
    found: dict[RecordId, R] = {}
    for kind, identities in kinds.items():
        for row in await _of_kind(store, table, kind, identities):
            found[RecordId(row.kind, row.identity)] = row
    return found


async def _of_kind(store: Store, table: type[R], kind: str, identities: set[str]) -> list[R]:
    """Those of one kind: all are read and the others dropped, unless a few of very many are wanted."""
    if len(identities) > 1 and await store.count(table, kind=kind) <= _ROUGHLY * len(identities):
        return [row for row in await store.find(table, kind=kind) if row.identity in identities]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(identity: str) -> R | None:
        async with slots:
            return await store.get(table, kind, identity)

    rows = await asyncio.gather(*(one(identity) for identity in sorted(identities)))
    return [row for row in rows if row is not None]
