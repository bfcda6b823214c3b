"""How a fleet stands, read from what is recorded: no code of the user's is needed, and nothing live is asked.

Called by `orbits tenants report`. Few queries, however many tenants there are: the fleet's record, its last roll-outs,
and everything below, a kind at a time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from orbits_iac import ExecutionFailed
from orbits_iac.provider import (
    ExecutionRow,
    LookRow,
    RecordId,
    RecordRow,
    RevisionRow,
    Subtree,
    UsageError,
    kind_of,
    masked,
    record_of,
    subtree,
)
from orbits_tenants.decisions import Decided, TenantDecisions
from orbits_tenants.fleet import (
    Drift,
    DriftState,
    Finding,
    Fleet,
    LastRollOut,
    Member,
    Mood,
    Service,
    ServiceState,
    worst,
)
from orbits_tenants.report import BAD, Report, TenantReport, TenantState, state_of

if TYPE_CHECKING:
    from orbits_iac.provider import Store

_REF = "tenant"
"""What a tenant's stack is called in the record of its fleet; whose it is, the stack's own record says."""

_PAGE = 50  # executions, of which most are cycles

_WELL = frozenset({TenantState.UPDATED, TenantState.UNCHANGED, TenantState.ENDED})
_PERSON = frozenset({TenantState.HELD, TenantState.LEFT})
_DECISIONS = kind_of(TenantDecisions)
_SCOPE = frozenset({"only", "only_failed", "from_wave"})
"""Fields of every fleet: to whom a roll-out went, if not to all."""


@dataclass(frozen=True, kw_only=True)
class _Recorded:
    """What the store has of a fleet."""

    record: RecordRow
    subtree: Subtree
    report: Report
    tenants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # as they were listed, by id
    decided: Decided = field(default_factory=Decided)  # since then, too
    last: ExecutionRow | None = None  # the last roll-out that came to its end
    running: ExecutionRow | None = None
    under: tuple[ExecutionRow, ...] = ()  # what the running one does for tenants, or has done
    broken: ExecutionRow | None = None  # a later roll-out that did not come to its end


async def read(store: "Store", kind: str, *, now: float) -> Fleet:
    """The fleet of this kind; UsageError if none was ever rolled out."""
    recorded = await _recorded(store, kind)
    stacks = _stacks(recorded)
    running = {row.tenant: row for row in recorded.under if row.tenant is not None}
    ids = dict.fromkeys((*recorded.report.tenants, *stacks, *running))
    members = [_member(id_, recorded, stacks.get(id_), running.get(id_)) for id_ in ids]
    shared = [
        _service(recorded, child.ref, record_of(child), owned=child.owned)
        for child in recorded.record.children
        if child.ref != _REF and child.kind != _DECISIONS
    ]
    return Fleet(
        name=kind,
        at=_time(now),
        members=tuple(members),
        shared=tuple(shared),
        rollout=_roll_out(recorded),
    )


async def _recorded(store: "Store", kind: str) -> _Recorded:
    record = await store.get(RecordRow, kind, kind)
    if record is None:
        raise UsageError(f"there is no record of a fleet {kind}: nothing of it was ever rolled out into {store.url}")
    last = (
        await store.get(ExecutionRow, record.brought_by) if record.brought_by and record.revision is not None else None
    )
    latest = await _latest(store, record, last)
    running = latest if latest is not None and latest.ended_at is None else None
    under: Iterable[ExecutionRow] = ()
    if running is not None:
        under = await store.find(ExecutionRow, parent=running.id, whole=False)
    under = tuple(row for row in under if row.identity is not None)
    report, tenants = await _report(store, record, last)
    tops = [RecordId(row.kind, row.identity) for row in under if row.identity is not None]
    return _Recorded(
        record=record,
        subtree=await subtree(store, RecordId(kind, kind), *tops),
        report=report,
        tenants=tenants,
        decided=await _decided(store, kind),
        last=last,
        running=running,
        under=under,
        broken=latest if latest is not None and latest is not running and latest != last else None,
    )


async def _latest(store: "Store", record: RecordRow, last: ExecutionRow | None) -> ExecutionRow | None:
    """The latest roll-out: under way, or ended in whatever way; `last` if none came after that."""
    since = last.created_at if last is not None else 0.0
    after: tuple[str, ...] = ()
    while rows := await store.find(
        ExecutionRow, kind=record.kind, identity=record.identity, newest=True, limit=_PAGE, after=after, whole=False
    ):
        later = [row for row in rows if row.command == "update" and row.created_at > since]
        if later:
            return max(later, key=lambda row: row.created_at)
        if rows[-1].created_at < since - 1:  # ids have no order within a second
            break
        after = (rows[-1].id,)
    return last


async def _report(
    store: "Store", record: RecordRow, last: ExecutionRow | None
) -> tuple[Report, Mapping[str, Mapping[str, Any]]]:
    """The report of the last roll-out that came to its end, and who its tenants are."""
    said = masked(last.result) if last is not None else None
    if said is None:  # the execution is gone: its revision has what it said
        said = await _outputs(store, record)
    if said is None:
        return Report(tenants={}), {}
    listed = {
        id_: one.pop("tenant", None) or {} for id_, one in said["tenants"].items()
    }  # types of targets may be gone
    try:
        return Report.model_validate(said), listed
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3])
        raise UsageError(
            f"the report of {record.kind} was written by another version of Orbits, and is not understood: {wrong}"
        ) from error


async def _decided(store: "Store", kind: str) -> Decided:
    """What people have decided about the fleet's tenants, without those that they have added."""
    record = await store.get(RecordRow, _DECISIONS, kind)
    said = await _outputs(store, record) if record is not None else None
    return Decided() if said is None else Decided.model_validate({**said, "added": {}})


