"""What is read of a store's file. Each function reads from one snapshot, and stops once it has `most` rows of a kind.

Called by the SQLite store: at once for what is small, in the reader's thread for the rest.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, Row, ScheduleRow, TaskRow
from orbits_iac.store.contract import D, Holding, Journal
from orbits_iac.store.sqlite_claims import levels
from orbits_iac.store.tables import Table, Values, table_of

R = TypeVar("R", bound=Row)

_EXECUTION, _ENTRY, _MESSAGE = table_of(ExecutionRow), table_of(EntryRow), table_of(MessageRow)
_EVENT, _TASK = table_of(EventRow), table_of(TaskRow)
# One statement, which is one snapshot: several, with what holds them together, take thrice the time of a short journal.
_LOAD = """
    SELECT 'execution', id, NULL, body, apart FROM execution WHERE id = ?1
    UNION ALL SELECT 'entry', execution, "key", body, apart FROM entry WHERE execution = ?1
    UNION ALL SELECT 'message', execution, id, body, NULL FROM message WHERE execution = ?1
    LIMIT ?2
"""
_TAIL = f"SELECT {_EVENT.selected} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
_TAIL_OF = f"SELECT {_EVENT.selected} FROM event WHERE root = ? AND seq > ? ORDER BY seq LIMIT ?"  # noqa: S608
_NEXT_DUE = """
    WITH RECURSIVE level (priority) AS (
        SELECT max(priority) FROM task INDEXED BY task_due WHERE owner IS NULL AND due IS NOT NULL
        UNION ALL
        SELECT (SELECT max(priority) FROM task INDEXED BY task_due
                WHERE owner IS NULL AND due IS NOT NULL AND priority < level.priority)
        FROM level WHERE level.priority IS NOT NULL
    )
    SELECT min(due) FROM (
        SELECT (SELECT min(due) FROM task INDEXED BY task_due
                WHERE owner IS NULL AND due IS NOT NULL AND priority = level.priority) AS due FROM level
        UNION ALL SELECT min(due) FROM schedule WHERE paused = 0
    )
"""
_HOLDING = f"""
    SELECT {_TASK.selected}, due IS NOT NULL OR EXISTS (SELECT 1 FROM message WHERE execution = task.id)
    FROM task WHERE owner = ? ORDER BY id LIMIT ?
"""  # noqa: S608 - names come from the model
_OF_KINDS = "(?1 IS NULL OR kind IN (SELECT value FROM json_each(?1)))"
_DUE: dict[type[Row], str] = {
    TaskRow: f"""
        SELECT {{selected}} FROM task INDEXED BY task_due
        WHERE owner IS NULL AND due IS NOT NULL AND priority = ?3 AND due <= ?2 AND {_OF_KINDS}
        ORDER BY due, id LIMIT ?4
    """,  # noqa: S608 - names come from the model
    ScheduleRow: f"""
        SELECT {{selected}} FROM schedule
        WHERE paused = 0 AND due <= ?2 AND {_OF_KINDS} ORDER BY due, kind, identity LIMIT ?3
    """,  # noqa: S608
}


class TooMuchError(Exception):
    """There are more rows than were to be read."""


def get(connection: sqlite3.Connection, rows: Table[R], key: tuple[str | int, ...]) -> R | None:
    """The row with this key."""
    values = connection.execute(rows.get, key).fetchone()
    return None if values is None else rows.row(values)


def find(
    connection: sqlite3.Connection,
    rows: Table[R],
    where: Mapping[str, str | int | None],
    *,
    newest: bool,
    limit: int | None,
    after: Sequence[str | int] = (),
    whole: bool = True,
    most: int | None = None,
) -> list[R]:
    """The rows where all is as in `where`, in the order of their keys, from `after` on."""
    names = tuple(sorted(where))
    sql = rows.find(names, newest=newest, after=bool(after), whole=whole)
    values = [*(where[name] for name in names), *after]
    return [rows.row(found) for found in _some(connection, sql, values, limit, most)]


def count(connection: sqlite3.Connection, rows: Table[Any], where: Mapping[str, str | int | None]) -> int:
    """How many rows there are where all is as in `where`."""
    (found,) = connection.execute(rows.count(tuple(sorted(where))), [where[name] for name in sorted(where)]).fetchone()
    return int(found)


def load(connection: sqlite3.Connection, execution: ExecutionId, *, most: int | None = None) -> Journal | None:
    """All of an execution."""
    found: dict[str, list[Values]] = {"execution": [], "entry": [], "message": []}
    for values in _some(connection, _LOAD, [execution], None, most):
        found[values[0]].append(values[1:])
    if not found["execution"]:
        return None
    return Journal(
        execution=_EXECUTION.row(found["execution"][0]),
        entries=[_ENTRY.row(values) for values in found["entry"]],
        messages=sorted((_MESSAGE.row(values[:-1]) for values in found["message"]), key=attrgetter("id")),
    )


def holding(connection: sqlite3.Connection, worker: WorkerId, *, most: int | None = None) -> list[Holding]:
    """What a worker holds."""
    found = _some(connection, _HOLDING, [worker], None, most)
    return [Holding(task=_TASK.row(values[:-1]), told=bool(values[-1])) for values in found]


def due(
    connection: sqlite3.Connection,
    rows: Table[D],
    *,
    now: float,
    kinds: str | None,
    limit: int,
    most: int | None = None,
) -> list[D]:
    """What is due by `now` and free, the earliest first; `kinds` as a JSON list."""
    sql = _DUE[rows.row_type].format(selected=rows.selected)
    if rows is _TASK:
        found = [_some(connection, sql, [kinds, now, level], limit, most) for level in list(levels(connection))]
        return sorted((rows.row(values) for some in found for values in some), key=attrgetter("due", "id"))[:limit]
    return [rows.row(values) for values in _some(connection, sql, [kinds, now], limit, most)]


def next_due(connection: sqlite3.Connection) -> float | None:
    """The earliest time that an execution that nobody holds, or a schedule, is due. It looks at one of a priority."""
    (due,) = connection.execute(_NEXT_DUE).fetchone()
    return None if due is None else float(due)


def tail(
    connection: sqlite3.Connection, after: int, root: ExecutionId | None, limit: int, *, most: int | None = None
) -> list[EventRow]:
    """The events above `after`."""
    sql, values = (_TAIL, [after]) if root is None else (_TAIL_OF, [root, after])
    return [_EVENT.row(found) for found in _some(connection, sql, values, limit, most)]


def data_version(connection: sqlite3.Connection) -> int:
    """A number that changes with every commit of any other connection, of this process or another."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


def _some(
    connection: sqlite3.Connection, sql: str, values: Sequence[Any], limit: int | None, most: int | None
) -> list[tuple[Any, ...]]:
    """Up to `limit` rows; if these are more than `most`, a `TooMuchError` once so many were read."""
    if most is None or (limit is not None and limit <= most):
        return connection.execute(sql, (*values, -1 if limit is None else limit)).fetchall()
    found = connection.execute(sql, (*values, most + 1)).fetchall()
    if len(found) > most:
        raise TooMuchError
    return found
