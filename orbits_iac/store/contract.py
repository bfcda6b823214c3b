"""The contract of a store: what is atomic, what is ordered, and what is raised.

Called by the engine and the dispatcher; implemented once for each technology. One conformance suite runs over all.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

import msgspec

from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import EntryRow, EventRow, ExecutionRow, MessageRow, Row, ScheduleRow, TaskRow

R = TypeVar("R", bound=Row)
D = TypeVar("D", TaskRow, ScheduleRow)
SCHEMA_VERSION = 2


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

    First everything is checked: the fence, then that no row of `absent` exists, then every versioned row of `put`
    against the stored version. Then everything is written, in the order of the fields: `put`, `delete` (of which only
    the `KEY` fields count, and which may name what is not there), `events`, `wake`, `park`.

    `wake` makes executions due at `wake_at`, unless they are due earlier; it is not a conflict if they have ended. One
    that is held stays with its holder: its message, or the time of the wake, counts when it parks. `park` ends the
    fence's claim, unless the same transaction deletes the task: that is how an execution ends.
    """

    fence: Fence | None = None
    absent: Sequence[Row] = ()
    put: Sequence[Row] = ()
    delete: Sequence[Row] = ()
    events: Sequence[EventRow] = ()
    wake: Sequence[ExecutionId] = ()
    wake_at: float = 0.0
    park: Park | None = None


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """All of one execution, read in one snapshot."""

    execution: ExecutionRow
    task: TaskRow | None  # None once it has ended
    entries: Sequence[EntryRow]
    messages: Sequence[MessageRow]


class Store(ABC):
    """Keeps rows, safely against crashes and against several processes.

    *Atomic*: each `Transaction`, and each `claim`. A commit that returned is durable. Transactions of concurrent
    callers may be written as one group; one that is refused never fails its group.
    *Ordered*: a reader that was told of a commit sees it; events have the order of their commits.
    *Raised*: `Fenced`, `Conflict`, and `StoreError` with the store's name for whatever else goes wrong; on any of them
    nothing of the transaction was written, unless the connection was lost while it was under way.
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

    @abstractmethod
    async def open(self) -> None:
        """Make or check the schema. A newer one, or a file that is no store, is a `StoreError`; nothing is written."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was handed in and let go of every thread, file and connection."""

    @abstractmethod
    async def commit(self, transaction: Transaction) -> None:
        """Write all of it, durably, or raise `Fenced` or `Conflict`.

        From any thread and event loop. Cancelled while it waits, it may be written all the same. Rows that cannot be
        kept (text that is no Unicode), an `EventRow` in `put`, or `park` without `fence` are a ValueError.
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
        **where: str | int | None,
    ) -> list[R]:
        """Rows whose fields equal all of `where`, in the order of their keys (`newest`: the reverse).

        `after` is the key of a row, there or not: those that come after it in that order. So one reads page by page.
        `where` may name leading fields of `KEY`, and `INDEXED` fields; None matches a field that is None. Anything else
        is a programming error, and a ValueError.
        """

    @abstractmethod
    async def load(self, execution: ExecutionId) -> Journal | None:
        """All of one execution, from one snapshot; entries in no particular order."""

    @abstractmethod
    async def claim(
        self,
        worker: WorkerId,
        *,
        now: float,
        limit: int,
        kinds: frozenset[str] | None = None,
        builds: Mapping[str, str] | None = None,
        only: ExecutionId | None = None,
    ) -> list[TaskRow]:
        """Take up to `limit` executions that are due and held by nobody, the earliest due first within a priority.

        Each gets `worker` as its owner and the next token, and is not due until it parks. `kinds`, the keys of `builds`
        and `only` narrow the choice; the one of `only` need not be due, but nobody may hold it. The build of each
        becomes what `builds` has for it: the code that it goes on with.
        """

    @abstractmethod
    async def release(self, worker: WorkerId, *, now: float, counter: int | None = None) -> list[ExecutionId]:
        """Take from `worker`, which is dead or leaving, whatever it holds, make it due at `now`, and delete its row.

        The tokens of what it held go up, so that whatever the worker still writes is refused. With `counter` this is
        done only if the worker's row has that counter still: if it has, it is dead. An owner without a row would be
        missed by everybody.
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
        """Events with a `seq` above `after`, in order."""

    @abstractmethod
    async def changed(self, timeout: float) -> None:
        """Return when something may have been committed by anyone since the last call, or after `timeout` seconds.

        The last call is that of the same task; for a task's first, that of any. The caller's own commits count.
        A hint: it may return without a cause, and must not be relied on for being told of every commit.
        """
