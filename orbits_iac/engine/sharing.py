"""What several users of one record may ask of it: it goes forward only, and never to and fro between them.

A request on the record itself, or of its only user, updates it. Of one among several users: a later build brings it
forward; the same build may not ask for another argument than the one who asked first; what an earlier build asks for
changes nothing, and it is given what stands. Called by `requests`, before anything is written.

Users are those who do it, and those who have read its outputs: the ones until they let go of it, the others until an
update of theirs reads them no more, or they go. A user's rollback leaves alone what another leads.

Those who do it stand in the record, since their order counts. Those who read it may be thousands, and have a row each
(`ReaderRow`): none writes what another does. What keeps one from being missed: who begins to read writes its row first,
and then looks whether the record still stands; who takes it away lets go first, and then looks who reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orbits_iac.model.errors import Refused
from orbits_iac.model.ids import ExecutionId
from orbits_iac.model.rows import ExecutionRow, Json, ReaderRow, RecordRow, RevisionRow, Row, amended
from orbits_iac.store.contract import Store
from orbits_iac.users import users_of

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.requests import Asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Instead:
    """What a request of an earlier build gets: what stands, or the update of the later build that is under way."""

    outputs: Json = "null"
    revision: int | None = None
    join: ExecutionId | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Led:
    """The last update of a record, ended or under way: with what, by which build, when."""

    argument: Json
    build: str
    at: float
    execution: ExecutionId | None = None  # under way


async def others_of(store: Store, record: RecordRow, asked: "Asked") -> list[str]:
    """Who uses a record besides whoever asks for this."""
    return [user for user in await users_of(store, record) if user not in {"direct", asked.user}]


async def instead(engine: "Engine", record: RecordRow, asked: "Asked", others: Sequence[str]) -> Instead | None:
    """What this request gets without an update; None if it is to be made. `others`: who else uses the record.

    Raises `Refused` if they do so with another argument, in this same build.
    """
    if asked.command != "update" or asked.user == "direct" or not others:
        return None
    last = await _last(engine, record)
    if last is None:
        return None
    leads = record.users[:1] == (asked.user,)
    if await engine.order_of(engine.build) < await engine.order_of(last.build):
        if leads and await _began_after(engine, asked, last):
            return None
        return await _standing(engine, record, last)
    codec = engine.codec
    same = codec.decode(last.argument, Any) == codec.decode(asked.argument, Any)
    if not leads and not same and await engine.is_same_build(last.build):
        raise Refused(
            f"{asked.kind} {asked.identity} is used by {', '.join(others)} too, with another argument: give it the "
            f"same one everywhere, or update {asked.kind} {asked.identity} itself"
        )
    return None


def reader_of(record: RecordRow, user: str) -> ReaderRow:
    """The row by which a user that reads a record's outputs is known."""
    return ReaderRow(kind=record.kind, identity=record.identity, reader=user)


async def reading(store: Store, record: RecordRow, user: str) -> list[Row]:
    """What has to be written so that a user is known as a reader of the record; nothing if it is already.

    The record itself is written by the first of its readers alone.
    """
    row = reader_of(record, user)
    if not record.has_readers:
        return [row, amended(record, version=record.version + 1, has_readers=True)]
    return [] if await store.get(ReaderRow, record.kind, record.identity, user) is not None else [row]


def refuse_others(record: RecordRow, tenant: str | None, what: str) -> None:
    """Raise `Refused` where a record belongs to another tenant than this is for; `what` is said before the name."""
    if record.tenant is not None and tenant is not None and record.tenant != tenant:
        where = f" in {', '.join(record.places.values())}" if record.places else ""
        raise Refused(
            f"{record.kind} {record.identity}{where} belongs to tenant {record.tenant}: {what} tenant {tenant}. If "
            f"several tenants have it together, do it before them where no tenant is named (define_shared), or with "
            f"shared=True: then it is nobody's own, and all may read it"
        )


def tenant_of(record: RecordRow, asked: "Asked", others: Sequence[str]) -> str | None:
    """Whose a record is once this request is made: nobody's own if it is shared, or others use it already."""
    if asked.shared:
        return None
    return record.tenant or (None if others else asked.tenant)


def used(record: RecordRow, asked: "Asked") -> RecordRow:
    """The record with this request's user and place, and what that user wants of it: to stay, to be protected.

    What only looks, or removes, gives it no place: one of which nothing stands may be made elsewhere next.
    """
    makes = asked.command in {"update", "rollback"}
    placed = amended(record, version=record.version + 1, places={**record.places, **(asked.places if makes else {})})
    if asked.command != "update":
        return placed
    users = _with(record.users, asked.user, wanted=True)
    return _wanted(amended(placed, users=users), asked.user, retain=asked.retain, protect=asked.protect)


def released(record: RecordRow, user: str) -> RecordRow:
    """The record without this user among those who do it, and without what it wanted."""
    left = amended(record, version=record.version + 1, users=_with(record.users, user, wanted=False))
    return _wanted(left, user, retain=False, protect=False)


def _wanted(record: RecordRow, user: str, *, retain: bool, protect: bool) -> RecordRow:
    """The record with what `user` wants of it now; whoever set a flag in an earlier version is not known: all have."""
    retained = record.retained_by or (record.users if record.retain else ())
    protected = record.protected_by or (record.users if record.protect else ())
    retained, protected = _with(retained, user, wanted=retain), _with(protected, user, wanted=protect)
    return amended(record, retained_by=retained, retain=bool(retained), protected_by=protected, protect=bool(protected))


def _with(users: tuple[str, ...], user: str, *, wanted: bool) -> tuple[str, ...]:
    """`users` with `user` or without; whoever was there keeps its place, since the first leads."""
    if wanted:
        return users if user in users else (*users, user)
    return tuple(other for other in users if other != user)


async def _last(engine: "Engine", record: RecordRow) -> _Led | None:
    for execution in reversed(record.queue):
        row = await engine.store.get(ExecutionRow, execution)
        if row is not None and row.command == "update":
            return _Led(argument=row.argument, build=row.build, at=row.created_at, execution=row.id)
    if record.revision is None:
        return None
    revision = await engine.store.get(RevisionRow, record.kind, record.identity, record.revision)
    if revision is None:
        return None
    return _Led(argument=revision.argument, build=record.build or revision.build, at=revision.at)


async def _began_after(engine: "Engine", asked: "Asked", last: _Led) -> bool:
    """Whether somebody has chosen the earlier build since: then it was gone back to, and is no straggler."""
    root = await engine.store.get(ExecutionRow, asked.parent.root) if asked.parent is not None else None
    return root is not None and root.created_at > last.at


async def _standing(engine: "Engine", record: RecordRow, last: _Led) -> Instead:
    """What stands; where nothing does yet, what the later build is about to make of it."""
    if record.revision is None:
        return Instead(join=last.execution)
    revision = await engine.store.get(RevisionRow, record.kind, record.identity, record.revision)
    return Instead(outputs=revision.outputs if revision is not None else "null", revision=record.revision)
