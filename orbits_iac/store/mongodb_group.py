"""A group of transactions, on its way into one transaction of MongoDB.

What decides is read in one snapshot (`Wanted`), each transaction is judged by it and by what the earlier ones of the
group will write (`Group`, the `rules.View`), and what they write becomes a few commands (`Changes`).

*Serializable.* MongoDB lets two transactions through that each read what the other writes. So that they conflict,
everything that decides is written too, if only by raising a counter: rows that have to be `unchanged`, tasks that are
woken, the `writer` of whoever holds a fence. A row that has to be `absent` is inserted. What is read and not written
decides nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EventRow, MessageRow, Row, TaskRow
from orbits_iac.store import rules
from orbits_iac.store.contract import Transaction
from orbits_iac.store.mongodb_pieces import judged
from orbits_iac.store.mongodb_rows import Document, Documents, documents_of
from orbits_iac.store.rules import key_of

Key = tuple[Any, ...]

_TASK, _EVENT, _MESSAGE = documents_of(TaskRow), documents_of(EventRow), documents_of(MessageRow)


class Prepared(NamedTuple):
    """A transaction with its rows as documents, made by its caller: what cannot be encoded fails there."""

    transaction: Transaction
    puts: list[tuple[Documents[Any], Key, Document]]
    events: list[Document]
    size: int  # of its documents, in characters

    @property
    def turn(self) -> str:
        """Those with the same are written in the order in which they are handed in."""
        return "" if self.transaction.fence is None else self.transaction.fence.execution

    @property
    def numbers(self) -> list[int]:
        """Those that its events bring themselves."""
        return [event.seq for event in self.transaction.events if event.seq]


def prepared(transaction: Transaction) -> Prepared:
    """Make the documents of a transaction. Tasks come last, when it is known what becomes of them."""
    puts: list[tuple[Documents[Any], Key, Document]] = []
    for row in transaction.put:
        documents = documents_of(type(row))
        puts.append((documents, key_of(row), judged(documents.name, documents.document(row))))
    events = [_EVENT.document(event) for event in transaction.events]
    every = [document for _, _, document in puts] + events
    size = sum(len(document.get("body", "")) + len(document.get("apart", "")) + 200 for document in every)
    return Prepared(transaction, puts, events, size)


class Found(NamedTuple):
    """What was read in the snapshot of the group's transaction, by table and key."""

    rows: Mapping[Documents[Any], Mapping[Key, Document]]
    inboxes: Mapping[ExecutionId, frozenset[str]]
    next: int  # the number that the gate gives next


class Wanted:
    """What has to be read to judge a group: which documents, and which fields of them."""

    def __init__(self, works: Iterable[Prepared]) -> None:
        self.inboxes: dict[ExecutionId, None] = {}
        self.unchanged: dict[Documents[Any], dict[Key, None]] = defaultdict(dict)  # whole, since they are compared
        self._tasks: dict[Key, None] = {}
        self._versions: dict[Documents[Any], dict[Key, None]] = defaultdict(dict)
        for work in works:
            self._add(work.transaction)

    def short(self) -> Iterator[tuple[Documents[Any], Iterable[Key], Document]]:
        """Tables with the keys of which little is read, and what."""
        if self._tasks:
            yield _TASK, self._tasks, {"touched": 0}
        for documents, keys in self._versions.items():
            yield documents, keys, {"_id": 1, "version": 1}

    def _add(self, transaction: Transaction) -> None:
        tasks = self._tasks
        if transaction.fence is not None:
            tasks[transaction.fence.execution,] = None
        for execution in transaction.wake:
            tasks[execution,] = None
        if transaction.park is not None and transaction.fence is not None:
            self.inboxes[transaction.fence.execution] = None
        for row in transaction.absent:
            self._look_for(row)
        for row in transaction.unchanged:
            if isinstance(row, TaskRow):
                tasks[row.id,] = None
            else:
                self.unchanged[documents_of(type(row))][key_of(row)] = None
        for row in transaction.put:
            if row.VERSIONED or isinstance(row, TaskRow):
                self._look_for(row)
        for row in transaction.delete:
            if isinstance(row, TaskRow):
                self.inboxes[row.id] = None

    def _look_for(self, row: Row) -> None:
        if isinstance(row, TaskRow):
            self._tasks[row.id,] = None
        else:
            self._versions[documents_of(type(row))][key_of(row)] = None


class Changes:
    """What a group writes, by table: whole documents, deletions, and counters raised for the sake of a conflict."""

    def __init__(self) -> None:
        self.put: defaultdict[Documents[Any], dict[Key, Document]] = defaultdict(dict)
        self.new: defaultdict[Documents[Any], set[Key]] = defaultdict(set)  # those of `put` that must not be there
        self.gone: defaultdict[Documents[Any], dict[Key, None]] = defaultdict(dict)
        self.touched: defaultdict[Documents[Any], dict[Key, None]] = defaultdict(dict)
        self.guarded: defaultdict[Documents[Any], dict[Key, None]] = defaultdict(dict)  # absent, and not put
        self.events: list[Document] = []
        self.holders: dict[WorkerId, None] = {}  # of the fences

    def forget_needless(self) -> None:
        """Raise no counter and guard no place where something is written anyhow."""
        for documents, keys in self.touched.items():
            for key in keys.keys() & (self.put[documents].keys() | self.gone[documents].keys()):
                del keys[key]
        for documents, keys in self.guarded.items():
            for key in keys.keys() & self.put[documents].keys():
                del keys[key]


