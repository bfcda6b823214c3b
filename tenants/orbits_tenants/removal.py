"""A tenant leaves its fleet: what would go with it, and its removal, with a certificate of what stays.

What always holds: the decision is recorded before anything is removed, so that no list and no roll-out brings the
tenant back meanwhile; and nothing is certified as removed that was not looked for, where it can be (`inventory`). One
that was cut off may be asked for again: it goes on, and certifies. One that has ended by its expiry, in a roll-out, is
certified when somebody asks. Called by `orbits tenants remove` and `orbits tenants certify`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orbits_iac import Orbits, Resource
from orbits_iac.provider import (
    Change,
    RecordId,
    RecordRow,
    Refused,
    RevisionRow,
    Thing,
    UsageError,
    behind,
    kind_of,
    standing,
    things,
)
from orbits_tenants.certificate import Certificate, TenantCertificate
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.inventory import Inventory, inventory
from orbits_tenants.recorded import all_stacks_of, known
from orbits_tenants.releases import last_release, roll_outs
from orbits_tenants.report import Report, TenantState
from orbits_tenants.tenant import Tenant
from orbits_tenants.tenants import Tenants


async def would_go(
    orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, *, accept_loss: Collection[str] = ()
) -> tuple[Change, list[str]]:
    """What removing a tenant would do, and what would stay nevertheless, or since others use it.

    Raises UsageError if the last roll-out knows none of this id, or it runs as it was imported.
    """
    if await _is_only_added(orbits, fleet, tenant):
        decision = _decision(orbits, fleet, tenant, "")
        return (await orbits.preview(decision)).root, [f"{tenant}: it was added, and nothing of it was rolled out"]
    last, step = await _leaving(orbits, fleet, tenant)
    await _stacks(orbits, fleet, tenant)
    if another := await _anothers(orbits, step, last.tenants[tenant].tenant):
        return (await orbits.preview(_decision(orbits, fleet, tenant, ""))).root, [another]
    plan = await orbits.preview(step)
    lost = {f"{loss.kind} {loss.identity}": loss for loss in plan.losses if loss.identity not in accept_loss}
    lost = {name: loss for name, loss in lost.items() if name not in accept_loss}
    stays = [f"{loss}: it stays without --accept-loss '{name}'" for name, loss in lost.items()]
    return plan.root, [*_kept(last, tenant, _used(last, step, tenant)).values(), *stays]


async def remove(
    orbits: Orbits,
    fleet: type[Tenants[Any]],
    tenant: str,
    *,
    why: str = "",
    accept_loss: Sequence[str] = (),
    started: Callable[[str, str], None] = lambda _id, _waits: None,
) -> Certificate:
    """Remove a tenant; `accept_loss` names what may be lost with it, as in `Orbits.start`.

    `started` is told the id of the execution that does it, and behind whom that waits, if it does.

    Raises:
        UsageError: the last roll-out knows none of this id, or it runs as it was imported; nothing was done.
        Refused: it could not be removed, and still stands; no roll-out goes to it any more.

    """
    kind, decision = kind_of(fleet), _decision(orbits, fleet, tenant, why)
    if await _is_only_added(orbits, fleet, tenant):
        await orbits.run(decision)
        said = {"fleet": kind, "tenant": tenant, "who": orbits.who, "why": why, "execution": ""}
        return await _certified(orbits, said, (), None, ())
    last, step = await _leaving(orbits, fleet, tenant)
    stacks, was = await _stacks(orbits, fleet, tenant), last.tenants[tenant].tenant
    tops = [RecordId(row.kind, row.identity) for row in stacks]
    if not tops and not await _anothers(orbits, step, was):
        tops = _was(step, was)
    shared = _used(last, step, tenant)
    kept = _kept(last, tenant, shared)
    tops += [RecordId.named(name) for name in shared if name not in kept]
    made_of = await things(orbits, *tops)
    await orbits.run(decision)
    # Whatever its class says of a second roll-out: one client that leaves stops no release to the others.
    execution = await orbits.start(step, on_conflict="wait", accept_loss=accept_loss)
    started(execution.id, await behind(orbits.store, await execution.row(), now=datetime.now(UTC).timestamp()))
    report = await execution
    done = report.tenants[tenant]
    if done.state is not TenantState.ENDED:
        raise Refused(f"tenant {tenant} is in no roll-out any more, and still stands: {done.happened}")
    left = [*done.left, *(stays for name in shared for stays in _stays(report, name, kept))]
    said = {"fleet": kind, "tenant": tenant, "who": orbits.who, "why": why, "execution": execution.id}
    return await _certified(orbits, said, made_of, was, left)


async def certify(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> Certificate:
    """Certify the removal of a tenant that has ended by its expiry: look for all that it was made of.

    Raises UsageError if the last roll-out knows none of this id, or it has not ended.
    """
    (last, step), kind, history = await _leaving(orbits, fleet, tenant), kind_of(fleet), await roll_outs(orbits, fleet)
    if last.tenants[tenant].state is not TenantState.ENDED:
        raise UsageError(f"tenant {tenant} has not ended: `orbits tenants remove` removes it, and certifies that")
    reports = [(one, one.outputs.tenants[tenant]) for one in history if tenant in one.outputs.tenants]
    stood = [number for number, (_, report) in enumerate(reports) if report.state is not TenantState.ENDED]
    ended, report = reports[stood[-1] + 1 if stood else 0]
    row = await orbits.store.get(RevisionRow, kind, kind, ended.number)
    was, shared = report.tenant, _used(last, step, tenant)
    users = _kept(last, tenant, shared)
    stacks = dict.fromkeys(one.stack for _, one in reports if one.stack)
    tops = [RecordId.named(name) for name in stacks] or _was(step, was)
    made_of = await things(orbits, *tops, *(RecordId.named(name) for name in shared if name not in users))
    left = [*report.left, *(stays for name in shared for stays in _stays(ended.outputs, name, users))]
    expired = was is not None and was.has_ended(ended.at)
    why = f"it had expired at {was.expires:%Y-%m-%d %H:%M %Z}" if expired and was is not None else ""
    execution = str(row.execution) if row is not None and row.execution is not None else ""
    said = {"fleet": kind, "tenant": tenant, "who": ended.who, "why": why, "execution": execution}
    return await _certified(orbits, said, made_of, was, left)


async def _certified(
    orbits: Orbits, said: Mapping[str, str], known: Sequence[Thing], was: Tenant | None, left: Sequence[str]
) -> Certificate:
    """Look for what is gone, certify it, and keep that."""
    stand = await standing(orbits, known)
    gone = [one for one in known if one.record not in stand]
    found = await inventory(orbits, gone, was.targets if was is not None else ())
    there = [f"{name}: its record is gone, and yet: {what}" for name, what in found.there.items()]
    certificate = Certificate(
        **said,
        at=datetime.now(UTC),
        removed={str(one): one.revision for one in gone if str(one) in found.gone | found.alone},
        stays=[*left, *there],
        unsure=found.unknown,
        tagged=found.tagged,
        checked=_checked(known, stand, found),
    )
    await orbits.run(TenantCertificate(certificate=certificate))
    return certificate


def _was(step: Tenants[Any], tenant: Tenant | None) -> list[RecordId]:
    """The record of a stack that does not stand any more: a removal that was cut off is gone on with."""
    try:
        stack: Resource[Any] | None = step.stack_of(tenant) if tenant is not None else None
    except Exception:  # noqa: BLE001 - it was removed by its record, and need not be made any more
        return []
    return [] if stack is None else [RecordId(kind_of(type(stack)), stack.identity() or "")]


async def _anothers(orbits: Orbits, step: Tenants[Any], tenant: Tenant | None) -> str:
    """That a tenant's stack is the one of another tenant, and so stays; "" if it is not."""
    for name in _was(step, tenant):
        row = await orbits.store.get(RecordRow, *name)
        if tenant is not None and row is not None and row.tenant not in {None, tenant.id}:
            return f"{name}: it is that of tenant {row.tenant}"
    return ""


