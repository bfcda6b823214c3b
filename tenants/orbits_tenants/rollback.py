"""Bringing tenants of a fleet back to what stood after an earlier roll-out: what that would do, and doing it.

What always holds: what is shown is what the records of the tenants' stacks say now, and that is done, or nothing;
nobody goes back over a step of no return, and one who would have to is named with it. Called by `orbits tenants
rollback`.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from orbits_iac import Orbits
from orbits_iac.provider import (
    RecordId,
    RecordRow,
    Refused,
    UsageError,
    changed_by,
    kind_of,
    like,
    passed_since,
    was_there,
)
from orbits_tenants.amounts import counted, few
from orbits_tenants.back import undecided
from orbits_tenants.recorded import all_stacks_of, decided_about
from orbits_tenants.releases import began, last_release, roll_outs
from orbits_tenants.report import Report, TenantReport
from orbits_tenants.tenants import Tenants

if TYPE_CHECKING:
    from rich.console import RenderableType

_AT_ONCE = 50  # records that are read together
_NAMED = 5  # tenants that an error names
_UNCHANGED, _ENDED, _NOT_THERE = "unchanged", "has ended, and stays ended", "nothing of it stands"


@dataclass(frozen=True, kw_only=True)
class GoingBack:
    """What a rollback would do to one tenant.

    Attributes:
        tenant: its id.
        revision: its stack's revision that stands now; None if none does.
        to: the one that it goes back to; None: to nothing, but for its data and what was there before.
        passed: the steps of no return that it has passed since: it stays, forward only.
        since: by whom it was brought to where it stands, if that was after the last roll-out.
        stack: its stack, by its kind and identity; "" if it has none.
        was: what its stack was then, if that was another; "" if it was not.
        stands: the revision of that which stands now; None if none does.
        paused: why nothing of it is changed; "" if it is not paused.

    """

    tenant: str
    revision: int | None
    to: int | None
    passed: tuple[str, ...] = ()
    since: str = ""
    stack: str = ""
    was: str = ""
    stands: int | None = None
    paused: str = ""

    @property
    def is_otherwise(self) -> bool:
        """Whether it stands otherwise than it did then, and may be changed."""
        return not self.paused and self.revision is not None and (self.revision != self.to or bool(self.was))

    @property
    def is_undecided(self) -> bool:
        """Whether it stays as it is because what its stack was then does not stand as it did."""
        return self.is_otherwise and not self.passed and bool(self.was) and self.stands != self.to

    @property
    def is_held(self) -> bool:
        """Whether it stays as it is though it stands otherwise."""
        return self.is_otherwise and bool(self.passed)

    @property
    def moves(self) -> bool:
        """Whether anything would be done to it."""
        return self.is_otherwise and not self.passed and not self.is_undecided

    @property
    def happens(self) -> str:
        """What would be done to it, in a line for people."""
        if self.paused:
            return f"is paused: {self.paused}"
        if self.revision is None:
            return _ENDED if self.to is not None else _NOT_THERE
        if not self.is_otherwise:
            return _UNCHANGED
        if self.is_held:
            return f"forward only: {', '.join(self.passed)} cannot be taken back"
        if self.is_undecided:
            why = undecided(self.tenant, self.was, self.to, self.stack, self.revision, self.stands)
            return f"needs a decision: {why}"
        if self.was:
            return f"goes back to {self.was}: {self.stack} is removed, but for its data and what was there before"
        said = "goes back" if self.to is not None else "is removed, but for its data and what was there before"
        return f"{said}; {self.since} brought it to revision {self.revision} since" if self.since else said


@dataclass(frozen=True, kw_only=True)
class Rollback:
    """A rollback of a fleet's tenants, before it is done.

    Attributes:
        fleet: the class of the fleet.
        argument: what it is asked with.
        to: the fleet's revision that stood then.
        at: the time as of which its tenants go back to what stood of them (UTC).
        asked_to: the fleet's revision that was asked for; None: to what stood before the last release.
        wave: those alone are meant who belong to this wave of the last roll-out; None: whatever wave.
        only: these alone are meant; nobody named: all.
        tenants: those that are meant, in the order of the fleet.
        unknown: those that stand and are in no report, since their first roll-out did not come to its end: they stay.

    """

    fleet: type[Tenants[Any]]
    argument: Mapping[str, Any]
    to: int
    at: datetime
    asked_to: int | None = None
    wave: str | None = None
    only: tuple[str, ...] = ()
    tenants: tuple[GoingBack, ...]
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anybody would go back."""
        return any(one.moves for one in self.tenants)

    @property
    def summary(self) -> str:
        """It in a line for people."""
        moving = [one for one in self.tenants if one.moves]
        counts = {
            "go back": sum(one.to is not None for one in moving),
            "are removed": sum(one.to is None for one in moving),
            "need a decision": sum(one.is_undecided for one in self.tenants),
            "forward only": sum(one.is_held for one in self.tenants),
            "paused": sum(bool(one.paused) for one in self.tenants),
            "unchanged": sum(one.happens == _UNCHANGED for one in self.tenants),
            "ended": sum(one.happens == _ENDED for one in self.tenants),
            "not there": sum(one.happens == _NOT_THERE for one in self.tenants),
        }
        said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f"{counted(len(self.tenants))}, to how they stood at {self.at:%Y-%m-%d %H:%M} UTC: {said}"

    def document(self) -> dict[str, Any]:
        """It as JSON's own types."""
        return {
            "fleet": kind_of(self.fleet),
            "to": self.to,
            "at": self.at.isoformat(),
            "tenants": [
                {"tenant": one.tenant, "from": one.revision, "to": one.to, "moves": one.moves, "happens": one.happens}
                for one in self.tenants
            ],
            "unknown": list(self.unknown),
        }

    def __rich__(self) -> "RenderableType":
        """The table: tenant, the revision that stands, the one it goes back to, what is done."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for name in ("tenant", "from", "to"):
            table.add_column(name, no_wrap=True)
        table.add_column("what happens", overflow="fold")
        for one in self.tenants:
            cells = ("-" if number is None else str(number) for number in (one.revision, one.to))
            table.add_row(Text(one.tenant), *cells, Text(one.happens, style="" if one.moves else "dim"))
        lines = [Text(self.summary, style="bold")]
        if self.unknown:
            lines.append(Text(f"in no report yet, and stay: {', '.join(self.unknown)}", style="yellow"))
        return Group(table, *lines)


async def look(
    orbits: Orbits,
    fleet: type[Tenants[Any]],
    *,
    wave: str | None = None,
    only: Collection[str] = (),
    to: int | None = None,
) -> Rollback:
    """What bringing tenants back would do.

    Args:
        orbits: what is asked.
        fleet: the class of the fleet.
        wave: those alone that belong to this wave of the last roll-out.
        only: these alone; nobody named: all.
        to: they go back to what stood of each after the roll-out that made this revision of the fleet; without one, to
            what stood when the last release began.

    Raises UsageError for a wave, a tenant or a revision that is not there, and while a roll-out is under way.

    """
    kind = kind_of(fleet)
    record = await orbits.record(fleet, kind).row()
    if record.queue:
        raise UsageError(
            f"a roll-out of {kind} is under way: let it end, or cancel it (orbits cancel {record.queue[0]}), and see "
            f"then what is to be brought back"
        )
    history = await roll_outs(orbits, fleet)
    since = await began(orbits.store, record) or 0.0
    good = [one for one in history if (one.at.timestamp() < since if to is None else one.number == to)]
    if not good:
        there = ", ".join(str(one.number) for one in history[:-1]) or "none"
        which = "nothing is from before its last release" if to is None else f"it has no revision {to} to go back to"
        raise UsageError(f"{kind}: {which}; there are: {there} (--to)")
    now, then = history[-1], good[-1]
    at = then.at if to is not None else datetime.fromtimestamp(since, UTC)
    before = then.outputs.tenants
    stacks = await all_stacks_of(orbits.store, kind)
    decided = await decided_about(orbits.store, kind)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(id_: str, report: TenantReport) -> GoingBack:
        async with slots:
            found = await _going_back(orbits, id_, report, before.get(id_), stacks.get(id_, ()), at=at, now=now.at)
        paused = decided.about(report.tenant).paused if report.tenant is not None and id_ not in decided.removed else ""
        return replace(found, paused=paused)

    meant = _meant(now.outputs.tenants, wave, only)
    tenants = await asyncio.gather(*(one(id_, report) for id_, report in meant.items()))
    argument = last_release(history)
    stay = [id_ for id_, rows in stacks.items() if rows[0].revision is not None and id_ not in now.outputs.tenants]
    unknown = tuple(stay) if wave is None and not only else ()
    return Rollback(
        fleet=fleet,
        argument=argument,
        to=then.number,
        at=at,
        asked_to=to,
        wave=wave,
        only=tuple(only),
        tenants=tuple(tenants),
        unknown=unknown,
    )


async def bring_back(orbits: Orbits, rollback: Rollback) -> Report:
    """Do what `look` has shown.

    Raises:
        UsageError: there is nothing to bring back, or a roll-out is under way.
        Refused: a tenant stands otherwise than it was shown: somebody has been at it since.

    """
    meant = [one for one in rollback.tenants if one.is_otherwise]
    if not any(one.moves for one in meant):
        how = f"--to names an earlier revision, of those that `orbits history {kind_of(rollback.fleet)}` shows"
        raise UsageError(f"nobody would go back: {rollback.summary}; {how}")
    now = await look(orbits, rollback.fleet, wave=rollback.wave, only=rollback.only, to=rollback.asked_to)
    shown, stand = ({one.tenant: one for one in each.tenants} for each in (rollback, now))
    if changed := [id_ for id_ in {**shown, **stand} if shown.get(id_) != stand.get(id_)]:
        raise Refused(
            f"{few(changed, _NAMED)}: somebody has been at it since this was shown; nothing was brought back. Look at "
            f"it again"
        )
    back = {one.tenant: one.to for one in meant}
    stood_as = {one.tenant: one.was for one in meant if one.was}
    step = rollback.fleet.model_validate({**rollback.argument, "back": back, "stood_as": stood_as})
    report: Report = await orbits.run(step, on_conflict="fail")  # after another roll-out it would not be what was shown
    return report


async def _going_back(
    orbits: Orbits,
    id_: str,
    report: TenantReport,
    then: TenantReport | None,
    stacks: Sequence[RecordRow],
    *,
    at: datetime,
    now: datetime,
) -> GoingBack:
    """What becomes of one that goes back to `at`; `then`: its report of before that; `now`: when its last one was."""
    if not stacks or stacks[0].revision is None:
        return GoingBack(tenant=id_, revision=None, to=then.revision if then is not None else None)
    stack, revisions = stacks[0], {f"{row.kind} {row.identity}": row.revision for row in stacks}
    name = f"{stack.kind} {stack.identity}"
    another = then is not None and bool(then.stack) and then.stack != name
    to = await _stood(orbits, then.stack if then is not None and another else name, then, at)
    was = then.stack if then is not None and another and to is not None else ""
    if to is None and await was_there(orbits.store, stack.kind, stack.identity):
        to = 0
    passed = await passed_since(orbits.store, stack.kind, stack.identity, 0 if was else to or 0)
    passed_then = [name for name, number in report.passed.items() if number > (to or 0)]
    return GoingBack(
        tenant=id_,
        revision=stack.revision,
        to=to,
        passed=tuple(dict.fromkeys((*passed, *passed_then))),
        since=stack.by if stack.since is not None and stack.since > now.timestamp() else "",
        stack=name,
        was=was,
        stands=revisions.get(was),
    )


async def _stood(orbits: Orbits, stack: str, then: TenantReport | None, at: datetime) -> int | None:
    """The revision of a stack that stood at this time; None if nothing did."""
    changed = await changed_by(orbits.store, *RecordId.named(stack), at.timestamp())
    if changed is not None:
        return changed.revision
    return then.revision if then is not None else None  # what was done so long ago is not kept any more


def _meant(now: Mapping[str, TenantReport], wave: str | None, only: Collection[str]) -> dict[str, TenantReport]:
    if unknown := [id_ for id_ in only if id_ not in now]:
        raise UsageError(f"--only: the fleet has no {', '.join(unknown)}{like(unknown[0], now)}")
    waves = dict.fromkeys(one.wave for one in now.values() if one.wave)
    if wave is not None and wave not in waves:
        raise UsageError(f"--wave: the last roll-out had no wave {wave!r}; there were {', '.join(waves)}")
    return {id_: one for id_, one in now.items() if (not only or id_ in only) and wave in {None, one.wave}}
