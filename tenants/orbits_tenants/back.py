"""The way back of tenants that went forward: with their wave or with all, or because somebody asks for it later.

What always holds: each goes back by its own stack's revisions, the last one first; nothing is brought back over a step
of no return, and who has passed one is held and listed; what ran before it was taken in is brought back to what was
found, and never removed; what somebody else has done to a tenant meanwhile is not taken back with what its roll-out
did; one that cannot be brought back stops no other. One whose stack was another then (of another class, or called
otherwise) goes back by the present one being removed, where that other stands as it did; else it is left as it is, for
a decision.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from orbits_tenants.doing import do_for
from orbits_tenants.lanes import Lanes
from orbits_tenants.outcome import named, said_of, standing_stacks
from orbits_tenants.report import TenantReport, TenantState
from orbits_tenants.tenant import REF, Tenant

if TYPE_CHECKING:
    from orbits_iac import Resource, Step
    from orbits_iac.provider import Standing
    from orbits_tenants.tenants import Tenants


_ANEW: Mapping[str, Any] = {"earlier": False, "path": ()}
"""What is so of each that was gone to, whatever its last report says."""


class WayBack:
    """Brings tenants of a fleet back."""

    def __init__(self, fleet: "Tenants[Any]", lanes: Lanes) -> None:
        self._fleet = fleet
        self._lanes = lanes
        self._beside: dict[str, dict[str, int | None]] = {}

    async def from_this(
        self, reports: Iterable[TenantReport], before: Mapping[str, TenantReport]
    ) -> dict[str, TenantReport]:
        """Those of these that went forward go back to what stood when this roll-out began, as `before` reports it."""
        forward = [report for report in reports if report.state is TenantState.UPDATED]
        await self._look_beside()
        return await self._all(reversed(forward), partial(self._from_this, before))

    async def to(
        self,
        before: Mapping[str, TenantReport],
        revisions: Mapping[str, int | None],
        stood_as: Mapping[str, str],
    ) -> dict[str, TenantReport]:
        """Tenants go back to these revisions of their stacks; None: to nothing. `before`: how they were reported.

        `stood_as`: of those whose stack was another then, what it was. Those that stand so already are left out.
        """
        await self._look_beside()

        async def one(tenant: Tenant, report: TenantReport) -> TenantReport | None:
            revision, stack = revisions[tenant.id], self._fleet.stack_of(tenant)
            if tenant.id in stood_as:
                return await self._to_other(tenant, report, stack, stood_as[tenant.id], revision)
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

    async def _from_this(
        self, before: Mapping[str, TenantReport], tenant: Tenant, report: TenantReport
    ) -> TenantReport:
        if report.no_return:
            return _held(report, report.no_return)
        stack = self._fleet.stack_of(tenant)
        standing = await self._standing(tenant, stack, "before")
        if not standing.own:
            why = f"somebody else brought it to revision {standing.revision} meanwhile: it stays there"
            update = {**_ANEW, "state": TenantState.LEFT, "error": "went forward", "left": (why,)}
            return report.model_copy(update=update)
        step = _unmade(stack, standing) if report.made else stack.rollback()
        was = before.get(tenant.id)
        if was is None or was.stack in {"", report.stack}:
            return await self._gone_back(tenant, report, stack, step)
        if report.made:
            return await self._to_other(tenant, report, stack, was.stack, was.revision)
        both = await self._gone_back(tenant, report, stack, step)  # the other stood before, too
        stays = f"{both.stack} at revision {both.revision}, as before"
        return _brought_back(report, was.stack, self._beside[tenant.id].get(was.stack), (stays,))

    async def _to_other(
        self, tenant: Tenant, report: TenantReport, stack: "Resource[Any]", was: str, revision: int | None
    ) -> TenantReport:
        """Bring one back to what its stack was, which stands beside the present one if nobody has removed it."""
        standing = await self._standing(tenant, stack, "before other", since=0)
        passed = [*standing.passed, *(name for name, at in report.passed.items() if at > (revision or 0))]
        if passed:
            return _held(report, passed)
        stands = self._beside.get(tenant.id, {}).get(was)
        if stands is None or stands != revision:
            why = undecided(tenant.id, was, revision, named(standing), standing.revision, stands)
            update = {**_ANEW, "state": TenantState.LEFT, "error": "its stack is another now", "left": (why,)}
            return report.model_copy(update={**update, "stack": named(standing), "revision": standing.revision})
        stays: Iterable[str] | None = ()
        if standing.revision is not None:
            stays = await do_for(self._fleet, tenant, "back", _unmade(stack, standing))
        if standing.found:
            stays = (f"{named(standing)}, as it was found",)
        return _brought_back(report, was, revision, stays or ())

    async def _look_beside(self) -> None:
        """See what stands of each tenant beside the stack that it has."""
        with self._fleet.execution.scope("beside"):
            self._beside = await standing_stacks(self._fleet.execution)

    async def _all(
        self,
        reports: Iterable[TenantReport],
        back: Callable[[Tenant, TenantReport], Awaitable[TenantReport | None]],
    ) -> dict[str, TenantReport]:
        async def one(tenant: Tenant) -> TenantReport | None:
            report = reported[tenant.id]
            async with self._lanes.room(tenant):
                try:
                    return await back(tenant, report)
                except Exception as error:  # noqa: BLE001 - one that cannot be brought back stops no other
                    return report.model_copy(update={**_ANEW, "state": TenantState.LEFT, "error": said_of(error)})

        known = [(report.tenant, report) for report in reports if report.tenant is not None]
        reported = {tenant.id: report for tenant, report in known}
        found = await self._lanes.each([tenant for tenant, _ in known], one)
        return {id_: report for id_, report in found.items() if report is not None}

    async def _gone_back(
        self, tenant: Tenant, report: TenantReport, stack: "Resource[Any]", step: "Step[Any]"
    ) -> TenantReport:
        stays = await do_for(self._fleet, tenant, "back", step)
        standing = await self._standing(tenant, stack, "back")
        now, left = named(standing), tuple(stays or ()) if standing.revision is None else ()
        if standing.revision is None:  # what it had before its stack became another is not gone with it
            beside = self._beside.get(tenant.id, {})
            left += tuple(f"{name} at revision {number}" for name, number in beside.items() if name != now)
        return _brought_back(report, now, standing.revision, left)

    async def _standing(
        self, tenant: Tenant, stack: "Resource[Any]", when: str, since: int | None = None
    ) -> "Standing":
        return await self._fleet.execution.standing(REF, stack, key=tenant.id, again=when, since=since)


def undecided(tenant: str, was: str, then: int | None, now: str, revision: int | None, stands: int | None) -> str:
    """Why a tenant is not brought back to what its stack `was`, in a line for people: that `stands` otherwise now."""
    there = f"stands at revision {stands}" if stands is not None else "does not stand any more"
    return (
        f"{tenant} was {was} at revision {then} then, and is {now} at revision {revision} now; {was} {there}: "
        f"nothing is done to it"
    )


def _unmade(stack: "Resource[Any]", standing: "Standing") -> "Step[Any]":
    """What takes back that a stack was made: what was there before is brought back to what was found."""
    return stack.rollback(to=0) if standing.found else stack.uninstall(keep_data=True)


def _brought_back(report: TenantReport, stack: str, revision: int | None, left: Iterable[str]) -> TenantReport:
    update = {**_ANEW, "state": TenantState.BROUGHT_BACK, "error": None, "stack": stack}
    return report.model_copy(update={**update, "revision": revision, "left": tuple(left)})


def _held(report: TenantReport, passed: Iterable[str]) -> TenantReport:
    return report.model_copy(update={**_ANEW, "state": TenantState.HELD, "no_return": tuple(dict.fromkeys(passed))})
