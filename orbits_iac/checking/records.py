"""The checks of one record. Pure: rows in, what does not fit out."""

from collections.abc import Iterator

from orbits_iac.checking.findings import Odd, Repair
from orbits_iac.checking.subjects import Record
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, RecordRow, Row, amended
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Transaction


def queue_with_what_has_ended(of: Record) -> Iterator[Odd]:
    """Who stands in a record's queue has not ended.

    It leaves in the transaction that ends it; where it does not (the record was changed by hand, or comes from
    another backup), all behind it wait for ever.
    """
    if of.row is None:
        return
    gone = [one for one in of.row.queue if (row := of.queue[one]) is None or row.state in ENDED]
    if gone:
        left = tuple(one for one in of.row.queue if one not in gone)
        ended: list[Row] = [row for one in gone if (row := of.queue[one]) is not None]
        missing: list[Row] = [_execution(one, of) for one in gone if of.queue[one] is None]
        how = f"taken out of the queue, and {left[0]} is told that it is its turn" if left else "taken out of the queue"
        put = amended(of.row, version=of.row.version + 1, queue=left)
        yield Odd(
            what=f"execution {', '.join(gone)} stands in its queue, and has ended or is not there",
            repair=_repair(
                of, how, Transaction(absent=missing, unchanged=[of.row, *ended], put=[put], wake=list(left[:1]))
            ),
        )


def turn_that_was_not_told(of: Record) -> Iterator[Odd]:
    """Who comes first in a record's queue has begun, or is due.

    It is made due with the transaction in which the one before it ends; where the queue was changed by hand it may
    wait for ever.
    """
    if of.row is None or not of.row.queue or of.turn is None:
        return
    row = of.queue[of.row.queue[0]]
    rests = of.turn.owner is None and of.turn.due is None and not of.in_line
    if row is not None and row.state is State.SLEEPING and row.started_at is None and row.paused_at is None and rests:
        yield Odd(
            what=f"execution {row.id} comes first in its queue, has not begun, and is not due",
            repair=_repair(of, "it is made due", Transaction(unchanged=[of.row, of.turn], wake=[row.id])),
        )


def standing_revision_that_is_not_there(of: Record) -> Iterator[Odd]:
    """The revision that stands is there.

    It is written with the record, and never pruned: it was deleted by hand, or the record comes from another
    backup.
    """
    if of.row is not None and of.row.revision is not None and of.row.revision not in of.numbers:
        yield Odd(
            what=f"revision {of.row.revision} stands, and is not there",
            todo="bring it back from a backup, or make the records again (`orbits state rebuild`)",
        )


def number_above_the_last(of: Record) -> Iterator[Odd]:
    """No revision has a number above the last that was given.

    The next update would write over it. Both are written together: the record comes from an older backup than its
    revisions.
    """
    if of.row is not None and max(of.numbers, default=0) > of.row.last_number:
        highest = max(of.numbers)
        put = amended(of.row, version=of.row.version + 1, last_number=highest)
        yield Odd(
            what=f"it has revision {highest}, and says that {of.row.last_number} was the last",
            repair=_repair(of, f"the last is {highest}", Transaction(unchanged=[of.row], put=[put])),
        )


def revisions_of_nothing(of: Record) -> Iterator[Odd]:
    """Revisions, and what was done once, belong to a record.

    A record is never deleted, not even by uninstalling: that was done by hand.
    """
    if of.row is None and (of.numbers or of.once):
        kept = [f"revisions {', '.join(map(str, sorted(of.numbers)))}"] if of.numbers else []
        kept += [f"{len(of.once)} steps that were done once"] if of.once else []
        yield Odd(
            what=f"there are {' and '.join(kept)}, and no record that they are of",
            todo="bring the record back from a backup, or make it again (`orbits state rebuild`)",
        )


