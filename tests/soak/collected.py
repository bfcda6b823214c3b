"""What there is at the end of a soak: all rows, all lines, and what was seen and told while it ran."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import (
    EntryRow,
    EventRow,
    ExecutionRow,
    MessageRow,
    RecordRow,
    Row,
    ScheduleRow,
    SubscriberRow,
    TaskRow,
    WaitRow,
)
from orbits_iac.store.contract import Store

from .effects import Line

LEFT = (TaskRow, MessageRow, SubscriberRow, WaitRow)
"""Of what has ended, nothing is in these tables."""


@dataclass(kw_only=True)
class Told:
    """What who asked was told while it ran: it was promised."""

    started: list[ExecutionId] = field(default_factory=list)
    answered: dict[ExecutionId, str] = field(default_factory=dict)
    cancelled: set[ExecutionId] = field(default_factory=set)
    maybe_answered: dict[ExecutionId, str] = field(default_factory=dict)  # its answer was lost, so perhaps


@dataclass(kw_only=True)
class Seen:
    """What who looked on has seen while it ran."""

    events: list[EventRow] = field(default_factory=list)  # as the tail showed them
    done_by: dict[str, int] = field(default_factory=dict)  # a token to how many lines there were once it was finished


@dataclass(kw_only=True)
class Collected:
    """All of it."""

    executions: Sequence[ExecutionRow] = ()
    entries: Sequence[EntryRow] = ()
    events: Sequence[EventRow] = ()
    records: Sequence[RecordRow] = ()
    schedules: Sequence[ScheduleRow] = ()
    left: Sequence[Row] = ()
    lines: Sequence[Line] = ()
    told: Told = field(default_factory=Told)
    seen: Seen = field(default_factory=Seen)
    skipped: Counter[str] = field(default_factory=Counter[str])  # cycles that workers said they skip, by identity
    complaints: Sequence[str] = ()  # what workers said that nobody should have to read


async def everything(store: Store, lines: Sequence[Line], told: Told, seen: Seen, said: str) -> Collected:
    """Read it all. The events are read anew, from the first."""
    events: list[EventRow] = []
    while more := await store.tail(events[-1].seq if events else 0):
        events += more
    return Collected(
        executions=await store.find(ExecutionRow),
        entries=[entry for row in await store.find(ExecutionRow) for entry in await _entries(store, row)],
        events=events,
        records=await store.find(RecordRow),
        schedules=await store.find(ScheduleRow),
        left=[row for table in LEFT for row in await store.find(table)],
        lines=lines,
        told=told,
        seen=seen,
        skipped=Counter(re.findall(r"a cycle of SoakClock (\S+) is skipped", said)),
        complaints=[found[0] for found in re.finditer(r".*this is a defect of Orbits.*(\n(?!\d\d:).*)*", said)],
    )


async def _entries(store: Store, row: ExecutionRow) -> Sequence[EntryRow]:
    return await store.find(EntryRow, execution=row.id)


def shown(row: object) -> str:
    """A row or line in few words."""
    if isinstance(row, msgspec.Struct):
        given = msgspec.to_builtins(row)
        return f"{type(row).__name__}({', '.join(f'{name}={value}' for name, value in given.items() if value)})"
    return str(row)
