"""What removing, rolling back or cycling a record would do, from records alone: no code of the user runs for it.

The same rules as in `children`, `pruning` and `commands`, which do it.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from orbits_iac.engine.engine import Engine
from orbits_iac.engine.losses import WHOLE, data_held
from orbits_iac.engine.names import record_kind
from orbits_iac.engine.naming import subject_of
from orbits_iac.engine.revisions import StoredRevision, read_revision
from orbits_iac.model.errors import Refused
from orbits_iac.model.plans import Change, Verb
from orbits_iac.model.rows import Child, RecordRow, RevisionRow
from orbits_iac.steps.resource import Command
from orbits_iac.steps.step import Step, kinds_of
from orbits_iac.users import users_of


async def command_change(engine: Engine, step: Step[Any], identity: str, *, inside: bool = False) -> Change:
    """What a command of a record would do; `inside` a definition, going back goes to what stands as it begins."""
    resource, command = subject_of(step)
    kind = await record_kind(engine.store, kinds_of(type(resource)), identity)
    digest = engine.codec.digest(kind, command, resource, "{}")
    if isinstance(step, Command):
        digest = engine.codec.digest(kind, command, resource, engine.codec.encode(step.arguments, dict[str, Any]))
    record = await engine.store.get(RecordRow, kind, identity)
    if record is None or (record.revision is None and not record.children):
        detail = f"{command}: nothing of it stands"
        return Change(verb=Verb.RUN, kind=kind, identity=identity, detail=detail, digest=digest, whole=True)
    change = Change(verb=Verb.RUN, kind=kind, identity=identity, detail=command, digest=digest, whole=True)
    match command:
        case "uninstall":
            found = await _removed(engine, record, owned=True, retained=False, user=None)
        case "cycle":
            found = await _looked_at(engine, record)
        case "rollback" if isinstance(step, Command):
            found = await _gone_back(engine, record, await _destination(engine, record, _to(step), inside=inside))
        case _:
            found = change
    return replace(found, digest=digest, revision=record.revision)


async def uninstall_change(engine: Engine, kind: str, identity: str) -> Change:
    """What uninstalling a record would do; `Refused` if nothing of it stands."""
    record = await engine.store.get(RecordRow, kind, identity)
    if record is None or (record.revision is None and not record.children):
        raise Refused(f"nothing of {kind} {identity} stands: there is nothing to uninstall")
    return await _removed(engine, record, owned=True, retained=False, user=None)


async def rollback_change(engine: Engine, kind: str, identity: str, to: int | None = None) -> Change:
    """What bringing a record back would do, to this revision or the one before; `Refused` if that cannot be done."""
    record = await engine.store.get(RecordRow, kind, identity)
    if record is None or record.revision is None:
        raise Refused(f"nothing of {kind} {identity} stands: there is nothing to go back from")
    return await _gone_back(engine, record, await _destination(engine, record, to, inside=False))


async def command_outputs(engine: Engine, step: Step[Any], identity: str) -> Any:
    """What a command would return, as far as that is recorded; `preview_definition.NOTHING` where it is not."""
    from orbits_iac.engine.preview_definition import NOTHING

    resource, command = subject_of(step)
    if command in {"cycle", "uninstall"}:
        return None
    kind = await record_kind(engine.store, kinds_of(type(resource)), identity)
    record = await engine.store.get(RecordRow, kind, identity)
    if command != "rollback" or record is None or not isinstance(step, Command):
        return NOTHING
    return (await _destination(engine, record, _to(step), inside=True)).outputs


async def removal(
    engine: Engine, child: Child, user: tuple[str, str] | None, gone: Collection[str] = ()
) -> Change | None:
    """What removing a child of `user` would do, once these users of it are `gone`; None if nothing of it stands."""
    record = await engine.store.get(RecordRow, child.kind, child.identity)
    if record is None or (record.revision is None and not record.children):
        return None
    retained = child.retain or record.retain
    change = await _removed(engine, record, owned=child.owned, retained=retained, user=user, gone=gone)
    return replace(change, ref=child.ref.replace("/", "."), protected=child.protect or change.protected)


async def _removed(
    engine: Engine,
    record: RecordRow,
    *,
    owned: bool,
    retained: bool,
    user: tuple[str, str] | None,
    gone: Collection[str] = (),
) -> Change:
    users = await users_of(engine.store, record)
    others = [other for other in users if other not in gone and (user is None or other != " ".join(user))]
    change = Change(
        verb=Verb.RELEASE,
        kind=record.kind,
        identity=record.identity,
        revision=record.revision,
        protected=record.protect,
        whole=True,
    )
    if user is not None and not owned and others:
        return replace(change, detail=_stays(others), users=tuple(others))
    if retained:
        return replace(change, detail="it stays: it is retained")
    me = (record.kind, record.identity)
    below: dict[Child, Change] = {}
    for child in reversed(record.children):
        found = await removal(engine, child, me, gone)
        below |= {child: found} if found is not None else {}
    gone = {*gone, *_names(below.values())}
    for child in [child for child, found in below.items() if found.users]:  # whoever uses it may go as well
        below |= {child: found} if (found := await removal(engine, child, me, gone)) is not None else {}
    data = await data_held(engine, record)
    parts = f"with {', '.join(data)}" if data and data != WHOLE else ""
    detail = "; ".join(filter(None, ("gone with its last user" if user is not None and not owned else "", parts)))
    return replace(
        change,
        verb=Verb.REMOVE,
        detail=detail,
        below=tuple(below.values()),
        stateful_loss=bool(data),
        whole=False,
    )


def _names(changes: Iterable[Change]) -> set[str]:
    """What these remove."""
    found = (each for change in changes for each in change.walk())
    return {f"{each.kind} {each.identity}" for each in found if each.verb is Verb.REMOVE}


def _to(step: Command[Any]) -> int | None:
    """The revision that a rollback was asked to go to, if it was named."""
    to = step.arguments.get("to")
    return None if to is None else int(to)


async def _destination(engine: Engine, record: RecordRow, number: int | None, *, inside: bool) -> StoredRevision:
    name = f"{record.kind} {record.identity}"
    if record.revision is None:
        raise Refused(f"{name} has no revision to go back from")
    rows = await engine.store.find(RevisionRow, kind=record.kind, identity=record.identity)
    good = [row.number for row in rows if not row.abandoned and row.number < record.revision]
    if number is None and inside:
        number = record.revision
    if number is None and not good:
        raise Refused(f"{name} is at revision {record.revision}, and there is none before it to go back to")
    if number is not None and number not in {row.number for row in rows}:
        had = ", ".join(str(row.number) for row in sorted(rows, key=lambda row: row.number))
        raise Refused(f"{name} has no revision {number}; it has: {had}")
    found = await read_revision(engine, record.kind, record.identity, max(good) if number is None else number)
    if found.row.not_restorable:
        raise Refused(f"revision {found.number} of {name} cannot be brought back: {found.row.not_restorable}")
    return found


async def _gone_back(engine: Engine, record: RecordRow, to: StoredRevision) -> Change:
    below: list[Change] = []
    me = f"{record.kind} {record.identity}"
    for child in to.row.children:
        theirs = await engine.store.get(RecordRow, child.kind, child.identity)
        if theirs is None or child.revision is None or theirs.revision == child.revision:
            continue
        if theirs.revision is None:
            detail = f"it was uninstalled since revision {to.number}"
            found = Change(verb=Verb.CREATE, kind=child.kind, identity=child.identity, detail=detail)
        elif others := [one for one in await users_of(engine.store, theirs) if one != me]:
            found = Change(verb=Verb.UNCHANGED, kind=child.kind, identity=child.identity, detail=_stays(others))
        else:
            its = await read_revision(engine, child.kind, child.identity, child.revision)
            found = await _gone_back(engine, theirs, its)
            if its.row.not_restorable:
                found = replace(found, verb=Verb.UNKNOWN, detail=f"it cannot be brought back: {its.row.not_restorable}")
        below.append(replace(found, ref=child.ref.replace("/", ".")))
    same = to.number == record.revision and not any(below)
    detail = "" if same else f"revision {record.revision} → {to.number}"
    verb = Verb.UNCHANGED if same else Verb.UPDATE
    return Change(verb=verb, kind=record.kind, identity=record.identity, detail=detail, below=tuple(below), whole=True)


async def _looked_at(engine: Engine, record: RecordRow) -> Change:
    below: list[Change] = []
    for child in record.children:
        theirs = await engine.store.get(RecordRow, child.kind, child.identity)
        if theirs is not None and theirs.revision is not None:
            below.append(replace(await _looked_at(engine, theirs), ref=child.ref.replace("/", ".")))
    return Change(
        verb=Verb.RUN, kind=record.kind, identity=record.identity, detail="cycle", below=tuple(below), whole=True
    )


def _stays(users: list[str]) -> str:
    return f"it stays: {', '.join(users)} use{'s' if len(users) == 1 else ''} it too"
