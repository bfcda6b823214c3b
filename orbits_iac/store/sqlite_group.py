"""A group of transactions, on its way into one SQLite transaction.

A transaction is judged by what is stored and by what the earlier ones of the group will write; only then is what it
writes added to the group, so that one which is refused leaves nothing and fails nobody else. At the end the rows of
all are written together, in as few statements as possible: between two statements the writer may have to wait for the
interpreter, which the event loop does not let go of for milliseconds.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow, MessageRow, Row, TaskRow, WorkerRow
from orbits_iac.store import rules
from orbits_iac.store.contract import Transaction
from orbits_iac.store.sqlite_claims import Wanted, eligible
from orbits_iac.store.tables import Key, Table, Values, encoded, table_of

_TASK, _EVENT, _MESSAGE = table_of(TaskRow), table_of(EventRow), table_of(MessageRow)
_WORKER = table_of(WorkerRow)
_INBOX = "SELECT id FROM message WHERE execution = ?"
_EMPTY = "DELETE FROM message WHERE execution IN (SELECT value FROM json_each(?))"
_END = "DELETE FROM task WHERE id IN (SELECT value FROM json_each(?))"
_HOLDER = "SELECT owner, token FROM task WHERE id = ?"
_HOLDERS = """
    SELECT json_group_array(json_array(id, owner, token)) FROM task WHERE id IN (SELECT value FROM json_each(?))
