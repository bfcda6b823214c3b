"""The roll-outs of a fleet after the last that came to its end: one under way, those that wait, those that broke off.

They are read by few queries, however many tenants there are; no code of the user's is needed. Called by `recorded`.
"""

import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orbits_iac.provider import (
    EntryRow,
    ExecutionRow,
    RecordId,
    RecordRow,
    State,
    is_paused,
    keeps,
    kind_of,
    masked,
    record_of,
    refs,
    waits_for,
    why_nobody_goes_on,
)
from orbits_tenants.promotion import Promoted
from orbits_tenants.roster import SOURCE
from orbits_tenants.tenants import is_release

if TYPE_CHECKING:
    from orbits_iac.provider import Store

_ROLL_OUTS = frozenset({"update", "rollback"})
_CHANGES = frozenset({"update", "rollback", "uninstall"})
_PAGE = 50  # executions, of which most are cycles


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A roll-out that is under way, waits, or did not come to its end.

    Attributes:
        execution: the roll-out.
        under: the executions that it has asked for, in their order.
        passed: the records that it has passed over, of one that is told of.
        listed: the tenants that the source had for it, in their order, of one that is told of; by their ids, as kept.
        waits: for what it waits that does not come by itself: a person, or somebody who can go on with it.

    """

    execution: ExecutionRow
    under: tuple[ExecutionRow, ...] = ()
    passed: frozenset[RecordId] = frozenset()
    listed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    waits: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.execution.ended_at is not None

    @cached_property
    def asked(self) -> Mapping[str, Any]:
        """What it was asked with."""
        return masked(self.execution.argument) or {}

    @property
    def is_release(self) -> bool:
        """Whether it is there to bring tenants forward."""
        return self.execution.command == "update" and is_release(self.asked)

    @property
    def changes(self) -> Iterator[ExecutionRow]:
        """What it does to stacks, or has done."""
        return (row for row in self.under if row.command in _CHANGES)

    @cached_property
    def forward(self) -> Collection[str | None]:
        """The tenants that it has brought forward, whatever came of that."""
        return {row.tenant for row in self.changes if row.command == "update"}


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Those of a fleet.

    Attributes:
        each: all of them, in the order in which they were asked for.
        told: the one of which the fleet's report tells: under way, or else the last that had begun somebody. None if
            it tells of the last roll-out that came to its end.
        beside: those that broke off after that one, and had begun nobody.
        waits: what is to be known of executions that hold the fleet, or wait for it.

    """

    each: tuple[Attempt, ...] = ()
    told: Attempt | None = None
    beside: tuple[ExecutionRow, ...] = ()
    waits: tuple[str, ...] = ()

    @property
    def changes(self) -> Iterator[ExecutionRow]:
        """What they do to stacks, or have done, in their order."""
        return (row for one in self.each for row in one.changes)


async def read(store: "Store", record: RecordRow, last: ExecutionRow | None) -> Attempts:
    """What came after the `last` roll-out that came to its end."""
    holder = await store.get(ExecutionRow, record.queue[0]) if record.queue else None
    rows = [row async for row in later(store, record, last.created_at if last is not None else 0.0)]
    if holder is not None and holder.command in _ROLL_OUTS:  # the latest, though it may have been reopened
        rows = [holder, *(row for row in rows if row.id != holder.id)]
    each = [Attempt(execution=row, under=await _under(store, row)) for row in reversed(rows)]
    told, after = _told(each), each
    if told is None and last is None and each:
        told = each[-1]
    if told is not None:
        place = each.index(told)
        each[place] = told = await _in_detail(store, told)
        after = each[place + 1 :]
    under_way = told.execution.id if told is not None and not told.is_over else None
    waits = []
    if holder is not None and holder.id != under_way:
        waits.append(f"execution {holder.id} is at it: {holder.command} of {holder.kind} by {holder.who}")
    if waiting := [id_ for id_ in record.queue[1:] if id_ != under_way]:
        waits.append(f"{', '.join(waiting)} wait{'s' if len(waiting) == 1 else ''} for it")
    return Attempts(
        each=tuple(each), told=told, beside=tuple(one.execution for one in after if one.is_over), waits=tuple(waits)
    )


async def later(store: "Store", record: RecordRow, since: float) -> AsyncIterator[ExecutionRow]:
    """The roll-outs that were asked for after that time, the latest first."""
    after: tuple[str, ...] = ()
    while rows := await store.find(
        ExecutionRow, kind=record.kind, identity=record.identity, newest=True, limit=_PAGE, after=after, whole=False
    ):
        later = [row for row in rows if row.command in _ROLL_OUTS and row.created_at > since]
        for row in sorted(later, key=lambda row: row.created_at, reverse=True):  # ids have no order within a second
            yield row
        if rows[-1].created_at < since - 1:
            break
        after = (rows[-1].id,)


async def _under(store: "Store", row: ExecutionRow) -> tuple[ExecutionRow, ...]:
    found = await store.find(ExecutionRow, parent=row.id, whole=False)
    return tuple(sorted(found, key=lambda one: one.created_at))


def _told(each: Sequence[Attempt]) -> Attempt | None:
    """The latest, if that is under way or waits; if it is over, the latest that had begun somebody."""
    if each and not each[-1].is_over:
        return each[-1]
    return next((one for one in reversed(each) if one.under), None)


async def _in_detail(store: "Store", one: Attempt) -> Attempt:
    """The same, with whom the source had, what it has passed over, and for what it waits."""
    row = one.execution
    entries = await store.find(EntryRow, execution=row.id, whole=False)
    links = [entry.link for entry in entries if entry.skipped and not keeps(entry.key) and entry.link is not None]
    one = replace(one, passed=frozenset(map(record_of, links)), listed=await _listed(store, entries))
    if one.is_over:
        return one
    if await is_paused(store, row):
        return replace(one, waits=(f"it is paused: `orbits resume {row.id}` goes on",))
    waits = [found.why for found in await why_nobody_goes_on(store, [row, *one.under], now=time.time())]
    if waits:
        how = "" if "orbits resume" in waits[0] else f"; or here: orbits resume {row.id}"
        waits = [f"nobody goes on with it: {waits[0]}{how}"]
    elif any(entry.kind == kind_of(Promoted) and entry.seq is None for entry in entries):
        waits = [f"it waits for a person: `orbits tenants promote {row.kind}` lets the next wave begin"]
    elif person := await waits_for(store, row):
        waits = [f"it {person}"]
    return replace(one, waits=tuple(waits))


async def _listed(store: "Store", entries: Iterable[EntryRow]) -> Mapping[str, Mapping[str, Any]]:
    """The tenants that the source had, if it has been read."""
    read = [entry for entry in entries if refs(entry.key) == (SOURCE,) and entry.state is State.SUCCESS]
    source = await store.get(EntryRow, read[-1].execution, read[-1].key) if read else None
    return {one["id"]: one for one in masked(source.result) or ()} if source is not None else {}
