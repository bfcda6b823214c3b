"""The services of a tenant's stack: what stands of each, and what the last looks at it and all below it found. Pure.

Called by `standing`.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from orbits_iac.provider import LookRow, RecordId, RecordRow, Subtree, record_of
from orbits_tenants.fleet import Drift, DriftState, Finding, Mood, Service, ServiceState, worst
from orbits_tenants.report import TenantReport


def services(under: Subtree, stack: RecordId, report: TenantReport | None) -> tuple[Service, ...]:
    """What a stack is made of; a stack that consists of nothing else is its own service."""
    path = report.path if report is not None else ()
    made: list[Service] = []
    times: Counter[str] = Counter()
    for child in under.children(stack):
        times[child.ref] += 1  # one ref may be done several times, with keys
        name = child.ref if times[child.ref] == 1 else f"{child.ref} {times[child.ref]}"
        failed = _leads_to(path, child.ref)
        made.append(service(under, name, record_of(child), owned=child.owned, failed=failed))
    if made or stack not in under.records or under.records[stack].revision is None:
        return tuple(made)
    return (service(under, stack.kind, stack, owned=True, failed=bool(report is not None and report.path)),)


def _leads_to(path: tuple[str, ...], ref: str) -> bool:
    """Whether the step that failed first is in the service of this ref."""
    parts = ref.split("/")
    return list(path[: len(parts)]) == parts


def service(under: Subtree, ref: str, one: RecordId, *, owned: bool, failed: bool = False) -> Service:
    """What stands of a record, and of all below it, as one service."""
    record = under.records.get(one)
    state, mood = _service_state(record, failed=failed)
    drift = worst(_drift(under, path, each, top=each == one) for path, each in under.under(one))
    return Service(
        name=ref,
        kind=one.kind,
        identity=one.identity,
        state=state,
        mood=mood,
        revision=record.revision if record is not None else None,
        since=since(record),
        by=record.by if record is not None else "",
        drift=drift,
        error=drift.error if drift is not None else None,
        shared=not owned,
    )


def _service_state(record: RecordRow | None, *, failed: bool) -> tuple[ServiceState, Mood]:
    if record is not None and record.queue:
        return ServiceState.BUSY, Mood.MOVING
    if record is not None and record.held is not None:
        return ServiceState.HELD, Mood.PERSON
    if failed:
        return ServiceState.FAILED, Mood.FAILED
    if record is None or record.revision is None:
        return ServiceState.ABSENT, Mood.WAITING
    return ServiceState.STANDS, Mood.WELL


def _drift(under: Subtree, path: tuple[str, ...], one: RecordId, *, top: bool) -> Drift | None:
    """What the last look at one record found; None for one of which nothing is compared itself."""
    record, look = under.records[one], under.looks.get(one)
    if record.revision is None:
        return None
    if look is None or not (look.checked or look.differences or look.unchecked or look.error):
        composite = bool(record.children) or not top
        return None if composite else Drift(at=utc(look.at) if look is not None else None)
    findings = tuple(
        Finding(
            where=".".join((*path, each.resource) if each.resource else path),
            path=each.path,
            recorded=each.recorded,
            live=each.live,
        )
        for each in look.differences
        if not each.remediated
    )
    return Drift(
        state=_drift_state(look, findings),
        at=utc(look.at),
        findings=findings,
        unchecked=len(look.unchecked),
        error=look.error,
    )


def _drift_state(look: LookRow, findings: tuple[Finding, ...]) -> DriftState:
    if look.error is not None:
        return DriftState.UNREADABLE
    if findings:
        return DriftState.DRIFTED
    if look.differences:
        return DriftState.BROUGHT_BACK
    return DriftState.IN_SYNC if look.checked else DriftState.UNCHECKED


def in_service(one: Service) -> Drift | None:
    """The drift of a service, as its tenant's: each difference says in which service it is."""
    if one.drift is None:
        return None
    findings = one.drift.findings
    return replace(
        one.drift,
        findings=tuple(replace(each, where=".".join(filter(None, (one.name, each.where)))) for each in findings),
    )


def since(record: RecordRow | None) -> datetime | None:
    """When a record was last changed; None if that is not recorded."""
    return utc(record.since) if record is not None and record.since is not None else None


def utc(at: float) -> datetime:
    """A time of the store's."""
    return datetime.fromtimestamp(at, UTC)