"""
_HELD = f"SELECT {_TASK.selected} FROM task WHERE owner = ? ORDER BY id"  # noqa: S608 - names come from the model
_NUMBERED = "SELECT coalesce(max(seq), 0) FROM event"

_holders = msgspec.json.Decoder(list[tuple[str, str | None, int]]).decode


class Prepared(NamedTuple):
    """A transaction with its rows encoded, by its caller: what cannot be encoded fails there."""

    transaction: Transaction
    tasks: list[TaskRow]
    puts: list[tuple[Table[Any], Key, Values]]
    deletes: list[tuple[Table[Any], Key]]
    events: list[Values]


class Leaving(NamedTuple):
    """A worker that holds nothing from `now` on, if its row has this counter (None: whichever)."""

    worker: WorkerId
    now: float
    counter: int | None


Work = Prepared | Wanted | Leaving


def prepared(transaction: Transaction) -> Prepared:
    """Encode the rows of a transaction."""
    tasks: list[TaskRow] = []
    puts: list[tuple[Table[Any], Key, Values]] = []
    for row in transaction.put:
        if isinstance(row, TaskRow):
            encoded(row)
            tasks.append(row)
        else:
            rows = table_of(type(row))
            values = rows.values(row)
            puts.append((rows, values[: rows.width], values))
    deletes = [(table_of(type(row)), rules.key_of(row)) for row in transaction.delete]
    return Prepared(transaction, tasks, puts, deletes, [_EVENT.values(event) for event in transaction.events])


class Group:
    """The `rules.View` of the transactions of one group, and what they will write."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._holders: dict[str, rules.Holder | None] = {}
        self._tasks: dict[str, TaskRow | None] = {}
        self._kept: set[str] = set()  # those of `_tasks` that are to be written
        self._over: set[str] = set()  # executions whose task was deleted: what their inbox had is deleted too
        self._rows: defaultdict[Table[Any], dict[Key, Values | None]] = defaultdict(dict)  # None: to be deleted
        self._events: list[Values] = []

    def expect(self, works: Iterable[Work]) -> None:
        """Read who holds the executions that these write, in one statement."""
        fences = [work.transaction.fence for work in works if isinstance(work, Prepared)]
        executions = [fence.execution for fence in fences if fence is not None]
        if len(executions) > 1:
            (found,) = self._connection.execute(_HOLDERS, (_list(executions),)).fetchone()
            self._holders = dict.fromkeys(executions)
            self._holders.update((execution, (owner, token)) for execution, owner, token in _holders(found))

    def do(self, work: Work) -> Any:
        """Add one transaction, claim or release; `Fenced` or `Conflict` with nothing added if it is refused."""
        if isinstance(work, Prepared):
            return self._write(work)
        self.flush()  # what follows is found by queries
        if isinstance(work, Wanted):
            return self._keep_all(
                [rules.claimed(task, work.worker, work.become) for task in eligible(self._connection, work)]
            )
        if work.counter is not None:
            row = self._connection.execute(_WORKER.get, (work.worker,)).fetchone()
            if row is None or _WORKER.row(row).counter != work.counter:
                return []
        self._rows[_WORKER][work.worker,] = None
        held = self._connection.execute(_HELD, (work.worker,)).fetchall()
        return [task.id for task in self._keep_all([rules.released(_TASK.row(values), work.now) for values in held])]

    def flush(self) -> None:
        """Write what was added so far."""
        execute = self._connection.execute
        if self._over:
            execute(_EMPTY, (_list(self._over),))
        for rows, changed in self._rows.items():
            rows.write(execute, [values for values in changed.values() if values is not None])
            for key, values in changed.items():
                if values is None:
                    execute(rows.delete, key)
        kept = [(execution, self._tasks[execution]) for execution in self._kept]
        _TASK.write(execute, [_TASK.values(task) for _, task in kept if task is not None])
        if ended := [execution for execution, task in kept if task is None]:
            execute(_END, (_list(ended),))
        _EVENT.write(execute, self._events)
        self._over.clear()
        self._rows.clear()
        self._kept.clear()
        self._events = []

    def holder(self, execution: ExecutionId) -> rules.Holder | None:
        if execution not in self._holders:
            self._holders[execution] = self._connection.execute(_HOLDER, (execution,)).fetchone()
        return self._holders[execution]

    def task(self, execution: ExecutionId) -> TaskRow | None:
        if execution not in self._tasks:
            values = self._connection.execute(_TASK.get, (execution,)).fetchone()
            self._tasks[execution] = None if values is None else _TASK.row(values)
        return self._tasks[execution]

    def has(self, row: Row) -> bool:
        if isinstance(row, TaskRow):
            return self.task(row.id) is not None
        rows, key = table_of(type(row)), rules.key_of(row)
        if key in self._rows[rows]:
            return self._rows[rows][key] is not None
        if rows is _MESSAGE and key[0] in self._over:
            return False
        return self._connection.execute(rows.exists, key).fetchone() is not None

    def stored(self, row: Row) -> Row | None:
        if isinstance(row, TaskRow):
            return self.task(row.id)
        rows, key = table_of(type(row)), rules.key_of(row)
        if not self.has(row):
            return None
        values = self._rows[rows].get(key) or self._connection.execute(rows.get, key).fetchone()
        return rows.row(values)

    def version(self, row: Row) -> int:
        rows, key = table_of(type(row)), rules.key_of(row)
        if key in self._rows[rows]:
            return rows.version_of(self._rows[rows][key])
        stored = self._connection.execute(rows.version, key).fetchone()
        return 0 if stored is None else stored[0]

    def numbered(self) -> int:
        (given,) = self._connection.execute(_NUMBERED).fetchone()
        for seq, *_ in self._events:
            given = seq or given + 1
        return int(given)

    def inbox(self, execution: ExecutionId) -> Iterable[str]:
        stored = () if execution in self._over else self._connection.execute(_INBOX, (execution,)).fetchall()
        ids = {message for (message,) in stored}
        for (of, message), values in self._rows[_MESSAGE].items():
            if of == execution:
                (ids.discard if values is None else ids.add)(message)
        return ids

    def keep(self, task: TaskRow) -> None:
        self._change(task.id, task)

    def _write(self, work: Prepared) -> None:
        rules.check(self, work.transaction)
        for task in work.tasks:
            self.keep(task)
        for rows, key, values in work.puts:
            self._rows[rows][key] = values
        for rows, key in work.deletes:
            if rows is _TASK:
                self._end(key[0])
            else:
                self._rows[rows][key] = None
        rules.settle(self, work.transaction)
        self._events += work.events

    def _keep_all(self, tasks: list[TaskRow]) -> list[TaskRow]:
        for task in tasks:
            self.keep(task)
        return tasks

    def _end(self, execution: ExecutionId) -> None:
        self._change(execution, None)
        self._over.add(execution)
        for key in [key for key in self._rows[_MESSAGE] if key[0] == execution]:
            del self._rows[_MESSAGE][key]

    def _change(self, execution: ExecutionId, task: TaskRow | None) -> None:
        self._tasks[execution] = task
        self._holders[execution] = None if task is None else (task.owner, task.token)
        self._kept.add(execution)


def _list(names: Iterable[str]) -> str:
    """Names as a value that `json_each` takes apart."""
    return msgspec.json.encode(list(names)).decode()
