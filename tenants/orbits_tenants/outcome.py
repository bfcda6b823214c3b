"""What came of one tenant, as its report: made of how its stack ended, and of what stands of it."""

import json
from collections.abc import Iterable, Mapping

from orbits_iac import ExecutionFailed
from orbits_iac.provider import Below, Flow, OutOfReach, Standing, first_of, message_of, shortened
from orbits_tenants.report import Report, TenantReport, TenantState
from orbits_tenants.tenant import REF, Tenant

_DONE = frozenset(
    {
        TenantState.UPDATED,
        TenantState.UNCHANGED,
        TenantState.ADOPTED,
        TenantState.BROUGHT_BACK,
        TenantState.ENDED,
    }
)
"""Of these the roll-out knows what stands: it has done it, or looked."""

_TRIED = frozenset(
    {TenantState.REVERTED, TenantState.FAILED, TenantState.HELD, TenantState.LEFT, TenantState.UNREACHABLE}
)
"""Of these it knows what stands if they are new, and no child of the fleet yet."""

_SAID = 0.4  # of what can be kept of a report is for what its tenants have to say
_LEAST = 200  # characters of it that each one has, however many there are
_NAMED = 10  # things that were left, of those of which each is said where that is too long


def named(one: Standing | Below) -> str:
    """What a stack is called in reports: by its kind and identity."""
    return f"{one.kind} {one.identity}"


def succeeded(tenant: Tenant | None, wave: str, standing: Standing, digest: str) -> TenantReport:
    """The report of a tenant whose stack was done, or of what is shared; `digest`: of what was done."""
    return TenantReport(
        state=TenantState.UPDATED if standing.changed else TenantState.UNCHANGED,
        wave=wave,
        tenant=tenant,
        made=standing.made,
        no_return=standing.passed,
        changed=standing.changed,
        stack=named(standing),
        revision=standing.revision,
        account=_where(standing),
        digest=digest if standing.own else "",
    )


def adopted(tenant: Tenant, standing: Standing) -> TenantReport:
    """The report of a tenant whose stack was recorded as it runs."""
    return TenantReport(
        state=TenantState.ADOPTED,
        wave="",
        tenant=tenant,
        made=standing.made,
        changed=standing.changed,
        stack=named(standing),
        revision=standing.revision,
        account=_where(standing),
    )


def failed(tenant: Tenant | None, wave: str, standing: Standing, error: ExecutionFailed) -> TenantReport:
    """The report of a tenant whose stack, or of what is shared and, ended badly; its path begins at the roll-out."""
    failure, state = error.failure, state_of(error, changed=standing.changed)
    return TenantReport(
        state=state,
        wave=wave,
        tenant=tenant,
        changed=standing.changed,
        stack=named(standing),
        revision=standing.revision,
        account=failure.account or _where(standing),
        path=failure.path[1:],
        error=f"{failure.error_type}: {failure.message}",
        no_return=failure.no_return,
        left=standing.stays if state is TenantState.REVERTED else failure.left,
        execution=failure.execution_id,
    )


def left_out(
    tenant: Tenant, before: TenantReport | None, state: TenantState, why: str = "", wave: str = ""
) -> TenantReport:
    """The report of a tenant to which nothing was done: what stands of it is what stood."""
    report = TenantReport(state=state, wave=wave, tenant=tenant, error=why or None)
    if before is None:
        return report
    stood = {name: getattr(before, name) for name in ("stack", "revision", "account", "passed", "shared")}
    return report.model_copy(update=stood)


def carried(before: TenantReport | None, tenant: Tenant) -> TenantReport:
    """The report of a tenant that a roll-out was not asked to go to."""
    if before is None:
        return TenantReport(
            state=TenantState.NOT_STARTED, wave="", tenant=tenant, error="it was not asked for", earlier=True
        )
    return before.model_copy(update={"earlier": True, "changed": False, "tenant": tenant})


def in_order(before: Mapping[str, TenantReport], came: Mapping[str, TenantReport]) -> dict[str, TenantReport]:
    """Reports, each in the place that its tenant had: the canaries stay the same."""
    order = (*(id_ for id_ in before if id_ in came), *came)
    return {id_: came[id_] for id_ in dict.fromkeys(order)}


