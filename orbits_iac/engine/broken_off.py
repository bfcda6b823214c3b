"""What a run that broke off knows and the store does not: it stays in memory for the run that takes its place.

A run breaks off when the store fails under it, while its process lives. What came of its attempts is then written by
the next run of the execution here; an attempt that may not be made again goes on meanwhile, and that run gets what
comes of it. So only the end of a process leaves an attempt of which nobody knows what it did.

What always holds: nothing is taken over unless nobody else can have held the execution in between, which the token of
the claim tells; and only what fits the journal as it was written.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orbits_iac.engine.attempts import Done, End, Failed
from orbits_iac.model.errors import Permanent
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import EntryRow, TaskRow
from orbits_iac.model.states import State

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run

_CAME_SO_FAR = frozenset({State.IN_PROGRESS, State.SLEEPING})


def knows_more(run: "Run") -> bool:
    """Whether a run that broke off knows what the store may not; it has let go of what can be begun again."""
    return bool(run.attempts or run.fresh or any(_unwritten(run)) or any(_arrived(run)))


def is_next(before: "Run", task: TaskRow) -> bool:
    """Whether a claim is the one that the run had when it broke off, or the one after it."""
    return 0 <= task.token - before.pages.token <= 1


def take_over(run: "Run", before: "Run") -> None:
    """Let a run that was just loaded go on with what the one that broke off knows."""
    before.heir = run
    run.attempts = before.attempts
    at = run.now()
    for row in _unwritten(before):
        entry = run.pages.entries.get(row.key)
        if entry is None or entry.seq is not None or not _comes_after(row, entry):
            continue
        if row.seq is not None:
            run.arrived.append((row.key, _end(row)))
        elif row != entry:
            why = f"attempt {entry.attempt} failed: {row.message}" if row.state is State.SLEEPING else ""
            run.pages.put(row, at=at, why=why)
    for key, end in _arrived(before):
        entry = run.pages.entries.get(key)
        if entry is not None and entry.seq is None:
            run.arrived.append((key, end))
    for key in before.fresh:
        entry, known = run.pages.entries.get(key), before.pages.entries.get(key)
        if entry is not None and known is not None and _attempt(entry) == _attempt(known):
            run.fresh.add(key)


def _unwritten(run: "Run") -> Iterable[EntryRow]:
    """The entries of Actions to which something came that may not be written, in the order of their outcomes."""
    rows = [
        row
        for row in run.pages.unwritten()
        if row.command == "main" and (row.seq is not None or row.state in _CAME_SO_FAR)
    ]
    return sorted(rows, key=lambda row: row.seq or 0)


def _arrived(run: "Run") -> Iterable[tuple[StepKey, End]]:
    """What came to its Actions and was not handed out."""
    entries = run.pages.entries
    return [(key, end) for key, end in run.arrived if key in entries and entries[key].command == "main"]


def _attempt(entry: EntryRow) -> tuple[int, int, str]:
    return entry.generation, entry.attempt, entry.token


def _comes_after(row: EntryRow, entry: EntryRow) -> bool:
    """Whether what came belongs to the attempt that is written: one that sleeps is about the next."""
    attempt = row.attempt - 1 if row.state is State.SLEEPING and entry.state is not State.SLEEPING else row.attempt
    return (row.generation, attempt) == (entry.generation, entry.attempt)


def _end(row: EntryRow) -> End:
    """The outcome that was handed out, and is not known to be written."""
    if row.failure is None:
        return Done(result=row.result or "null")
    return Failed(error=Permanent(row.failure.message), failure=row.failure)  # it was decided: it is not tried again
