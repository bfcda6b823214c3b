"""How rows stand in tables: which columns, and the row as JSON beside them.

A table has the fields that rows are found by as columns, and the whole row as JSON in `body`; tasks, which are
changed in place, have a column for each field instead. Fields that a later version added are passed over when read.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import cache
from operator import attrgetter
from typing import Any, Generic, TypeVar, cast

import msgspec

from orbits_iac.model.errors import StoreError
from orbits_iac.model.rows import TABLES, EventRow, Row, ScheduleRow, TaskRow

R = TypeVar("R", bound=Row)
Value = str | int | float | bytes | None
Values = tuple[Value, ...]

_ALSO_COLUMNS: dict[type[Row], tuple[str, ...]] = {ScheduleRow: ("paused",)}  # for the next one that is due
_encode = msgspec.json.Encoder().encode


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
        self.exists = f"SELECT 1 FROM {self.name} WHERE {key}"  # noqa: S608
        self.version = f"SELECT version FROM {self.name} WHERE {key}"  # noqa: S608
        self.put = self.put_many(1)

    def put_many(self, count: int) -> str:
        """An upsert of `count` rows: one statement is one call without the interpreter's lock."""
        columns = self.columns[1:] if self.row_type is EventRow else self.columns
        row = f"({', '.join('?' * len(columns))})"
        into = f"INSERT INTO {self.name} ({', '.join(_quoted(columns))}) VALUES {', '.join([row] * count)}"  # noqa: S608
        if self.row_type is EventRow:
            return into
        rest = ", ".join(f"{name} = excluded.{name}" for name in _quoted(columns[self.width :]))
        return f"{into} ON CONFLICT ({', '.join(_quoted(self.row_type.KEY))}) DO UPDATE SET {rest}"

    @cache  # noqa: B019 - tables live as long as the process
    def find(self, names: tuple[str, ...], newest: bool) -> str:  # noqa: FBT001 - part of the cache's key
        """The rows where columns `names` are as given, then how many at most (-1: all)."""
        where = " AND ".join(f"{name} IS ?" for name in _quoted(names)) or "1"
        order = ", ".join(f"{name} {'DESC' if newest else 'ASC'}" for name in _quoted(self.row_type.KEY))
        return f"SELECT {self.selected} FROM {self.name} WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608


@cache
def table(row_type: type[R]) -> Table[R]:
    """The table of a type of row."""
    return Table(row_type)


def check_where(row_type: type[Row], names: Iterable[str]) -> None:
    """Raise a ValueError unless rows can be found by these fields: leading ones of the key, and indexed ones."""
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


def _columns(row_type: type[Row]) -> tuple[str, ...]:
    if row_type is TaskRow:
        return tuple(field.name for field in fields(TaskRow))
    version = ("version",) if row_type.VERSIONED else ()
    names = (*row_type.KEY, *row_type.INDEXED, *version, *_ALSO_COLUMNS.get(row_type, ()))
    return (*dict.fromkeys(names), "body")


def _encoder(row_type: type[R], columns: tuple[str, ...]) -> Callable[[R], Values]:
    if row_type is TaskRow:
        return cast("Callable[[R], Values]", attrgetter(*columns))
    if row_type is EventRow:
        columns = columns[1:]  # `seq` is given by the database
    pick = attrgetter(*columns[:-1]) if len(columns) > 2 else _alone(columns[0])
    return lambda row: (*pick(row), _encode(row))


def _alone(name: str) -> Callable[[Any], tuple[Any]]:
    pick = attrgetter(name)
    return lambda row: (pick(row),)


def _decoder(row_type: type[R], columns: tuple[str, ...]) -> Callable[[Values], R]:
    if row_type is TaskRow:
        return lambda values: row_type(**cast("Mapping[str, Any]", dict(zip(columns, values, strict=True))))
    decode = msgspec.json.Decoder(row_type).decode

    def row(values: Values) -> R:
        try:
            return decode(cast("bytes", values[-1]))
        except msgspec.DecodeError as error:
            key = " ".join(str(value) for value in values[: len(row_type.KEY)])
            raise StoreError(f"{TABLES[row_type]} {key} cannot be read back: {error}") from error

    if row_type is EventRow:
        return lambda values: cast("R", replace(cast("EventRow", row(values)), seq=cast("int", values[0])))
    return row


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]
