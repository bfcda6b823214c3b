"""What a transaction means, said once for the stores that hold their rows in this process.

Pure: a store shows its rows as a `View`, and is told which transactions are refused and what becomes of the tasks.
The order is that of `Transaction`: everything is checked before anything is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from orbits_iac.model.errors import Conflict, Fenced
from orbits_iac.model.ids import ExecutionId, WorkerId
from orbits_iac.model.rows import TABLES, EventRow, MessageRow, Row, ScheduleRow, TaskRow, amended
from orbits_iac.store.contract import Fence, Park, Transaction

Holder = tuple[str | None, int]  # an execution's owner, and its token
AT_ONCE = 0.0  # earlier than every clock, injected ones included: stores have no clock


class View(Protocol):
    """The rows of a store as they stand after the transactions written before this one."""

    def holder(self, execution: ExecutionId) -> Holder | None:
        """Who holds this execution; None for one that has ended or does not exist."""
        ...

    def task(self, execution: ExecutionId) -> TaskRow | None:
        """What is stored of this execution's task."""
        ...

    def has(self, row: Row) -> bool:
        """Whether a row with the key of `row` is stored."""
        ...

    def stored(self, row: Row) -> Row | None:
        """What is stored with the key of `row`."""
        ...

    def version(self, row: Row) -> int:
        """The stored version of a `VERSIONED` row with the key of `row`; 0 for none."""
        ...

    def numbered(self) -> int:
        """The highest number that an event was ever given; 0 for none."""
        ...

    def inbox(self, execution: ExecutionId) -> Iterable[str]:
        """The ids of the messages that are stored for this execution."""
        ...

    def keep(self, task: TaskRow) -> None:
        """Write this task."""


def key_of(row: Row) -> tuple[str | int, ...]:
    """The values of a row's `KEY` fields, in order."""
    return tuple(getattr(row, name) for name in row.KEY)


def check(view: View, transaction: Transaction) -> None:
    """Raise `Fenced` or `Conflict` if the transaction must not be written."""
    if transaction.fence is not None:
        _check_fence(view, transaction.fence)
    elif transaction.park is not None:
        raise ValueError("only the holder of an execution parks it: a transaction with `park` needs its `fence`")
    for row in transaction.absent:
        if view.has(row):
            raise Conflict(f"{_named(row)} exists already; read it and decide again")
    for row in transaction.unchanged:
        if view.stored(row) != row:
            raise Conflict(f"{_named(row)} is not as it was read; read it again")
    for row in transaction.put:
        if isinstance(row, EventRow):
            raise ValueError("events go into `events`, where they are given their order")  # noqa: TRY004 - a wrong place
        if row.VERSIONED:
            _check_version(view, row)
    if any(event.seq for event in transaction.events):
        _check_numbers(view, transaction.events)


def settle(view: View, transaction: Transaction) -> None:
    """Write what `wake` and `park` make of tasks. Comes after the rows of the transaction are in the view."""
    if transaction.wake:
        told = {row.execution for row in transaction.put if isinstance(row, MessageRow)}
        for execution in transaction.wake:
            _wake(view, execution, transaction.wake_at, told=execution in told)
    if transaction.park is not None and transaction.fence is not None:
        _park(view, transaction.fence.execution, transaction.park)


def claimed(task: TaskRow, worker: WorkerId, builds: Mapping[str, str] | None) -> TaskRow:
    """The task once `worker` has claimed it, to go on with the build that `builds` has for its own."""
    build = task.build if builds is None else builds[task.build]
    return amended(task, owner=worker, token=task.token + 1, due=None, build=build)


def free_from(row: TaskRow | ScheduleRow) -> float | None:
    """When it may be taken; None if it is held or paused, or only a message makes it due."""
    if isinstance(row, TaskRow):
        return row.due if row.owner is None else None
    return None if row.paused else row.due


def released(task: TaskRow, now: float) -> TaskRow:
    """The task once it was taken from a worker that is dead or leaving."""
    return amended(task, owner=None, token=task.token + 1, due=now)


def _check_fence(view: View, fence: Fence) -> None:
    holder = view.holder(fence.execution)
    if holder is None:
        raise Fenced(
            f"execution {fence.execution} has ended or does not exist; what token {fence.token} did is dropped"
        )
    owner, token = holder
    if owner is None or token != fence.token:
        now = f"{owner} holds it with token {token}" if owner else "nobody holds it"
        raise Fenced(f"execution {fence.execution} is not held with token {fence.token} any more: {now}")


def _check_version(view: View, row: Row) -> None:
    stored, wanted = view.version(row), int(getattr(row, "version"))  # noqa: B009 - every VERSIONED row has the field
    if stored != wanted - 1:
        raise Conflict(f"{_named(row)} is at version {stored}, so version {wanted} cannot follow; read it again")


def _check_numbers(view: View, events: Sequence[EventRow]) -> None:
    given = view.numbered()
    for event in events:
        if event.seq and event.seq <= given:
            raise Conflict(f"event {event.seq} cannot follow: numbers up to {given} were given already")
        given = event.seq or given + 1


def _wake(view: View, execution: ExecutionId, at: float, *, told: bool) -> None:
    """Make it due. Of a held one the message says so when it parks; a wake without a message is kept in `due`."""
    task = view.task(execution)
    if task is None or (told and task.owner is not None):
        return
    if task.due is None or at < task.due:
        view.keep(amended(task, due=at))


def _park(view: View, execution: ExecutionId, park: Park) -> None:
    task = view.task(execution)
    if task is None:  # the same transaction ended it
        return
    due = park.due
    if task.due is not None and (due is None or task.due < due):  # it was woken while it was held
        due = task.due
    if not park.seen.issuperset(view.inbox(execution)):
        due = AT_ONCE
    view.keep(amended(task, owner=None, due=due))


def _named(row: Row) -> str:
    return f"{TABLES[type(row)]} {' '.join(str(part) for part in key_of(row))}"
