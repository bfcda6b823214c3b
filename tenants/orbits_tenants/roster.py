"""The roster: who is in a fleet now, asked for by a roll-out as its steps.

It brings together what the source says, who was known before (the reports of the last roll-out) and what people have
decided; the rules for that are `membership`, `expiry` and `decisions`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from orbits_iac import ExecutionFailed
from orbits_iac.provider import Refused, UsageError, hook, kind_of
from orbits_tenants.decisions import Decided, TenantDecisions, Tombstone
from orbits_tenants.drift_policy import left_alone
from orbits_tenants.expiry import expiry
from orbits_tenants.membership import members, moved
from orbits_tenants.outcome import carried, left_out
from orbits_tenants.report import TenantReport, TenantState
from orbits_tenants.tenant import REF, Tenant

if TYPE_CHECKING:
    from orbits_tenants.tenants import Tenants

SOURCE = "source"
"""The key of the step by which a roll-out reads whom its source has."""

_FRESH = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Roster:
    """Who is in a fleet.

    Attributes:
        present: those to whom a roll-out may go, in the order in which they joined.
        ending: those that have expired, and are removed, or were.
        apart: the reports of those to whom it does not go, whatever is released; of those who were removed too, as long
            as something of them stands.
        doubts: what the source said and was not believed.

    """

    present: tuple[Tenant, ...]
    ending: tuple[Tenant, ...]
    apart: Mapping[str, TenantReport]
    doubts: tuple[str, ...]


async def roster(fleet: "Tenants[Any]", before: Mapping[str, TenantReport]) -> Roster:
    """Who is in the fleet now; `before`: the reports of the last roll-out.

    Raises UsageError if the source is in doubt and the fleet's `listing` says to stop then.
    """
    decided = await decisions(fleet, "")
    there = {id_: one for id_, one in before.items() if id_ not in decided.removed}
    known = {id_: one.tenant for id_, one in there.items() if one.tenant is not None}
    gone = {id_: tenant for id_, tenant in known.items() if before[id_].state is TenantState.VANISHED}
    listed, why = await _listed(fleet)
    if listed is not None:
        listed = decided.members(listed)
    ended = {id_: known[id_] for id_, one in there.items() if one.state is TenantState.ENDED and id_ in known}
    standing = [tenant for id_, tenant in known.items() if id_ not in gone.keys() | ended.keys()]
    free = await _free(fleet, {**{one.id: one for one in standing}, **gone}, listed or (), before)
    found = members(fleet.listing, standing, listed, why=why, gone=gone, free=free)
    now = fleet.execution.now()
    left = left_alone(map(decided.about, found.present), now)
    due = expiry(fleet.listing, found.present, known, ended, left, now)
    apart = {tenant.id: left_out(tenant, before.get(tenant.id), TenantState.PAUSED, why) for tenant, why in due.kept}
    apart |= {tenant.id: left_out(tenant, before.get(tenant.id), TenantState.VANISHED) for tenant in found.vanished}
    stuck = [id_ for id_, one in before.items() if id_ in decided.removed and _may_stand(one)]
    apart |= {id_: _stuck(before[id_], decided.removed[id_]) for id_ in stuck}
    listed_now = {tenant.id for tenant in found.present}
    apart |= {id_: carried(before[id_], tenant) for id_, tenant in ended.items() if id_ not in listed_now}
    return Roster(present=in_place(due.present, there), ending=due.ending, apart=apart, doubts=found.doubts)


async def _free(
    fleet: "Tenants[Any]", known: Mapping[str, Tenant], listed: Sequence[Tenant], before: Mapping[str, TenantReport]
) -> frozenset[str]:
    """Those known whom the source has elsewhere, and of whom nothing stands, or was left by what was tried."""
    free: set[str] = set()
    for read in listed:
        tenant = known.get(read.id)
        if tenant is None or before[read.id].revision is not None or not moved(tenant, read):
            continue
        try:
            stack = fleet.stack_of(tenant)
        except Exception:  # noqa: BLE001 - a stack that cannot be made was never asked for, or cannot be told to be gone
            may_move = not before[read.id].stack
        else:
            may_move = await fleet.execution.may_move(REF, stack, key=tenant.id)
        if may_move:
            free.add(read.id)
    return frozenset(free)


def in_place(tenants: Iterable[Tenant], there: Iterable[str]) -> tuple[Tenant, ...]:
    """These in the order in which they joined; `there`: the ids of those that were there before, in that order.

    Whoever was away for a while has the same place again, and who is new comes last.
    """
    place = {id_: number for number, id_ in enumerate(there)}
    return tuple(sorted(tenants, key=lambda tenant: place.get(tenant.id, len(place))))


def _may_stand(report: TenantReport) -> bool:
    """Whether something may stand of one that was removed: it had a stack, and its removal has not come to its end."""
    return report.state is not TenantState.ENDED and bool(report.stack)


def _stuck(before: TenantReport, stone: Tombstone) -> TenantReport:
    """The report of one that was removed, and still stands: its removal failed, or was not begun."""
    said = {"error": f"it was removed by {stone.who}, and still stands", "left": ("orbits tenants remove ends it",)}
    return before.model_copy(update={"state": TenantState.LEFT, "earlier": True, "path": (), **said})


async def decisions(fleet: "Tenants[Any]", when: str) -> Decided:
    """What people have decided by now; `when` tells one reading of a roll-out from another."""
    with fleet.execution.scope(f"decided {when}"):
        try:
            return await fleet.execution.outputs(TenantDecisions, kind_of(type(fleet)))
        except Refused:  # nobody has decided anything yet
            return Decided()
        except ExecutionFailed as error:
            if not error.caused_by(Refused):
                raise
            return Decided()


class Lately:
    """What people have decided by now: looked for where the last look is older than a second, read if it is new."""

    def __init__(self, fleet: "Tenants[Any]") -> None:
        self._fleet = fleet
        self._turns = count(1)
        self._at: datetime | None = None
        self._known: int | None = None
        self._decided = Decided()
        self._asking = asyncio.Lock()

    async def decided(self, *, again: bool = False) -> Decided:
        """What holds for whoever's turn it is now; `again`: it is looked for in any case."""
        fleet = self._fleet
        async with self._asking:
            now = fleet.execution.now()
            if again or self._at is None or now - self._at > _FRESH:
                turn, self._at = next(self._turns), now
                with fleet.execution.scope(f"turn {turn}"):
                    stands = await fleet.execution.revision_of(TenantDecisions, kind_of(type(fleet)))
                if stands != self._known:
                    self._decided, self._known = await decisions(fleet, f"turn {turn}"), stands
            return self._decided


async def _listed(fleet: "Tenants[Any]") -> tuple[Sequence[Tenant] | None, str]:
    """What the source has now; or None, and why not."""
    try:
        if fleet.execution.previewing:
            return fleet.read_source(), ""
        step = hook(fleet.read_source, returns=tuple[Tenant, ...], idempotent=True, reads=True)
        listed: tuple[Tenant, ...] = await fleet.do(SOURCE, step)
    except (ExecutionFailed, UsageError) as error:
        return None, error.message if isinstance(error, ExecutionFailed) else str(error)
    return listed, ""
