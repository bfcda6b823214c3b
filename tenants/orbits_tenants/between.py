"""Between two waves of a roll-out: the one that is over bakes, is checked, and is promoted by itself, policy or hand.

It is a part of the definition of the fleet's update; a roll-out that is superseded cancels it wherever it is.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

from orbits_iac import ExecutionFailed
from orbits_iac.provider import Below, Change, Left, OutOfReach, Refused
from orbits_tenants.amounts import counted
from orbits_tenants.lanes import Lanes
from orbits_tenants.outcome import said_of
from orbits_tenants.policy import Policy, told
from orbits_tenants.promotion import PROMOTE, Promoted
from orbits_tenants.report import OK, Report, TenantReport
from orbits_tenants.rollout import Cut
from orbits_tenants.roster import decisions
from orbits_tenants.tenant import REF, Tenant
from orbits_tenants.unchanged import left

if TYPE_CHECKING:
    from orbits_tenants.tenants import Tenants

_LOOKS = 5  # at a tenant that others are at: its schedule, or somebody who updates it
_BUSY = timedelta(minutes=1)  # between two of them
_LOOKING = timedelta(hours=1)  # for all that a wave is previewed for its policy


class Between:
    """What has to be so before the next wave begins."""

    def __init__(self, fleet: "Tenants[Any]", lanes: Lanes, before: Mapping[str, TenantReport]) -> None:
        """`before`: the reports of the last roll-out."""
        self._fleet = fleet
        self._before = before
        self._lanes = lanes

    async def check(self, number: int, cut: Cut, reports: Mapping[str, TenantReport]) -> str:
        """Why a wave did not pass its check, once it has baked; "" if it did. `reports`: of all so far."""
        fleet, wave = self._fleet, cut.wave
        if wave.bake:
            fleet.execution.progress(f"wave {number} ({cut.name}) bakes for {wave.bake}")
            await asyncio.sleep(wave.bake.total_seconds())
        try:
            with fleet.execution.scope(f"check {number}"), fleet.execution.admitted():
                await fleet.define_check(cut.name, Report(tenants=dict(reports)))
            if wave.check == "drift":
                await self._refuse_drift(number, [one for one in cut.tenants if _is_well(reports.get(one.id))])
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a wave, the next one does not begin
            return f"wave {cut.name} did not pass its check: {said_of(error)}"
        return ""

    async def promote(self, number: int, cut: Cut, following: Cut) -> None:
        """Return once the wave that follows the `number`-th may begin: by itself, by its policy, or by hand."""
        wave = cut.wave
        if callable(wave.promote):
            await self._by_policy(number, cut, following, wave.promote)
        elif wave.promote == "by hand":
            await self._by_hand(number, cut)

    async def foresee(self, cuts: Sequence[Cut]) -> None:
        """Remark of each wave that a policy lets begin what that would say of it, by what the plan shows."""
        for number, (cut, following) in enumerate(pairwise(cuts), start=1):
            if callable(cut.wave.promote):
                why = told(await self._looked_at(number, following, cut.wave.promote, {}))
                said = f"would wait for approval: {why}" if why else "would begin by itself"
                self._fleet.execution.remark(f"by its policy, wave {following.name} {said}")

    async def _by_hand(self, number: int, cut: Cut, why: str = "", asked: int = 1) -> None:
        flow, go_on = self._fleet.execution, f"orbits tenants promote {type(self._fleet).__name__}"
        flow.progress(f"wave {number} ({cut.name}) is done, and waits: {why}{go_on}")
        name = f"{PROMOTE} {number}" if asked == 1 else f"{PROMOTE} {number} {asked}"
        await flow.wait_for(name, Promoted, where=lambda event: (event.wave, event.asked) == (number, asked))

    async def _by_policy(self, number: int, cut: Cut, following: Cut, policy: Policy) -> None:
        """Wait for a person as long as the policy says something of somebody whom it has not seen so yet.

        While a person looks others may be resumed, pinned, or let somebody in again.
        """
        seen: dict[str, Tenant] = {}
        for asked in count(1):
            with self._fleet.execution.scope(f"again {asked - 1}") if asked > 1 else nullcontext():
                why = told(await self._looked_at(number, following, policy, seen))
                if not why:
                    return
                why = f"somebody has to look at wave {following.name} first: {why}: "
                await self._by_hand(number, cut, why, asked)

    async def _looked_at(self, number: int, following: Cut, policy: Policy, seen: dict[str, Tenant]) -> dict[str, str]:
        """What a policy says of what the next wave would do, by tenant; those it has seen as they are now are left out.

        Those that it sees by this are added to `seen`.
        """
        flow, stacks, said = self._fleet.execution, dict[str, Left](), dict[str, str]()
        decided = await decisions(self._fleet, f"after wave {number}")
        about = (decided.about(one) for one in following.tenants)
        tenants = {one.id: one for one in about if not one.paused and seen.get(one.id) != one}
        if not tenants:
            return {}
        flow.progress(f"wave {following.name} is previewed: {counted(len(tenants))}")
        for id_, tenant in tenants.items():
            try:
                stack = self._fleet.stack_of(tenant)
            except Exception as error:  # noqa: BLE001 - whatever a user's stack() raises is for a person to look at
                said[id_] = f"its stack cannot be made: {said_of(error)}"
            else:
                stacks[id_] = left(tenant, stack, self._before)
        try:
            async with asyncio.timeout(_LOOKING.total_seconds()):
                with flow.scope(f"ahead {number}"):
                    ahead = await flow.look_ahead(REF, stacks, _judge(policy, tenants))
            said |= {id_: why for id_, why in ahead.items() if why}
            unseen = {id_ for id_, why in ahead.items() if not why}
        except TimeoutError:  # one that hangs: a person may let the others go on
            unseen = set()
            said |= dict.fromkeys(stacks, f"what would be done was not known within {_LOOKING}")
        seen |= {id_: tenant for id_, tenant in tenants.items() if id_ not in unseen}
        return {id_: said[id_] for id_ in tenants if id_ in said}

    async def _refuse_drift(self, number: int, tenants: "list[Tenant]") -> None:
        """Look at those of a wave that went forward; `Refused` names those that have drifted since, or stayed busy."""
        flow = self._fleet.execution

        async def look(tenant: Tenant) -> Below | None:
            stack, when = self._fleet.stack_of(tenant), f"check {number}"
            standing = await flow.standing(REF, stack, key=tenant.id, again=when)
            child = Below(ref=REF, kind=standing.kind, identity=standing.identity, owned=False, tenant=tenant.id)
            for attempt in range(1, _LOOKS + 1):
                async with self._lanes.room(tenant):
                    with flow.scope(f"look {number}" if attempt == 1 else f"look {number} again {attempt}"):
                        if await self._cycled(tenant, child):
                            return child
                if attempt < _LOOKS:
                    await asyncio.sleep(_BUSY.total_seconds())
            return None

        children = await asyncio.gather(*(look(tenant) for tenant in tenants))
        busy = [tenant.id for tenant, child in zip(tenants, children, strict=True) if child is None]
        if busy:
            raise Refused(f"could not be looked at, since others were at it or nothing of it stands: {', '.join(busy)}")
        with flow.scope(f"look {number}"):
            found = await flow.drifted([child for child in children if child is not None])
        drifted = [tenant.id for tenant, things in zip(tenants, found, strict=True) if things]
        if drifted:
            raise Refused(f"drifted since: {', '.join(drifted)}")

    async def _cycled(self, tenant: Tenant, child: Below) -> bool:
        """Whether a tenant was looked at; one that lets nobody in by now is left out: that says nothing of the wave."""
        flow = self._fleet.execution
        try:
            return await flow.cycle_child(child, on_drift="report")
        except ExecutionFailed as error:
            if not error.caused_by(OutOfReach):
                raise
            flow.progress(f"{tenant.id} is not looked at: {error}")
            return True


def _is_well(report: TenantReport | None) -> bool:
    return report is not None and report.state in OK


def _judge(policy: Policy, tenants: Mapping[str, Tenant]) -> Callable[[str, Change], str]:
    return lambda id_, change: policy(tenants[id_], change)
