"""The way back of tenants that went forward: with their wave or with all, or because somebody asks for it later.

What always holds: each goes back by its own stack's revisions, the last one first; nothing is brought back over a step
of no return, and who has passed one is held and listed; what ran before it was taken in is brought back to what was
found, and never removed; what somebody else has done to a tenant meanwhile is not taken back with what its roll-out
did; one that cannot be brought back stops no other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from orbits_tenants.doing import do_for
from orbits_tenants.lanes import Lanes
from orbits_tenants.report import TenantReport, TenantState, said_of
from orbits_tenants.tenant import REF, Tenant

if TYPE_CHECKING:
    from orbits_iac import Resource, Step
    from orbits_iac.provider import Standing
    from orbits_tenants.tenants import Tenants


class WayBack:
    """Brings tenants of a fleet back."""

    def __init__(self, fleet: "Tenants[Any]", lanes: Lanes) -> None:
        self._fleet = fleet
        self._lanes = lanes

    async def from_this(self, reports: Iterable[TenantReport]) -> dict[str, TenantReport]:
        """Those of these that went forward go back to what stood when this roll-out began."""
        forward = [report for report in reports if report.state is TenantState.UPDATED]
        return await self._all(reversed(forward), self._from_this)

    async def to(
        self, before: Mapping[str, TenantReport], revisions: Mapping[str, int | None]
    ) -> dict[str, TenantReport]:
        """Tenants go back to these revisions of their stacks; None: to nothing. `before`: how they were reported.

        Those that stand so already are left out.
        """

        async def one(tenant: Tenant, report: TenantReport) -> TenantReport | None:
            revision, stack = revisions[tenant.id], self._fleet.stack_of(tenant)
            standing = await self._standing(tenant, stack, "before", since=revision or 0)
            if revision is None and standing.found:
                revision = 0
            if standing.revision in {None, revision}:
                return None
            passed = [*standing.passed, *(name for name, at in report.passed.items() if at > (revision or 0))]
            if passed:
                return _held(report, passed)
            step = stack.rollback(to=revision) if revision is not None else stack.uninstall(keep_data=True)
            return await self._gone_back(tenant, report, stack, step)

        return await self._all((before[id_] for id_ in reversed([*revisions])), one)

    async def _from_this(self, tenant: Tenant, report: TenantReport) -> TenantReport:
        if report.no_return:
            return _held(report, report.no_return)
        stack = self._fleet.stack_of(tenant)
        standing = await self._standing(tenant, stack, "before")
        if not standing.own:
            why = f"somebody else brought it to revision {standing.revision} meanwhile: it stays there"
            return report.model_copy(update={"state": TenantState.LEFT, "error": "went forward", "left": (why,)})
        step: Step[Any] = stack.rollback()
        if report.made:
            step = stack.rollback(to=0) if standing.found else stack.uninstall(keep_data=True)
        return await self._gone_back(tenant, report, stack, step)

    async def _all(
        self,
        reports: Iterable[TenantReport],
        back: Callable[[Tenant, TenantReport], Awaitable[TenantReport | None]],
    ) -> dict[str, TenantReport]:
        async def one(tenant: Tenant, report: TenantReport) -> TenantReport | None:
            async with self._lanes.room(tenant):
                try:
                    return await back(tenant, report)
                except Exception as error:  # noqa: BLE001 - one that cannot be brought back stops no other
                    return report.model_copy(update={"state": TenantState.LEFT, "error": said_of(error)})

        known = [(report.tenant, report) for report in reports if report.tenant is not None]
        found = await asyncio.gather(*(one(tenant, report) for tenant, report in known))
        return {tenant.id: report for (tenant, _), report in zip(known, found, strict=True) if report is not None}

    async def _gone_back(
        self, tenant: Tenant, report: TenantReport, stack: "Resource[Any]", step: "Step[Any]"
    ) -> TenantReport:
        stays = await do_for(self._fleet, tenant, "back", step)
        standing = await self._standing(tenant, stack, "back")
        left = tuple(stays or ()) if standing.revision is None else ()
        update = {"state": TenantState.BROUGHT_BACK, "revision": standing.revision, "earlier": False, "error": None}
        return report.model_copy(update={**update, "left": left})

    async def _standing(
        self, tenant: Tenant, stack: "Resource[Any]", when: str, since: int | None = None
    ) -> "Standing":
        return await self._fleet.execution.standing(REF, stack, key=tenant.id, again=when, since=since)


def _held(report: TenantReport, passed: Iterable[str]) -> TenantReport:
    return report.model_copy(update={"state": TenantState.HELD, "no_return": tuple(dict.fromkeys(passed))})
