"""The checks of one execution. Pure: rows in, what does not fit out."""

from collections.abc import Iterator

from orbits_iac.checking.findings import Odd, Repair
from orbits_iac.checking.subjects import Execution
from orbits_iac.engine.events import WAITS
from orbits_iac.engine.pages import is_closed
from orbits_iac.engine.requests import task_of
from orbits_iac.model.ids import ExecutionId, StepKey
from orbits_iac.model.rows import (
    EntryRow,
    ExecutionRow,
    LineRow,
    MessageRow,
    PermitRow,
    SubscriberRow,
    TaskRow,
    WaitRow,
    WorkerRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Transaction
from orbits_iac.store.rules import AT_ONCE, released

_NEW_TOKEN = 1 << 40
"""A token that no claim has come to by counting: whoever held the lost task is fenced."""


def not_ended_and_without_a_task(of: Execution) -> Iterator[Odd]:
    """An execution that has not ended has a task.

    Without one no worker ever goes on with it. Both are written, and deleted, together: one alone is the trace of a
    hand edit, or of a backup that was not taken of one moment.
    """
    if of.row is not None and not of.over and of.task is None:
        task = amended(task_of(of.row, due=AT_ONCE), token=of.row.token + _NEW_TOKEN)
        how = "a task is made, due at once"
        yield Odd(
            what=f"{of.name} is {of.row.state}, and has no task",
            repair=_repair(of, how, Transaction(absent=[task], unchanged=[of.row], put=[task])),
        )


def ended_and_still_with_a_task(of: Execution) -> Iterator[Odd]:
    """What has ended has no task.

    A worker would claim it again and again, for nothing. Both are written, and deleted, together: it is the trace
    of a hand edit, or of a backup that was not taken of one moment.
    """
    if of.over and of.task is not None:
        state = "it is not there" if of.row is None else f"{of.name} is {of.row.state}"
        unchanged = [of.task] if of.row is None else [of.task, of.row]
        yield Odd(
            what=f"{state}, and has a task",
            repair=_repair(of, "the task is deleted", Transaction(unchanged=unchanged, delete=[of.task])),
        )


def held_by_a_worker_without_a_row(of: Execution) -> Iterator[Odd]:
    """Who holds an execution has a worker's row.

    The others watch that, and take over once it stands still; one that was deleted by hand is watched by nobody.
    """
    if of.task is not None and of.task.owner is not None and not of.owner_known and not of.over:
        free = released(of.task, AT_ONCE)
        gone = WorkerRow(id=of.task.owner, build="")
        yield Odd(
            what=f"{of.name} is held by worker {of.task.owner}, which has no row",
            repair=_repair(
                of, "it is taken from it, and due at once", Transaction(absent=[gone], unchanged=[of.task], put=[free])
            ),
        )


def message_that_nobody_reads(of: Execution) -> Iterator[Odd]:
    """What has ended has nothing in its inbox.

    It is emptied with the task; a message that came later is withdrawn by whoever has sent it, unless that died in
    between.
    """
    if of.over and of.task is None:
        for message in of.messages:
            yield Odd(
                what=f"message {message.id} ({message.what}) lies in the inbox of what has ended",
                repair=_repair(of, "it is deleted", _where_nobody_goes_on(of, message)),
            )


def message_without_a_wake(of: Execution) -> Iterator[Odd]:
    """Who has an unread message is due or held, once it has begun.

    A message is written with the wake: one alone was written by hand. Only events may lie there until something
    waits for them, and what is paused has seen its own.
    """
    if of.row is None or of.over or of.task is None or of.task.owner is not None or of.task.due is not None:
        return
    if of.row.started_at is None or of.row.state is State.PAUSED or of.lines:
        return
    for message in of.messages:
        if message.what != "event":
            yield Odd(
                what=f"{of.name} is not due, though message {message.id} ({message.what}) is unread",
                repair=_repair(of, "it is made due", Transaction(unchanged=[message, of.task], wake=[of.id])),
            )


def wait_of_what_has_ended(of: Execution) -> Iterator[Odd]:
    """What has ended waits for no event.

    Whoever sends one would write to it. Its waits are deleted with its end: one that is left was brought back from
    a backup.
    """
    if of.over and of.task is None:
        for wait in of.waits:
            yield Odd(
                what=f"it still waits for {wait.event}, though it has ended",
                repair=_repair(of, "the wait is deleted", _where_nobody_goes_on(of, wait)),
            )


def permit_of_what_has_ended(of: Execution) -> Iterator[Odd]:
    """What has ended, or is not there, holds no permit, and waits for none.

    A worker that dies in between leaves it behind, and the next one frees it within seconds; so does this.
    """
    if of.over and of.task is None:
        rows: list[PermitRow | LineRow] = [*of.permits, *of.lines]
        for row in rows:
            holds = "holds a permit" if isinstance(row, PermitRow) else "stands in line for a permit"
            yield Odd(
                what=f"it {holds} of {row.name}, though it has ended",
                repair=_repair(of, "the row is deleted", _where_nobody_goes_on(of, row)),
            )


def wait_without_a_row(of: Execution) -> Iterator[Odd]:
    """A step that waits for an event is found by those who send one.

    Its row is written with its entry: one alone is the trace of a hand edit, or of a backup that was not taken of
    one moment.
    """
    known = {wait.key for wait in of.waits}
    for entry in _waiting(of):
        if entry.command == WAITS and entry.key not in known and of.row is not None:
            wait = WaitRow(event=entry.kind, execution=of.id, key=entry.key, root=of.root)
            yield Odd(
                what=f"{entry.key} waits for {entry.kind}, and is not found by those who send it",
                repair=_repair(
                    of, "its wait is written", Transaction(absent=[wait], unchanged=[of.row, entry], put=[wait])
                ),
            )


def subscriber_that_waits_no_more(of: Execution) -> Iterator[Odd]:
    """Who subscribes to an execution has not ended itself.

    Its subscriptions are deleted with its end: one that is left was brought back from a backup.
    """
    for one in of.subscribers:
        row = of.others.get(one.subscriber)
        if (row is None or row.state in ENDED) and of.theirs.get(one.subscriber) is None:
            absent = TaskRow(id=one.subscriber, kind="", build="")
            yield Odd(
                what=f"execution {one.subscriber} waits for it, and has ended or is not there",
                repair=_repair(
                    of,
                    "the subscription is deleted",
                    Transaction(absent=[absent], unchanged=[one], delete=[one]),
                ),
            )


def end_that_was_not_told(of: Execution) -> Iterator[Odd]:
    """Whoever waits for a child is told of its end.

    That is part of the transaction that ends it; where it is missing (a message was deleted by hand, the child's
    row comes from another backup), the one above waits for ever.
    """
    told = {message.key for message in of.messages}
    subscribed = {(one.execution, one.key): one for one in of.subscribed}
    for entry in _waiting(of):
        child = of.others.get(entry.child) if entry.child is not None else None
        key = entry.subscribed or entry.key
        if child is None or child.state not in ENDED or key in told or of.row is None:
            continue
        told_now = _told(of.id, child, key)
        standing = subscribed.get((child.id, key))
        deleted = [standing] if standing is not None else []
        yield Odd(
            what=f"{entry.key} waits for execution {child.id}, which has ended ({child.state}) without telling it",
            repair=_repair(
                of,
                "it is told now",
                Transaction(
                    absent=[told_now],
                    unchanged=[of.row, child, *deleted],
                    put=[told_now],
                    delete=deleted,
                    wake=[of.id],
                ),
            ),
        )


def waiting_without_a_subscription(of: Execution) -> Iterator[Odd]:
    """Whoever waits for a child has subscribed to it.

    Else it is not told of the end. Both are written together: one alone is the trace of a hand edit, or of a backup
    that was not taken of one moment.
    """
    subscribed = {(one.execution, one.key) for one in of.subscribed}
    for entry in _waiting(of):
        child = of.others.get(entry.child) if entry.child is not None else None
        key = entry.subscribed or entry.key
        if child is None or child.state in ENDED or (child.id, key) in subscribed or of.row is None:
            continue
        row = SubscriberRow(execution=child.id, subscriber=of.id, key=key)
        yield Odd(
            what=f"{entry.key} waits for execution {child.id}, which does not know of it",
            repair=_repair(of, "it subscribes", Transaction(absent=[row], unchanged=[of.row, child, entry], put=[row])),
        )


def child_that_is_not_there(of: Execution) -> Iterator[Odd]:
    """A step that waits for a child waits for one that is there.

    Both are written together, and what is waited for is not pruned: it was deleted by hand, or the store is put
    together from several backups.
    """
    for entry in _waiting(of):
        if entry.child is not None and of.others.get(entry.child) is None:
            yield Odd(
                what=f"{entry.key} waits for execution {entry.child}, which is not there",
                todo=f"nobody knows how it ended: `orbits end {of.id} --state ERROR`, and run it again",
            )


def entries_of_nothing(of: Execution) -> Iterator[Odd]:
    """A journal belongs to an execution, and goes with it.

    It was deleted by hand, or the store is put together from several backups.
    """
    if of.row is None and of.entries:
        yield Odd(
            what=f"{of.entries} journal entries are there, and no execution that they are of",
            todo="bring the execution back from a backup, or let them lie: they do no harm",
        )


def nobody_above(of: Execution) -> Iterator[Odd]:
    """The execution that asked for another first is there as long as that.

    It is pruned after it: it was deleted by hand, or the store is put together from several backups.
    """
    if of.row is None:
        return
    for name, one in (("parent", of.row.parent), ("root", of.row.root)):
        if one is not None and one != of.id and of.others.get(one) is None:
            yield Odd(
                what=f"its {name}, execution {one}, is not there",
                todo="it was deleted without what is below it: bring it back from a backup",
            )


def end_without_a_time(of: Execution) -> Iterator[Odd]:
    """An execution has a time at which it ended if it has ended, and only then.

    Both are in one row, which was changed by hand.
    """
    if of.row is not None and (of.row.state in ENDED) != (of.row.ended_at is not None):
        when = "no time at which it ended" if of.row.ended_at is None else f"ended at {of.row.ended_at:.0f}"
        yield Odd(
            what=f"{of.name} is {of.row.state}, with {when}",
            todo="its row was changed by hand: bring it back from a backup",
        )


def events_that_tell_otherwise(of: Execution) -> Iterator[Odd]:
    """The last event of an execution tells its state.

    Every change of it leaves one in the same transaction: the row was changed by hand, or comes from another
    backup.
    """
    if of.row is not None and of.told is not None and of.told is not of.row.state:
        yield Odd(
            what=f"{of.name} is {of.row.state}, and its last event says {of.told}",
            todo="which of both is true cannot be told: bring its row back from a backup",
        )


def build_that_nobody_knows(of: Execution) -> Iterator[Odd]:
    """The build of what has not ended is known to the store.

    It is made known before anything is asked for by it. Else no worker can tell whether its own code is an earlier
    or a later one, and none claims it.
    """
    if of.task is not None and not of.over and not of.build_known:
        yield Odd(
            what=f"{of.name} is of build {of.task.build}, which the store does not know: no worker claims it",
            todo=f"`orbits resume {of.id} --here` lets the code that is here go on with it",
        )


def not_in_the_queue_of_its_record(of: Execution) -> Iterator[Odd]:
    """A command that has not ended stands in its record's queue.

    So no two work on one thing; only one that a command above of the same record has asked for runs inside that
    hold, and a cycle that only asks its children's holds nothing. The record was changed by hand, or comes from another
    backup.
    """
    if of.row is None or of.over or of.row.identity is None or of.inside or of.row.beside:
        return
    if of.record is None or of.id not in of.record.queue:
        yield Odd(
            what=f"{of.name} is {of.row.state}, and does not stand in the queue of its record",
            todo=f"another command of the same record may work beside it: `orbits cancel {of.id}`, and run it again",
        )


CHECKS = (
    not_ended_and_without_a_task,
    ended_and_still_with_a_task,
    held_by_a_worker_without_a_row,
    message_that_nobody_reads,
    message_without_a_wake,
    wait_of_what_has_ended,
    permit_of_what_has_ended,
    wait_without_a_row,
    subscriber_that_waits_no_more,
    end_that_was_not_told,
    waiting_without_a_subscription,
    child_that_is_not_there,
    entries_of_nothing,
    nobody_above,
    end_without_a_time,
    events_that_tell_otherwise,
    build_that_nobody_knows,
    not_in_the_queue_of_its_record,
)
"""All of them."""


def _waiting(of: Execution) -> list[EntryRow]:
    """The open entries of what has not ended."""
    return [] if of.over else [entry for entry in of.open if not is_closed(entry)]


def _told(subscriber: ExecutionId, child: ExecutionRow, key: StepKey) -> MessageRow:
    return MessageRow(execution=subscriber, id=f"{child.id} {key}", what="ended", key=key, child=child.id)


def _where_nobody_goes_on(of: Execution, row: MessageRow | WaitRow | PermitRow | LineRow) -> Transaction:
    """What deletes a row of an execution that nobody goes on with, unless somebody does by then."""
    return Transaction(absent=[TaskRow(id=of.id, kind="", build="")], unchanged=[row], delete=[row])


def _repair(of: Execution, how: str, transaction: Transaction) -> Repair:
    return Repair(how=how, transaction=transaction, execution=of.id, root=of.root)
