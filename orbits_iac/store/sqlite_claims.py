"""Which tasks a claim takes from a store's file: it looks at those alone, however many wait or are due.

Each statement names its index. Left to choose, SQLite looks through all that nobody holds, those that wait for a
message too. Called in the transaction of a group, and by readers.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from orbits_iac.model.ids import NOBODYS, ExecutionId, WorkerId
from orbits_iac.model.rows import TaskRow
from orbits_iac.store.tables import table_of

FEW = 100
"""Tenants whose tasks are looked for one by one."""

_TASK = table_of(TaskRow)
_FREE = "owner IS NULL AND due IS NOT NULL"
_TENANT = f"coalesce(tenant, '{NOBODYS}')"
_LEVEL = f"SELECT max(priority) FROM task INDEXED BY task_due WHERE {_FREE} AND priority < ?"  # noqa: S608
_NARROWED = """
    (?1 IS NULL OR kind IN (SELECT value FROM json_each(?1)))
    AND (?2 IS NULL OR build IN (SELECT value FROM json_each(?2)))
    AND (?3 IS NULL OR needs IS NULL OR needs IN (SELECT value FROM json_each(?3)))
"""
_AT_LEVEL = f"""
    WHERE {_FREE} AND priority = ?4 AND due <= ?5 AND {_NARROWED}
    AND (NOT own_build OR ?7 IS NULL OR build IN (SELECT value FROM json_each(?7)))
"""  # noqa: S608 - names come from the model
_DUE = f"SELECT {_TASK.selected} FROM task INDEXED BY task_due {_AT_LEVEL} ORDER BY due, id LIMIT ?6"  # noqa: S608
_DUE_WITHOUT = f"""
    SELECT {_TASK.selected} FROM task INDEXED BY task_due {_AT_LEVEL}
    AND {_TENANT} NOT IN (SELECT value FROM json_each(?8)) ORDER BY due, id LIMIT ?6
"""  # noqa: S608
_DUE_OF = f"""
    SELECT {_TASK.selected} FROM task INDEXED BY task_turn {_AT_LEVEL}
    AND {_TENANT} = ?8 ORDER BY due, id LIMIT ?6
"""  # noqa: S608
_OTHERS = f"""
    WITH RECURSIVE turn (tenant) AS (
        SELECT min({_TENANT}) FROM task INDEXED BY task_turn WHERE {_FREE}
        UNION ALL
        SELECT (SELECT min({_TENANT}) FROM task INDEXED BY task_turn WHERE {_FREE} AND {_TENANT} > turn.tenant)
        FROM turn WHERE turn.tenant IS NOT NULL
    )
    SELECT tenant FROM turn WHERE tenant IS NOT NULL AND tenant NOT IN (SELECT value FROM json_each(?)) LIMIT ?
"""  # noqa: S608
_ONLY = f"SELECT {_TASK.selected} FROM task WHERE id = ?4 AND owner IS NULL AND {_NARROWED} LIMIT ?5"  # noqa: S608
_ABOVE_ALL = 1 << 62


class Narrowed(NamedTuple):
    """Which tasks a claim admits, each as a JSON list; None: all."""

    kinds: str | None
    builds: str | None
    labels: str | None


class Wanted(NamedTuple):
    """What a claim asks for."""

    worker: WorkerId
    now: float
    limit: int
    narrowed: Narrowed
    only: ExecutionId | None
    become: Mapping[str, str] | None  # the build that each goes on with
    without: str | None  # tenants, as a JSON list
    least: int | None


def eligible(connection: sqlite3.Connection, wanted: Wanted) -> Sequence[TaskRow]:
    """The tasks that a claim takes."""
    if wanted.only is not None:
        found = connection.execute(_ONLY, (*wanted.narrowed, wanted.only, wanted.limit)).fetchall()
        return [_TASK.row(values) for values in found]
    own = None if wanted.become is None else [build for build, becomes in wanted.become.items() if becomes == build]
    others = None if wanted.without is None else _others(connection, wanted.without)
    tasks: list[TaskRow] = []
    for level in levels(connection):
        if len(tasks) == wanted.limit or (wanted.least is not None and level < wanted.least):
            break
        left = wanted.limit - len(tasks)
        some = (*wanted.narrowed, level, wanted.now, left, None if own is None else _list(own))
        tasks += _at_level(connection, some, left, wanted.without, others)
    return tasks


def levels(connection: sqlite3.Connection) -> Iterator[int]:
    """The priorities of the tasks that are free at some time, from the highest on."""
    (level,) = connection.execute(_LEVEL, (_ABOVE_ALL,)).fetchone()
    while level is not None:
        yield level
        (level,) = connection.execute(_LEVEL, (level,)).fetchone()


def _others(connection: sqlite3.Connection, without: str) -> list[str] | None:
    """The tenants that are left, if these are few; None if they are many."""
    found = connection.execute(_OTHERS, (without, FEW + 1)).fetchall()
    return [tenant for (tenant,) in found] if len(found) <= FEW else None


def _at_level(
    connection: sqlite3.Connection, some: Sequence[Any], limit: int, without: str | None, others: list[str] | None
) -> list[TaskRow]:
    """The tasks of one priority, the earliest due first.

    With few tenants left, each is asked, rather than to go past all that is due of those that are passed over.
    """
    if without is None:
        found = connection.execute(_DUE, some).fetchall()
    elif others is None:
        found = connection.execute(_DUE_WITHOUT, (*some, without)).fetchall()
    else:
        found = [values for tenant in others for values in connection.execute(_DUE_OF, (*some, tenant))]
    return sorted((_TASK.row(values) for values in found), key=lambda task: (task.due, task.id))[:limit]


def _list(names: Iterable[str]) -> str:
    """Names as a value that `json_each` takes apart."""
    return msgspec.json.encode(list(names)).decode()