async def _outputs(store: "Store", record: RecordRow) -> Any:
    """The outputs of what stands of a record, any secret in them masked; None if nothing does."""
    if record.revision is None:
        return None
    revision = await store.get(RevisionRow, record.kind, record.identity, record.revision)
    return masked(revision.outputs) if revision is not None else None


def _stacks(recorded: _Recorded) -> dict[str, RecordId]:
    """The records of the tenants' stacks, by their ids."""
    found: dict[str, RecordId] = {}
    for child in recorded.record.children:
        stack = recorded.subtree.records.get(record_of(child))
        if child.ref == _REF and stack is not None:
            found[stack.tenant or stack.identity] = record_of(child)
    for row in recorded.under:
        if row.tenant is not None and row.identity is not None:
            found.setdefault(row.tenant, RecordId(row.kind, row.identity))
    return found


def _member(id_: str, recorded: _Recorded, stack: RecordId | None, running: ExecutionRow | None) -> Member:
    record = recorded.subtree.records.get(stack) if stack is not None else None
    report = recorded.report.tenants.get(id_) if running is None else _now(running)
    services = _services(recorded, stack, report) if stack is not None else ()
    listed = recorded.tenants.get(id_, {})
    labels = listed.get("labels") or (record.labels if record is not None else {})
    state, mood, happened = _state(id_, recorded, report, running, record)
    begun = report is not None and not report.earlier
    return Member(
        id=id_,
        name=listed.get("name", ""),
        state=state,
        mood=mood,
        happened=happened,
        labels={name: value for name, value in labels.items() if name != "tenant"},
        pinned=tuple(recorded.decided.pinned.get(id_, ())) or (report.pinned if report is not None else ()),
        account=(report.account if report is not None else None) or _places(recorded.subtree, stack),
        wave=report.wave if report is not None else "",
        revision=record.revision if record is not None else None,
        since=_since(record),
        by=record.by if record is not None else "",
        drift=worst(_in_service(service) for service in services),
        error=report.error if report is not None else None,
        path=report.path if report is not None else (),
        execution=report.execution if report is not None else "",
        began=report.began if report is not None and begun else None,
        ended=report.ended if report is not None and begun else None,
        services=services,
    )


def _state(
    id_: str,
    recorded: _Recorded,
    report: TenantReport | None,
    running: ExecutionRow | None,
    record: RecordRow | None,
) -> tuple[str, Mood, str]:
    """A tenant's state, what that asks of people, and what happened: what was decided since counts, too."""
    if running is not None and running.ended_at is None:
        return "under way", Mood.MOVING, ""
    decided, mood = recorded.decided, _mood(report, record)
    state = report.state.value if report is not None else "stands"
    happened = report.happened if report is not None else ""
    if report is not None and report.earlier:
        happened = f"{happened} (in an earlier roll-out)"
    if id_ in decided.removed:
        stone = decided.removed[id_]
        return "removed", Mood.WAITING, f"was removed by {stone.who}{f': {stone.why}' if stone.why else ''}"
    if id_ in decided.paused and state != TenantState.PAUSED:
        paused = f"is paused{f': {decided.paused[id_]}' if decided.paused[id_] else ''}"
        if mood in {Mood.WELL, Mood.WAITING}:
            return TenantState.PAUSED.value, Mood.WAITING, paused
        happened = f"{happened}; it {paused}"
    return state, mood, happened


