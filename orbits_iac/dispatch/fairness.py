"""Who comes next in a worker: tenants take turns, and none has so much of it that nothing is left for the others.

What always holds:

- priority comes first, over all tenants. Within one priority each tenant that has something due gets its turn before
  any gets a second one, however much it has due and since when. So of 10,000 executions of one, and one of another,
  the other's is the second to begin;
- a tenant gets another execution only while it holds less than so many times what is free, at whatever priority. Alone
  it may have `per_tenant` at a time, seven eighths if not told otherwise; two may have nearly half each, four nearly a
  quarter. So some is free for who comes next, though what the others have goes on for hours; of what they left, the
  next one may have as large a share;
- what belongs to no tenant counts as one more, which may have all as long as none was met.

Decides from what it was given and what is held here alone: nobody has to say how many tenants there are, and workers
agree on nothing. Called by the worker, on its event loop.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from orbits_iac.model.ids import NOBODYS, ExecutionId
from orbits_iac.model.rows import TaskRow

MOST = 1000
"""Tenants that had their turn and are passed over; after so many, all begin anew."""


class Ask(NamedTuple):
    """What a claim asks for: see `Store.claim`."""

    limit: int
    without: frozenset[str] = frozenset()
    least: int | None = None


Claim = Callable[[Ask], Awaitable[list[TaskRow]]]


class Fairness:
    """What one worker holds of whom, and who had a turn."""

    def __init__(self, concurrency: int, per_tenant: int | None = None) -> None:
        """`per_tenant`: how many executions one tenant may have when it is alone."""
        self._concurrency = concurrency
        self._alone = max(1, concurrency - max(1, concurrency // 8)) if per_tenant is None else per_tenant
        self._spare = max(0, concurrency - self._alone)
        self._holders: dict[ExecutionId, str] = {}
        self._met = False  # whether anything was of a tenant
        self._round = Counter[str]()  # what each was given since all had their turn
        self._begun = False  # whether this look has claimed: until then it does not know whom it meets
        self._level: int | None = None  # the priority that they were given it at
        self._turn = max(1, concurrency // 8)  # how many one gets in a turn

    def let_go(self, execution: ExecutionId) -> None:
        """It is not held here any more."""
        del self._holders[execution]

    def passed_over(self) -> frozenset[str]:
        """The tenants that get no more until something is let go of."""
        held, free = self._held()
        return frozenset(tenant for tenant in held if self._is_counted(tenant) and self._left(held[tenant], free) <= 0)

    async def fill(self, claim: Claim) -> bool:
        """Claim until nothing is free, or nothing more may be taken; whether anything was."""
        found = self._begun = False
        if self._round and self._level is not None:  # what is more urgent does not wait for turns
            full = self.passed_over()
            found = await self._taken(claim, Ask(self._room(full), full, self._level + 1)) > 0
        while len(self._holders) < self._concurrency:
            full = self.passed_over()
            had = frozenset(tenant for tenant, count in self._round.items() if count >= self._turn) - full
            ask = Ask(self._limit(full | had), full | had, self._level if had else None)
            taken = await self._taken(claim, ask)
            found = found or taken > 0
            if taken == ask.limit:
                continue
            if not had:
                self._begin_anew()
                break
            self._turn = max(1, (self._concurrency - len(self._holders)) // max(1, len(self._round)))
            self._round.clear()
        return found

    def _begin_anew(self) -> None:
        self._round.clear()
        self._level, self._turn = None, max(1, self._concurrency // 8)

    async def _taken(self, claim: Claim, ask: Ask) -> int:
        if ask.limit <= 0:
            return 0
        tasks = await claim(ask)
        self._begun = True
        for task in tasks:
            self._holders[task.id] = task.tenant or NOBODYS
            self._met = self._met or task.tenant is not None
        if tasks and tasks[-1].priority != self._level:
            self._round.clear()
            self._level = tasks[-1].priority
        if self._met:
            self._round.update(task.tenant or NOBODYS for task in tasks if task.priority == self._level)
        if len(self._round) > MOST:
            self._round.clear()
        return len(tasks)

    def _limit(self, without: frozenset[str]) -> int:
        """How many may be taken at once, whoever of the others has its turn."""
        if not self._met and self._begun:
            return self._concurrency - len(self._holders)
        given = max((count for tenant, count in self._round.items() if tenant not in without), default=0)
        return min(self._room(without), self._turn - given)

    def _room(self, without: frozenset[str]) -> int:
        """How many there is room for, whoever of the others they are of."""
        held, free = self._held()
        counted = [held[tenant] for tenant in held if tenant not in without and self._is_counted(tenant)]
        return min(free, *(self._left(count, free) for count in [0, *counted]))

    def _held(self) -> tuple[Counter[str], int]:
        """What each tenant holds, and how many are free."""
        return Counter(self._holders.values()), self._concurrency - len(self._holders)

    def _left(self, held: int, free: int) -> int:
        """How many more one may have: until it holds `alone` for each `spare` that are free."""
        return -((held * self._spare - free * self._alone) // (self._alone + self._spare))

    def _is_counted(self, tenant: str) -> bool:
        return tenant != NOBODYS or self._met
