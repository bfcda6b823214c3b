"""Writing a store into a file: page by page, row by row, in little memory whatever the store holds.

What always holds: the rows of a file were there together, or it is said to be `live`. Nobody's claim is in it: what was
held is due at once, as if its worker had died. Called by the command line.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar, cast

from orbits_iac.exported import MOVED, End, Header, Lines
from orbits_iac.model.errors import Refused
from orbits_iac.model.rows import (
    BuildRow,
    EntryRow,
    EventRow,
    ExecutionRow,
    RevisionRow,
    Row,
    TaskRow,
    WorkerRow,
    amended,
)
from orbits_iac.store.contract import Store
from orbits_iac.store.rules import AT_ONCE, key_of, released
from orbits_iac.store.tables import encoded

R = TypeVar("R", bound=Row)

_PAGE = 500  # rows read at a time, if they are small
_BYTES = 4 << 20  # of the rows read at a time, as far as the page before tells
_ONLY_WITH_EVENTS = frozenset({ExecutionRow, EntryRow, RevisionRow, EventRow})  # their changes leave an event


async def header(store: Store, project: str, *, at: float, live: bool) -> Header:
    """The header of an export of this store."""
    builds = await store.find(BuildRow)
    latest = max(builds, key=lambda row: row.order, default=None)
    return Header(project=project, build=latest.digest if latest is not None else "", at=at, live=live)


async def export(
    store: Store, said: Header, write: Callable[[bytes], object], told: Callable[[str, int], None] | None = None
) -> End:
    """Write all that is moved of a store; `told` hears how many rows of a table there are so far.

    Raises `Refused` if, for an export that is not `live`, something was changed meanwhile.
    """
    lines, sums = Lines(), dict[type[Row], str]()
    before = await _signs(store)
    write(lines.header(said))
    for table in MOVED:
        summed = hashlib.sha256()
        async for row in rows(store, table):
            line = lines.row(row)
            if table not in _ONLY_WITH_EVENTS:
                summed.update(encoded(row))
            write(line)
            if told is not None:
                told(table.__name__.removesuffix("Row").lower(), sum(lines.counts.values()))
        sums[table] = summed.hexdigest()
    if not said.live and (await _signs(store) != before or await _differ(store, sums)):
        raise Refused(
            f"{store.url} was changed while it was exported, so that what was read may not fit together. Stop what "
            f"uses it and export it again, or export it with --live"
        )
    write(lines.last())
    return lines.end()


async def rows(store: Store, table: type[R], *, as_moved: bool = True) -> AsyncGenerator[R]:
    """The rows of a table as they are moved, or as they are stored, in the order of their keys."""
    limit, after = _PAGE, tuple[str | int, ...]()
    while page := await _page(store, table, after, limit):
        after, size = key_of(page[-1]), 0
        for one in page:
            row = await _whole(store, one)
            if row is not None:
                size += len(encoded(row))
                yield moved(row) if as_moved else row
        limit = max(1, min(_PAGE, limit * _BYTES // (size + 1)))


def moved(row: R) -> R:
    """A row as it is in a file: held by nobody, and never changed before."""
    if isinstance(row, TaskRow):
        return cast("R", row if row.owner is None else released(row, AT_ONCE))
    return amended(row, version=1) if row.VERSIONED else row


async def _page(store: Store, table: type[R], after: tuple[str | int, ...], limit: int) -> list[R]:
    if table is EventRow:
        return cast("list[R]", await store.tail(int(after[0]) if after else 0, limit=limit))
    return await store.find(table, limit=limit, after=after, whole=table.APART is None)


async def _whole(store: Store, row: R) -> R | None:
    """The row with what was left out of the page; None if it has gone meanwhile."""
    if row.APART is None or getattr(row, row.APART) is not None:
        return row
    return await store.get(type(row), *key_of(row))


async def _signs(store: Store) -> tuple[list[WorkerRow], list[EventRow]]:
    """What is otherwise once somebody has worked on the store."""
    return await store.find(WorkerRow), await store.find(EventRow, newest=True, limit=1)


async def _differ(store: Store, sums: dict[type[Row], str]) -> bool:
    """Whether rows that may change without an event are not as they were read."""
    for table, before in sums.items():
        if table not in _ONLY_WITH_EVENTS:
            summed = hashlib.sha256()
            async for row in rows(store, table):
                summed.update(encoded(row))
            if summed.hexdigest() != before:
                return True
    return False
