"""Taking in what runs already: a tenant's stack becomes a record as it is, and nothing is changed.

A part of `Tenants.define_update`, and so run again after a crash. What always holds: the engine's own adoption does it,
below the tenant's stack as in any other (`as_found`), where it was found and shown; one that cannot be recorded is a
report, and stops no other.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orbits_iac import ExecutionFailed
from orbits_iac.provider import UsageError, kind_of
from orbits_tenants.doing import do_stack, preview_all
from orbits_tenants.lanes import Lanes
from orbits_tenants.outcome import adopted, carried, failed, in_order, left_out, said_of, told
from orbits_tenants.report import Report, TenantReport, TenantState
from orbits_tenants.roster import decisions, roster
from orbits_tenants.shared import Sharing
from orbits_tenants.tenant import REF, Tenant

if TYPE_CHECKING:
    from orbits_tenants.tenants import Tenants

Meant = tuple[Tenant, Mapping[str, str]]
"""A tenant, and what its things are called where they are, by the refs that lead to them."""


async def take_in(fleet: "Tenants[Any]", last: Report) -> Report:
    """Record what runs of those that are `fleet.importing`; the others are reported as the last roll-out left them."""
    found = await roster(fleet, last.tenants)
    members = {tenant.id: tenant for tenant in found.present}
    if unknown := ", ".join(id_ for id_ in fleet.importing if id_ not in members):
        raise UsageError(f"importing: {kind_of(type(fleet))} has no tenant {unknown}")
    await fleet.execution.keep_children()
    decided = await decisions(fleet, "intake")
    intake = Intake(fleet, Lanes(fleet.rollout), last.tenants)
    meant = [(decided.about(members[id_]), names) for id_, names in fleet.importing.items()]
    if fleet.execution.previewing:
        await intake.preview(meant)
        return Report(tenants={})
    taken = {id_: one.model_copy(update={"tenant": members[id_]}) for id_, one in (await intake.run(meant)).items()}
    others = [tenant for tenant in (*found.present, *found.ending) if tenant.id not in taken]
    came = {**{one.id: carried(last.tenants.get(one.id), one) for one in others}, **taken}
    listed = {one.id: came[one.id] for one in (*found.present, *found.ending)}
    reports = Sharing(fleet, last).noted(in_order(last.tenants, {**listed, **found.apart}))
    return told(fleet.execution, Report(tenants=reports, shared=last.shared, doubts=found.doubts))


class Intake:
    """Takes tenants of a fleet in."""

    def __init__(self, fleet: "Tenants[Any]", lanes: Lanes, before: Mapping[str, TenantReport]) -> None:
        self._fleet = fleet
        self._lanes = lanes
        self._before = before

    async def run(self, meant: Sequence[Meant]) -> dict[str, TenantReport]:
        """Take these in; their reports."""
        names = {tenant.id: names for tenant, names in meant}
        return await self._lanes.each([tenant for tenant, _ in meant], lambda one: self._one(one, names[one.id]))

    async def preview(self, meant: Sequence[Meant]) -> None:
        """Ask at once for all that is to be taken in: what an update would change of it."""
        fleet = self._fleet
        stacks = [(tenant, fleet.stack_of(tenant), names) for tenant, names in meant]
        await preview_all(do_stack(fleet, tenant, stack, as_found=names) for tenant, stack, names in stacks)

    async def _one(self, tenant: Tenant, names: Mapping[str, str]) -> TenantReport:
        flow, before = self._fleet.execution, self._before.get(tenant.id)
        async with self._lanes.room(tenant):
            began = flow.now()
            found_at = self._fleet.found_at.get(tenant.id, tenant.places)
            if found_at != tenant.places:
                why = f"it was found in {_said(found_at)}, and is in {_said(tenant.places)} by now: import it again"
                return left_out(tenant, before, TenantState.FAILED, why)
            try:
                stack = self._fleet.stack_of(tenant)
            except Exception as error:  # noqa: BLE001 - one tenant's stack that cannot be made stops no other
                return left_out(tenant, before, TenantState.FAILED, said_of(error))
            try:
                await do_stack(self._fleet, tenant, stack, as_found=names)
            except ExecutionFailed as error:
                report = failed(tenant, "", await flow.standing(REF, stack, key=tenant.id), error)
            else:
                report = adopted(tenant, await flow.standing(REF, stack, key=tenant.id))
        kept = {"passed": before.passed if before is not None else {}, "pinned": tuple(sorted(tenant.pinned))}
        return report.model_copy(update={"began": began, "ended": flow.now(), **kept})


def _said(places: Mapping[str, str]) -> str:
    return ", ".join(places.values()) or "no place"
