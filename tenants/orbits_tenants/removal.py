"""A tenant leaves its fleet: what would go with it, and its removal, with a certificate of what stays.

What always holds: the decision is recorded before anything is removed, so that no list and no roll-out brings the
tenant back meanwhile. Called by `orbits tenants remove`.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from orbits_iac import Orbits
from orbits_iac.provider import Change, RecordId, Refused, UsageError, kind_of, subtree
from orbits_tenants.certificate import Certificate
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.recorded import stacks_of
from orbits_tenants.report import TenantState
from orbits_tenants.rollback import roll_outs
from orbits_tenants.tenants import Tenants, released


async def would_go(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> Change:
    """What removing a tenant would do; UsageError if the last roll-out knows none of this id."""
    return (await orbits.preview(await _leaving(orbits, fleet, tenant))).root


async def remove(
    orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, *, why: str = "", accept_loss: Sequence[str] = ()
) -> Certificate:
    """Remove a tenant; `accept_loss` names what may be lost with it, as in `Orbits.start`.

    Raises:
        UsageError: the last roll-out knows none of this id; nothing was done.
        Refused: it could not be removed, and still stands; no roll-out goes to it any more.

    """
    step, kind = await _leaving(orbits, fleet, tenant), kind_of(fleet)
    stacks = await stacks_of(orbits.store, kind)
    tops = [RecordId(stacks[tenant].kind, stacks[tenant].identity)] if tenant in stacks else []
    before = await subtree(orbits.store, *tops)
    decision = Decision(what="remove", tenant=tenant, who=orbits.who, why=why)
    await orbits.run(TenantDecisions(fleet=kind, decision=decision))
    execution = await orbits.start(step, accept_loss=accept_loss)
    done = (await execution).tenants[tenant]
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
        stays=done.left,
        checked=[f"records: of {len(stood)} things that stood, {len(stood.keys() & stand)} stand"],
    )


async def _leaving(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> Tenants[Any]:
    """The roll-out that removes a tenant."""
    last = (await roll_outs(orbits, fleet))[-1]
    report = last.outputs.tenants.get(tenant)
    if report is None or report.tenant is None:
        raise UsageError(
            f"the last roll-out of {kind_of(fleet)} knows no tenant {tenant!r}: orbits tenants list shows who is in it"
        )
    return fleet.model_validate({**released(last.argument), "leaving": [tenant]})
