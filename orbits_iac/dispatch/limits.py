"""Permits: of what is limited, no more executions are under way over all workers than the settings say.

What always holds:

- an execution of a limited kind, label or tenant begins with a permit, and keeps it until it has ended, paused or
  waiting too; so what it has left half done counts. A permit is a row with the number of its slot, taken only if it is
  absent; so there are never more than slots;
- an execution that finds no permit stands in line, waits for a message, and holds no place in a worker. Who frees a
  permit wakes the first in line: the highest priority first, within it each tenant in turn. Nobody who comes later goes
  before it, unless it was woken and no worker has taken it up since;
- it needs all its permits at once, and holds none while it waits for another;
- an execution that a holder waits for (as its child, or ahead of it in a record's queue, however far away) runs inside
  the hold: it needs no permit of its own, and nobody waits for himself;
- what has ended or vanished holds nothing: each worker looks through the permits, and through those who stand in line
  for what is not limited any more, or is free after all. So whatever a crash has left, or a hint that was lost, is made
  good within `EVERY` seconds of somebody looking, and no permit is given out twice.

Called by the worker: before an execution is advanced, once it has ended, and in its sweep.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from orbits_iac.dispatch.inside import inside
from orbits_iac.model.errors import Conflict, StoreError
from orbits_iac.model.ids import NOBODYS, ExecutionId
from orbits_iac.model.limits import Limits
from orbits_iac.model.rows import EventRow, ExecutionRow, LineRow, MessageRow, PermitRow, TaskRow, amended
from orbits_iac.store.contract import Fence, Park, Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two looks for what was left behind."""

_LOOKED_AT = 100  # permits, and executions in line, of one look
_PASSED = 8  # that are read with those that are looked for, since some may be passed over
_GO_ON = frozenset({"cancel", "end"})  # what is told this ends, and begins nothing more
_MOST = 10_000


