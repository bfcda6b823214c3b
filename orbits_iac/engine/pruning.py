"""Removing what an update no longer does, where that was approved; and making it again if the update goes back.

It is the last that an update does, so nothing is removed for one that fails before. Owned children are uninstalled and
used ones released, the last done first. What is not approved stays among the record's children. Every question to the
store is journalled, as in `children`.
"""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from orbits_iac.engine.above import enter
from orbits_iac.engine.children import Known, as_known, as_made, change_users
from orbits_iac.engine.children import release as let_go
from orbits_iac.engine.losses import data_held, losses
from orbits_iac.engine.settling import settle
from orbits_iac.model.errors import ExecutionFailed, Refused
from orbits_iac.model.ids import step_key
from orbits_iac.model.rows import RecordRow
from orbits_iac.model.states import State
from orbits_iac.users import users_of

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.run import Run

_SCOPE = "prune"


async def prune(run: "Run", flow: "RunFlow") -> None:
    """Remove the children of the record that this update has not done again, as far as it was approved.

    Raises `Refused`, before anything is removed, if what they hold would be lost and that was not accepted.
    """
    change = run.approval.change
    if run.record is None or not (run.approval.prune or (change is not None and change.remove)):
        return
    await settle(run)  # what was begun and given up may be one of them
    enter(_SCOPE, flow)
    for child in reversed(await flow.ask("no longer done", lambda: _no_longer_done(run), list[Known])):
        last = await flow.ask("release", partial(let_go, run, child), bool, key=f"{child.kind} {child.identity}")
        if last and not child.kept:
            held = await flow.ask("data", partial(_holds, run, child), bool, key=f"{child.kind} {child.identity}")
            await flow.command(child, "uninstall", {})
            if held:
                run.lost.add((child.kind, child.identity))
        elif child.kept:
            flow.progress(f"{child.kind} {child.identity} stays: {child.kept}")
        run.removed.add((child.kind, child.identity))


async def bring_back(run: "Run", flow: "RunFlow") -> None:
    """The update goes back: what it has removed is made again, and what it has released is used again."""
    if not any(key.startswith(f"{_SCOPE}/") for key in run.pages.entries):
        return
    for child in await flow.ask("removed", lambda: _removed(run), list[Known]):
        if child.to is None:
            await flow.ask("use", partial(change_users, run, child.kind, child.identity, add=True), tuple[str, ...])
            continue
        try:
            await flow.command(child, "update", {})
        except ExecutionFailed as failed:
            run.left.append(f"{child.kind} {child.identity}: it was removed, and making it again failed: {failed}")
        if child.kept:
            run.left.append(f"{child.kind} {child.identity}: {child.kept}")


async def _no_longer_done(run: "Run") -> list[Known]:
    """What may be removed, in the order in which it was done."""
    engine, record, approval = run.engine, run.record, run.approval
    done = {(entry.link.kind, entry.link.identity) for entry in run.links() if entry.link is not None}
    found: list[Known] = []
    lost: list[str] = []
    for child in record.children if record is not None else ():
        me = (child.kind, child.identity)
        if me in done or (child.installed and run.installed is None) or not approval.removes(*me):
            continue
        theirs = await engine.store.get(RecordRow, *me)
        if theirs is None:
            continue
        kept = ""
        if theirs.revision is None and not theirs.children:
            kept = "nothing of it stands"
        elif child.retain or theirs.retain:
            kept = "it is retained"
        elif child.owned or not set(await users_of(engine.store, theirs)) - {" ".join(run.record_id or ())}:
            lost += await losses(engine, *me, approval, protected=child.protect)
        found.append(await as_known(run, child, theirs, kept=kept))
    if lost:
        raise Refused(
            f"no longer done, and not removed: {'; '.join(lost)}; or accept the loss by name "
            f"(--accept-loss 'KIND IDENTITY')"
        )
    return found


async def _holds(run: "Run", child: Known) -> bool:
    """Whether data goes with it."""
    theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
    return theirs is not None and bool(await data_held(run.engine, theirs))


async def _removed(run: "Run") -> list[Known]:
    """What this update has removed (with the revision that it had, in `to`) or released, in the order of its making."""
    begun = {
        (entry.link.kind, entry.link.identity): entry
        for key, entry in run.pages.entries.items()
        if key.startswith(f"{_SCOPE}/") and entry.link is not None
    }
    found: list[Known] = []
    for child in run.record.children if run.record is not None else ():
        theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
        entry = begun.get((child.kind, child.identity))
        release = step_key(_SCOPE, "~release", "ask", "main", f"{child.kind} {child.identity}")
        if theirs is None or (entry is None and release not in run.pages.entries):
            continue
        if entry is None:
            found.append(await as_known(run, child, theirs))
            continue
        lost = entry.state is State.SUCCESS and bool(await data_held(run.engine, theirs))
        kept = "it is made again, and what it held is lost" if lost else ""
        found.append(replace(await as_made(run, child, theirs), kept=kept))
    return found
