"""What a roll-out's request is refused for before anything is written: it names nobody, or stacks cannot be made.

Called by `Tenants.check_request`; and where the list is not known before, by its definition.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from orbits_iac.provider import OutputsOf, UsageError, kind_of, like
from orbits_tenants.amounts import few
from orbits_tenants.decisions import Decided, TenantDecisions
from orbits_tenants.overrides import refuse_plain_secrets
from orbits_tenants.report import APART, OK, Report, TenantReport
from orbits_tenants.roster import in_place
from orbits_tenants.shared import refuse_unlike, used_by
from orbits_tenants.sources.source import PASSED_ON, in_short, refuse_wrong
from orbits_tenants.waves import Scope

if TYPE_CHECKING:
    from orbits_iac import Resource
    from orbits_tenants.tenant import Tenant
    from orbits_tenants.tenants import Tenants

_NAMED = 5  # tenants that a refusal names


async def refuse_request(fleet: "Tenants[Any]", listed: Sequence["Tenant"], outputs_of: OutputsOf) -> None:
    """Refuse what names nobody, and make the stacks of all to whom it goes; `listed`: nobody if that is not known."""
    narrow = fleet.only is not None or fleet.only_failed
    if not (listed or narrow):
        return
    decided: Decided = await outputs_of(TenantDecisions, kind_of(type(fleet))) or Decided()
    if listed:
        fleet.rollout.refuse_unknown([*listed, *decided.added.values()])
    if narrow:
        report: Report = await outputs_of(type(fleet), kind_of(type(fleet))) or Report(tenants={})
        await _refuse_narrow(fleet, listed, decided, report)
    meant = (decided.about(tenant) for tenant in listed if fleet.only is None or tenant.id in fleet.only)
    await asyncio.to_thread(_refuse_unfit, fleet, [tenant for tenant in meant if not tenant.paused])


def failed(reports: Mapping[str, TenantReport]) -> frozenset[str]:
    """Whom a roll-out has not left as they should be."""
    return frozenset(id_ for id_, one in reports.items() if one.state not in OK | APART)


def refuse_missing(fleet: "Tenants[Any]", there: Collection[str]) -> None:
    """Refuse `only` with ids that are not there."""
    if unknown := [id_ for id_ in fleet.only or () if id_ not in there]:
        said = f"only: {kind_of(type(fleet))} has no {', '.join(unknown)}"
        raise UsageError(f"{said}; `orbits tenants list` shows who is there{like(unknown[0], there)}")


def refuse_passed(fleet: "Tenants[Any]", scope: Scope, tenants: Sequence["Tenant"]) -> None:
    """Refuse to begin after all to whom it would go: nothing would be done. `tenants`: all, as they joined."""
    if scope.from_wave and (passed := scope.passed(fleet.rollout.cut(tenants))):
        fields = [field for field in ("only", "only_failed") if getattr(fleet, field)]
        who = "nobody named" if fleet.only else "nobody who failed"
        raise UsageError(
            f"{', '.join(fields)}, from_wave: {who} is in wave {scope.from_wave} or after it: "
            f"{few(passed, _NAMED)} {'is' if len(passed) == 1 else 'are'} in an earlier one"
        )


async def _refuse_narrow(fleet: "Tenants[Any]", listed: Sequence["Tenant"], decided: Decided, report: Report) -> None:
    """Refuse `only`, `only_failed` and `from_wave` by which it would go to nobody."""
    there = {*(tenant.id for tenant in listed), *decided.added, *report.tenants} - decided.removed.keys()
    if not (listed or there.issuperset(fleet.only or ())):  # the source was not read: it need not be usable
        with suppress(UsageError):
            read = await asyncio.to_thread(fleet.read_source)
            there |= {tenant.id for tenant in read} - decided.removed.keys()
    refuse_missing(fleet, there)
    if fleet.only_failed and not failed(report.tenants):
        left = f"the last roll-out of {kind_of(type(fleet))} that came to its end left nobody failed or not reached"
        raise UsageError(f"only_failed: {left}. Leave it out: who is as it should be is passed over")
    joined = in_place(decided.members(listed), (id_ for id_ in report.tenants if id_ not in decided.removed))
    if listed and not any(one.expires for one in joined):  # else some may be in no wave, or it was not read
        refuse_passed(fleet, fleet.scope(report.tenants), joined)


def _refuse_unfit(fleet: "Tenants[Any]", tenants: Iterable["Tenant"]) -> None:
    """Name all whose stacks cannot be made, or are not theirs alone."""
    used: dict[str, Mapping[str, Resource[Any]]] = {}
    failures: list[str] = []
    owners: dict[tuple[str, str], str] = {}
    for tenant in tenants:
        try:
            stack = fleet.stack_of(tenant)
            refuse_plain_secrets(tenant, stack)
            _refuse_taken(tenant, stack, owners)
            used[tenant.id] = used_by(fleet, tenant)
        except PASSED_ON:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a user's stack() raises, it is said of which tenant
            said = str(error) if isinstance(error, UsageError) else f"tenant {tenant.id}: {in_short(error)}"
            failures.append(f"{fleet.source.place(tenant.id)}: {said}")
    refuse_wrong(failures)
    refuse_unlike(used)


def _refuse_taken(tenant: "Tenant", stack: "Resource[Any]", owners: dict[tuple[str, str], str]) -> None:
    """Raise UsageError if another tenant's stack is the same thing; `owners`: whose each is, to which this is added."""
    identity = stack.identity()
    if identity is None:
        return
    owner = owners.setdefault((kind_of(type(stack)), identity), tenant.id)
    if owner != tenant.id:
        raise UsageError(
            f"tenant {tenant.id}: its stack is {kind_of(type(stack))} {identity}, and so is that of tenant {owner}: "
            f"let stack() give each an identity of its own"
        )
