"""Where a record is: where it was first asked for, as long as anything of it stands there, or may be left there.

What always holds: a record is asked for elsewhere only if nothing of it is known to stand, nobody has it under way, and
whatever was tried of it so far was taken back, or made nothing. What cannot be told, since the journals of that are
pruned, may be left. Each record is judged by itself, and its new place is written with the request for it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import EntryRow, ExecutionRow, RecordRow, amended
from orbits_iac.model.states import State
from orbits_iac.steps.managed import Managed
from orbits_iac.steps.resource import Resource
from orbits_iac.steps.step import kinds_of

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.requests import Asked

_MAKE_NOTHING = frozenset({"cycle", "uninstall"})
_NO_STEPS = frozenset({"ask", "timer"})


async def placed(engine: "Engine", record: RecordRow, asked: "Asked") -> RecordRow:
    """The record for a request: one that is free of the place that it has, without it.

    Raises `Refused` where it has another place than it is asked for in, and keeps it.
    """
    for kind, place in asked.places.items():
        known = record.places.get(kind)
        if known is None or known == place:
            continue
        if await _is_free(engine, record):
            return amended(record, places={}, made_by=None)
        raise Refused(
            f"{asked.kind} {asked.identity} is in {known} ({kind}), and was asked for in {place}: a record keeps "
            f"its place. Uninstall it there first, or give it another identity."
        )
    return record


async def may_move(engine: "Engine", kind: str, identity: str) -> bool:
    """Whether a record may be asked for elsewhere than it was, if it was."""
    record = await engine.store.get(RecordRow, kind, identity)
    return record is None or not record.places or await _is_free(engine, record)


async def _is_free(engine: "Engine", record: RecordRow) -> bool:
    return not (await _stands(engine, record) or await _may_be_left(engine, record))


async def _stands(engine: "Engine", record: RecordRow) -> bool:
    """Whether anything of it, or below it, is known to stand, is under way, or waits for a decision."""
    rows, seen = [record], {RecordId(record.kind, record.identity)}
    for row in rows:
        if row.revision is not None or row.queue or row.held is not None or row.unsettled is not None:
            return True
        new = {RecordId(child.kind, child.identity) for child in row.children} - seen
        seen |= new
        found = [await engine.store.get(RecordRow, *one) for one in new]
        rows += [child for child in found if child is not None]
    return False


async def _may_be_left(engine: "Engine", record: RecordRow) -> bool:
    """Whether what was tried of a record of which nothing stands may have left something, for all that is known."""
    store, cls = engine.store, engine.registry.find(record.kind)
    first = await store.get(ExecutionRow, record.made_by) if record.made_by is not None else None
    if cls is None or not issubclass(cls, Resource) or first is None or first.pruned:
        return True
    gone = record.since or 0.0  # what was there before was removed then
    for row in await store.find(ExecutionRow, kind=record.kind, identity=record.identity, whole=False):
        if row.command in _MAKE_NOTHING or (row.ended_at is not None and row.ended_at <= gone):
            continue
        if row.pruned or row.ended_at is None:
            return True
        if _is_left(cls, row, await store.find(EntryRow, execution=row.id, whole=False)):
            return True
    return False


def _is_left(cls: type[Resource[Any]], row: ExecutionRow, entries: Sequence[EntryRow]) -> bool:
    """Whether an execution that has ended without a revision may have made something that it has not taken back."""
    done = [entry for entry in entries if entry.command == "main" and entry.kind not in _NO_STEPS and entry.started_at]
    taken_back = cls.define_uninstall is Resource.define_uninstall or any(_is_within("rollback", one) for one in done)
    if any(_is_within("install", one) for one in done):  # no rollback undoes that
        return True
    if row.state is State.REVERTED and taken_back:
        return False
    return any(_makes(cls, entry) for entry in done if not _is_within("rollback", entry))


def _is_within(hook: str, entry: EntryRow) -> bool:
    return entry.key.startswith(f"{hook}/")


def _makes(cls: type[Resource[Any]], entry: EntryRow) -> bool:
    """Whether an Action may have made something: of what is one thing in one system, one hook alone does."""
    return not issubclass(cls, Managed) or entry.kind in {f"{kind}.create" for kind in kinds_of(cls)}
