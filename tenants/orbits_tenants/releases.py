"""The releases of a fleet: its roll-outs that bring tenants forward, with which of them belong to the last one.

What has gone back, left or was taken in is no release. Called by whoever brings tenants back, or needs to know what was
released last.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import TYPE_CHECKING, Any

from orbits_iac import Orbits, Revision
from orbits_iac.provider import ExecutionRow, RecordRow, RevisionRow, State, UsageError, kind_of, masked
from orbits_tenants.attempts import later
from orbits_tenants.report import Report
from orbits_tenants.tenants import Tenants, is_release, released

if TYPE_CHECKING:
    from orbits_iac.provider import Store


async def roll_outs(orbits: Orbits, fleet: type[Tenants[Any]]) -> Sequence[Revision[Report]]:
    """The revisions of a fleet, the last one last; UsageError if no roll-out of it has come to its end."""
    found = await orbits.record(fleet, kind_of(fleet)).history()
    if not found:
        raise UsageError(f"no roll-out of {kind_of(fleet)} has come to its end yet")
    return found


def last_release(history: Sequence[Revision[Report]]) -> dict[str, Any]:
    """What the last release was asked with, whomever it went to."""
    return released(next((one for one in reversed(history) if is_release(one.argument)), history[-1]).argument)


async def began(store: "Store", record: RecordRow) -> float | None:
    """When the last release began (seconds since 1970); None if there was none.

    One that did not come to its end counts, if it had begun tenants. What has gone to some alone belongs to the same
    release before it, by the same code; and so does what goes on with one that broke off.
    """
    first: ExecutionRow | None = None
    revisions = await store.find(RevisionRow, kind=record.kind, identity=record.identity)
    async for row in _releases(store, record, {one.execution for one in revisions}):
        if first is not None and not _goes_on_with(first, row):
            break
        first = row
    return None if first is None else first.started_at or first.created_at


async def _releases(store: "Store", record: RecordRow, made: Collection[str | None]) -> AsyncIterator[ExecutionRow]:
    """The latest first: those that have `made` a revision, and those that broke off after they had begun tenants."""
    async for row in later(store, record, 0.0):
        if row.command != "update" or row.ended_at is None or not is_release(masked(row.argument)):
            continue
        if row.id in made or (
            row.state is not State.SUCCESS and await store.find(ExecutionRow, parent=row.id, limit=1, whole=False)
        ):
            yield row


def _goes_on_with(one: ExecutionRow, before: ExecutionRow) -> bool:
    """Whether a roll-out went to some alone of those that the one before it was for, or that one broke off."""
    asked, then = masked(one.argument), masked(before.argument)
    narrowed = any(asked.get(field) for field in ("only", "only_failed", "from_wave"))
    same = one.build == before.build and released(asked) == released(then)
    return same and (narrowed or before.state is not State.SUCCESS)
