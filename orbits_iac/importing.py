"""Reading an exported file into a store.

What always holds: nothing is written before the whole file was read and found to be as it was exported, and everything
that is in the store already, and otherwise, was found. From the first row to the last a mark is in the store: whoever
would work on it, or read it, is refused until it is complete. Broken off anywhere and begun again, it goes on; what is
there already is left as it is. Called by the command line.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from orbits_iac.dispatch.living import living
from orbits_iac.exported import MOVED, End, Exported
from orbits_iac.exporting import moved, rows
from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.rows import TABLES, EventRow, ImportRow, Row, amended
from orbits_iac.store.contract import Store, Transaction
from orbits_iac.store.rules import key_of
from orbits_iac.store.tables import encoded
from orbits_iac.unfinished import unfinished

_AT_ONCE = 500  # rows of a transaction
_BYTES = 4 << 20  # of these rows
_SAID = 5  # differences that are named
Told = Callable[[str], None]


@dataclass(kw_only=True)
class Imported:
    """What an import has done to the store."""

    written: int = 0
    replaced: int = 0
    deleted: int = 0
    there: int = 0  # rows that were there already


async def verify(exported: Exported, told: Told) -> End:
    """Read the whole file; `Refused` if it is not as it was exported."""
    for count, _ in enumerate(exported.rows()):
        if count % _AT_ONCE == 0:
            told("checking the file")
            await asyncio.sleep(0)  # who is asked to stop does
    assert exported.end is not None  # noqa: S101 - for the checkers: it has been read
    return exported.end


async def read_into(
    store: Store, exported: Exported, end: End, told: Told, *, at: float, lease: float, replace: bool = False
) -> Imported:
    """Make the store as the file is, which was verified.

    Raises `Refused`, with nothing written, if a worker is alive or another import has not finished; and if the store
    holds something else, unless that is to be replaced. `at`: the time; `lease`: how long a worker may be silent.
    """
    mark = ImportRow(file=str(exported.path.absolute()), sha256=end.sha256, began_at=at)
    known = await store.get(ImportRow, mark.name)
    if known is not None and known.sha256 == mark.sha256:
        mark = known
    elif known is not None and not replace:
        raise Refused(f"{unfinished(store, known)}. To have {exported.path} instead, give --replace")
    await _refuse_living(store, lease)
    found = await _compare(store, exported, told)
    _refuse_different(store, exported, found, replace=replace)
    if known is None and not (found.missing or found.named):
        return Imported(there=found.same)
    if known is None:
        await _commit(store, Transaction(absent=[mark], put=[mark]))
    elif known != mark:
        await _commit(store, Transaction(unchanged=[known], put=[mark]))
    await _refuse_living(store, lease)  # who began before the mark was there; nobody follows
    return await _write(store, exported, mark, told)


class Pair(NamedTuple):
    """A row of the file, and what the store has under its key; None where there is none."""

    row: Row | None
    stored: Row | None


@dataclass(kw_only=True)
class _Differences:
    """What the store has beside the file: how often, and the first ones for people."""

    same: int = 0  # rows that are there as in the file
    missing: int = 0  # that are not there
    otherwise: int = 0
    not_in_file: int = 0
    events: int = 0  # of these two, or that would have to stand before one that is there
    named: list[str] = field(default_factory=list)

    def add(self, pair: Pair, *, event: bool) -> None:
        """Take one more in."""
        self.otherwise += pair.row is not None and pair.stored is not None
        self.not_in_file += pair.row is None
        self.events += event
        if len(self.named) < _SAID:
            self.named.append(_said(pair))


async def _compare(store: Store, exported: Exported, told: Told) -> _Differences:
    """What the store has that is not as in the file, or not in it at all."""
    found = _Differences()
    missing: Pair | None = None  # the first event that is not there
    async with aclosing(_pairs(store, exported, partial(told, "comparing with what is there"))) as pairs:
        async for pair in pairs:
            event = isinstance(pair.row or pair.stored, EventRow)
            if pair.stored is None:
                found.missing += 1
            elif pair.row == moved(pair.stored):
                found.same += 1
            else:
                found.add(pair, event=event)
            if event and pair.stored is None:
                missing = missing or pair
            elif event and missing is not None:  # it cannot be put before this one any more
                found.add(missing, event=True)
                missing = None
    return found


def _refuse_different(store: Store, exported: Exported, found: _Differences, *, replace: bool) -> None:
    """Raise `Refused` if these differences may not be overwritten."""
    if not found.named or (replace and not found.events):
        return
    what = "\n  ".join(found.named)
    more = found.otherwise + found.not_in_file - len(found.named)
    said = f"{what}\n  and {more:,} more" if more > 0 else what
    if found.events:
        hint = (
            "Its events are not those of the file, and their order cannot be changed: import into an empty store "
            "(another file or database), or move this one away"
        )
    else:
        hint = (
            "Import into an empty store; or give --replace, which makes this one as the file is: what is otherwise is "
            "overwritten, and what is not in the file is deleted"
        )
    raise Refused(f"{store.url} holds something else than {exported.path}; nothing was written:\n  {said}\n{hint}")


async def _refuse_living(store: Store, lease: float) -> None:
    alive = await living(store, lease)
    if alive:
        raise Refused(
            f"{', '.join(row.id for row in alive)}: alive, and at work on {store.url}. Stop what runs there, and give "
            f"the same command again"
        )


async def _write(store: Store, exported: Exported, mark: ImportRow, told: Told) -> Imported:
    done, batch = Imported(), _Batch(mark)
    async with aclosing(_pairs(store, exported, partial(told, "writing"))) as pairs:
        async for pair in pairs:
            if not batch.add(pair, done):
                continue
            if batch.is_full():
                await _commit(store, batch.transaction())
                batch = _Batch(mark)
    await _commit(store, batch.transaction())
    await _commit(store, Transaction(unchanged=[mark], delete=[mark]))
    return done


class _Batch:
    """What is written together."""

    def __init__(self, mark: ImportRow) -> None:
        self._unchanged: list[Row] = [mark]
        self._absent: list[Row] = []
        self._put: list[Row] = []
        self._delete: list[Row] = []
        self._events: list[EventRow] = []
        self._size = 0

    def add(self, pair: Pair, done: Imported) -> bool:
        """Take in what a pair asks for; whether it asks for anything."""
        row, stored = pair
        if row is None and stored is not None:
            self._unchanged.append(stored)
            self._delete.append(stored)
            done.deleted += 1
        elif row is not None and stored is None:
            if isinstance(row, EventRow):
                self._events.append(row)
            else:
                self._absent.append(row)
                self._put.append(row)
            done.written += 1
        elif row is not None and stored is not None and row != moved(stored):
            self._unchanged.append(stored)
            version: int = getattr(stored, "version", 0)
            self._put.append(amended(row, version=version + 1) if row.VERSIONED else row)
            done.replaced += 1
        else:
            done.there += 1
            return False
        self._size += len(encoded(row)) if row is not None else 0
        return True

    def is_full(self) -> bool:
        return len(self._put) + len(self._delete) + len(self._events) >= _AT_ONCE or self._size >= _BYTES

    def transaction(self) -> Transaction:
        return Transaction(
            absent=self._absent,
            unchanged=self._unchanged,
            put=self._put,
            delete=self._delete,
            events=self._events,
        )


async def _pairs(store: Store, exported: Exported, told: Callable[[], None]) -> AsyncGenerator[Pair]:
    """Every key that the file or the store has, in the order of the file.

    Whoever reads them may write to the store meanwhile, as far as it was read.
    """
    file, count = exported.rows(), 0
    row = next(file, None)
    for table in MOVED:
        async with aclosing(rows(store, table, as_moved=False)) as kept:
            stored = await anext(kept, None)
            while stored is not None or isinstance(row, table):
                count += 1
                if count % _AT_ONCE == 0:
                    told()
                    await asyncio.sleep(0)  # who is asked to stop does
                mine = row if isinstance(row, table) else None
                if mine is None or (stored is not None and key_of(stored) < key_of(mine)):
                    yield Pair(None, stored)
                    stored = await anext(kept, None)
                elif stored is None or key_of(mine) < key_of(stored):
                    yield Pair(mine, None)
                    row = next(file, None)
                else:
                    yield Pair(mine, stored)
                    row, stored = next(file, None), await anext(kept, None)


async def _commit(store: Store, transaction: Transaction) -> None:
    try:
        await store.commit(transaction)
    except Conflict as error:
        raise Refused(
            f"something else writes to {store.url} while it is imported into ({error}): stop it, and give the same "
            f"command again"
        ) from error


def _said(pair: Pair) -> str:
    row = pair.row or pair.stored
    assert row is not None  # noqa: S101 - of a pair there is one at least
    name = f"{TABLES[type(row)]} {' '.join(str(part) for part in key_of(row))}"
    if pair.row is None:
        return f"{name} is not in the file"
    if pair.stored is None:
        return f"{name} is not in the store, which has later ones"
    own = moved(pair.stored)
    fields = [one for one in row.__struct_fields__ if getattr(row, one) != getattr(own, one)]
    return f"{name} has another {', '.join(fields)}"
