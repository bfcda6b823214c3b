"""Taking a request for a child back: its definition has given it up, or it would wait for itself.

Like asking for it, letting go of a child writes its record, so that an ending command misses no subscriber. A child
that nobody waits for any more is asked to cancel, unless somebody outside has asked for it too.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.ids import ExecutionId, StepKey, refs
from orbits_iac.model.rows import ExecutionRow, MessageRow, RecordRow, Row, SubscriberRow, amended
from orbits_iac.model.states import ENDED

if TYPE_CHECKING:
    from orbits_iac.engine.request import Request
    from orbits_iac.engine.run import Run


async def let_go(run: "Run", request: "Request") -> None:
    """A `do` of a child was given up: the child is asked to cancel, unless others wait for it; then it is left to them.

    One that is asked to cancel still tells how it ended; one that is left to others counts as ended here.
    """
    engine, me = run.engine, run.pages.execution.id
    while True:
        entry = run.pages.entries[request.key]
        row = await engine.store.get(ExecutionRow, entry.child) if entry.child is not None else None
        if row is None or row.state in ENDED or entry.seq is not None or row.identity is None:
            return
        record = await engine.store.get(RecordRow, row.kind, row.identity)
        also: list[Row] = [amended(record, version=record.version + 1)] if record is not None else []
        waiting = await engine.store.find(SubscriberRow, execution=row.id)
        wake: list[ExecutionId] = []
        gone: list[Row] = []
        shared = _is_shared(row, record, waiting, me)
        if shared:
            gone = [SubscriberRow(execution=row.id, subscriber=me, key=entry.subscribed or request.key)]
        else:
            also.append(MessageRow(execution=row.id, id="cancel", what="cancel"))
            wake = [row.id]
        made = run.pages.transaction(also=also, at=run.now())
        try:
            await engine.commit(amended(made, delete=[*made.delete, *gone]), wake=wake)
        except Conflict:  # it may have ended meanwhile: nothing of this is written then
            run.pages.restore()
            continue
        if shared:
            run.refuse(request.key, Refused(f"given up here; execution {row.id} goes on for others who wait for it"))
        return


async def leave_ring(run: "Run", message: MessageRow) -> None:
    """Take a step back that would wait for itself. Its child goes on if others wait for it too."""
    entry = run.pages.subscribed(message.key or StepKey(""))
    if entry is None or entry.seq is not None or entry.child is None:
        return
    me, text = run.pages.execution.id, json.loads(message.body)
    run.pages.delete(SubscriberRow(execution=entry.child, subscriber=me, key=entry.subscribed or entry.key))
    run.refuse(entry.key, Refused(f"{refs(entry.key)[-1]}: this would wait for itself: {text}"))
    row = await run.engine.store.get(ExecutionRow, entry.child)
    if row is None or row.identity is None:
        return
    record = await run.engine.store.get(RecordRow, row.kind, row.identity)
    waiting = await run.engine.store.find(SubscriberRow, execution=entry.child)
    if not _is_shared(row, record, waiting, me):
        run.pages.add(MessageRow(execution=entry.child, id="cancel", what="cancel"), entry.child)
        await run.engine.commit(run.pages.transaction(at=run.now()), wake=[entry.child])


def _is_shared(
    child: ExecutionRow, record: RecordRow | None, waiting: Sequence[SubscriberRow], me: ExecutionId
) -> bool:
    """Whether anybody but `me` waits for a child; who has joined it from outside is known by the record alone."""
    if any(other.subscriber != me for other in waiting):
        return True
    return child.parent != me and (child.parent is None or record is None or "direct" in record.users)
