"""Who runs inside another's hold: an execution that the holder of a permit waits for, however far away.

It would wait for a permit that is freed only once it has ended itself. So it needs none.
"""

from collections.abc import Iterable

from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, LineRow, PermitRow, RecordRow, SubscriberRow
from orbits_iac.store.contract import Store

MOST = 1000
"""Executions that are looked at."""


async def inside(store: Store, execution: ExecutionId, names: Iterable[str]) -> set[str]:
    """The limits among `names` of which somebody holds a permit who waits for this execution to end."""
    found, wanted, covered = {execution: None}, set(names), set[str]()
    todo = [execution]
    while todo and not covered >= wanted:
        one = todo.pop(0)
        held = {permit.name for permit in await store.find(PermitRow, execution=one)}
        if one != execution:
            covered |= held & wanted
        if len(found) < MOST:
            others = [other for other in await _waiting_for(store, one, held) if other not in found]
            found.update(dict.fromkeys(others))
            todo += others
    return covered


async def _waiting_for(store: Store, execution: ExecutionId, held: set[str]) -> list[ExecutionId]:
    """Who waits for it: for its outcome, for its turn at the record that it has, for a permit that it holds."""
    waiting = [row.subscriber for row in await store.find(SubscriberRow, execution=execution)]
    row = await store.get(ExecutionRow, execution)
    if row is not None and row.identity is not None:
        record = await store.get(RecordRow, row.kind, row.identity)
        if record is not None and record.queue[:1] == (execution,):
            waiting += record.queue[1:]
    for name in held:
        waiting += [line.execution for line in await store.find(LineRow, name=name, limit=MOST)]
    return waiting
