"""A store in the memory of this process: for tests, and for previews, which leave nothing behind.

It holds what the contract says of atomicity and order by a lock; nothing in it is durable. Rows are frozen, so they
are shared with the callers. Its contents belong to the object: closed and opened again, they are still there.
"""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import gt, itemgetter, lt
from typing import Any, TypeVar, cast

from orbits_iac.model.errors import StoreError
from orbits_iac.model.ids import NOBODYS, ExecutionId, WorkerId
from orbits_iac.model.rows import (
    EntryRow,
    EventRow,
    ExecutionRow,
    MessageRow,
    Row,
    ScheduleRow,
    TaskRow,
    WorkerRow,
    amended,
)
from orbits_iac.store import rules
from orbits_iac.store.contract import D, Holding, Journal, Store, Transaction
from orbits_iac.store.hints import Hints
from orbits_iac.store.parted import parted
from orbits_iac.store.tables import check_where, encoded

R = TypeVar("R", bound=Row)
Key = tuple[str | int, ...]
Buckets = defaultdict[str | int, dict[Key, Row]]  # by the first field of the key, so that an execution's are together


class MemoryStore(Store):
    """Rows in dictionaries."""

    def __init__(self) -> None:
        self._tables: defaultdict[type[Row], Buckets] = defaultdict(lambda: defaultdict(dict))
        self._seq = 0
        self._lock = threading.Lock()
        self._hints = Hints()
        self._is_open = False

    @property
    def url(self) -> str:
        return "memory:"

    def copied(self) -> "MemoryStore":
        """Another store, open as this one is, with the rows that are here now."""
        other = MemoryStore()
        with self._lock:
            for table, buckets in self._tables.items():
                other._tables[table].update({first: dict(bucket) for first, bucket in buckets.items() if bucket})
            other._seq, other._is_open = self._seq, self._is_open
        return other

    @classmethod
    def of(cls, rows: Iterable[Row]) -> "MemoryStore":
        """An open store that holds these rows, of whatever version."""
        made = cls()
        for row in rows:
            made._put(row)
            made._seq = max(made._seq, row.seq) if isinstance(row, EventRow) else made._seq
        made._is_open = True
        return made

    async def open(self) -> None:
        self._is_open = True

    async def close(self) -> None:
        self._is_open = False

    async def commit(self, transaction: Transaction) -> None:
        for row in (*transaction.put, *transaction.events):
            encoded(row)  # what no other store could keep is refused here too
        with self._held():
            rules.check(self, transaction)
            for row in transaction.put:
                self._put(row)
            for row in transaction.delete:
                self._bucket(type(row), rules.key_of(row)).pop(rules.key_of(row), None)
                if isinstance(row, TaskRow):
                    self._tables[MessageRow].pop(row.id, None)
            rules.settle(self, transaction)
            for event in transaction.events:
                self._seq = event.seq or self._seq + 1
                self._put(amended(event, seq=self._seq))
        self._hints.tell()
        await asyncio.sleep(0)  # as with every other store, others run while a commit is under way

    async def get(self, table: type[R], *key: str | int) -> R | None:
        with self._held():
            return cast("R | None", self._bucket(table, key).get(key))

    async def find(
        self,
        table: type[R],
        *,
        limit: int | None = None,
        newest: bool = False,
        after: Sequence[str | int] = (),
        whole: bool = True,
        **where: str | int | None,
    ) -> list[R]:
        check_where(table, where, after)
        with self._held():
            rows = self._rows(table, where.get(table.KEY[0]))
            found = [row for row in rows if all(getattr(row, name) == value for name, value in where.items())]
        if after:
            past = lt if newest else gt
            found = [row for row in found if past(rules.key_of(row), tuple(after))]
        found.sort(key=rules.key_of, reverse=newest)
        return found[:limit] if whole else [parted(row)[0] for row in found[:limit]]

    async def load(self, execution: ExecutionId) -> Journal | None:
        with self._held():
            row = self._bucket(ExecutionRow, (execution,)).get((execution,))
            if row is None:
                return None
            return Journal(
                execution=cast("ExecutionRow", row),
                entries=self._rows(EntryRow, execution),
                messages=self._rows(MessageRow, execution),
            )

    async def claim(  # noqa: PLR0913 - what narrows it, each by its name
        self,
        worker: WorkerId,
        *,
        now: float,
        limit: int,
        kinds: frozenset[str] | None = None,
        builds: Mapping[str, str] | None = None,
        only: ExecutionId | None = None,
        labels: frozenset[str] | None = None,
        without: frozenset[str] = frozenset(),
        least: int | None = None,
    ) -> list[TaskRow]:
        with self._held():
            eligible = [
                task
                for task in self._rows(TaskRow, only)
                if task.owner is None
                and (only is not None or (task.due is not None and task.due <= now))
                and (only is not None or (task.tenant or NOBODYS) not in without)
                and (only is not None or least is None or task.priority >= least)
                and (labels is None or task.needs is None or task.needs in labels)
                and (kinds is None or task.kind in kinds)
                and (builds is None or task.build in builds)
                and not (task.own_build and only is None and builds is not None and builds[task.build] != task.build)
            ]
            eligible.sort(key=lambda task: (-task.priority, task.due or rules.AT_ONCE, task.id))
            taken = [rules.claimed(task, worker, builds) for task in eligible[:limit]]
            for task in taken:
                self.keep(task)
        if taken:
            self._hints.tell()
        return taken

    async def holding(self, worker: WorkerId) -> list[Holding]:
        with self._held():
            tasks = sorted((row for row in self._rows(TaskRow, None) if row.owner == worker), key=rules.key_of)
            return [
                Holding(task=task, told=task.due is not None or bool(self._rows(MessageRow, task.id))) for task in tasks
            ]

    async def release(self, worker: WorkerId, *, now: float, counter: int | None = None) -> list[ExecutionId]:
        with self._held():
            row = cast("WorkerRow | None", self._bucket(WorkerRow, (worker,)).get((worker,)))
            if counter is not None and (row is None or row.counter != counter):
                return []
            self._bucket(WorkerRow, (worker,)).pop((worker,), None)
            held = [task for task in self._rows(TaskRow, None) if task.owner == worker]
            for task in held:
                self.keep(rules.released(task, now))
        if held:
            self._hints.tell()
        return sorted(task.id for task in held)

    async def due(self, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None = None) -> list[D]:
        with self._held():
            found = [
                (due, rules.key_of(row), row)
                for row in self._rows(table, None)
                if (due := rules.free_from(row)) is not None and due <= now and (kinds is None or row.kind in kinds)
            ]
        found.sort(key=itemgetter(0, 1))
        return [row for _, _, row in found[:limit]]

    async def next_due(self) -> float | None:
        with self._held():
            free = [rules.free_from(row) for row in self._rows(TaskRow, None)]
            free += [rules.free_from(row) for row in self._rows(ScheduleRow, None)]
        return min((due for due in free if due is not None), default=None)

    async def compact(self) -> int:
        return 0

    async def tail(self, after: int, *, root: ExecutionId | None = None, limit: int = 1000) -> list[EventRow]:
        found: list[EventRow] = []
        with self._held():
            for seq in range(after + 1, self._seq + 1):
                event = cast("EventRow | None", self._bucket(EventRow, (seq,)).get((seq,)))
                if event is not None and root in (None, event.root):
                    found.append(event)
                if len(found) == limit:
                    break
        return found

    async def changed(self, timeout: float) -> None:
        await self._hints.wait(timeout)

    # What follows is the `rules.View` of the transactions; the lock is held by whoever calls it.

    def holder(self, execution: ExecutionId) -> rules.Holder | None:
        task = self.task(execution)
        return None if task is None else (task.owner, task.token)

    def task(self, execution: ExecutionId) -> TaskRow | None:
        return cast("TaskRow | None", self._bucket(TaskRow, (execution,)).get((execution,)))

    def has(self, row: Row) -> bool:
        return rules.key_of(row) in self._bucket(type(row), rules.key_of(row))

    def stored(self, row: Row) -> Row | None:
        return self._bucket(type(row), rules.key_of(row)).get(rules.key_of(row))

    def version(self, row: Row) -> int:
        stored: Any = self._bucket(type(row), rules.key_of(row)).get(rules.key_of(row))
        return stored.version if stored is not None else 0

    def numbered(self) -> int:
        return self._seq

    def inbox(self, execution: ExecutionId) -> Iterable[str]:
        return [message.id for message in self._rows(MessageRow, execution)]

    def keep(self, task: TaskRow) -> None:
        self._put(task)

    def _held(self) -> threading.Lock:
        if not self._is_open:
            raise StoreError("the store memory: is not open")
        return self._lock

    def _put(self, row: Row) -> None:
        key = rules.key_of(row)
        self._tables[type(row)][key[0]][key] = row

    def _bucket(self, table: type[Row], key: Key) -> dict[Key, Row]:
        return self._tables[table].get(key[0], {})

    def _rows(self, table: type[R], first: str | int | None) -> list[R]:
        buckets = self._tables[table]
        if first is not None:
            return cast("list[R]", list(buckets.get(first, {}).values()))
        return cast("list[R]", [row for bucket in buckets.values() for row in bucket.values()])
