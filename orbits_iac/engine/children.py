"""What a composite does with its children when it is cycled, brought back or uninstalled, without user code.

Every question to the store is journalled like a step (`flow.ask`), so that a re-run decides the same.
"""

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pydantic.dataclasses import dataclass

from orbits_iac.engine.revisions import StoredRevision, last_argument, read_revision
from orbits_iac.engine.sharing import released
from orbits_iac.model.errors import Conflict, Refused
from orbits_iac.model.ids import StepKey
from orbits_iac.model.rows import Child, Json, RecordRow, amended
from orbits_iac.model.standing import Standing
from orbits_iac.steps.step import options_of
from orbits_iac.store.contract import Transaction

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.run import Run


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
    expect: int | None = None  # if this one stands
    kept: str = ""  # why it is left alone


async def standing_outputs(run: "Run", kind: str, identity: str) -> Json:
    """The outputs of a record's current revision; counts the asking record as a user."""
    record = await run.engine.store.get(RecordRow, kind, identity)
    if record is None or record.revision is None:
        raise Refused(f"{kind} {identity} has no outputs: it was not installed, or was uninstalled")
    if run.record_id is not None:
        await _change_users(run, kind, identity, add=True)
    return (await read_revision(run.engine, kind, identity, record.revision)).row.outputs


async def standing(run: "Run", key: StepKey, kind: str, identity: str) -> Standing:
    """What stands of a child that this execution has done under `key`, and where it and what is below it are."""
    entry = run.pages.entries.get(key)
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
        revision=None if record is None else record.revision,
        changed=entry is not None and entry.changed,
        places=tuple(places),
    )


async def cycle(run: "Run", flow: "RunFlow") -> None:
    """Compare every child that stands with its own record; all are looked at, then the first error is raised."""
    known = await flow.ask("children", lambda: _known(run), list[Known])
    policy = "report" if run.record is not None and run.record.held is not None else flow.on_drift
    results = await asyncio.gather(
        *(flow.command(child, "cycle", {"on_drift": policy}) for child in known), return_exceptions=True
    )
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def restore(run: "Run", flow: "RunFlow", to: StoredRevision) -> None:
    """Bring back, in the order in which they were done, the children whose revision is not the one in `to`."""
    known = await flow.ask("restore", lambda: _restorable(run, to), list[Known])
    for child in known:
        if child.kept:
            run.left.append(f"{child.kind} {child.identity}: {child.kept}")
        else:
            await flow.command(child, "rollback", {"to": child.to, "expect": child.expect})
    await remove_made(run, flow, keep={(child.kind, child.identity) for child in to.row.children})


async def remove_made(run: "Run", flow: "RunFlow", *, keep: set[tuple[str, str]]) -> None:
    """Uninstall what this execution made in its update, the last first; never what is stateful, shared or protected."""
    for child in await flow.ask("made", lambda: _made(run, keep), list[Known]):
        await flow.command(child, "uninstall", {})


async def uninstall(run: "Run", flow: "RunFlow") -> None:
    """Uninstall the children, the last first: owned ones, and used ones that nobody else uses; retained ones stay."""
    known = await flow.ask("children", lambda: _known(run, to_remove=True), list[Known])
    for child in reversed(known):
        last = await flow.ask("release", partial(_release, run, child), bool, key=f"{child.kind} {child.identity}")
        if last and not child.kept:
            await flow.command(child, "uninstall", {})
        elif child.kept:
            flow.progress(f"{child.kind} {child.identity} stays: {child.kept}")


async def _known(run: "Run", *, to_remove: bool = False) -> list[Known]:
    """The children of the record that stand, as the store knows them.

    `to_remove`: those too of which a first update has left something; one that is protected is refused.
    """
    record = await run.engine.store.get(RecordRow, *run.record_id) if run.record_id is not None else None
    found: list[Known] = []
    for child in record.children if record is not None else ():
        theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
        if theirs is None or (theirs.revision is None and not (to_remove and theirs.children)):
            continue
        alone = not set(theirs.users) - {_me(run)}  # otherwise it is released, which takes nothing away
        if to_remove and alone and (child.protect or theirs.protect):
            raise Refused(f"{child.kind} {child.identity} is protected: take protect=True away first")
        kept = "it is retained" if child.retain or theirs.retain else ""
        found.append(await _as_known(run, child, theirs, kept=kept))
    return found


async def _restorable(run: "Run", to: StoredRevision) -> list[Known]:
    """The children that are not as they were in `to`; of a failed update, those alone that it has changed itself."""
    links = [entry for entry in run.links() if entry.changed and not entry.undone]
    made = {(entry.link.kind, entry.link.identity): entry.link.revision for entry in links if entry.link is not None}
    failed = run.pages.execution.command == "update"
    found: list[Known] = []
    for child in to.row.children:
        if failed and (child.kind, child.identity) not in made:
            continue
        theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
        if theirs is None or child.revision is None or theirs.revision == child.revision:
            continue
        kept = ""
        if theirs.revision is None:
            kept = f"it was uninstalled since revision {to.number} of {run.pages.execution.kind}"
        elif (child.kind, child.identity) in made and theirs.revision != made[child.kind, child.identity]:
            kept = f"somebody else brought it to revision {theirs.revision} meanwhile"
        elif len(theirs.users) > 1:
            kept = f"others use it too: {', '.join(user for user in theirs.users if user != _me(run))}"
        known = await _as_known(run, child, theirs, kept=kept)
        found.append(replace(known, to=child.revision, expect=theirs.revision))
    return found


async def _made(run: "Run", keep: set[tuple[str, str]]) -> list[Known]:
    found: list[Known] = []
    for entry in reversed(run.links()):
        child = entry.link
        if child is None or child.installed or entry.undone or (child.kind, child.identity) in keep:
            continue
        theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
        if theirs is None or theirs.revision is None or theirs.made_by != run.pages.execution.id:
            continue
        if child.retain or child.protect or theirs.retain or theirs.protect or set(theirs.users) - {_me(run)}:
            continue
        if options_of(run.engine.registry.resource(child.kind)).get("stateful"):
            continue
        found.append(await _as_known(run, child, theirs))
    return found


async def _as_known(run: "Run", child: Child, record: RecordRow, *, kept: str = "") -> Known:
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


async def _release(run: "Run", child: Known) -> bool:
    """Take this record from the child's users; whether nobody is left who uses it."""
    users = await _change_users(run, child.kind, child.identity, add=False)
    return child.owned or not users


async def _change_users(run: "Run", kind: str, identity: str, *, add: bool) -> tuple[str, ...]:
    """Add this record to another's users, or take it away; safe to be done twice."""
    me = _me(run)
    while True:
        record = await run.engine.store.get(RecordRow, kind, identity)
        if record is None:
            return ()
        if (me in record.users) is add:
            return record.users
        changed = (
            amended(record, version=record.version + 1, users=(*record.users, me)) if add else released(record, me)
        )
        try:
            await run.engine.commit(Transaction(fence=run.pages.fence, put=[changed]))
        except Conflict:
            continue
        return changed.users


def _me(run: "Run") -> str:
    return " ".join(run.record_id) if run.record_id is not None else "direct"