async def as_they_stand(flow: Flow, reports: Mapping[str, TenantReport]) -> Mapping[str, TenantReport]:
    """Reports that have what stands of those to whom nothing was done: somebody else may have changed that since.

    One in whose place another is to come asks nothing any more: it may be paused, and ends all the same.
    """
    if flow.superseded.done() or all(one.state in _DONE and not one.earlier for one in reports.values()):
        return reports
    with flow.scope("as they stand"):
        stand = await standing_stacks(flow)

    def now(id_: str, report: TenantReport) -> TenantReport:
        if report.state in _DONE and not report.earlier:
            return report
        there = stand.get(id_, {})
        stack = report.stack or next(reversed(there), "")
        stands = there.get(stack)
        if stands == report.revision or (stands is None and report.state in _TRIED and not report.earlier):
            return report
        return report.model_copy(update={"stack": stack, "revision": stands, "digest": ""})

    return {id_: now(id_, one) for id_, one in reports.items()}


async def standing_stacks(flow: Flow) -> dict[str, dict[str, int | None]]:
    """What stands of each tenant, by its id: more than the stack that it has, perhaps; each with its revision."""
    stand: dict[str, dict[str, int | None]] = {}
    for child in await flow.standing_children():
        if child.ref == REF and child.tenant is not None:
            stand.setdefault(child.tenant, {})[named(child)] = child.revision
    return stand


def told(flow: Flow, report: Report) -> Report:
    """A report whose summary is said, and that can be kept: see `told_shortly`."""
    flow.progress(report.summary)
    return told_shortly(report, flow.largest_value)


def told_shortly(report: Report, most: int) -> Report:
    """A report that can be kept, though everybody failed with pages of text, where `most` is the size of what can be.

    Of what is too long both ends are kept; all of it stands in the execution that it is about.
    """
    said = [one for one in (*report.tenants.values(), *report.shared.values()) if one.error or one.left]
    each = max(_LEAST, int(most * _SAID) // max(1, len(said)))
    tenants, shared = (
        {name: _at_most(each, one) for name, one in reports.items()} for reports in (report.tenants, report.shared)
    )
    return report.model_copy(update={"tenants": tenants, "shared": shared})


def _at_most(size: int, report: TenantReport) -> TenantReport:
    texts = (report.error or "", *report.left)
    if sum(map(len, texts)) <= size and sum(map(_written, texts)) <= size:
        return report
    if len(report.left) > _NAMED:
        texts = (*texts[: _NAMED + 1], f"and {len(report.left) - _NAMED:,} more")
    error, *left = (_fitting(text, size // len(texts)) for text in texts)
    return report.model_copy(update={"error": error or None, "left": tuple(left)})


def _fitting(text: str, size: int) -> str:
    while (written := _written(text)) > size:
        text = shortened(text, len(text) * size // written)
    return text


def _written(text: str) -> int:
    """Characters of it as JSON, where one may take six."""
    return len(json.dumps(text, ensure_ascii=False)) - 2


def said_of(error: Exception) -> str:
    """An error as reports have it; of a group, as a TaskGroup raises it, the first."""
    first = first_of(error)
    said = message_of(first)
    return said if isinstance(first, ExecutionFailed) else f"{type(first).__name__}: {said}"


def reached_nobody(reports: Iterable[TenantReport]) -> int:
    """How many of several tenants could not be reached, if that is all who were gone to; else 0."""
    gone_to = [one.state for one in reports if one.state not in {TenantState.HELD_BACK, TenantState.PAUSED}]
    return len(gone_to) if len(gone_to) > 1 and set(gone_to) == {TenantState.UNREACHABLE} else 0


def state_of(error: ExecutionFailed, *, changed: bool) -> TenantState:
    """What a tenant comes to whose stack ended so, after anything of it was `changed`, or before.

    Whose account is lost in the middle, so that it does not stand as it did, has failed: the release may have done it.
    """
    failure = error.failure
    if failure.no_return:
        return TenantState.HELD
    if error.caused_by(OutOfReach) and not (changed and failure.state.value == "QUARANTINED"):
        return TenantState.UNREACHABLE
    match failure.state.value:
        case "REVERTED" | "CANCELLED":
            return TenantState.REVERTED
        case "QUARANTINED":
            return TenantState.LEFT
        case _:
            return TenantState.FAILED


def _where(standing: Standing) -> str | None:
    return ", ".join(standing.places) or None