def _in_service(service: Service) -> Drift | None:
    """The drift of a service, as its tenant's: each difference says in which service it is."""
    if service.drift is None:
        return None
    findings = service.drift.findings
    return replace(
        service.drift,
        findings=tuple(replace(each, where=".".join(filter(None, (service.name, each.where)))) for each in findings),
    )


def _now(row: ExecutionRow) -> TenantReport:
    """The report of a tenant in the roll-out that is under way."""
    failure = row.failure
    done = TenantState.UPDATED if row.changed else TenantState.UNCHANGED
    return TenantReport(
        state=state_of(ExecutionFailed(failure)) if failure is not None else done,
        wave="",
        revision=row.revision,
        path=failure.path if failure is not None else (),
        error=f"{failure.error_type}: {failure.message}" if failure is not None else None,
        no_return=failure.no_return if failure is not None else (),
        left=failure.left if failure is not None else (),
        execution=failure.execution_id if failure is not None else "",
        began=_time(row.created_at),
        ended=_time(row.ended_at) if row.ended_at is not None else None,
    )


def _mood(report: TenantReport | None, record: RecordRow | None) -> Mood:
    if record is not None and record.held is not None:
        return Mood.PERSON
    if report is None or report.state in _WELL:
        return Mood.WELL
    if report.state in _PERSON:
        return Mood.PERSON
    return Mood.FAILED if report.state in BAD else Mood.WAITING


def _places(under: Subtree, stack: RecordId | None) -> str | None:
    """Where a stack and what it consists of are."""
    if stack is None:
        return None
    places = [place for _, one in under.under(stack) for place in under.records[one].places.values()]
    return ", ".join(dict.fromkeys(places)) or None


def _services(recorded: _Recorded, stack: RecordId, report: TenantReport | None) -> tuple[Service, ...]:
    """What a stack is made of; a stack that consists of nothing else is its own service."""
    path = report.path if report is not None else ()
    made: list[Service] = []
    times: Counter[str] = Counter()
    for child in recorded.subtree.children(stack):
        times[child.ref] += 1  # one ref may be done several times, with keys
        name = child.ref if times[child.ref] == 1 else f"{child.ref} {times[child.ref]}"
        failed = _leads_to(path, child.ref)
        made.append(_service(recorded, name, record_of(child), owned=child.owned, failed=failed))
    if made or stack not in recorded.subtree.records:
        return tuple(made)
    return (_service(recorded, stack.kind, stack, owned=True, failed=bool(report is not None and report.path)),)


def _leads_to(path: tuple[str, ...], ref: str) -> bool:
    """Whether the step that failed first is in the service of this ref."""
    parts = ref.split("/")
    return list(path[: len(parts)]) == parts


def _service(recorded: _Recorded, ref: str, one: RecordId, *, owned: bool, failed: bool = False) -> Service:
    record = recorded.subtree.records.get(one)
    state, mood = _service_state(record, failed=failed)
    drift = worst(_drift(recorded.subtree, path, each, top=each == one) for path, each in recorded.subtree.under(one))
    return Service(
        name=ref,
        kind=one.kind,
        identity=one.identity,
        state=state,
        mood=mood,
        revision=record.revision if record is not None else None,
        since=_since(record),
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
        return None if composite else Drift(at=_time(look.at) if look is not None else None)
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
        at=_time(look.at),
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


def _roll_out(recorded: _Recorded) -> LastRollOut | None:
    row = recorded.running or recorded.last
    notes: list[str] = []
    if recorded.running is None:
        notes += [*recorded.report.doubts, *([recorded.report.stopped] if recorded.report.stopped else [])]
        if recorded.report.finish_error:
            notes.append(f"define_finish failed: {recorded.report.finish_error}")
    if recorded.broken is not None:
        failure = recorded.broken.failure
        notes.append(
            f"a later roll-out, {recorded.broken.id}, ended {recorded.broken.state.value}: "
            f"{failure.message if failure is not None else 'it says no more'}"
        )
        row = row or recorded.broken
    if row is None:
        return None
    return LastRollOut(
        execution=row.id,
        who=row.who,
        began=_time(row.started_at or row.created_at),
        ended=_time(row.ended_at) if row.ended_at is not None else None,
        argument={name: value for name, value in (masked(row.argument) or {}).items() if value or name not in _SCOPE},
        notes=tuple(notes),
    )


def _since(record: RecordRow | None) -> datetime | None:
    return _time(record.since) if record is not None and record.since is not None else None


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
