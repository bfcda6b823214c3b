"""What is looked at before a decision is kept: that there is such a tenant, and that its stack can have what is said.

What always holds: a decision about nobody is refused, so that no misspelt name is taken for a paused tenant. Whether a
source has a tenant is asked only where it matters: somebody is paused in a hurry though the source does not answer.
Called by `orbits tenants add | pause | resume | pin | unpin`.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from orbits_iac import Orbits, Resource
from orbits_iac.provider import ExecutionRow, RecordRow, Refused, UsageError, explain, kind_of, masked
from orbits_tenants.decisions import Decided, Decision, TenantDecisions
from orbits_tenants.outcome import said_of
from orbits_tenants.overrides import refuse_plain_secrets
from orbits_tenants.releases import last_release
from orbits_tenants.report import Report
from orbits_tenants.sources.source import Source, read
from orbits_tenants.tenant import Tenant
from orbits_tenants.tenants import Tenants


async def check(orbits: Orbits, fleet: type[Tenants[Any]], decision: Decision) -> str:
    """Refuse a decision about nobody, or one that the tenant's stack cannot have; else what holds in spite of it.

    Raises UsageError.
    """
    kind, id_, now = kind_of(fleet), decision.tenant, datetime.fromtimestamp(orbits.engine.clock.now(), UTC)
    decided = await _outputs(orbits, TenantDecisions, kind) or Decided()
    report = await _outputs(orbits, fleet, kind) or Report(tenants={})
    known = {id_: one.tenant for id_, one in report.tenants.items() if one.tenant is not None} | dict(decided.added)
    if decision.what != "add" and id_ in decided.removed:
        stone = decided.removed[id_]
        raise UsageError(f"tenant {id_} was removed by {stone.who}: `orbits tenants add` takes it back")
    if decision.what == "pause" and not decision.why.strip():
        raise UsageError(f"tenant {id_}: --why is empty, and a pause says why: reports show it")
    if decision.what == "pause" and id_ in known:
        return ""
    listed, why = await _listed(fleet.source)
    tenant = listed.get(id_) or known.get(id_)
    if decision.what == "add":
        await _refuse_leaving(orbits, kind, id_)
        _refuse_over(decision, now)
        _refuse_twice(decision, listed)
        tenant = listed.get(id_) or decision.added
    if tenant is None:
        there = f"whether the source has one is not known: {why}" if why else "`orbits tenants list` shows who is there"
        raise UsageError(f"no tenant {id_!r} is known in {kind}, and {there}")
    if decision.what in {"add", "pin"}:
        await _refuse_unfit(orbits, fleet, decided.and_then(decision, now).about(tenant))
    return _said(fleet.source, decision, tenant, decided, now)


async def _refuse_leaving(orbits: Orbits, kind: str, id_: str) -> None:
    """Who is still to be removed would be, after it was taken back."""
    record = await orbits.store.get(RecordRow, kind, kind)
    for execution in record.queue if record is not None else ():
        row = await orbits.store.get(ExecutionRow, execution)
        if row is not None and id_ in (masked(row.argument) or {}).get("leaving", ()):
            raise UsageError(
                f"tenant {id_} is still to be removed, by execution {row.id}: `orbits cancel {row.id}` drops that, or "
                f"let it end; then add it"
            )


def _refuse_over(decision: Decision, now: datetime) -> None:
    """One that is added does not end before it begins."""
    added = decision.added
    if added is not None and added.has_ended(now):
        raise UsageError(
            f"tenant {added.id}: --expires {added.expires} is over: give a time that is still to come, or leave it out"
        )


def _refuse_twice(decision: Decision, listed: Mapping[str, Tenant]) -> None:
    """Of one whom the source has, the source says what it is."""
    added = decision.added
    if decision.tenant in listed and added is not None and added.model_fields_set != {"id"}:
        raise UsageError(
            f"tenant {added.id} is in the source, which says what it is: change it there, or `orbits tenants pin`"
        )


async def _refuse_unfit(orbits: Orbits, fleet: type[Tenants[Any]], tenant: Tenant) -> None:
    """Make the tenant's stack as the last roll-out would; a fleet that needs fields and has none yet is let be."""
    try:
        argument = last_release(await orbits.record(fleet, kind_of(fleet)).history())
    except (UsageError, IndexError):  # there was no roll-out yet
        argument = {}
    try:
        step = fleet.model_validate(argument)
    except ValidationError as error:
        if tenant.pinned or tenant.overrides:
            raise UsageError(
                f"tenant {tenant.id}: whether its stack can have {', '.join({**tenant.overrides, **tenant.pinned})} is "
                f"not known before a first roll-out, since {fleet.__name__} needs {explain(error)}: roll out first, or "
                f"let the list say it"
            ) from error
        return
    try:
        stack: Resource[Any] = step.stack_of(tenant)
        refuse_plain_secrets(tenant, stack)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"tenant {tenant.id}: stack() of {fleet.__name__} raised {said_of(error)}") from error
    row = await orbits.store.get(RecordRow, kind_of(type(stack)), stack.identity() or "")
    if row is not None and row.tenant not in {None, tenant.id}:
        raise UsageError(
            f"tenant {tenant.id}: its stack is {row.kind} {row.identity}, which is that of tenant {row.tenant}: let "
            f"stack() give each an identity of its own"
        )


def _said(source: Source, decision: Decision, tenant: Tenant, decided: Decided, now: datetime) -> str:
    """What the source says of the tenant, and the decision does not take back; or that there was nothing to take."""
    if decision.what == "add" and tenant.has_ended(now):
        said = f"is in the fleet, and has ended, by {source.name}, at {tenant.expires}"
        return f"{said}; no roll-out goes to it until another `expires` is said there, or none"
    if decision.what == "resume" and tenant.paused:
        return f"is still paused, by {source.name}: {tenant.paused}"
    if decision.what == "unpin" and tenant.pinned:
        return f"still keeps what {source.name} pins: {', '.join(tenant.pinned)}"
    if decision.what == "resume" and tenant.id not in decided.paused:
        return "was not paused, and is changed by roll-outs"
    if decision.what == "unpin" and tenant.id not in decided.pinned:
        return "had nothing pinned, and has what all have"
    return ""


async def _listed(source: Source) -> tuple[Mapping[str, Tenant], str]:
    """Whom the source has now, by their ids; nobody if that cannot be known, and why."""
    try:
        return {tenant.id: tenant for tenant in await asyncio.to_thread(read, source)}, ""
    except UsageError as error:
        return {}, str(error)


async def _outputs(orbits: Orbits, cls: type[Resource[Any]], identity: str) -> Any:
    """What stands of a record; None if nothing does."""
    try:
        return await orbits.record(cls, identity).outputs()
    except Refused:
        return None