def _checked(known: Sequence[Thing], stand: Collection[RecordId], found: Inventory) -> list[str]:
    """How it was found out, in lines for people."""
    looked = len(found.gone) + len(found.there) + len(found.unknown)
    said = [f"records: of {len(known)} things that stood, {len(stand)} stand"]
    if looked:
        said.append(f"live: of {looked} things that were to be looked for, {len(found.gone)} are gone")
    if found.alone:
        said.append(f"by the record alone: {len(found.alone)}, with nothing of their own to look for")
    return [*said, *found.asked]


def _decision(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, why: str) -> TenantDecisions:
    decision = Decision(what="remove", tenant=tenant, who=orbits.who, why=why)
    return TenantDecisions(fleet=kind_of(fleet), decision=decision)


async def _is_only_added(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> bool:
    """Whether somebody has added a tenant, and no roll-out has gone to it."""
    there = await known(orbits.store, kind_of(fleet))
    if tenant not in there.added or tenant in there.report.tenants or tenant in there.decided.removed:
        return False
    return tenant not in await all_stacks_of(orbits.store, kind_of(fleet))


async def _stacks(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> Sequence[RecordRow]:
    """The records of a tenant's stacks; UsageError if they are as they were found: nothing removes what is not ours.

    A removal that is decided stops all roll-outs to the tenant, and with them the one that could make it ours.
    """
    found = (await all_stacks_of(orbits.store, kind_of(fleet))).get(tenant, ())
    if any(row.adopted for row in found):
        raise UsageError(
            f"tenant {tenant} runs as it was found when it was imported, and that is not ours to remove: nothing was "
            f"done. Roll out to it first (only='[\"{tenant}\"]'), or pause it to leave it as it is"
        )
    return found


async def _leaving(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> tuple[Report, Tenants[Any]]:
    """The report of the last roll-out, and the roll-out that removes a tenant."""
    history = await roll_outs(orbits, fleet)
    last = history[-1]
    report = last.outputs.tenants.get(tenant)
    if report is None or report.tenant is None:
        raise UsageError(
            f"the last roll-out of {kind_of(fleet)} knows no tenant {tenant!r}: orbits tenants list shows who is in it"
        )
    earlier = (one.outputs.tenants[tenant] for one in reversed(history) if tenant in one.outputs.tenants)
    stood = next((one for one in earlier if one.state is not TenantState.ENDED), report)
    gone = {"letting_go": stood.shared} if report.state is TenantState.ENDED else {}
    return last.outputs, fleet.model_validate({**last_release(history), "leaving": [tenant], **gone})


def _used(last: Report, step: Tenants[Any], tenant: str) -> tuple[str, ...]:
    """What a tenant uses together with others, or has used until it was removed."""
    return (*last.tenants[tenant].shared, *step.letting_go)


def _kept(last: Report, tenant: str, used: Collection[str]) -> dict[str, str]:
    """What of this others use too, each with how many these are."""
    others = {name: len({*last.users(name)} - {tenant}) for name in used}
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
