"""Who advances executions on a store: its workers, what they hold, what none of them can go on with, whom none reaches.

Reads alone. No clock is compared between machines: a worker lives if its process does, on this machine, or if its
counter was seen to move; how long ago is told by the clock of who looks. Called by `orbits workers` and `orbits get`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from orbits_iac.dispatch.leases import is_gone, is_here
from orbits_iac.model.builds import why_nobody
from orbits_iac.model.happenings import NO_EXECUTION, TakenOver, takeovers
from orbits_iac.model.ids import NOTIFICATION, ExecutionId, WorkerId, made_at, refs
from orbits_iac.model.rows import (
    BuildRow,
    EntryRow,
    EventRow,
    ExecutionRow,
    LineRow,
    MessageRow,
    PermitRow,
    RecordRow,
    TaskRow,
    WorkerRow,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.notify import SEND
from orbits_iac.persons import is_paused, waits_for
from orbits_iac.queries import below
from orbits_iac.store.contract import Store

MOST = 1000
"""Executions that nobody can go on with, of those that are due, are looked for among so many."""


UNTOLD = 600.0
"""Seconds after which a problem that nobody was told of is one that no worker tells of."""

_LATEST = 50  # executions that one has asked for last: those under way are among them

RECENT = 86_400.0
"""Seconds for which a takeover is told of."""

_NOTIFICATIONS = 20  # executions that told of problems, among which targets that were not reached are looked for

_HAPPENINGS = 50  # events that are about no execution, among which the last takeovers are looked for


class Presence(StrEnum):
    """What is known of a worker."""

    ALIVE = "alive"  # its process lives, or it has renewed its lease
    DRAINING = "draining"  # alive; it claims nothing more, and ends
    UNSEEN = "not seen to renew yet"  # of another machine, and not looked at for long enough
    DEAD = "dead"  # its process has ended, or its lease has run out; nobody has taken over yet


@dataclass(frozen=True, kw_only=True)
class Member:
    """A worker, and what is known of it."""

    worker: WorkerRow
    holds: int
    presence: Presence
    renewed: float | None  # seconds since it was last seen to renew; None if that was not seen
    silent: float  # seconds for which its counter has stood still, as far as was looked


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """An execution that no worker can go on with, or that waits for a permit, and what is missing."""

    execution: ExecutionId
    kind: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Unreached:
    """A target of `[notify]` that has not taken the last message to it."""

    target: str
    why: str
    since: float  # when it was to be told
    attempts: int
    given_up: bool  # it is not tried again
    execution: ExecutionId


@dataclass(frozen=True, kw_only=True)
class Untold:
    """Problems that wait to be told of for longer than they should."""

    problems: int
    since: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one look has found."""

    members: Sequence[Member]
    waiting: Sequence[Waiting]
    takeovers: Sequence[TakenOver]  # the last ones, the newest first
    unreached: Sequence[Unreached] = ()
    untold: Untold | None = None


