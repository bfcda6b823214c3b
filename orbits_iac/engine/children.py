"""What a composite does with its children when it is cycled or uninstalled, without user code.

How it brings them back is in `restoring`. Every question to the store is journalled like a step (`flow.ask`), so that a
re-run decides the same.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic.dataclasses import dataclass

from orbits_iac.engine.above import ABOVE
from orbits_iac.engine.adopting import was_there
from orbits_iac.engine.losses import data_held
from orbits_iac.engine.names import known_as
from orbits_iac.engine.passed import passed_since
from orbits_iac.engine.references import resolved, sources_first
from orbits_iac.engine.revisions import last_argument, read_revision
from orbits_iac.engine.sharing import reader_of, reading, refuse_others, released
from orbits_iac.model.below import Below, everything_below
from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.ids import RecordId, StepKey, step_key
from orbits_iac.model.rows import Child, ExecutionRow, Json, LookRow, RecordRow, Reference, RevisionRow, Row, amended
from orbits_iac.model.standing import Standing
from orbits_iac.store.contract import Transaction
from orbits_iac.users import users_of

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.run import Run

N = TypeVar("N", RecordRow, LookRow)
_PAGE = 1000  # rows read at a time


_AT_ONCE = 50  # children that are read together


@dataclass(frozen=True, kw_only=True)
class Known:
    """A child as the store knows it: enough to run a command of it without the code that did it."""

    ref: str
    kind: str
    identity: str
    owned: bool
    argument: Json
    targets: dict[str, Json]
    places: dict[str, str]
    to: int | None = None  # bring it back to this revision,
    expect: int | None = None  # if this one stands; None: it was uninstalled, and is made again
    kept: str = ""  # why it is left alone
    references: dict[str, Reference] = field(default_factory=dict)  # where values of the argument came from
    options: dict[str, bool] = field(default_factory=dict)  # what it was done with


async def standing_outputs(run: "Run", kind: str, identity: str) -> Json:
    """The outputs of a record's current revision; counts the asking record as a user."""
    number = await _standing_revision(run, kind, identity)
    if run.record_id is not None and await _count_in(run, RecordId(kind, identity)):
        number = await _standing_revision(run, kind, identity)  # or it went before this was known to use it
    return (await read_revision(run.engine, kind, identity, number)).row.outputs


async def _standing_revision(run: "Run", kind: str, identity: str) -> int:
    record = await run.engine.store.get(RecordRow, kind, identity)
    if record is None or record.revision is None:
        raise Refused(f"{kind} {identity} has no outputs: it was not installed, or was uninstalled")
    refuse_others(record, run.pages.execution.tenant, "its outputs are not for")
    return record.revision


async def standing(run: "Run", key: StepKey, kind: str, identity: str, since: int | None) -> Standing:
    """What stands of a child that this execution has done under `key`, and where it and what is below it are.

    `since`: a revision, from which on all that it has passed counts, whoever has asked for that.
    """
    entry = run.pages.entries.get(key)
    passed = () if entry is None else entry.passed
    if since is not None:
        passed = await passed_since(run.engine.store, kind, identity, since)
    record = await run.engine.store.get(RecordRow, kind, identity)
    places: dict[str, None] = {}
    below, seen = [record] if record is not None else [], {(kind, identity)}
    for row in below:
        places.update(dict.fromkeys(row.places.values()))
        new = [child for child in row.children if (child.kind, child.identity) not in seen]
        seen.update((child.kind, child.identity) for child in new)
        found = [await run.engine.store.get(RecordRow, child.kind, child.identity) for child in new]
        below.extend(child for child in found if child is not None)
    return Standing(
        kind=kind,
        identity=identity,
        revision=None if record is None else record.revision,
        changed=entry is not None and entry.changed,
        made=record is not None and record.made_by == run.pages.execution.id,
        passed=passed,
        places=tuple(places),
        stays=await _staying(run, below) if below and below[0].revision is None else (),
        found=await was_there(run.engine.store, kind, identity),
        own=entry is not None
        and entry.link is not None
        and record is not None
        and entry.link.revision == record.revision,
    )


