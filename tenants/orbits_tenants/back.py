"""The way back of tenants that went forward: with their wave or with all, or because somebody asks for it later.

What always holds: each goes back by its own stack's revisions, the last one first; nothing is brought back over a step
of no return, and who has passed one is held and listed; one that cannot be brought back stops no other.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from orbits_iac import ExecutionFailed
from orbits_tenants.lanes import Lanes
from orbits_tenants.report import TenantReport, TenantState
from orbits_tenants.tenant import REF

if TYPE_CHECKING:
    from orbits_iac import Resource, Step
    from orbits_tenants.tenants import Tenants


class WayBack:
    """Brings tenants of a fleet back."""

    def __init__(self, fleet: "Tenants[Any]", lanes: Lanes) -> None:
        self._fleet = fleet
        self._lanes = lanes

    async def from_this(self, reports: Iterable[TenantReport]) -> dict[str, TenantReport]:
        """Those of these that went forward go back to what stood when this roll-out began."""
        forward = [report for report in reports if report.state is TenantState.UPDATED]
        return await self._all((report, report.no_return, self._step(report)) for report in reversed(forward))

    async def to(
        self, before: Mapping[str, TenantReport], revisions: Mapping[str, int | None]
    ) -> dict[str, TenantReport]:
        """Tenants go back to these revisions of their stacks; None: to nothing. `before`: how they stand."""
        going: list[tuple[TenantReport, tuple[str, ...], Step[Any] | None]] = []
        for id_, revision in reversed([*revisions.items()]):
            report = before[id_]
            if report.revision is None or report.revision == revision or report.tenant is None:
                continue
            stack = self._fleet.stack_of(report.tenant)
            passed = tuple(name for name, at in report.passed.items() if at > (revision or 0))
            step = stack.rollback(to=revision) if revision is not None else stack.uninstall(keep_data=True)
            going.append((report, passed, step))
        return await self._all(going)

    def _step(self, report: TenantReport) -> "Step[Any] | None":
        if report.tenant is None:
            return None
        stack: Resource[Any] = self._fleet.stack_of(report.tenant)
        return stack.uninstall(keep_data=True) if report.made else stack.rollback()

    async def _all(
        self, going: "Iterable[tuple[TenantReport, tuple[str, ...], Step[Any] | None]]"
    ) -> dict[str, TenantReport]:
        reports = await asyncio.gather(*(self._one(report, passed, step) for report, passed, step in going))
        return {report.tenant.id: report for report in reports if report.tenant is not None}

    async def _one(self, report: TenantReport, passed: tuple[str, ...], step: "Step[Any] | None") -> TenantReport:
        tenant, execution = report.tenant, self._fleet.execution
        if tenant is None or step is None:
            return report
        if passed:
            return report.model_copy(update={"state": TenantState.HELD, "no_return": passed})
        async with self._lanes.room(tenant):
            try:
                home, within = tenant.home or None, tenant.targets
                await self._fleet.do("back", step, key=tenant.id, target=home, within=within)
            except ExecutionFailed as error:
                return report.model_copy(update={"state": TenantState.LEFT, "error": str(error)})
        standing = await execution.standing(REF, self._fleet.stack_of(tenant), key=tenant.id, again="back")
        return report.model_copy(
            update={"state": TenantState.BROUGHT_BACK, "revision": standing.revision, "earlier": False, "error": None}
        )
