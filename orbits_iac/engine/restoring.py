"""Bringing a composite's children back to what they were in a revision, and removing what a failed update made.

What always holds:
- a child is brought back by compare-and-set on the revision that this execution made, and only if nobody else uses it;
  otherwise it is kept, and said;
- what an install did is not taken back: it is recorded as done, or runs again;
- what gives outputs is brought back before what was made with them, and removed after it;
- what was made with an output that is otherwise now (a thing that was made anew has another name) is brought back too,
  though its own revision stands: a failed update looks at the outputs of what it has brought back, a rollback at all.

Every question to the store is journalled like a step (`flow.ask`), so that a re-run decides the same.
"""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from orbits_iac.engine.adopting import was_there
from orbits_iac.engine.children import Known, as_known, as_made, me
from orbits_iac.engine.losses import data_held
from orbits_iac.engine.references import is_stale, resolved, sources_first
from orbits_iac.engine.revisions import StoredRevision
from orbits_iac.model.ids import RecordId
from orbits_iac.model.rows import Child, ExecutionRow, RecordRow, amended
from orbits_iac.users import users_of

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.run import Run


async def restore(run: "Run", flow: "RunFlow", to: StoredRevision) -> None:
    """Bring back the children that are not as they were in `to`, and give `to` the outputs that it has by that."""
    restored: frozenset[RecordId] | None = None
    for count in range(len(to.row.children) + 1):
        question = partial(_restorable, run, to, restored)
        known = await flow.ask("restore", question, list[Known], key=str(count) if count else "")
        with flow.scope(f"again {count}") if count else nullcontext():
            for child in known:
                if child.kept:
                    run.left.append(f"{child.kind} {child.identity}: {child.kept}")
                elif child.expect is None:
                    await flow.command(child, "update", {})
                else:
                    await flow.command(child, "rollback", {"to": child.to, "expect": child.expect})
        restored = frozenset(RecordId(child.kind, child.identity) for child in known if not child.kept)
        if not restored:
            break
    await remove_made(run, flow, keep={(child.kind, child.identity) for child in to.row.children})
    if to.row.origins:
        outputs = await flow.ask("outputs", partial(resolved, run.engine, to.row.outputs, to.row.origins), str)
        to.row = amended(to.row, outputs=outputs)


async def remove_made(run: "Run", flow: "RunFlow", *, keep: set[tuple[str, str]]) -> None:
    """Uninstall what this execution made in its update, the last first; never what is stateful, shared or protected.

    What it has adopted is brought back to what was found instead.
    """
    for child in await flow.ask("made", lambda: _made(run, keep), list[Known]):
        if child.to is None:
            await flow.command(child, "uninstall", {"keep_data": True})
        else:
            await flow.command(child, "rollback", {"to": child.to, "expect": child.expect})


async def _restorable(run: "Run", to: StoredRevision, restored: frozenset[RecordId] | None) -> list[Known]:
    """The children that are not as they were in `to`; of a failed update, those alone that it has changed itself.

    `restored`: what was brought back last; then those alone that were made with its outputs.
    """
    installed = _revisions(run, installed=True)
    made = _revisions(run, installed=False)
    failed = run.pages.execution.command == "update"
    found: list[Known] = []
    for child in to.row.children:
        name = (child.kind, child.identity)
        theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
        target = installed.get(name, child.revision)
        if theirs is None or target is None:
            continue
        users = await users_of(run.engine.store, theirs)
        if not failed and _is_led_by_another(run, child, users):
            continue
        kept = ""
        if theirs.revision == target:
            if restored is None and failed:
                continue
            if not await is_stale(run.engine, child.kind, child.identity, restored):
                continue
        elif restored is not None or (failed and name not in made) or (child.installed and not failed):
            continue
        elif theirs.revision is None and not failed:
            found.append(await as_made(run, child, theirs))
            continue
        elif theirs.revision is None:
            kept = f"it was uninstalled since revision {to.number} of {run.pages.execution.kind}"
        elif theirs.revision != made.get(name, theirs.revision) and await _is_others(run, theirs):
            kept = f"somebody else brought it to revision {theirs.revision} meanwhile"
        if not kept and len(users) > 1:
            kept = f"others use it too: {', '.join(user for user in users if user != me(run))}"
        known = await as_known(run, child, theirs, kept=kept)
        found.append(replace(known, to=target, expect=theirs.revision))
    order = await sources_first(run.engine, [(RecordId(child.kind, child.identity), child.to) for child in found])
    return [found[position] for position in order]


def _is_led_by_another(run: "Run", child: Child, users: tuple[str, ...]) -> bool:
    """Whether a record that this one uses is another's to bring forward, or back: that of the first who used it."""
    return not child.owned and users[:1] not in {(), ("direct",), (me(run),)}


async def _is_others(run: "Run", theirs: RecordRow) -> bool:
    """Whether somebody else has brought a record to where it stands: nothing that this execution has asked for."""
    by = theirs.brought_by
    while by is not None and by != run.pages.execution.id:
        row = await run.engine.store.get(ExecutionRow, by)
        by = row.parent if row is not None else None
    return by is None


def _revisions(run: "Run", *, installed: bool) -> dict[tuple[str, str], int | None]:
    """What this execution has made of its children: by its install, or changed by its update."""
    return {
        (link.kind, link.identity): link.revision
        for entry in run.links()
        if (link := entry.link) is not None and link.installed is installed and (installed or entry.changed)
    }


async def _made(run: "Run", keep: set[tuple[str, str]]) -> list[Known]:
    keep = {*keep, *_revisions(run, installed=True)}
    found: list[Known] = []
    for entry in reversed(run.links()):
        child = entry.link
        if child is None or (child.kind, child.identity) in keep:
            continue
        theirs = await run.engine.store.get(RecordRow, child.kind, child.identity)
        if theirs is None or theirs.revision is None or theirs.made_by != run.pages.execution.id:
            continue
        if await _stays(run, child, theirs):
            continue
        known = await as_known(run, child, theirs)
        if await was_there(run.engine.store, child.kind, child.identity):
            known = replace(known, to=0, expect=theirs.revision)
        found.append(known)
    return found


async def _stays(run: "Run", child: Child, theirs: RecordRow) -> bool:
    """Whether something that this execution has asked for first is not removed when it fails."""
    wanted = child.retain or child.protect or theirs.retain or theirs.protect
    if wanted or theirs.adopted or set(await users_of(run.engine.store, theirs)) - {me(run)}:
        return True
    return bool(await data_held(run.engine, theirs))
