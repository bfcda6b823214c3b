"""Which steps of no return a record has passed since a revision: what it cannot be brought back over.

Told by its executions, so that it holds whoever has asked for them and however they ended. Called by
`children.standing`, and by whoever shows what going back would do.
"""

from orbits_iac.model.rows import ExecutionRow, RevisionRow
from orbits_iac.model.states import State
from orbits_iac.store.contract import Store

_PAGE = 100  # executions, of which most are cycles


async def passed_since(store: Store, kind: str, identity: str, revision: int) -> tuple[str, ...]:
    """The steps that were passed after `revision` was made (0: since anything of it stands), in their order."""
    made = await store.get(RevisionRow, kind, identity, revision) if revision else None
    since = made.at if made is not None else 0.0
    found: dict[str, None] = {}
    after: tuple[str, ...] = ()
    while rows := await store.find(
        ExecutionRow, kind=kind, identity=identity, newest=True, limit=_PAGE, after=after, whole=False
    ):
        for row in rows:
            if row.command == "uninstall" and row.state is State.SUCCESS:
                return tuple(reversed(found))
            if row.ended_at is not None and row.ended_at > since:
                found.update(dict.fromkeys(reversed(row.no_return)))
        after = (rows[-1].id,)
    return tuple(reversed(found))
