"""A tenant leaves its fleet: what would go with it, and its removal, with a certificate of what stays.

What always holds: nothing is decided where something would be lost that is not accepted, or somebody has been at the
tenant since it was shown; and the decision is recorded before anything is removed, so that no list and no roll-out
brings the tenant back meanwhile. One that was cut off may be asked for again: it goes on, and certifies. One that has
ended by its expiry, in a roll-out, is certified when somebody asks. Called by `orbits tenants remove` and `orbits
tenants certify`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from orbits_iac import Error, Orbits, Resource, Revision
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
from orbits_tenants.certificate import Certificate
from orbits_tenants.certifying import certify_to
from orbits_tenants.decisions import Decision, TenantDecisions
from orbits_tenants.recorded import all_stacks_of, decided_about, known
from orbits_tenants.releases import last_release, roll_outs
from orbits_tenants.report import Report, TenantState
from orbits_tenants.tenant import Tenant
from orbits_tenants.tenants import Tenants


@dataclass(frozen=True, kw_only=True)
class Leaving:
    """What removing a tenant would do.

    Attributes:
        change: what is removed.
        stays: what stays nevertheless, or since others use it.
        lost: what would be lost with it, by its kind and identity, each with why, and is not accepted: it is refused.
        made_of: all that it is made of, or was, with what others do not use any more that it used with them.

    """

    change: Change
    stays: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
    made_of: Sequence[Thing] = ()

    @property
    def revisions(self) -> Mapping[RecordId, int]:
        """What stood of each when this was found."""
        return {one.record: one.revision for one in self.made_of}


@dataclass(frozen=True, kw_only=True)
class _Leave:
    """By what a tenant is removed.

    Attributes:
        step: the roll-out that does it.
        tenant: as it was reported last; None if no report says who it was.
        used: what it uses together with others, or has used until it was removed.
        kept: what of this others use too, each with how many these are.

    """

    step: Tenants[Any]
    tenant: Tenant | None
    used: Sequence[str]
    kept: Mapping[str, str]

    @property
    def let_go(self) -> Sequence[RecordId]:
        """What nobody else uses."""
        return [RecordId.named(name) for name in self.used if name not in self.kept]


async def would_go(
    orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, *, accept_loss: Collection[str] = ()
) -> Leaving:
    """What removing a tenant would do.

    Raises UsageError if the last roll-out knows none of this id, or it runs as it was imported.
    """
    if await _is_only_added(orbits, fleet, tenant):
        return await _deciding_alone(orbits, fleet, tenant, f"{tenant}: it was added, and nothing of it was rolled out")
    would, _ = await _looked(orbits, fleet, tenant, accept_loss)
    return would


async def _looked(
    orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, accept_loss: Collection[str]
) -> tuple[Leaving, _Leave | None]:
    """What removing it would do, and by what; nothing if it was removed, and no report has it any more."""
    history = await roll_outs(orbits, fleet)
    if not _is_in(history[-1], tenant) and tenant in (await decided_about(orbits.store, kind_of(fleet))).removed:
        return await _deciding_alone(orbits, fleet, tenant, f"{tenant}: it has been removed"), None
    by = _leave(fleet, tenant, history)
    made_of = await _made_of(orbits, fleet, tenant, by)
    if another := await _anothers(orbits, by.step, by.tenant):
        return replace(await _deciding_alone(orbits, fleet, tenant, another), made_of=made_of), by
    plan = await orbits.preview(by.step)
    lost = {f"{loss.kind} {loss.identity}": str(loss) for loss in plan.losses if loss.identity not in accept_loss}
    lost = {name: why for name, why in lost.items() if name not in accept_loss}
    stays = [f"{lost.pop(name)}: it stays without --accept-loss '{name}'" for name in by.used if name in lost]
    return Leaving(change=plan.root, stays=(*by.kept.values(), *stays), lost=lost, made_of=made_of), by


async def _deciding_alone(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, stays: str) -> Leaving:
    """Where nothing but the decision is recorded."""
    plan = await orbits.preview(_decision(orbits, fleet, tenant, ""))
    return Leaving(change=plan.root, stays=(stays,))


def refuse_losses(tenant: str, would: Leaving) -> None:
    """UsageError if something would be lost with a tenant that is not accepted."""
    if would.lost:
        accepting = " ".join(f"--accept-loss '{name}'" for name in would.lost)
        raise UsageError(
            f"tenant {tenant} is not removed while this would be lost with it: {'; '.join(would.lost.values())}. "
            f"Accept that by name, {accepting}; nothing was done"
        )


async def remove(
    orbits: Orbits,
    fleet: type[Tenants[Any]],
    tenant: str,
    *,
    why: str = "",
    accept_loss: Sequence[str] = (),
    shown: Leaving | None = None,
    started: Callable[[str, str], None] = lambda _id, _waits: None,
) -> Certificate:
    """Remove a tenant; `accept_loss` names what may be lost with it, as in `Orbits.start`.

    Asked for again it goes on where it was, and looks again at what is gone: whoever decided it first has done so.
    `shown` is what `would_go` has said: nothing else is removed. `started` is told the id of the execution that does
    it, and behind whom that waits, if it does.

    Raises:
        UsageError: the last roll-out knows none of this id, it runs as it was imported, or something would be lost with
            it that is not accepted; nothing was done.
        Refused: it stands otherwise than it was shown: somebody has been at it since; nothing was done.
        Error: it could not be removed, and what is left of it still stands; no roll-out goes to it any more.

    """
    kind, decision = kind_of(fleet), _decision(orbits, fleet, tenant, why)
    if await _is_only_added(orbits, fleet, tenant):
        await orbits.run(decision)
        said = {"fleet": kind, "tenant": tenant, "who": orbits.who, "why": why, "execution": ""}
        return await certify_to(orbits, said, (), None, ())
    would, by = await _looked(orbits, fleet, tenant, accept_loss)
    refuse_losses(tenant, would)
    if shown is not None and would.revisions != shown.revisions:
        raise Refused(f"somebody has been at tenant {tenant} since this was shown; nothing was done. Look at it again")
    if by is None:
        return await certify(orbits, fleet, tenant)
    decided_before = tenant in (await decided_about(orbits.store, kind)).removed
    stood = await standing(orbits, would.made_of)
    await orbits.run(decision)
    # Whatever its class says of a second roll-out: one client that leaves stops no release to the others.
    execution = await orbits.start(by.step, on_conflict="wait", accept_loss=accept_loss)
    started(execution.id, await behind(orbits.store, await execution.row(), now=datetime.now(UTC).timestamp()))
    report = await execution
    done = report.tenants.get(tenant)
    if done is not None and done.state is not TenantState.ENDED:
        raise Error(
            f"tenant {tenant} is in no roll-out any more, and still stands: {done.happened}; all of it: orbits get "
            f"{done.execution or execution.id}"
        )
    if done is None:  # a release has dropped it from the report since
        return await certify(orbits, fleet, tenant)
    stone = (await decided_about(orbits.store, kind)).removed[tenant]
    said = {"fleet": kind, "tenant": tenant, "who": stone.who, "why": stone.why, "execution": execution.id}
    if decided_before and stood == await standing(orbits, would.made_of):  # another one has done it
        said["execution"] = await _done_by(orbits, kind, _ended(await roll_outs(orbits, fleet), tenant))
    left = [*done.left, *(stays for name in by.used for stays in _stays(report, name, by.kept))]
    return await certify_to(orbits, said, would.made_of, by.tenant, left)


async def certify(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str) -> Certificate:
    """Certify the removal of a tenant that has ended by its expiry, or of one that others have brought to its end.

    Looks for all that it was made of. Raises UsageError if no roll-out has known one of this id, or it has not ended.
    """
    kind, history = kind_of(fleet), await roll_outs(orbits, fleet)
    stone = (await decided_about(orbits.store, kind)).removed.get(tenant)
    reports = [one.outputs.tenants[tenant] for one in history if _is_in(one, tenant)]
    if not reports or not (_is_in(history[-1], tenant) or stone):
        raise _unknown(fleet, tenant)
    if _is_in(history[-1], tenant) and reports[-1].state is not TenantState.ENDED:
        raise UsageError(f"tenant {tenant} has not ended: `orbits tenants remove` removes it, and certifies that")
    ended = _ended(history, tenant)
    report = ended.outputs.tenants.get(tenant, reports[-1])
    was, by = report.tenant, _leave(fleet, tenant, history)
    stacks = dict.fromkeys(one.stack for one in reports if one.stack)
    tops = [RecordId.named(name) for name in stacks] or _was(by.step, was)
    made_of = await things(orbits, *tops, *by.let_go)
    left = [*report.left, *(stays for name in by.used for stays in _stays(ended.outputs, name, by.kept))]
    expired = was is not None and was.has_ended(ended.at)
    why = f"it had expired at {was.expires:%Y-%m-%d %H:%M %Z}" if expired and was is not None else ""
    said = {"fleet": kind, "tenant": tenant, "who": ended.who, "why": why}
    said["execution"] = await _done_by(orbits, kind, ended)
    if stone is not None:
        said |= {"who": stone.who, "why": stone.why}
    return await certify_to(orbits, said, made_of, was, left)


def _leave(fleet: type[Tenants[Any]], tenant: str, history: Sequence[Revision[Report]]) -> _Leave:
    """By what it is removed; of one that has ended, what it has used until then is let go of.

    Raises UsageError if no report has it, or the last one does not say who it is.
    """
    last = history[-1].outputs
    report = last.tenants.get(tenant)
    reports = [one.outputs.tenants[tenant] for one in reversed(history) if _is_in(one, tenant)]
    if not reports or (report is not None and report.tenant is None):
        raise _unknown(fleet, tenant)
    stood = next((one for one in reports if one.state is not TenantState.ENDED), reports[0])
    gone = {} if report is not None and report.state is not TenantState.ENDED else {"letting_go": stood.shared}
    step = fleet.model_validate({**last_release(history), "leaving": [tenant], **gone})
    used = (*(report.shared if report is not None else ()), *step.letting_go)
    return _Leave(step=step, tenant=reports[0].tenant, used=used, kept=_kept(last, tenant, used))


async def _made_of(orbits: Orbits, fleet: type[Tenants[Any]], tenant: str, by: _Leave) -> Sequence[Thing]:
    """All that a tenant is made of, or was; with what it used together with others who do not use that any more."""
    tops = [RecordId(row.kind, row.identity) for row in await _stacks(orbits, fleet, tenant)]
    if not tops and not await _anothers(orbits, by.step, by.tenant):
        tops = _was(by.step, by.tenant)
    return await things(orbits, *tops, *by.let_go)


def _ended(history: Sequence[Revision[Report]], tenant: str) -> Revision[Report]:
    """The roll-out after which a tenant had ended."""
    stood = [
        number
        for number, one in enumerate(history)
        if _is_in(one, tenant) and one.outputs.tenants[tenant].state is not TenantState.ENDED
    ]
    return history[stood[-1] + 1 if stood else 0]


async def _done_by(orbits: Orbits, kind: str, ended: Revision[Report]) -> str:
    row = await orbits.store.get(RevisionRow, kind, kind, ended.number)
    return str(row.execution) if row is not None and row.execution is not None else ""


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


def _is_in(one: Revision[Report], tenant: str) -> bool:
    return tenant in one.outputs.tenants


def _unknown(fleet: type[Tenants[Any]], tenant: str) -> UsageError:
    return UsageError(
        f"the last roll-out of {kind_of(fleet)} knows no tenant {tenant!r}: orbits tenants list shows who is in it"
    )


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
