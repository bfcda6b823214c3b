"""Deleting the executions of steps that a repeat has let go of, so that no store grows by what is repeated for months.

What always holds: they go in the transaction that writes the count, or not at all; only what was asked for here, has
ended with all below it, and that nobody else has still to hear of; the row alone stays of one that a record, a revision
or a look names. What is left so, `orbits state prune` finds.
"""

from typing import TYPE_CHECKING

from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import (
    EntryRow,
    EventRow,
    ExecutionRow,
    LookRow,
    MessageRow,
    RecordRow,
    RevisionRow,
    amended,
)
from orbits_iac.model.states import ENDED, State
from orbits_iac.store.contract import Store

if TYPE_CHECKING:
    from orbits_iac.engine.run import Run


async def clear(run: "Run") -> None:
    """Add to the next write the deletion of what the forgotten steps did in executions of their own."""
    if not run.worn:
        return
    store, pages = run.engine.store, run.pages
    worn, run.worn = run.worn, []
    unheard = {message.child for message in await store.find(MessageRow)}
    going: dict[ExecutionId, ExecutionRow] = {}
    for execution in worn:
        row = await store.get(ExecutionRow, execution)
        if row is not None and row.parent == pages.execution.id:
            tree = await _tree(store, row)
            if all(_is_over(one) and one.id not in unheard for one in tree):
                going.update((one.id, one) for one in tree)
    for row in going.values():
        for entry in await store.find(EntryRow, execution=row.id, whole=False):
            pages.delete(entry)
        if await _is_named(store, row):
            pages.add(amended(row, pruned=True), row.id)
        else:
            pages.delete(row)
    for event in await _events(store, pages.execution.root) if going else ():
        if event.execution in going:
            pages.delete(event)


async def _tree(store: Store, top: ExecutionRow) -> list[ExecutionRow]:
    found = [top]
    for row in found:
        found += await store.find(ExecutionRow, parent=row.id)
    return found


def _is_over(row: ExecutionRow) -> bool:
    return row.state in ENDED and row.state is not State.QUARANTINED


async def _is_named(store: Store, row: ExecutionRow) -> bool:
    if row.identity is None:
        return False
    record = await store.get(RecordRow, row.kind, row.identity)
    if record is not None and (record.made_by == row.id or (record.held is not None and record.held.by == row.id)):
        return True
    made = await store.find(RevisionRow, kind=row.kind, identity=row.identity)
    looked = await store.find(LookRow, kind=row.kind, identity=row.identity)
    return row.id in {*(one.execution for one in made), *(one.execution for one in looked)}


async def _events(store: Store, root: ExecutionId) -> list[EventRow]:
    found: list[EventRow] = []
    while page := await store.tail(found[-1].seq if found else 0, root=root):
        found += page
    return found
