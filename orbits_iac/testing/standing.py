"""What came of a scenario: how its executions ended, what is recorded, and what stands in the world outside.

What a run that crashed leaves has to equal what one leaves that did not; `differences` says where it does not.
"""

from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import Any

from orbits_iac.model.errors import Interrupted, UsageError
from orbits_iac.model.rows import (
    EntryRow,
    ExecutionRow,
    MessageRow,
    RecordRow,
    Row,
    SubscriberRow,
    TaskRow,
    WaitRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.registry import Registry
from orbits_iac.steps.action import Action
from orbits_iac.steps.step import options_of
from orbits_iac.store.contract import Store
from orbits_iac.users import users_of

Ended = tuple[str, str, str | None, State, str | None, tuple[str, str, tuple[str, ...]] | None]
Recorded = tuple[str, str, int | None, tuple[str, ...], tuple[tuple[str, str], ...], bool]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What stands at the end."""

    ended: Counter[Ended]  # root executions: kind, command, identity, state, result, failure
    records: frozenset[Recorded]  # kind, identity, revision, users, children, whether it goes forward only
    world: Any
    left: tuple[str, ...]  # in the store: tasks, messages, subscriptions, waits, queues


Journals = list[EntryRow]
Steps = dict[tuple[str, str, int], EntryRow]  # by execution, key and generation


async def standing_of(store: Store, world: Any, *, messages: bool = True) -> Standing:
    """What stands in the store, beside what stands in the world; what errors say, only with `messages`."""
    records = await store.find(RecordRow)
    tables: tuple[type[Row], ...] = (TaskRow, MessageRow, SubscriberRow, WaitRow)
    left = [repr(row) for table in tables for row in await store.find(table)]
    left += [f"{row.kind} {row.identity} has a queue: {row.queue}" for row in records if row.queue]
    left += await under_way(store)
    left += await gaps(store)
    executions = await store.find(ExecutionRow)
    users = {(row.kind, row.identity): await users_of(store, row) for row in records}
    return Standing(
        ended=_ends([_said(row, messages=messages) for row in executions if row.parent is None]),
        records=frozenset(
            (
                row.kind,
                row.identity,
                row.revision,
                tuple(sorted(users[row.kind, row.identity])),
                tuple((child.kind, child.identity) for child in row.children),
                row.held is not None,
            )
            for row in records
            if row.revision is not None or row.children or row.held is not None
        ),
        world=world,
        left=tuple(left),
    )


async def gaps(store: Store) -> list[str]:
    """The changes of a state, as the events tell of them, that do not follow the change before."""
    found: list[str] = []
    states: dict[tuple[str, str], State | None] = {}
    for event in await store.tail(0, limit=1_000_000):
        if event.after is None:
            continue
        place = event.execution, event.key
        if event.before not in {None, states.get(place)}:  # None: it was forgotten meanwhile, and begins anew
            found.append(f"event {event.seq}: {event.key or event.kind} was {states.get(place)}, not {event.before}")
        states[place] = event.after
    return found


async def under_way(store: Store) -> list[str]:
    """The executions that have not ended, for people."""
    rows = [row for row in await store.find(ExecutionRow) if row.state not in ENDED]
    return [" ".join(filter(None, (row.kind, row.identity, row.command, "is", row.state))) for row in rows]


def _ends(roots: list[ExecutionRow]) -> Counter[Ended]:
    """How often something ended so; what an event has set off counts once, since a step done again sends it again."""
    triggered = {_ended(row) for row in roots if row.kind.startswith("on ")}
    return Counter([*(_ended(row) for row in roots if not row.kind.startswith("on ")), *triggered])


def _said(row: ExecutionRow, *, messages: bool) -> ExecutionRow:
    return row if messages or row.failure is None else amended(row, failure=replace(row.failure, message=""))


def _ended(row: ExecutionRow) -> Ended:
    failure = row.failure
    said = None if failure is None else (failure.error_type, failure.message, failure.path)
    return row.kind, row.command, row.identity, row.state, row.result, said


async def journals_of(store: Store) -> Journals:
    """The entries of all executions."""
    executions = await store.find(ExecutionRow)
    return [entry for execution in executions for entry in await store.find(EntryRow, execution=execution.id)]


def finished(journals: Journals) -> Steps:
    """The steps that have an outcome."""
    return {(entry.execution, entry.key, entry.generation): entry for entry in journals if entry.seq is not None}


def in_doubt(journals: Journals, careful: frozenset[str]) -> list[EntryRow]:
    """Of the steps of the kinds that may not be done twice: those that were under way when their process died."""
    return [
        entry
        for entry in journals
        if entry.kind in careful and entry.command == "main" and entry.seq is None and entry.state is State.EXECUTING
    ]


def interrupted(journals: Journals, careful: frozenset[str]) -> list[EntryRow]:
    """Of the steps of the kinds that may not be done twice: those that ended with nobody knowing whether they were."""
    return [
        entry
        for entry in journals
        if entry.kind in careful and entry.failure is not None and entry.failure.error_type == Interrupted.__name__
    ]


def careful_kinds(registry: Registry) -> frozenset[str]:
    """The kinds of Actions that may not be done twice."""
    return frozenset(kind for kind in registry.kinds() if _is_careful(registry, kind))


def _is_careful(registry: Registry, kind: str) -> bool:
    try:
        cls = registry.find(kind)
    except UsageError:  # several classes of other tests claim it: the scenario cannot use it either
        return False
    return cls is not None and issubclass(cls, Action) and not options_of(cls).get("idempotent")


def differences(wanted: Standing, found: Standing) -> list[str]:
    """What is not as it is wanted, a line each."""
    lines: list[str] = []
    for field in fields(Standing):
        before, after = getattr(wanted, field.name), getattr(found, field.name)
        if before != after:
            lines.append(f"{field.name}: {_only(after, before)}, where without a crash: {_only(before, after)}")
    return lines


def changed_steps(before: Steps, after: Steps) -> list[str]:
    """The steps that had their outcome and have another one now."""
    return [
        f"the outcome of {step.key} was {step.state} {step.result} and is {now.state} {now.result}"
        for place, step in before.items()
        if (now := after.get(place)) is not None and (now.state, now.result) != (step.state, step.result)
    ]


def _only(one: Any, other: Any) -> Any:
    """What of the first is not in the second, where they can be told apart by parts."""
    if isinstance(one, Counter) and isinstance(other, Counter):
        return list((one - other).elements())
    if isinstance(one, frozenset) and isinstance(other, frozenset):
        return sorted(map(repr, one - other))
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: value for key, value in one.items() if other.get(key) != value}
    return one