class Roster:
    """Looks at the workers of a store, again and again: what has moved since is what tells of other machines."""

    def __init__(self, store: Store, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._elapsed = elapsed
        self._counters: dict[WorkerId, tuple[int, float, bool]] = {}  # the counter, since when, whether it has moved

    async def look(self, *, now: float) -> Seen:
        """The workers, and what nobody can go on with of what is due by `now`."""
        rows = sorted(await self._store.find(WorkerRow), key=lambda row: (row.host, row.started_at, row.id))
        members = [self._member(row, await self._store.count(TaskRow, owner=row.id)) for row in rows]
        living = [member.worker for member in members if member.presence is not Presence.DEAD]
        happened = await self._store.find(EventRow, root=NO_EXECUTION, newest=True, limit=_HAPPENINGS)
        recent = [one for one in takeovers(happened) if now - one.at < RECENT]
        return Seen(
            members=members,
            waiting=await _waiting(self._store, living, now=now),
            takeovers=recent,
            unreached=await _unreached(self._store, now=now),
            untold=await _untold(self._store, now=now),
        )

    def _member(self, row: WorkerRow, holds: int) -> Member:
        now = self._elapsed()
        counter, since, moved = self._counters.get(row.id, (row.counter, now, False))
        if counter != row.counter:
            since, moved = now, True
        self._counters[row.id] = (row.counter, since, moved)
        if is_gone(row) or (row.lease and now - since > row.lease):
            presence = Presence.DEAD
        elif not (moved or is_here(row)):
            presence = Presence.UNSEEN
        else:
            presence = Presence.DRAINING if row.draining else Presence.ALIVE
        renewed = now - since if moved else None
        return Member(worker=row, holds=holds, presence=presence, renewed=renewed, silent=now - since)


async def why_nobody_goes_on(store: Store, rows: Iterable[ExecutionRow], *, now: float) -> list[Waiting]:
    """Of these executions, those that are due or paused and that no worker can go on with."""
    builds, workers = {row.digest: row for row in await store.find(BuildRow)}, await store.find(WorkerRow)
    living = [worker for worker in workers if not is_gone(worker)]
    found: list[Waiting] = []
    for row in rows:
        task = None if row.state in ENDED else await store.get(TaskRow, row.id)
        if task is None or not (row.stranded or _is_due(task, now)):
            continue
        why = why_nobody(task, living, builds, root=row.root)
        if why is not None:
            found.append(Waiting(execution=row.id, kind=row.kind, why=why))
    return found


async def why_in_line(store: Store, rows: Iterable[ExecutionRow]) -> list[Waiting]:
    """Of these executions, those that wait for a permit."""
    found: list[Waiting] = []
    for row in rows:
        lines = [] if row.state in ENDED else await store.find(LineRow, execution=row.id, limit=1)
        for line in lines:
            holders = [permit.execution for permit in await store.find(PermitRow, name=line.name)]
            first = await store.find(LineRow, name=line.name, limit=MOST)
            many = await store.count(LineRow, name=line.name)
            place = str(1 + first.index(line)) if line in first else f"behind {MOST}"
            held = ", ".join(holders[:3]) + (f" and {len(holders) - 3} more" if len(holders) > 3 else "")
            why = f"in line for a permit of {line.name}, place {place} of {many}; held by {held or 'nobody'}"
            found.append(Waiting(execution=row.id, kind=row.kind, why=why))
    return found


async def behind(store: Store, row: ExecutionRow, *, now: float) -> str:
    """Behind whom an execution waits for its turn at its record, and what to do if that does not go on by itself.

    "" if it does not wait for that.
    """
    if row.state is not State.SLEEPING or row.identity is None:
        return ""
    record = await store.get(RecordRow, row.kind, row.identity)
    ahead = record.queue[: record.queue.index(row.id)] if record is not None and row.id in record.queue else ()
    first = await store.get(ExecutionRow, ahead[0]) if ahead else None
    if first is None:
        return ""
    others = f" and {len(ahead) - 1} more" if len(ahead) > 1 else ""
    said = f"waits for execution {first.id}{others}: {first.command} of {first.kind} {first.identity} by {first.who}"
    if await is_paused(store, first):
        return f"{said}, which is paused: orbits resume {first.id}"
    waiting = await why_nobody_goes_on(store, [first, *await below(store, first, limit=_LATEST)], now=now)
    if waiting:
        drop = f"to drop it: orbits cancel {first.id}, then orbits resume {first.id} --here, which ends it"
        return f"{said}; nobody goes on with that: {waiting[0].why}; {drop}"
    person = await waits_for(store, first)
    return f"{said}, which {person}" if person else said


async def _waiting(store: Store, living: Sequence[WorkerRow], *, now: float) -> list[Waiting]:
    builds = {row.digest: row for row in await store.find(BuildRow)}
    tasks = {task.id: task for task in await store.due(TaskRow, now=now, limit=MOST)}
    for row in await store.find(ExecutionRow, state=State.PAUSED, whole=False):
        task = await store.get(TaskRow, row.id) if row.stranded else None
        if task is not None:
            tasks[task.id] = task
    found: list[Waiting] = []
    for task in sorted(tasks.values(), key=lambda task: task.id):
        why = why_nobody(task, living, builds)
        if why is not None:
            found.append(Waiting(execution=task.id, kind=task.kind, why=why))
    return found


async def _untold(store: Store, *, now: float) -> Untold | None:
    """The problems that no worker makes messages of; None if that may still come."""
    rows = await store.find(MessageRow, execution=NO_EXECUTION, limit=1)
    since = made_at(ExecutionId(rows[0].id)) if rows else now
    if now - since < UNTOLD:
        return None
    return Untold(problems=await store.count(MessageRow, execution=NO_EXECUTION), since=since)


async def _unreached(store: Store, *, now: float) -> list[Unreached]:
    """The targets that have not taken the last message that was to be sent to them."""
    rows = await store.find(ExecutionRow, kind=NOTIFICATION, newest=True, limit=_NOTIFICATIONS, whole=False)
    found: dict[str, Unreached | None] = {}  # None: the last one was taken
    for row in sorted(rows, key=lambda row: row.created_at, reverse=True):
        if row.state is State.SUCCESS or now - row.created_at > RECENT:
            break  # all of them were reached then, or it is too long ago
        for entry in await store.find(EntryRow, execution=row.id):
            target = refs(entry.key)[-1].partition(")[")[0].removesuffix(")") + ")"
            if entry.kind != SEND or (entry.state is State.EXECUTING and entry.attempt == 1):
                continue
            taken = entry.state is State.SUCCESS
            if target not in found or (found[target] is None and not taken):
                found[target] = None if taken else _not_taken(target, entry, row)
    return [one for one in found.values() if one is not None]


def _not_taken(target: str, entry: EntryRow, row: ExecutionRow) -> Unreached:
    given_up = entry.failure is not None
    why = entry.failure.message if entry.failure is not None else entry.message
    return Unreached(
        target=target,
        why=why.partition(f"{target}: ")[2] or why,
        since=row.created_at,
        attempts=entry.attempt if given_up else entry.attempt - 1,
        given_up=given_up,
        execution=row.id,
    )


def _is_due(task: TaskRow, now: float) -> bool:
    return task.owner is None and task.due is not None and task.due <= now
