"""What has passed of a record: what stood of it at a time, and the steps of no return since a revision.

Told by its executions, so that it holds whoever has asked for them and however they ended. Called by
`children.standing`, and by whoever shows what going back would do.
"""

from collections.abc import AsyncIterator

from orbits_iac.model.rows import ExecutionRow, RevisionRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Store

_CHANGES = frozenset({"update", "rollback", "uninstall"})
_PAGE = 100  # executions, of which most are cycles
_SECOND = 1.0  # ids have no order within one


async def changed_by(store: Store, kind: str, identity: str, at: float) -> ExecutionRow | None:
    """The last command to a record that had ended by then, whose `revision` is what stood; None if there was none.

    `at` in seconds since 1970.
    """
    last: ExecutionRow | None = None
    async for row in _latest_first(store, kind, identity):
        if last is not None and row.created_at < last.created_at - _SECOND:
            break
        if row.command in _CHANGES and row.ended_at is not None and row.ended_at <= at:
            last = row if last is None else max(row, last, key=lambda one: one.ended_at or 0.0)
    return last


async def passed_since(store: Store, kind: str, identity: str, revision: int) -> tuple[str, ...]:
    """The steps that were passed after `revision` was made (0: since anything of it stands), in their order."""
    made = await store.get(RevisionRow, kind, identity, revision) if revision else None
    since = made.at if made is not None else 0.0
    found: dict[str, None] = {}
    async for row in _latest_first(store, kind, identity):
        if row.command == "uninstall" and row.state is State.SUCCESS:
            break
        if row.ended_at is not None and row.ended_at > since:
            found.update(dict.fromkeys(reversed(row.no_return)))
    return tuple(reversed(found))


async def _latest_first(store: Store, kind: str, identity: str) -> AsyncIterator[ExecutionRow]:
    after: tuple[str, ...] = ()
    while rows := await store.find(
        ExecutionRow, kind=kind, identity=identity, newest=True, limit=_PAGE, after=after, whole=False
    ):
        for row in rows:
            yield row
        after = (rows[-1].id,)
