"""Claims of a process that goes on with nothing but what was asked for in it, as one does where somebody only looks."""

from collections.abc import Mapping, Sequence

from orbits_iac.dispatch.fairness import Ask
from orbits_iac.engine.engine import Engine
from orbits_iac.model.ids import NOBODYS, WorkerId
from orbits_iac.model.rows import TaskRow

MOST = 1000
"""Executions that are due, whoever has asked for them, and are looked through at first; if there are more, all are."""


async def claim_own(
    engine: Engine, worker: WorkerId, ask: Ask, *, builds: Mapping[str, str], labels: frozenset[str] | None = None
) -> list[TaskRow]:
    """What `Store.claim` would take with these, of what was asked for here alone."""
    now, kinds = engine.clock.now(), engine.registry.kinds()
    claimed: list[TaskRow] = []
    for task in await _due(engine, now, kinds):
        if len(claimed) == ask.limit:
            break
        if (task.tenant or NOBODYS) in ask.without or (ask.least is not None and task.priority < ask.least):
            continue
        claimed += await engine.store.claim(
            worker, now=now, limit=1, kinds=kinds, builds=builds, only=task.id, labels=labels
        )
    return claimed


async def _due(engine: Engine, now: float, kinds: frozenset[str]) -> Sequence[TaskRow]:
    """Those of its own that are due, in the order in which they are claimed."""
    limit = MOST
    while len(due := await engine.store.due(TaskRow, now=now, limit=limit, kinds=kinds)) == limit:
        limit *= 4
    own = engine.own or ()
    return sorted((task for task in due if task.id in own), key=lambda task: (-task.priority, task.due, task.id))