def schedule_of_nothing(of: Record) -> Iterator[Odd]:
    """A schedule, and a look, are of a record.

    Else cycles of nothing are asked for. A record is never deleted, not even by uninstalling: that was done by
    hand.
    """
    if of.row is not None:
        return
    missing = RecordRow(kind=of.id.kind, identity=of.id.identity)
    rows: tuple[tuple[str, Row | None], ...] = (("schedule", of.schedule), ("look", of.look))
    for name, row in rows:
        if row is not None:
            yield Odd(
                what=f"there is a {name}, and no record that it is of",
                repair=_repair(of, "it is deleted", Transaction(absent=[missing], unchanged=[row], delete=[row])),
            )


def child_without_a_record(of: Record) -> Iterator[Odd]:
    """What a record is made of has records too.

    Those are made before it lists them, and never deleted, but by hand.
    """
    for child, there in of.children.items():
        if not there:
            yield Odd(
                what=f"{child} is part of it, and has no record",
                todo="bring it back from a backup, or make the records again (`orbits state rebuild`)",
            )


def child_without_its_revision(of: Record) -> Iterator[Odd]:
    """The revisions that a record is made of are there.

    They are what a rollback goes back to, and not pruned: they were deleted by hand, or come from another backup.
    """
    for child, number in sorted(of.lost):
        if of.children.get(child):
            yield Odd(
                what=f"it is made of revision {number} of {child}, which is not there",
                todo="going back to it will fail: bring it back from a backup, or update it, which makes a new one",
            )


def user_that_is_not_there(of: Record) -> Iterator[Odd]:
    """Who uses a record has a record itself.

    One that is not there, deleted by hand, keeps it from being removed for ever.
    """
    for user, there in of.users.items():
        if not there:
            yield Odd(
                what=f"{user} uses it, and has no record",
                todo="whether it still needs it cannot be told: bring its record back (`orbits state rebuild`)",
            )


def readers_that_do_not_count(of: Record) -> Iterator[Odd]:
    """A record that others read says so.

    The first of them writes it with its own row; where it does not say so (it comes from another backup), what they
    use may be removed.
    """
    if of.row is not None and of.row.revision is not None and of.readers and not of.row.has_readers:
        put = amended(of.row, version=of.row.version + 1, has_readers=True)
        yield Odd(
            what=f"{', '.join(one.reader for one in of.readers)} read it, and do not count as its users",
            repair=_repair(of, "they count", Transaction(unchanged=[of.row, *of.readers], put=[put])),
        )


def readers_of_nothing(of: Record) -> Iterator[Odd]:
    """Who reads a record reads one that is there.

    A record is never deleted, not even by uninstalling: that was done by hand.
    """
    if of.row is None and of.readers:
        missing, rows = RecordRow(kind=of.id.kind, identity=of.id.identity), of.readers
        yield Odd(
            what=f"{', '.join(one.reader for one in rows)} read it, and there is no record of it",
            repair=_repair(of, "they are forgotten", Transaction(absent=[missing], unchanged=rows, delete=rows)),
        )


CHECKS = (
    queue_with_what_has_ended,
    turn_that_was_not_told,
    standing_revision_that_is_not_there,
    number_above_the_last,
    revisions_of_nothing,
    schedule_of_nothing,
    child_without_a_record,
    child_without_its_revision,
    user_that_is_not_there,
    readers_that_do_not_count,
    readers_of_nothing,
)
"""All of them."""


def _repair(of: Record, how: str, transaction: Transaction) -> Repair:
    """The history that says so is that of the execution that it was last about."""
    row = of.row
    queued = row.queue[0] if row is not None and row.queue else None
    named = queued or (row.brought_by or row.made_by if row is not None else None)
    execution = named or ExecutionId(f"{of.id.kind} {of.id.identity}")
    known = of.queue.get(execution)
    return Repair(
        how=how, transaction=transaction, execution=execution, root=known.root if known is not None else execution
    )


def _execution(one: ExecutionId, of: Record) -> ExecutionRow:
    """A row with this id: only its key counts."""
    return ExecutionRow(
        id=one, root=one, kind=of.id.kind, command="", argument="", build="", who="", digest="", created_at=0.0
    )
