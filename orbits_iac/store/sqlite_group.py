"""A group of transactions, on its way into one SQLite transaction.

A transaction is judged by what is stored and by what the earlier ones of the group will write; only then is what it
writes added to the group, so that one which is refused leaves nothing and fails nobody else.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow, MessageRow, Row, TaskRow
from orbits_iac.store import rules
from orbits_iac.store.contract import Transaction
from orbits_iac.store.tables import Table, Values, table

_TASK, _EVENT, _MESSAGE = table(TaskRow), table(EventRow), table(MessageRow)
_INBOX = "SELECT id FROM message WHERE execution = ?"
_HELD = f"SELECT {_TASK.selected} FROM task WHERE owner = ? ORDER BY id"  # noqa: S608 - names come from the model
_LEVEL = "SELECT max(priority) FROM task WHERE owner IS NULL AND due IS NOT NULL AND priority < ?"
_NARROWED = """
    (?1 IS NULL OR kind IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR build IN (SELECT value FROM json_each(?2)))
"""
_DUE = f"""
    SELECT {_TASK.selected} FROM task
    WHERE owner IS NULL AND due IS NOT NULL AND priority = ?3 AND due <= ?4 AND {_NARROWED} ORDER BY due, id LIMIT ?5
"""  # noqa: S608
_ONLY = f"SELECT {_TASK.selected} FROM task WHERE id = ?3 AND owner IS NULL AND {_NARROWED}"  # noqa: S608
_ABOVE_ALL = 1 << 62


class Prepared(NamedTuple):
    """A transaction with its rows encoded, by its caller: what cannot be encoded fails there."""

    transaction: Transaction
    puts: list[tuple[Table[Any], Values]]
    events: list[Values]


class Wanted(NamedTuple):
    """What a claim asks for."""

    worker: WorkerId
    now: float
    limit: int
    kinds: str | None  # JSON lists
    builds: str | None
    only: ExecutionId | None


def prepared(transaction: Transaction) -> Prepared:
    """Encode the rows of a transaction."""
    puts: list[tuple[Table[Any], Values]] = []
    for row in transaction.put:
        if type(row) is EventRow:
            raise ValueError("events go into `events`, where they are given their order")
        rows: Table[Any] = table(type(row))
        puts.append((rows, rows.values(row)))
    return Prepared(transaction, puts, [_EVENT.values(event) for event in transaction.events])


class Group:
    """The `rules.View` of the transactions of one group."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(self, work: Prepared) -> None:
        """Write one transaction, or raise `Fenced` or `Conflict` with nothing written."""
        transaction = work.transaction
        rules.check(self, transaction)
        execute = self._connection.execute
        for rows, values in work.puts:
            execute(rows.put, values)
        for row in transaction.delete:
            execute(table(type(row)).delete, rules.key_of(row))
        rules.settle(self, transaction)
        if work.events:
            self._connection.executemany(_EVENT.put, work.events)

    def claim(self, wanted: Wanted) -> list[TaskRow]:
        """Take what is wanted and free, for its worker."""
        taken = [rules.claimed(task, wanted.worker) for task in self._eligible(wanted)]
        for task in taken:
            self.keep(task)
        return taken

    def release(self, worker: WorkerId, now: float) -> list[ExecutionId]:
        """Take everything from a worker."""
        held = [_TASK.row(values) for values in self._connection.execute(_HELD, (worker,)).fetchall()]
        for task in held:
            self.keep(rules.released(task, now))
        return [task.id for task in held]

    def task(self, execution: ExecutionId) -> TaskRow | None:
        values = self._connection.execute(_TASK.get, (execution,)).fetchone()
        return None if values is None else _TASK.row(values)

    def has(self, row: Row) -> bool:
        return self._connection.execute(table(type(row)).exists, rules.key_of(row)).fetchone() is not None

    def version(self, row: Row) -> int:
        stored = self._connection.execute(table(type(row)).version, rules.key_of(row)).fetchone()
        return 0 if stored is None else stored[0]

    def inbox(self, execution: ExecutionId) -> Iterable[str]:
        return [message for (message,) in self._connection.execute(_INBOX, (execution,)).fetchall()]

    def keep(self, task: TaskRow) -> None:
        self._connection.execute(_TASK.put, _TASK.values(task))

    def _eligible(self, wanted: Wanted) -> Sequence[TaskRow]:
        execute = self._connection.execute
        narrowed = (wanted.kinds, wanted.builds)
        if wanted.only is not None:
            found = execute(_ONLY, (*narrowed, wanted.only)).fetchall()[: wanted.limit]
            return [_TASK.row(values) for values in found]
        tasks: list[TaskRow] = []
        (level,) = execute(_LEVEL, (_ABOVE_ALL,)).fetchone()
        while level is not None and len(tasks) < wanted.limit:
            found = execute(_DUE, (*narrowed, level, wanted.now, wanted.limit - len(tasks))).fetchall()
            tasks += [_TASK.row(values) for values in found]
            (level,) = execute(_LEVEL, (level,)).fetchone()
        return tasks