async def _staying(run: "Run", below: Sequence[RecordRow]) -> tuple[str, ...]:
    """What stands though the first of `below`, which consists of the others, does not: what no rollback removes.

    A child that was removed has let go of what stays of it: that is found as the same tenant's, by who has made it.
    """
    store, top = run.engine.store, below[0]
    theirs = await store.find(RecordRow, tenant=top.tenant) if top.tenant is not None else []
    stay = [one for one in below[1:] if one.revision is not None and one.tenant == top.tenant and not one.adopted]
    for one in theirs:
        if one.revision is not None and one.made_by is not None and one not in stay:
            made_by = await store.get(ExecutionRow, one.made_by)
            if made_by is not None and made_by.root == run.pages.execution.root:
                stay.append(one)
    return tuple(f"{one.kind} {one.identity}" for one in stay)


async def cycle(run: "Run", flow: "RunFlow") -> None:
    """Compare every child that stands with its own record; all are looked at, then the first error is raised."""
    known = await flow.ask("children", lambda: _known(run), list[Known])
    policy = "report" if run.record is not None and run.record.held is not None else flow.on_drift
    results = await asyncio.gather(
        *(flow.command(child, "cycle", {**run.options, "on_drift": policy}) for child in known),
        return_exceptions=True,
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def standing_below(run: "Run") -> list[Below]:
    """The children of the record that stand, each with what its record says of it."""
    record = await run.engine.store.get(RecordRow, *run.record_id) if run.record_id is not None else None
    if record is None:
        return []
    wanted = {RecordId(child.kind, child.identity) for child in record.children}
    rows: dict[RecordId, RecordRow] = {}
    for kind in {child.kind for child in record.children}:
        async for row in _all_of(run, RecordRow, kind=kind):
            if RecordId(row.kind, row.identity) in wanted:
                rows[RecordId(row.kind, row.identity)] = row
    found: list[Below] = []
    for child in record.children:
        theirs = rows.get(RecordId(child.kind, child.identity))
        if theirs is not None and theirs.revision is not None:
            found.append(
                Below(
                    ref=child.ref,
                    kind=child.kind,
                    identity=child.identity,
                    owned=child.owned,
                    tenant=theirs.tenant,
                    labels=theirs.labels,
                    revision=theirs.revision,
                    held=theirs.held is not None,
                )
            )
    return found


async def cycle_one(run: "Run", flow: "RunFlow", child: Below, on_drift: str) -> bool:
    """Cycle one child; False where nothing of it stands by now, or it is busy."""
    known = await flow.ask("child", partial(_one_known, run, child), Known | None, key=f"{child.kind} {child.identity}")
    if known is None:
        return False
    limited = bool(run.options.get("limited"))
    await flow.command(known, "cycle", {"on_drift": on_drift, **({"limited": True} if limited else {})})
    key = step_key(ABOVE.get(), known.ref, known.kind, "cycle", known.identity)
    return run.pages.entries[key].child is not None


async def drifted(run: "Run", children: Sequence[Below]) -> list[int]:
    """How many things of each of these, all below it included, differed at the last look and were not brought back."""
    differ = {
        RecordId(look.kind, look.identity)
        async for look in _all_of(run, LookRow)
        if any(not difference.remediated for difference in look.differences)
    }
    if not differ:
        return [0] * len(children)
    records = {RecordId(row.kind, row.identity): row async for row in _all_of(run, RecordRow)}
    roots = [RecordId(child.kind, child.identity) for child in children]
    return [sum(one in differ for _, one in everything_below(root, records)) for root in roots]


async def _one_known(run: "Run", child: Below) -> Known | None:
    theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
    if theirs is None or theirs.revision is None:
        return None
    link = Child(ref=child.ref, kind=child.kind, identity=child.identity, owned=child.owned, revision=theirs.revision)
    return await as_known(run, link, theirs)


async def _all_of(run: "Run", table: type[N], **where: Any) -> AsyncIterator[N]:
    """The rows of a table of records, read in pages: few reads, and little memory, however many there are."""
    after = tuple[str, ...]()
    while page := await run.engine.store.find(table, limit=_PAGE, after=after, **where):
        for row in page:
            yield row
        after = (page[-1].kind, page[-1].identity)


async def uninstall(run: "Run", flow: "RunFlow") -> None:
    """Uninstall the children, the last first: owned ones, and used ones that nobody else uses; retained ones stay.

    One that was used by others goes in the end, if these have gone meanwhile. Where data is kept, what was there before
    is brought back to what was found instead.
    """
    known = await flow.ask("children", lambda: _known(run, to_remove=True), list[Known])
    used: list[Known] = []
    for child in reversed(known):
        last = await flow.ask("release", partial(release, run, child), bool, key=f"{child.kind} {child.identity}")
        if last and not child.kept:
            await _gone(run, flow, child)
        elif child.kept:
            flow.progress(f"{child.kind} {child.identity} stays: {child.kept}")
            flow.leaves(f"{child.kind} {child.identity}: {child.kept}")
        else:
            used.append(child)
    for child in used:
        one = RecordId(child.kind, child.identity)
        if await flow.ask("unused", partial(_unused, run, one), bool, key=str(one)):
            await _gone(run, flow, child)


async def _gone(run: "Run", flow: "RunFlow", child: Known) -> None:
    if child.to is None:
        flow.leaves(*(await flow.command(child, "uninstall", run.options) or ()))
    else:
        await flow.command(child, "rollback", {"to": child.to})
        flow.leaves(f"{child.kind} {child.identity}: it was there before, and is as it was found")


async def _unused(run: "Run", one: RecordId) -> bool:
    """Whether a child stands that this record has let go of, and nobody uses; `Refused` if it is protected."""
    theirs = await run.engine.store.get(RecordRow, *one)
    if theirs is None or (theirs.revision is None and not theirs.children):
        return False
    if await users_of(run.engine.store, theirs):
        return False
    mine = await run.engine.store.get(RecordRow, *run.record_id) if run.record_id is not None else None
    child = next(child for child in (mine.children if mine is not None else ()) if one == (child.kind, child.identity))
    return await _known_child(run, child, to_remove=True) is not None


async def let_go(run: "Run", flow: "RunFlow", one: RecordId) -> list[str] | None:
    """Let go of a child that is no longer done, and uninstall it where nobody else uses it; what stays, and why."""
    known_by = known_as(run.engine.registry, [one])
    child = next((child for name, child in run.children_before.items() if name in known_by), None)
    if child is None:
        return None
    one = RecordId(child.kind, child.identity)
    if run.approval.change is not None and not run.approval.removes(*one):
        return [f"{one}: plan {run.approval.plan} does not show that it goes"]
    known = await flow.ask("last", partial(_last_known, run, child), Known | None, key=str(one))
    run.removed.add(one)
    users = await flow.ask("release", partial(change_users, run, *one, add=False), tuple[str, ...], key=str(one))
    if known is None:
        return None
    if users or known.kept:
        return [f"{one}: {known.kept or 'it is used by ' + ', '.join(users)}"]
    try:
        return list(await flow.command(known, "uninstall", {}) or ())
    except BaseException:
        run.removed.discard(one)
        raise


async def _last_known(run: "Run", child: Child) -> Known | None:
    found = await _known_child(run, child, to_remove=True)
    return None if found is None else found[0]


async def _known(run: "Run", *, to_remove: bool = False) -> list[Known]:
    """The children of the record that stand, as the store knows them; what gives outputs before what needs them.

    `to_remove`: those too of which a first update has left something; one that is protected is refused.
    """
    record = await run.engine.store.get(RecordRow, *run.record_id) if run.record_id is not None else None
    children = () if record is None else record.children
    found: list[tuple[Known, int | None]] = []
    for start in range(0, len(children), _AT_ONCE):
        some = children[start : start + _AT_ONCE]
        stand = await asyncio.gather(*(_known_child(run, child, to_remove=to_remove) for child in some))
        found += [one for one in stand if one is not None]
        await asyncio.sleep(0)  # others get their turn, however many there are
    stands = [(RecordId(known.kind, known.identity), revision) for known, revision in found]
    return [found[position][0] for position in await sources_first(run.engine, stands)]


async def _known_child(run: "Run", child: Child, *, to_remove: bool) -> tuple[Known, int | None] | None:
    """A child with the revision that stands; None if nothing of it does."""
    theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
    if theirs is None or (theirs.revision is None and not (to_remove and theirs.children)):
        return None
    others = set(await users_of(run.engine.store, theirs)) - {me(run)}
    accepted = run.approval.accepts(child.kind, child.identity)
    if to_remove and not others and (child.protect or theirs.protect) and not accepted:  # else it is only released
        raise Refused(f"{child.kind} {child.identity} is protected: take protect=True away first")
    kept = "it is retained" if child.retain or theirs.retain else ""
    if theirs.adopted:
        kept = "it was there before, and no update of it has succeeded"
    elif run.options.get("keep_data") and await data_held(run.engine, theirs):
        kept = kept or "it holds data"
    known = await as_known(run, child, theirs, kept=kept)
    if run.options.get("keep_data") and not kept and await was_there(run.engine.store, child.kind, child.identity):
        known = replace(known, to=0)
    return known, theirs.revision


async def as_known(run: "Run", child: Child, record: RecordRow, *, kept: str = "") -> Known:
    """A child of a revision with what its record says; `kept`: why it is left alone."""
    argument = await last_argument(run.engine, record)
    return Known(
        ref=child.ref,
        kind=child.kind,
        identity=child.identity,
        owned=child.owned,
        argument=argument or "{}",
        targets=record.targets,
        places=record.places,
        kept=kept,
    )


async def as_made(run: "Run", child: Child, record: RecordRow) -> Known:
    """A child that was uninstalled, with what the revision that it had was asked for."""
    known = await as_known(run, child, record)
    number = child.revision or record.last_number
    row = await run.engine.store.get(RevisionRow, child.kind, child.identity, number)
    known = replace(known, to=number, options={"retain": child.retain, "protect": child.protect})
    if row is None:
        return known
    return replace(
        known,
        argument=await resolved(run.engine, row.argument, row.references),
        references=row.references,
        targets=row.targets,
        places=_inherited(run, row.targets),
    )


def _inherited(run: "Run", targets: dict[str, Json]) -> dict[str, str]:
    """The places of those targets that are this execution's too."""
    decode, own = run.engine.codec.decode, run.pages.execution.targets
    same = {name for name, text in targets.items() if name in own and decode(text, Any) == decode(own[name], Any)}
    return {name: place for name, place in run.places.items() if name in same}


async def release(run: "Run", child: Known) -> bool:
    """Take this record from the child's users; whether nobody is left who uses it."""
    users = await change_users(run, child.kind, child.identity, add=False)
    return child.owned or not users


async def change_users(run: "Run", kind: str, identity: str, *, add: bool) -> tuple[str, ...]:
    """Add this record to those who do another, or take it away from its users; safe to be done twice.

    Returns the users that are left. Of several who let go at a time one alone is told that there are none: each writes
    the record.
    """
    store, user = run.engine.store, me(run)
    while True:
        record = await store.get(RecordRow, kind, identity)
        if record is None:
            return ()
        users = await users_of(store, record)
        if (user in users) is add:
            return users
        others = tuple(other for other in users if other != user)
        changed, gone = released(record, user), [reader_of(record, user)]
        if add:
            changed, gone = amended(record, version=record.version + 1, users=(*record.users, user)), []
        try:
            await run.engine.commit(Transaction(fence=run.pages.fence, put=[changed], delete=gone))
        except Conflict:
            continue
        if add or others:
            return (*others, user) if add else others
        left = await store.get(RecordRow, kind, identity)
        return () if left is None else await users_of(store, left)  # who has begun to read it wrote a row of its own


async def _count_in(run: "Run", one: RecordId) -> bool:
    """Count this record among another's users because it reads its outputs; whether that had to be written.

    Each of the two says so: the one read by a row of its reader, the reader's record in its `uses`.
    """
    store, own = run.engine.store, RecordId(*(run.record_id or ("", "")))
    if own == one:
        return False
    while True:
        theirs = await store.get(RecordRow, *one)
        mine = await store.get(RecordRow, *own)
        put = list[Row]()
        if theirs is not None and str(own) not in theirs.users:
            put += await reading(store, theirs, str(own))
        if mine is not None and str(one) not in mine.uses:
            put.append(amended(mine, version=mine.version + 1, uses=(*mine.uses, str(one))))
        if not put:
            return False
        try:
            await run.engine.commit(Transaction(fence=run.pages.fence, put=put))
        except Conflict:
            continue
        return True


def me(run: "Run") -> str:
    """This execution's record as a user of others."""
    return " ".join(run.record_id) if run.record_id is not None else "direct"
