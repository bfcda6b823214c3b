"""Whether an execution goes on only once a person says so, and what that person types: to resume, approve or answer.

Reads alone. Called by `roster`, for who waits behind such an execution, and by reports of fleets.
"""

from collections.abc import Sequence

from orbits_iac.model.rows import EntryRow, ExecutionRow, MessageRow, WaitRow
from orbits_iac.model.states import ENDED, State
from orbits_iac.queries import how_to_answer, unapproved
from orbits_iac.store.contract import Store

_OPEN = tuple(state for state in State if state not in ENDED)


async def is_paused(store: Store, row: ExecutionRow) -> bool:
    """Whether somebody has paused it, or has asked for that, and nobody has let it go on since."""
    if row.state in ENDED:
        return False
    if row.paused_at is not None:
        return await store.get(MessageRow, row.id, "resume") is None
    return await store.get(MessageRow, row.id, "pause") is not None


async def waits_for(store: Store, row: ExecutionRow) -> str:
    """For whose approval or answer it, or what it does, waits, and what to type; "" if for nobody's."""
    all_ = [one for state in _OPEN for one in await store.find(ExecutionRow, root=row.root, state=state, whole=False)]
    its = _part(row, all_)
    held = {one.id for one in await unapproved(store, all_)}
    if any(one.id in held for one in its):
        return (
            f"waits for an approval: orbits resume {row.root}, on a terminal, shows of what, and asks; or "
            f"orbits resume {row.root} --approve-deferred, unseen; to drop it: orbits cancel {row.root}"
        )
    for one in its:
        for wait in await store.find(WaitRow, execution=one.id):
            entry = await store.get(EntryRow, wait.execution, wait.key)
            if entry is not None and entry.seq is None:
                return f"waits for {wait.event}: {how_to_answer(entry)}"
    return ""


def _part(row: ExecutionRow, open_: Sequence[ExecutionRow]) -> list[ExecutionRow]:
    """Of the executions of its tree that have not ended, it and what it has asked for, however far below."""
    its, ids = [row], {row.id}
    for one in sorted(open_, key=lambda one: one.created_at):
        if one.parent in ids and one.id not in ids:
            its.append(one)
            ids.add(one.id)
    return its
