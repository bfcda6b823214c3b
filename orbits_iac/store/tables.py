"""How rows stand in tables: which columns, and the row as JSON beside them.

A table has the fields that rows are found by as columns, and the whole row as JSON in `body`; a long text of an `APART`
field stands behind it in a column of its own, whose pages are read only for whole rows. Tasks, which are changed in
place, have a column for each field instead, labels as a JSON list. Fields that a later version added are passed over
when read.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

import msgspec

from orbits_iac.model.errors import Unreadable
from orbits_iac.model.rows import TABLES, EventRow, ExecutionRow, Row, ScheduleRow, TaskRow, amended
from orbits_iac.store.parted import parted

R = TypeVar("R", bound=Row)
Key = tuple[Any, ...]
Values = tuple[Any, ...]  # of the columns, in their order

_ALSO_COLUMNS: dict[type[Row], tuple[str, ...]] = {ScheduleRow: ("paused",)}  # for the next one that is due
# Fields whose index has another one before or behind it: what is found by them alone is looked for, or sorted.
_SORTED_WHEN_READ = {
    (ExecutionRow, "kind"),
    (ExecutionRow, "identity"),
    (TaskRow, "due"),
    (ScheduleRow, "due"),
}
_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)  # rows that one statement writes
_NO_LABELS: tuple[str, ...] = ()
_labels = msgspec.json.Decoder(tuple[str, ...]).decode
encoded = msgspec.json.Encoder().encode  # a row as JSON; a ValueError or TypeError for what is no text or value


class Table(Generic[R]):
    """The SQL and the codec of one type of row. Made once; nothing is put together for each call."""

    def __init__(self, row_type: type[R]) -> None:
        self.row_type = row_type
        self.name = TABLES[row_type]
        self.width = len(row_type.KEY)
        self.columns = _columns(row_type)
        self.values: Callable[[R], Values] = _encoder(row_type, self.columns)
        self.row: Callable[[Values], R] = _decoder(row_type, self.columns)
        self.selected = ", ".join(_quoted(self.columns))
        key = " AND ".join(f"{name} = ?" for name in _quoted(row_type.KEY))
        self.get = f"SELECT {self.selected} FROM {self.name} WHERE {key}"  # noqa: S608 - names come from the model
        self.delete = f"DELETE FROM {self.name} WHERE {key}"  # noqa: S608
        if row_type is EventRow:
            self.delete += " AND seq < (SELECT max(seq) FROM event)"  # the newest says which number comes next
        self.exists = f"SELECT 1 FROM {self.name} WHERE {key}"  # noqa: S608
        self.version = f"SELECT version FROM {self.name} WHERE {key}"  # noqa: S608
        self._puts = [(count, self._put(count)) for count in _AT_ONCE]
        self._finds: dict[tuple[tuple[str, ...], bool, bool, bool], str] = {}

    def write(self, execute: Callable[[str, Sequence[Any]], object], rows: Sequence[Values]) -> None:
        """Insert or replace rows with different keys. Many with one statement: it lets go of the interpreter once."""
        start = 0
        for count, put in self._puts:
            while len(rows) - start >= count:
                execute(put, tuple(chain.from_iterable(rows[start : start + count])))
                start += count

    def find(self, names: tuple[str, ...], *, newest: bool, after: bool = False, whole: bool = True) -> str:
        """The rows where columns `names` are as given, and (`after`) whose key comes after the one that follows them.

        The last value says how many at most (-1: all).
        """
        sql = self._finds.get((names, newest, after, whole))
        if sql is None:
            conditions = [f"{name} IS ?" for name in _quoted(names)]
            if after:
                key = ", ".join(_quoted(self.row_type.KEY))
                conditions.append(f"({key}) {'<' if newest else '>'} ({', '.join('?' * self.width)})")
            where = " AND ".join(conditions) or "1"
            order = ", ".join(f"{name} {'DESC' if newest else 'ASC'}" for name in _quoted(self.row_type.KEY))
            selected = self.selected if whole else self.selected.replace('"apart"', "NULL")
            sql = f"SELECT {selected} FROM {self.name} WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
            self._finds[names, newest, after, whole] = sql
        return sql

    def count(self, names: tuple[str, ...]) -> str:
        """How many rows there are where columns `names` are as given."""
        where = " AND ".join(f"{name} IS ?" for name in _quoted(names)) or "1"
        return f"SELECT count(*) FROM {self.name} WHERE {where}"  # noqa: S608

    def version_of(self, values: Values | None) -> int:
        """The version among the values of a `VERSIONED` row; 0 for none."""
        return 0 if values is None else values[self.columns.index("version")]

    def _put(self, count: int) -> str:
        row = f"({', '.join('?' * len(self.columns))})"
        into = f"INSERT INTO {self.name} ({self.selected}) VALUES {', '.join([row] * count)}"  # noqa: S608
        if self.row_type is EventRow:
            return into
        rest = ", ".join(f"{name} = excluded.{name}" for name in _quoted(self.columns[self.width :]))
        return f"{into} ON CONFLICT ({', '.join(_quoted(self.row_type.KEY))}) DO UPDATE SET {rest}"


_tables: dict[type[Row], Table[Any]] = {}


def table_of(row_type: type[R]) -> Table[R]:
    """The table of a type of row."""
    found = _tables.get(row_type)
    if found is None:
        found = _tables[row_type] = Table(row_type)
    return found


def check_where(row_type: type[Row], names: Iterable[str], after: Sequence[str | int] = ()) -> None:
    """Raise a ValueError unless rows can be found by these fields, leading ones of the key and indexed ones.

    `after` is nothing or a whole key.
    """
    if after and len(after) != len(row_type.KEY):
        raise ValueError(f"{row_type.__name__} comes after a whole key: give {', '.join(row_type.KEY)}")
    left = set(names) - set(row_type.INDEXED)
    for name in row_type.KEY:
        if name not in left:
            break
        left.discard(name)
    if left:
        raise ValueError(
            f"{row_type.__name__} is not found by {', '.join(sorted(left))}: give leading fields of its key "
            f"({', '.join(row_type.KEY)}) or indexed ones ({', '.join(row_type.INDEXED) or 'none'})"
        )


def is_short(row_type: type[Row], names: Collection[str]) -> bool:
    """Whether an index leads to the first of the rows that are found by these fields, however many there are."""
    if set(names) <= set(row_type.KEY):
        return True
    return len(names) == 1 and (row_type, *names) not in _SORTED_WHEN_READ


def _columns(row_type: type[Row]) -> tuple[str, ...]:
    if row_type is TaskRow:
        return TaskRow.__struct_fields__
    version = ("version",) if row_type.VERSIONED else ()
    names = (*row_type.KEY, *row_type.INDEXED, *version, *_ALSO_COLUMNS.get(row_type, ()))
    return (*dict.fromkeys(names), "body", *(["apart"] if row_type.APART else []))


def _encoder(row_type: type[R], columns: tuple[str, ...]) -> Callable[[R], Values]:
    if row_type is TaskRow:
        return _task_encoder(columns)
    if row_type is EventRow:
        pick_event = attrgetter(*columns[:-1])

        def event(row: R) -> Values:
            seq, *rest = pick_event(row)
            return (seq or None, *rest, encoded(row))  # without one, it is given by the database

        return event
    if row_type.APART:
        return _parting_encoder(attrgetter(*columns[:-2]))
    if len(columns) == 2:
        pick = attrgetter(columns[0])
        return lambda row: (pick(row), encoded(row))
    pick_all = attrgetter(*columns[:-1])
    return lambda row: (*pick_all(row), encoded(row))


def _task_encoder(columns: tuple[str, ...]) -> Callable[[Row], Values]:
    """Each field as it is, but for the last one: a list, as JSON."""
    pick = attrgetter(*columns[:-1])
    last = attrgetter(columns[-1])

    def values(row: Row) -> Values:
        labels = last(row)
        return (*pick(row), encoded(labels).decode() if labels else "[]")

    return values


def _parting_encoder(pick_all: Callable[[Any], Values]) -> Callable[[Row], Values]:
    def values(row: Row) -> Values:
        short, apart = parted(row)
        return (*pick_all(row), encoded(short), apart)

    return values


def _decoder(row_type: type[R], columns: tuple[str, ...]) -> Callable[[Values], R]:
    if row_type is TaskRow:

        def task(values: Values) -> R:
            fields: dict[str, Any] = dict(zip(columns, values, strict=True))
            fields["own_build"] = bool(fields["own_build"])  # SQLite has numbers for it
            fields["labels"] = _NO_LABELS if fields["labels"] == "[]" else _labels(fields["labels"])
            return row_type(**fields)

        return task
    decode = msgspec.json.Decoder(row_type).decode
    body = columns.index("body") - len(columns)  # from the end: before it, a reader may select what it likes

    def row(values: Values) -> R:
        try:
            return decode(values[body])
        except msgspec.DecodeError as error:
            raise Unreadable(TABLES[row_type], tuple(values[: len(row_type.KEY)]), error) from error

    if row_type is EventRow:
        return lambda values: cast("R", amended(cast("EventRow", row(values)), seq=values[0]))
    if row_type.APART:
        name = row_type.APART
        return lambda values: row(values) if values[-1] is None else amended(row(values), **{name: values[-1]})
    return row


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]
