"""Tenants: the Resource that rolls one stack out for each tenant of a source.

What always holds: its update writes no record but its own, so a tenant's record is held only while that tenant is
updated; a failed tenant is reported, and fails neither the others nor the roll-out; a rollback of the `Tenants` itself
never touches a tenant.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar, Generic

from pydantic import PrivateAttr, ValidationError
from typing_extensions import TypeVar

from orbits_iac import ExecutionFailed, Options, Resource, Revision
from orbits_iac.provider import UsageError, hook, kind_of
from orbits_tenants.report import OK, Report, TenantReport, TenantState, failed, not_begun, succeeded
from orbits_tenants.rollout import Rollout
from orbits_tenants.sources.source import Source, read
from orbits_tenants.tenant import Tenant

S = TypeVar("S", bound=Resource[Any])

REF = "tenant"
"""What a tenant's stack is called in the roll-out; its key is the tenant's id."""


class Tenants(Resource[Report], Generic[S]):
    """One stack for each tenant of `source`, brought to them as `rollout` says; its outputs are the `Report`.

    A tenant that vanishes from the source stays as it is, is looked after by `cycle`, and goes with `uninstall`, which
    removes all tenants, the last first.
    """

    options = Options(own_build=True)
    source: ClassVar[Source]
    rollout: ClassVar[Rollout]

    _updating: bool = PrivateAttr(default=False)

    def identity(self) -> str:
        """The kind: there is one fleet of each class."""
        return kind_of(type(self))

    def stack(self, tenant: Tenant) -> S:
        """The stack for this tenant. Pure: it is asked for at any time. `overrides` are applied to what it returns."""
        raise NotImplementedError(f"{type(self).__name__} has no stack(): return the Resource for a tenant")

    async def define_shared(self) -> None:
        """What all tenants share, done before the first wave."""

    async def define_finish(self, report: Report) -> None:
        """What is done when the last wave is over; if it fails, the report says so."""

    def check_inputs(self) -> None:
        """Read the source and make every stack, before anything is written."""
        cls = type(self)
        for name, example in (("source", 'YamlSource("clients.yaml")'), ("rollout", 'Rollout(waves=["1", "100%"])')):
            if not hasattr(cls, name):
                raise UsageError(f"{cls.__name__} has no {name}: give the class one, as in {name} = {example}")
        self.rollout.refuse_unbuilt()
        for tenant in read(self.source):
            self._stack(tenant)

    def read_source(self) -> tuple[Tenant, ...]:
        """The tenants as the source has them now."""
        return read(self.source)

    async def define_update(self) -> Report:
        """Bring every tenant to what its stack says, wave by wave, and report."""
        self._updating = True
        self.rollout.refuse_unbuilt()
        tenants = await self._tenants()
        await self.define_shared()
        report = Report(tenants=await self._roll_out(tenants))
        self.execution.progress(report.summary)
        if self.execution.previewing:  # what is done then depends on what came of it
            return report
        try:
            await self.define_finish(report)
        except Exception as error:  # noqa: BLE001 - a roll-out that is over does not fail for its message
            report = report.model_copy(update={"finish_error": f"{type(error).__name__}: {error}"})
        return report

    async def define_rollback(self, to: Revision[Report]) -> Report:
        """Leave the tenants alone: each that failed has gone back by itself."""
        if not self._updating:
            raise UsageError(
                f"rolling back the whole fleet {kind_of(type(self))} is not built yet in this version: roll back the "
                f"tenants one by one, by their own stack, or run `up` with the release that was good"
            )
        return to.outputs

    async def define_uninstall(self) -> None:
        """Uninstall every tenant's stack, and what they share, the last done first."""
        if self._updating:  # a first roll-out that did not come to its end: what stands of the tenants stays
            return
        await self.execution.uninstall_children()

    async def _tenants(self) -> tuple[Tenant, ...]:
        if self.execution.previewing:
            return read(self.source)
        found: tuple[Tenant, ...] = await self.do(
            "source", hook(self.read_source, returns=tuple[Tenant, ...], idempotent=True)
        )
        return found

    async def _roll_out(self, tenants: tuple[Tenant, ...]) -> Mapping[str, TenantReport]:
        reports: dict[str, TenantReport] = {}
        if self.execution.previewing:  # all at once: a tenant that does not stand yet ends only its own branch
            slots = asyncio.Semaphore(len(tenants))
            await asyncio.gather(*(self._one(tenant, "", slots) for tenant in tenants))
            return reports
        waves = self.rollout.cut(len(tenants))
        slots = asyncio.Semaphore(self.rollout.max_concurrency)
        for number, (wave, positions) in enumerate(waves, start=1):
            bad = sum(report.state not in OK for report in reports.values())
            if not self.rollout.goes_on(failed=bad, tenants=len(tenants)):
                left = [tenants[position].id for _, rest in waves[number - 1 :] for position in rest]
                names = {tenants[position].id: name for name, rest in waves for position in rest}
                skipped = {id_: TenantReport(state=TenantState.NOT_STARTED, wave=names[id_]) for id_ in left}
                return {**reports, **skipped}
            self.execution.progress(
                f"wave {number} of {len(waves)} ({wave}): {len(positions)} tenants", positions.start / len(tenants)
            )
            members = [tenants[position] for position in positions]
            results = await asyncio.gather(*(self._one(tenant, wave, slots) for tenant in members))
            reports.update(zip((tenant.id for tenant in members), results, strict=True))
        return reports

    async def _one(self, tenant: Tenant, wave: str, slots: asyncio.Semaphore) -> TenantReport:
        """Update one tenant; whatever happens to it is its report."""
        async with slots:
            try:
                stack = self._stack(tenant)
            except Exception as error:  # noqa: BLE001 - one tenant's stack that cannot be made stops no other
                return not_begun(wave, error)
            try:
                await self.do(REF, stack, key=tenant.id, labels={**tenant.labels, "tenant": tenant.id})
            except ExecutionFailed as error:
                return failed(wave, await self.execution.standing(REF, stack, key=tenant.id), error)
            return succeeded(wave, await self.execution.standing(REF, stack, key=tenant.id))

    def _stack(self, tenant: Tenant) -> S:
        """The tenant's stack, its overrides applied."""
        if tenant.targets:
            raise UsageError(f"tenant {tenant.id}: targets is not built yet in this version; the stack chooses its own")
        stack = self.stack(tenant)
        if not tenant.overrides:
            return stack
        try:
            return type(stack).model_validate({**dict(stack), **tenant.overrides})
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise UsageError(f"tenant {tenant.id}, overrides: {wrong}") from error