class Group:
    """The `rules.View` of the transactions of one group, over what was found."""

    def __init__(self, found: Found, *, at: int) -> None:
        """`at`: the number of the first event."""
        self.changes = Changes()
        self._found = found
        self._given = at - 1
        self._tasks: dict[str, TaskRow | None] = {}
        self._kept: dict[str, None] = {}  # those of `_tasks` that are to be written
        self._over: set[str] = set()  # executions whose task was deleted: what their inbox had is deleted too
        self._rows: defaultdict[Documents[Any], dict[Key, Document | None]] = defaultdict(dict)  # None: deleted

    def add(self, work: Prepared) -> None:
        """Judge one transaction and take its writes; `Fenced` or `Conflict`, with nothing taken, if it is refused."""
        transaction = work.transaction
        rules.check(self, transaction)
        self._guard(transaction)
        for documents, key, document in work.puts:
            if documents is not _TASK:
                self._rows[documents][key] = document
        for row in transaction.put:
            if isinstance(row, TaskRow):
                self.keep(row)
        for row in transaction.delete:
            if isinstance(row, TaskRow):
                self._end(row.id)
            else:
                self._rows[documents_of(type(row))][key_of(row)] = None
        rules.settle(self, transaction)
        for event in work.events:
            self._given = event["_id"] or self._given + 1
            self.changes.events.append({**event, "_id": self._given})

    def finished(self) -> Changes:
        """What is to be written for all that was added."""
        changes = self.changes
        for documents, rows in self._rows.items():
            for key, document in rows.items():
                if document is None:
                    changes.gone[documents][key] = None
                else:
                    changes.put[documents][key] = document
        for execution in self._kept:
            task = self._tasks[execution]
            if task is None:
                changes.gone[_TASK][execution,] = None
            else:
                changes.put[_TASK][execution,] = _TASK.document(task)
        for execution in self._over:
            for message in self._found.inboxes[ExecutionId(execution)]:
                if (execution, message) not in self._rows[_MESSAGE]:
                    changes.gone[_MESSAGE][execution, message] = None
        changes.forget_needless()
        return changes

    def holder(self, execution: ExecutionId) -> rules.Holder | None:
        task = self.task(execution)
        return None if task is None else (task.owner, task.token)

    def task(self, execution: ExecutionId) -> TaskRow | None:
        if execution not in self._tasks:
            document = self._stored(_TASK, (execution,))
            self._tasks[execution] = None if document is None else _TASK.row(document)
        return self._tasks[execution]

    def has(self, row: Row) -> bool:
        return self._now(documents_of(type(row)), key_of(row)) is not None

    def stored(self, row: Row) -> Row | None:
        if isinstance(row, TaskRow):
            return self.task(row.id)
        documents = documents_of(type(row))
        document = self._now(documents, key_of(row))
        return None if document is None else documents.row(document)

    def version(self, row: Row) -> int:
        document = self._now(documents_of(type(row)), key_of(row))
        return 0 if document is None else int(document["version"])

    def numbered(self) -> int:
        return self._given

    def inbox(self, execution: ExecutionId) -> Iterable[str]:
        ids = set() if execution in self._over else set(self._found.inboxes[execution])
        for (of, message), document in self._rows[_MESSAGE].items():
            if of == execution:
                (ids.discard if document is None else ids.add)(message)
        return ids

    def keep(self, task: TaskRow) -> None:
        self._tasks[task.id] = task
        self._kept[task.id] = None

    def _guard(self, transaction: Transaction) -> None:
        """Let what decides be written, so that who decides otherwise at the same time conflicts."""
        changes = self.changes
        if transaction.fence is not None:
            owner, _ = self.holder(transaction.fence.execution) or (None, 0)
            if owner is not None:
                changes.holders[WorkerId(owner)] = None
        for row in transaction.unchanged:
            if self._stored(documents_of(type(row)), key_of(row)) is not None:
                changes.touched[documents_of(type(row))][key_of(row)] = None
        for execution in transaction.wake:
            if self._stored(_TASK, (execution,)) is not None:
                changes.touched[_TASK][execution,] = None
        for row in transaction.absent:
            documents, key = documents_of(type(row)), key_of(row)
            if self._stored(documents, key) is None:
                changes.new[documents].add(key)
                changes.guarded[documents][key] = None

    def _end(self, execution: ExecutionId) -> None:
        self._tasks[execution] = None
        self._kept[execution] = None
        self._over.add(execution)
        for key in [key for key in self._rows[_MESSAGE] if key[0] == execution]:
            del self._rows[_MESSAGE][key]

    def _now(self, documents: Documents[Any], key: Key) -> Document | None:
        """The row as the transactions so far leave it."""
        if documents is _TASK:
            task = self.task(ExecutionId(str(key[0])))
            return None if task is None else _TASK.document(task)
        if key in self._rows[documents]:
            return self._rows[documents][key]
        if documents is _MESSAGE and key[0] in self._over:
            return None
        return self._stored(documents, key)

    def _stored(self, documents: Documents[Any], key: Key) -> Document | None:
        return self._found.rows.get(documents, {}).get(key)
