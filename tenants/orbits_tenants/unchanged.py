"""Tenants of which nothing has changed: a roll-out passes over them, and says since when nobody has looked at them.

What decides is in the engine (`Flow.pass_over`); here is what is given to it, of each tenant its stack with its labels
and how the last report left it, and what comes of it in the next. Called by a roll-out once what the tenants share is
done, as each wave begins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orbits_iac import Resource
from orbits_iac.provider import Flow, Left, Rest
from orbits_tenants.report import OK, TenantReport, TenantState
from orbits_tenants.tenant import Tenant


@dataclass(frozen=True)
class Unchanged:
    """What is known of tenants before anything is asked of their stacks."""

    rests: Mapping[str, Rest]
    last: Mapping[str, TenantReport]
    at: datetime

    def digest(self, tenant: Tenant) -> str:
        """The digest of what its roll-out is to do with a tenant; "" if that could not be told."""
        rest = self.rests.get(tenant.id)
        return "" if rest is None else rest.digest

    def report(self, tenant: Tenant, wave: str) -> TenantReport | None:
        """The report of a tenant that was passed over; None if it is to be updated."""
        rest, last = self.rests.get(tenant.id), self.last.get(tenant.id)
        if rest is None or last is None or rest.looked_at is None:
            return None
        return passed_over(last, rest, self.at).model_copy(update={"wave": wave, "tenant": tenant})


def passed_over(last: TenantReport, rest: Rest, at: datetime) -> TenantReport:
    """The report of what was passed over, by its last one."""
    return TenantReport(
        state=TenantState.UNCHANGED,
        wave="",
        stack=last.stack,
        revision=last.revision,
        account=last.account,
        digest=rest.digest,
        checked_at=rest.looked_at or 0.0,
        began=at,
        ended=at,
    )


def labels_of(tenant: Tenant) -> dict[str, str]:
    """What a tenant's stack is done with."""
    return {**tenant.labels, "tenant": tenant.id}


async def pass_over(
    flow: Flow, ref: str, stacks: Iterable[tuple[Tenant, Resource[Any]]], last: Mapping[str, TenantReport]
) -> Unchanged:
    """Pass over those of these tenants of which nothing has changed since their last reports."""
    rests = await flow.pass_over(ref, {tenant.id: left(tenant, stack, last) for tenant, stack in stacks})
    return Unchanged(rests, last, flow.now())


def left(tenant: Tenant, stack: Resource[Any], last: Mapping[str, TenantReport]) -> Left:
    """What a roll-out is about to do, and how the last one left that."""
    before = last.get(tenant.id)
    asked = Left(stack, labels=labels_of(tenant), targets=tenant.targets)
    if before is None or before.state not in OK:
        return asked
    return asked._replace(digest=before.digest, revision=before.revision)