class Permits:
    """The permits that this worker's executions hold or wait for."""

    def __init__(self, engine: "Engine", limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._admitted: dict[ExecutionId, int] = {}  # those that may go on, and the token that they were claimed with
        self._under_way: set[PermitRow] = set()  # those that are being taken
        self._joining = Counter[tuple[str, int, str]]()  # how many are on their way into line: limit, rank and tenant
        self._turns: dict[tuple[str, int, str], int] = {}  # the last turn that one of these was given
        self._looked = 0.0
        self._cursors: tuple[tuple[str | int, ...], tuple[str | int, ...]] = ((), ())
        self._idle: set[LineRow] = set()  # those that were woken as of the last look, and were not taken up

    async def admit(self, task: TaskRow) -> bool:
        """Whether a claimed execution may go on; if not, its claim is given back, and it stands in line."""
        sizes = self._limits.of(task)
        if not sizes:
            return True
        if self._admitted.get(task.id) == task.token - 1:  # it has not been claimed elsewhere since
            self._admitted[task.id] = task.token
            return True
        while True:
            try:
                admitted = await self._try(task, sizes)
            except Conflict:
                continue
            if admitted:
                self._remember(task)
            return admitted

    async def ended(self, task: TaskRow) -> None:
        """Let go of what an execution held, and wake who comes next. What fails here is made good by a sweep."""
        self._admitted.pop(task.id, None)
        if not self._limits.of(task):
            return
        try:
            permits = await self._engine.store.find(PermitRow, execution=task.id)
            lines = await self._engine.store.find(LineRow, execution=task.id)
            if permits or lines:
                await self._engine.store.commit(Transaction(unchanged=permits, delete=[*permits, *lines]))
            await self._offer(permit.name for permit in permits)
        except StoreError as error:
            log.info("what execution %s held is freed later: %s", task.id, error)

    async def sweep(self) -> None:
        """Free what nobody holds any more, and wake who waits in vain; a part of all with each call."""
        now = self._engine.clock.monotonic()
        if self._looked and now - self._looked < EVERY:
            return
        self._looked = now
        store = self._engine.store
        permits = await store.find(PermitRow, limit=_LOOKED_AT, after=self._cursors[0])
        lines = await store.find(LineRow, limit=_LOOKED_AT, after=self._cursors[1])
        self._cursors = (
            (permits[-1].name, permits[-1].slot) if len(permits) == _LOOKED_AT else (),
            (lines[-1].name, *_place(lines[-1])) if len(lines) == _LOOKED_AT else (),
        )
        for permit in permits:
            if await store.get(TaskRow, permit.execution) is None:
                await self._free(permit)
        idle: set[LineRow] = set()
        for line in lines:
            task = await store.get(TaskRow, line.execution)
            if task is None:
                await self._free(line)
            elif self._limits.size(line.name) is None or await inside(store, line.execution, [line.name]):
                await self._engine.commit(Transaction(delete=[line]), wake=[line.execution])
            elif task.owner is None and task.due is not None and not line.passed:
                idle.add(line)
        await self._pass_over(idle)
        await self._offer(dict.fromkeys([*(permit.name for permit in permits), *(line.name for line in lines)]))

    async def _try(self, task: TaskRow, sizes: dict[str, int]) -> bool:
        """Take the permits that are missing, or stand in line; whether it may go on."""
        store, me = self._engine.store, task.id
        held = {permit.name for permit in await store.find(PermitRow, execution=me)}
        missing = [name for name in sizes if name not in held]
        covered = await inside(store, me, missing)
        missing = [name for name in missing if name not in covered]
        lines = await store.find(LineRow, execution=me)
        messages = await store.find(MessageRow, execution=me)
        if any(message.what in _GO_ON for message in messages):
            return True
        permits: list[PermitRow] = []
        joining: list[tuple[str, int, str]] = []
        try:
            for name in missing:
                mine = next((line for line in lines if line.name == name), None)
                if mine is None:
                    joining.append((name, -task.priority, task.tenant or NOBODYS))
                    self._joining[joining[-1]] += 1
                    mine = await self._last(task, *joining[-1])
                permit = await self._slot(task, mine, sizes[name])
                if permit is None:
                    await self._stand_in_line(task, mine, lines, frozenset(message.id for message in messages))
                    await self._offer([name, *(line.name for line in lines)])
                    return False
                permits.append(permit)
            if permits or lines:
                fence = Fence(execution=me, token=task.token)
                await store.commit(Transaction(fence=fence, absent=permits, put=permits, delete=lines))
        finally:
            self._under_way.difference_update(permits)
            for line in joining:
                self._joining[line] -= 1
                if not self._joining[line]:
                    del self._joining[line]
                    self._turns.pop(line, None)
        await self._offer(line.name for line in lines if line.name not in missing)
        return True

    async def _last(self, task: TaskRow, name: str, rank: int, tenant: str) -> LineRow:
        """Its place in line, if it has to stand there; behind those that are on their way there from here, too."""
        find = self._engine.store.find
        first = await find(LineRow, name=name, rank=rank, limit=1)
        before = await find(LineRow, name=name, rank=rank, tenant=tenant, limit=1, newest=True) if first else []
        turn = max([line.turn for line in first] + [line.turn + 1 for line in before], default=0)
        turn = self._turns[name, rank, tenant] = max(turn, self._turns.get((name, rank, tenant), -1) + 1)
        return LineRow(name=name, rank=rank, turn=turn, execution=task.id, tenant=tenant)

    async def _slot(self, task: TaskRow, mine: LineRow, size: int) -> PermitRow | None:
        """A permit with the lowest slot that is free for it, with those who come before it counted; None if none is."""
        lines = await self._first(mine.name, size)
        under_way = set(self._under_way)  # one that is committed while these are read may be among neither
        permits = await self._engine.store.find(PermitRow, name=mine.name)
        taken = {permit.slot for permit in (*permits, *under_way, *self._under_way) if permit.name == mine.name}
        free = size - len(taken)
        if free <= sum(_place(line) < _place(mine) for line in lines):
            return None
        slot = next(slot for slot in range(size) if slot not in taken)
        permit = PermitRow(name=mine.name, slot=slot, execution=task.id, token=task.token)
        self._under_way.add(permit)
        return permit

    async def _first(self, name: str, many: int) -> list[LineRow]:
        """The first so many in line that are not passed over."""
        found: list[LineRow] = []
        after: tuple[str | int, ...] = ()
        while True:
            page = await self._engine.store.find(LineRow, name=name, limit=many + _PASSED, after=after)
            found += [line for line in page if not line.passed]
            if len(found) >= many or len(page) < many + _PASSED:
                return found[:many]
            after = (name, *_place(page[-1]))

    async def _stand_in_line(self, task: TaskRow, mine: LineRow, lines: list[LineRow], seen: frozenset[str]) -> None:
        left = [line for line in lines if line.name != mine.name]
        events: list[EventRow] = []
        row = await self._engine.store.get(ExecutionRow, task.id)
        if row is not None and len(left) == len(lines):
            why = f"waits for a permit: as many are under way of {mine.name} as may be"
            now = self._engine.clock.now()
            events = [EventRow(at=now, execution=row.id, root=row.root, kind=row.kind, who="limits", why=why)]
        await self._engine.store.commit(
            Transaction(
                fence=Fence(execution=task.id, token=task.token),
                put=[mine],
                delete=left,
                events=[] if mine in lines else events,
                park=Park(due=None, seen=seen),
            )
        )

    async def _offer(self, names: Iterable[str]) -> None:
        """Wake as many as there are permits free of each of these, the first in line first."""
        wake: list[ExecutionId] = []
        for name in names:
            size = self._limits.size(name)
            if size is not None:
                free = size - len(await self._engine.store.find(PermitRow, name=name))
                wake += [line.execution for line in await self._first(name, free)] if free > 0 else []
        if wake:
            await self._engine.commit(Transaction(), wake=wake)

    async def _pass_over(self, idle: set[LineRow]) -> None:
        """Let others go before who was woken and is taken up by nobody, for two looks on end."""
        for line in idle & self._idle:
            await self._engine.store.commit(Transaction(put=[amended(line, passed=True)]))
        self._idle = idle

    async def _free(self, row: PermitRow | LineRow) -> None:
        gone = TaskRow(id=row.execution, kind="", build="")
        try:
            await self._engine.store.commit(Transaction(absent=[gone], unchanged=[row], delete=[row]))
        except Conflict:
            return  # it goes on after all, or somebody else has freed it

    def _remember(self, task: TaskRow) -> None:
        self._admitted[task.id] = task.token
        while len(self._admitted) > _MOST:
            del self._admitted[next(iter(self._admitted))]


def _place(line: LineRow) -> tuple[int, int, ExecutionId]:
    """Where it stands in line."""
    return line.rank, line.turn, line.execution
