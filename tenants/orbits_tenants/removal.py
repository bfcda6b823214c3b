"""A tenant leaves its fleet: what would go with it, and its removal, with a certificate of what stays.

What always holds: the decision is recorded before anything is removed, so that no list and no roll-out brings the
tenant back meanwhile. Called by `orbits tenants remove`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orbits_iac import Orbits
from orbits_iac.provider import Change, RecordId, Refused, UsageError, kind_of, subtree
from orbits_tenants.certificate import Certificate
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.recorded import stacks_of
from orbits_tenants.report import Report, TenantState
from orbits_tenants.rollback import roll_outs
from orbits_tenants.tenants import Tenants, released


async def would_go(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> tuple[Change, list[str]]:
    """What removing a tenant would do, and what it uses that stays, and why; UsageError if there is none of this id."""
    last, step = await _leaving(orbits, fleet, tenant)
    return (await orbits.preview(step)).root, [*_kept(last, tenant).values()]


async def remove(
    orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, *, why: str = "", accept_loss: Sequence[str] = ()
) -> Certificate:
    """Remove a tenant; `accept_loss` names what may be lost with it, as in `Orbits.start`.

    Raises:
        UsageError: the last roll-out knows none of this id; nothing was done.
        Refused: it could not be removed, and still stands; no roll-out goes to it any more.

    """
    (last, step), kind = await _leaving(orbits, fleet, tenant), kind_of(fleet)
    stacks = await stacks_of(orbits.store, kind)
    tops = [RecordId(stacks[tenant].kind, stacks[tenant].identity)] if tenant in stacks else []
    shared, kept = last.tenants[tenant].shared, _kept(last, tenant)
    tops += [RecordId(*name.split(" ", 1)) for name in shared if name not in kept]
    before = await subtree(orbits.store, *tops)
    decision = Decision(what="remove", tenant=tenant, who=orbits.who, why=why)
    await orbits.run(TenantDecisions(fleet=kind, decision=decision))
    execution = await orbits.start(step, accept_loss=accept_loss)
    report = await execution
    done = report.tenants[tenant]
    if done.state is not TenantState.ENDED:
        raise Refused(f"tenant {tenant} is in no roll-out any more, and still stands: {done.happened}")
    after = await subtree(orbits.store, *tops)
    stood = {one: row.revision for one, row in before.records.items() if row.revision is not None}
    stand = {one for one, row in after.records.items() if row.revision is not None}
    return Certificate(
        fleet=kind,
        tenant=tenant,
        at=datetime.now(UTC),
        who=orbits.who,
        why=why,
        execution=execution.id,
        removed={f"{one.kind} {one.identity}": revision for one, revision in stood.items() if one not in stand},
        stays=[*done.left, *(stays for name in shared for stays in _stays(report, name, kept))],
        checked=[f"records: of {len(stood)} things that stood, {len(stood.keys() & stand)} stand"],
    )


async def _leaving(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> tuple[Report, Tenants[Any]]:
    """The report of the last roll-out, and the roll-out that removes a tenant."""
    last = (await roll_outs(orbits, fleet))[-1]
    report = last.outputs.tenants.get(tenant)
    if report is None or report.tenant is None:
        raise UsageError(
            f"the last roll-out of {kind_of(fleet)} knows no tenant {tenant!r}: orbits tenants list shows who is in it"
        )
    return last.outputs, fleet.model_validate({**released(last.argument), "leaving": [tenant]})


def _kept(last: Report, tenant: str) -> dict[str, str]:
    """What a tenant uses together with others, each with how many these are."""
    others = {name: len(last.users(name)) - 1 for name in last.tenants[tenant].shared}
    return {
        name: f"{name}: {number:,} other tenant{'s use' if number != 1 else ' uses'} it"
        for name, number in others.items()
        if number
    }


def _stays(report: Report, name: str, kept: Mapping[str, str]) -> Sequence[str]:
    """What stays of a thing that the tenant has used, and why."""
    came = report.shared.get(name)
    if came is None or came.earlier:
        return [kept[name]] if name in kept else []
    return came.left if came.state is TenantState.ENDED else [f"{name}: {came.error}"]
