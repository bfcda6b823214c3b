"""The contract of a store: what is atomic, what is ordered, and what is raised.

Called by the engine and the dispatcher; implemented once for each technology. One conformance suite runs over all
(tests/conformance/stores): each of its cases is named after the anomaly that it excludes.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeVar

import msgspec

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, Row, ScheduleRow, TaskRow

R = TypeVar("R", bound=Row)
D = TypeVar("D", TaskRow, ScheduleRow)
SCHEMA_VERSION = 4


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever writes this holds the execution with this token; otherwise the write is refused as `Fenced`."""

    execution: ExecutionId
    token: int


class Park(msgspec.Struct, frozen=True, kw_only=True):
    """The fence's holder lets go of its execution until `due` (None: until a message comes).

    If the inbox, as this transaction leaves it, holds a message whose id is not among `seen`, the execution is due at
    once instead; so a message that comes between the holder's look at its inbox and its parking is never slept through.
    A wake without a message that came while it was held counts too: the earlier of the two times stands.
    """

    due: float | None
    seen: frozenset[str] = frozenset()


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """Writes that happen together or not at all.

    First everything is checked, against what is stored before it: the fence, then that no row of `absent` exists (its
    `KEY` fields count), that every row of `unchanged` is stored just so, then every versioned row of `put` against the
    stored version. Then everything is written, in the order of the fields:

    - `put`: each row whole, in place of the one with its key or as a new one; of two with one key the last counts;
    - `delete`: what has these `KEY` fields, if it is there. The newest event of all may be kept, for its number; with a
      task goes all that is in the inbox of its execution, which nobody reads any more;
    - `events`: each with the next `seq`. One that brings a `seq` of its own, as where a store is moved, keeps it; that
      is a Conflict unless it is above every number that was ever given;
    - `wake`: the tasks of these executions are due at `wake_at`, unless they are due earlier. One without a task has
      ended, and that is no conflict. One that is held stays with its holder: if this transaction puts a message for it,
      the message counts when it parks (see `Park`), else the time does;
    - `park`: the fence's task is held by nobody and due as `Park` says. With its task deleted it has ended, and nothing
      is parked.
    """

    fence: Fence | None = None
    absent: Sequence[Row] = ()
    unchanged: Sequence[Row] = ()
    put: Sequence[Row] = ()
    delete: Sequence[Row] = ()
    events: Sequence[EventRow] = ()
    wake: Sequence[ExecutionId] = ()
    wake_at: float = 0.0
    park: Park | None = None


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """An execution that somebody holds, and whether its inbox has anything, or it was woken, since it was claimed."""

    task: TaskRow
    told: bool


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """All of one execution, read in one snapshot."""

    execution: ExecutionRow
    entries: Sequence[EntryRow]
    messages: Sequence[MessageRow]


