"""What a fleet does for one of its tenants: a step at the tenant's home and within its targets, its stack above all.

Asked by whatever goes to tenants: the waves of a roll-out, the way back, the intake of what runs already.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from orbits_iac import ExecutionFailed
from orbits_iac.provider import StepOptions
from orbits_tenants.tenant import REF, Tenant
from orbits_tenants.unchanged import labels_of

if TYPE_CHECKING:
    from orbits_iac import Resource, Step
    from orbits_tenants.tenants import Tenants

T = TypeVar("T")


async def do_for(fleet: "Tenants[Any]", tenant: Tenant, ref: str, step: "Step[T]", **more: Unpack[StepOptions]) -> T:
    """Do a step for a tenant, where that is at home and nowhere beyond its targets."""
    options: StepOptions = {**more, "within": tenant.targets}
    return await fleet.do(ref, step, key=tenant.id, target=tenant.home or None, **options)


async def do_stack(fleet: "Tenants[Any]", tenant: Tenant, stack: "Resource[Any]", **more: Unpack[StepOptions]) -> None:
    """Do a tenant's stack, as its roll-out limits it."""
    options: StepOptions = {**more, **fleet.rollout.limits(), "labels": labels_of(tenant)}
    await do_for(fleet, tenant, REF, stack, **options)


async def preview_all(steps: Iterable[Awaitable[Any]]) -> None:
    """Ask at once for all that a preview shows; of one that would fail its change says so."""
    for result in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(result, BaseException) and not isinstance(result, ExecutionFailed):
            raise result
