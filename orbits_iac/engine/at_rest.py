"""Passing over children that nothing has changed: they stand as they were left, and are not asked for.

What always holds: what is passed over was a child of the record's current revision, and is one of the next; it is an
entry of the journal, skipped, like any step that is done already. Which these are is one question of the engine's own
(`flow.ask`), so that a re-run passes over the same; where these are many, their records are read a kind at a time.

A child is at rest if what is asked of it, its code and its targets have the digest that they had when it was left, its
record stands at the revision of then, and so does everything below it; if nothing of it is held, under way, or left for
a decision; if no drift of it is known; and if all outputs that it has read are what they were. So what it shares with
others counts, by what it has got of that. Under a plan only what that shows as unchanged is passed over, and nothing
where more was approved, or `force` asked for.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from orbits_iac.code import code_of
from orbits_iac.engine.names import Name, known_as
from orbits_iac.model.approvals import Approval
from orbits_iac.model.ids import KEEP, RecordId, StepKey, made_at, step_key
from orbits_iac.model.plans import Verb
from orbits_iac.model.reads import Read
from orbits_iac.model.rows import Child, EntryRow, Json, LookRow, RecordRow, RevisionRow
from orbits_iac.model.standing import Rest
from orbits_iac.model.states import State
from orbits_iac.steps.execution import Left

if TYPE_CHECKING:
    from orbits_iac.engine.engine import Engine
    from orbits_iac.engine.run import Run

_PAGE = 1000  # rows read at a time
_FEW = 5  # records that are read one by one: for a tenant or two nobody reads a thousand
_TURN = 50  # digests, between which others get their turn


@dataclass(frozen=True, slots=True)
class Asked:
    """A child that may be passed over."""

    key: StepKey
    name: Name
    left: Left

    @property
    def record(self) -> RecordId:
        """What its record is kept under."""
        return RecordId(self.name.kind, self.name.identity or "")


@dataclass(frozen=True, slots=True)
class _Thing:
    """What of a record decides whether it is at rest."""

    revision: int | None
    quiet: bool
    done_at: float  # when the command that brought it to where it stands was asked for
    children: tuple[tuple[RecordId, int | None], ...]
    reads: tuple[Read, ...]
    looked_at: float | None = None  # in a cycle


async def find(run: "Run", targets: Mapping[str, Json], asked: Mapping[str, Asked]) -> dict[str, Rest]:
    """The digest of each, and of those that are passed over when they were looked at last."""
    if run.approval.rebuild:  # nothing is run, so nothing is known of it either
        return {name: Rest(digest="") for name in asked}
    digests: dict[str, str] = {}
    codec = run.engine.codec
    there = {name: codec.decode(text, Any) for name, text in targets.items()}
    classes = {type(one.left.resource) for one in asked.values()}
    codes = {cls: await asyncio.to_thread(code_of, cls) for cls in classes}
    for number, (name, one) in enumerate(asked.items()):
        if number % _TURN == _TURN - 1:
            await asyncio.sleep(0)
        resource, labels = one.left.resource, dict(one.left.labels)
        own = [[type(target).__name__, target] for target in one.left.targets]
        digests[name] = codec.digest(one.name.kind, "update", resource, labels, there, own, codes[type(resource)])
    maybe = {
        name: one
        for name, one in asked.items()
        if digests[name] == one.left.digest and one.record in run.children_before and _may_pass(run, one)
    }
    known = await _survey(run.engine, [one.record for one in maybe.values()])
    fresh = await _Reads(run.engine).unchanged(known)
    found = {name: Rest(digest=digest) for name, digest in digests.items()}
    for name, one in maybe.items():
        thing = known.get(one.record)
        if thing is None or thing.revision != one.left.revision:
            continue
        below = _tree(known, one.record)
        if below is not None and all(read in fresh for each in below for read in each.reads):
            found[name] = Rest(digest=digests[name], looked_at=_looked_at(thing, below))
    return found


def pass_over(run: "Run", one: Asked) -> None:
    """Keep it among the children, at the revision that it was left at; done once, however often this is run."""
    child = run.children_before[one.record]
    _keep(run, one.key, _linked(child, one.left.revision), why="passed over: nothing of it has changed")


def keep(run: "Run", above: StepKey, ref: str | None, among: Collection[tuple[str, str]] | None) -> None:
    """Keep those `among` the children, or all, that were done under this ref, or any, and by this run were not."""
    done = {(entry.link.kind, entry.link.identity) for entry in run.pages.entries.values() if entry.link is not None}
    these = None if among is None else known_as(run.engine.registry, among)
    for child in run.record.children if run.record is not None else ():
        me = (child.kind, child.identity)
        if ref in {child.ref, None} and me not in done and (these is None or me in these):
            key = step_key(above, child.ref, child.kind, KEEP, child.identity)
            _keep(run, key, child, why="it was not asked for, and stays as it is")


def _keep(run: "Run", key: StepKey, child: Child, *, why: str) -> None:
    if key in run.pages.entries:
        return
    run.pages.seq += 1
    at = run.loop.time()
    entry = EntryRow(
        execution=run.pages.execution.id,
        key=key,
        kind=child.kind,
        command="update",
        state=State.SUCCESS,
        seq=run.pages.seq,
        at=at,
        started_at=at,
        skipped=True,
        link=child,
    )
    run.pages.put(entry, at=at, why=why)


def _linked(child: Child, revision: int | None) -> Child:
    return child if child.revision == revision else replace(child, revision=revision)


def _may_pass(run: "Run", one: Asked) -> bool:
    """Whether what was approved lets it stand as it is."""
    approval = run.approval
    if approval.change is None:
        return approval == Approval()
    if approval.prune or approval.losses or approval.take_over or approval.force:
        return False
    digest = run.engine.codec.digest(one.name.kind, "update", one.left.resource, "{}")
    shown = approval.below(one.key, digest).change
    return shown is not None and shown.verb is Verb.UNCHANGED and shown.revision == one.left.revision


async def _survey(engine: "Engine", records: Iterable[RecordId]) -> dict[RecordId, _Thing]:
    """These records and all below them, perhaps with others of their kinds."""
    known: dict[RecordId, _Thing] = {}
    kinds: set[str] = set()
    seen = set(records)
    waiting = [*seen]
    while waiting:
        for kind in sorted({record.kind for record in waiting} - kinds):
            wanted = [record for record in waiting if record.kind == kind]
            if len(wanted) <= _FEW:
                await _read(engine, wanted, known)
            else:
                kinds.add(kind)
                await _read_kind(engine, kind, known)
        below = {child for record in waiting if record in known for child, _ in known[record].children}
        waiting = [*(below - seen)]
        seen |= below
    return known


async def _read(engine: "Engine", records: Iterable[RecordId], known: dict[RecordId, _Thing]) -> None:
    for record in records:
        row = await engine.store.get(RecordRow, *record)
        if row is not None:
            known[record] = _thing(row, await engine.store.get(LookRow, *record))


async def _read_kind(engine: "Engine", kind: str, known: dict[RecordId, _Thing]) -> None:
    looks: dict[str, LookRow] = {}
    after: tuple[str, str] | tuple[()] = ()
    while page := await engine.store.find(LookRow, kind=kind, limit=_PAGE, after=after):
        looks.update((look.identity, look) for look in page)
        after = (kind, page[-1].identity)
    after = ()
    while rows := await engine.store.find(RecordRow, kind=kind, limit=_PAGE, after=after):
        for row in rows:
            known[RecordId(kind, row.identity)] = _thing(row, looks.get(row.identity))
        after = (kind, rows[-1].identity)


def _thing(row: RecordRow, look: LookRow | None) -> _Thing:
    done_at = made_at(row.brought_by) if row.brought_by is not None else 0.0
    counts = look is not None and look.at > done_at  # what was brought up since was looked at again
    drifted = look is not None and counts and (look.error or any(not each.remediated for each in look.differences))
    return _Thing(
        revision=row.revision,
        quiet=not (row.queue or row.unsettled or row.adopted or row.reads is None or drifted),
        done_at=done_at,
        children=tuple((RecordId(child.kind, child.identity), child.revision) for child in row.children),
        reads=row.reads or (),
        looked_at=look.at if look is not None and counts else None,
    )


def _tree(known: Mapping[RecordId, _Thing], record: RecordId) -> list[_Thing] | None:
    """A record and all below it, if each is quiet, at the revision that the one above it was made with."""
    found: list[_Thing] = []
    waiting, seen = [(record, known[record].revision)], {record}
    for name, revision in waiting:
        thing = known.get(name)
        if thing is None or thing.revision is None or thing.revision != revision or not thing.quiet:
            return None
        found.append(thing)
        waiting += [child for child in thing.children if child[0] not in seen]
        seen.update(child for child, _ in thing.children)
    return found


def _looked_at(top: _Thing, below: Iterable[_Thing]) -> float:
    """When all of it was looked at last: by its last update, or by the cycles of all that is one thing."""
    cycles = [thing.looked_at for thing in below if not thing.children]
    looked = [at for at in cycles if at is not None]
    return max(top.done_at, min(looked)) if len(looked) == len(cycles) else top.done_at


class _Reads:
    """Which outputs that were read are still what they were."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._now: dict[RecordId, str | None] = {}

    async def unchanged(self, known: Mapping[RecordId, _Thing]) -> set[Read]:
        found: set[Read] = set()
        for read in {read for thing in known.values() for read in thing.reads}:
            record = RecordId(read.kind, read.identity)
            if record not in self._now:
                self._now[record] = await self._digest(record)
            if self._now[record] == read.digest:
                found.add(read)
        return found

    async def _digest(self, record: RecordId) -> str | None:
        store, codec = self._engine.store, self._engine.codec
        row = await store.get(RecordRow, *record)
        stands = None if row is None or row.revision is None else row.revision
        revision = None if stands is None else await store.get(RevisionRow, *record, stands)
        return None if revision is None else codec.digest(codec.decode(revision.outputs, Any))