class Store(ABC):
    """Keeps rows, safely against crashes and against several processes.

    *Atomic*: each `Transaction`, each `claim` and each `release`, as if they came one after the other (serializable).
    Those of concurrent callers may be written as one group, each judged by what those before it have left; one that is
    refused never fails its group. A commit that returned is durable: it outlives the process and a power cut.

    *Read*: only what is committed, and each row whole; over several rows only `load` promises one snapshot. A reader
    that was told of a commit, by its return or through a row that came of it, sees it.

    *Ordered*: keys by the order of their fields, text by code points. The `seq` of events goes up with their commits,
    with gaps: once one is seen, none with a smaller number comes to light later, so that who tails misses none. No
    number is given twice, deleted ones included.

    *Raised*: `Fenced` and `Conflict` where a transaction must not be written; `StoreError`, with the store's name and
    what to do, for whatever else goes wrong, and for a store that is not open. On any of them nothing was written, with
    one exception: if the answer was lost (the connection broke, the machine failed), the transaction may be written. So
    callers send none that would do harm if it were sent twice: the fence, `absent`, `unchanged` or a version refuses
    the second.

    *Kept*: text is any Unicode without half surrogate pairs, numbers have 64 bits. A row holds values of users, each of
    up to `largest_value` characters: a technology whose documents are smaller keeps them apart. No answer
    depends on a clock of its own: every time in it was given to it. All methods may be called from any thread and event
    loop, many at once.
    """

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    @abstractmethod
    def url(self) -> str:
        """What it is named by: `sqlite:PATH`, `memory:`."""

    @property
    def groups(self) -> int | None:
        """How many groups of writes were written since it was opened; None where each is written by itself."""
        return None

    @abstractmethod
    async def open(self) -> None:
        """Make the schema, or bring it forward from an earlier version; once open, it does nothing.

        A later version, or a place that holds something else, is a `StoreError`, and nothing is written there. A crash
        leaves the earlier version or this one. Processes of an earlier version that have it open are refused at their
        next write, rather than drop what they do not know.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what was handed in and let go of every thread, file and connection; it may be opened again."""

    @abstractmethod
    async def commit(self, transaction: Transaction) -> None:
        """Write all of it, durably, or raise `Fenced` or `Conflict`.

        Transactions that one task hands in one after the other are written in that order. Cancelled while it waits, it
        may be written all the same. Rows that cannot be kept (text that is no Unicode), an `EventRow` in `put`, or
        `park` without `fence` are a ValueError, which fails this transaction alone.
        """

    @abstractmethod
    async def get(self, table: type[R], *key: str | int) -> R | None:
        """The row with this key (the values of its `KEY` fields, in order), or None."""

    @abstractmethod
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
        """Rows whose fields equal all of `where`, in the order of their keys (`newest`: the reverse).

        Not `whole`, they are `parted`: a long value is None. That is enough to show a row, which is never to be
        written again like that.

        `after` is the key of a row, there or not: those that come after it in that order. So one reads page by page.
        `where` may name leading fields of `KEY`, and `INDEXED` fields; None matches a field that is None. Anything else
        is a programming error, and a ValueError.
        """

    async def clock(self) -> float | None:
        """What the clock of its server says, in seconds since the epoch; None for a store without one."""
        return None

    async def count(self, table: type[Row], **where: str | int | None) -> int:
        """How many rows `find` would return; without reading them, where a technology can count."""
        conditions: dict[str, Any] = dict(where)
        return len(await self.find(table, whole=False, **conditions))

    @abstractmethod
    async def load(self, execution: ExecutionId) -> Journal | None:
        """All of one execution, from one snapshot; entries in no particular order."""

    @abstractmethod
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
        """Take up to `limit` executions that are due by `now` and held by nobody; their tasks, as claimed.

        The highest priority first, within it the earliest due, then the smallest id. Each gets `worker` as its owner
        and the next token, and is not due until it parks. `kinds`, the keys of `builds` and `only` narrow the choice
        (an empty set: none); the one of `only` need not be due, but nobody may hold it. The build of each becomes what
        `builds` has for it: the code that it goes on with; one that is for its `own_build` is not among the choice if
        that is another, but for `only`. No execution is ever given to two.

        `labels` leaves those that need no label, and those that need one of these. Of the tenants in `without` none is
        taken, and none with a priority below `least`, but for `only`; the tenant `NOBODYS` stands for what has none.
        """

    @abstractmethod
    async def holding(self, worker: WorkerId) -> list[Holding]:
        """What `worker` holds, in the order of ids; as cheap as a read or two, however much that is."""

    @abstractmethod
    async def release(self, worker: WorkerId, *, now: float, counter: int | None = None) -> list[ExecutionId]:
        """Take from `worker`, which is dead or leaving, what it holds, make it due at `now`, and delete its row.

        The tokens of what it held go up, so that whatever the worker still writes is refused. With `counter` this is
        done only if the worker's row has that counter still: if it has, it is dead. An owner without a row would be
        missed by everybody. Returns the ids of what it held, in order.
        """

    @abstractmethod
    async def due(self, table: type[D], *, now: float, limit: int, kinds: frozenset[str] | None = None) -> list[D]:
        """Up to `limit` executions that nobody holds, or schedules that are not paused, that are due by `now`.

        The earliest due first, whatever their priority. `kinds` narrows the choice.
        """

    @abstractmethod
    async def next_due(self) -> float | None:
        """When the earliest execution that nobody holds, or schedule that is not paused, is due; None for never."""

    @abstractmethod
    async def compact(self) -> int:
        """Give back to the system the room of what was deleted; the bytes, 0 if it does so by itself.

        Writers may have to wait meanwhile, and those of other processes may be told that they waited too long.
        """

    @abstractmethod
    async def tail(self, after: int, *, root: ExecutionId | None = None, limit: int = 1000) -> list[EventRow]:
        """The first `limit` events with a `seq` above `after`, of one root's tree or of all, in order."""

    @abstractmethod
    async def changed(self, timeout: float) -> None:
        """Return when something may have been committed by anyone since the last call, or after `timeout` seconds.

        The last call is that of the same task; for a task's first, that of any. The caller's own commits count.
        A hint: it may return without a cause, and must not be relied on for being told of every commit.
        """
