"""How a fleet stands: what is recorded of it, put together tenant by tenant.

Called by `orbits tenants report`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from orbits_iac import ExecutionFailed
from orbits_iac.provider import ExecutionRow, RecordId, RecordRow, Subtree, masked, record_of
from orbits_tenants import recorded as recording
from orbits_tenants.amounts import counted
from orbits_tenants.attempts import Attempt
from orbits_tenants.fleet import Drift, DriftState, Fleet, LastRollOut, Member, Mood, Service, worst
from orbits_tenants.outcome import state_of
from orbits_tenants.recorded import DECISIONS, Recorded
from orbits_tenants.report import APART, BAD, OK, TenantReport, TenantState
from orbits_tenants.services import in_service, service, services, since, utc
from orbits_tenants.tenant import REF, SHARED
from orbits_tenants.tenants import SCOPE
from orbits_tenants.window import Window

if TYPE_CHECKING:
    from orbits_iac.provider import Store

_WELL = frozenset({TenantState.UPDATED, TenantState.UNCHANGED, TenantState.ADOPTED, TenantState.ENDED})
_AWAY = frozenset({TenantState.ENDED, TenantState.VANISHED})  # no roll-out comes to these
_PERSON = frozenset({TenantState.HELD, TenantState.LEFT})
_UNREPORTED = TenantReport(state=TenantState.UNCHANGED, wave="")
"""Of a tenant that no roll-out has reported."""
_NOBODY = TenantReport(state=TenantState.NOT_STARTED, wave="")
"""Of one of which nothing stands either: the source has it, and it was not come to."""
_NEW = "new"
"""Of one that was removed, and added again since: as good as one that nobody has come to."""


async def read(store: "Store", kind: str, *, now: float) -> Fleet:
    """The fleet of this kind; UsageError if none was ever rolled out."""
    recorded = await recording.read(store, kind)
    stacks = recorded.stacks
    each = recorded.attempts.each
    latest = {row.tenant: (one, row) for one in each for row in one.changes if row.tenant is not None}
    ids = dict.fromkeys((*recorded.report.tenants, *recorded.listed, *stacks, *latest))
    members = [_member(id_, recorded, stacks.get(id_, ()), latest.get(id_), utc(now)) for id_ in ids]
    return Fleet(
        name=kind,
        at=utc(now),
        members=tuple(members),
        shared=tuple(_shared(recorded)),
        rollout=_roll_out(recorded),
    )


def _shared(recorded: Recorded) -> Iterator[Service]:
    """What was done before the tenants; what they use together by its kind and identity, whether or not it stands."""
    children = {str(record_of(child)): child for child in recorded.record.children}
    together = [name for name, child in children.items() if child.ref == SHARED]
    there = {name for name, one in recorded.report.shared.items() if one.state is not TenantState.ENDED}
    together += [name for name in recorded.report.shared if name in there and name not in children]
    for child in children.values():
        if child.ref not in {REF, SHARED} and child.kind != DECISIONS:
            yield service(recorded.subtree, child.ref, record_of(child), owned=child.owned)
    for name in sorted(together):
        report = recorded.report.shared.get(name)
        bad = report is not None and report.state in BAD
        made = service(recorded.subtree, name, RecordId.named(name), owned=False, failed=bad)
        error = report.happened if report is not None and bad else made.error
        yield replace(made, users=recorded.report.users(name), error=error)


def _member(
    id_: str,
    recorded: Recorded,
    stacks: Sequence[RecordId],
    latest: tuple[Attempt, ExecutionRow] | None,
    now: datetime,
) -> Member:
    """A tenant; `latest`: the latest that was done to it since the last roll-out that came to its end, and by which."""
    stack = stacks[0] if stacks else None
    record = recorded.subtree.records.get(stack) if stack is not None else None
    report = recorded.report.tenants.get(id_) if latest is None else _now(*latest)
    told, attempt = recorded.attempts.told, latest[0] if latest is not None else None
    passed = told is not None and stack in told.passed
    if report is not None and passed:
        report = report.model_copy(update={"state": TenantState.UNCHANGED, "earlier": False})
    elif report is not None and told is not None and attempt != told:
        report = report.model_copy(update={"earlier": True})
    new = latest is None and _is_new(id_, recorded, report, record, now)
    report = None if new else report
    comes = told is not None and attempt != told and not passed and _comes(id_, told, report)
    if report is None and record is None:
        report = _NOBODY
    said = report or _UNREPORTED
    made = services(recorded.subtree, stack, report) if stack is not None else ()
    made += tuple(service(recorded.subtree, one.kind, one, owned=True) for one in stacks[1:])
    listed = recorded.listed.get(id_, {})
    labels = listed.get("labels") or (record.labels if record is not None else {})
    this = said.began is not None and not said.earlier and said.began >= _begun(recorded)
    to_come = _hours(listed.get("window") if told is not None and told.is_release else None, now) if comes else None
    busy = latest is not None and latest[1].ended_at is None
    state, mood, happened = _state(id_, recorded, report, record, to_come, new=new)
    if busy:
        state, mood, happened = "under way", Mood.MOVING, ""
    return Member(
        id=id_,
        name=listed.get("name", ""),
        state=state,
        mood=mood,
        happened=happened,
        labels={name: value for name, value in labels.items() if name != "tenant"},
        pinned={**listed.get("pinned", {}), **recorded.decided.pinned.get(id_, {})},
        window=listed.get("window") or "",
        expires=listed.get("expires") or "",
        account=said.account or _places(recorded.subtree, stack),
        wave=said.wave,
        revision=record.revision if record is not None else None,
        since=since(record),
        by=record.by if record is not None else "",
        drift=_drift(id_, recorded, worst(in_service(one) for one in made)),
        error=said.error,
        path=said.path,
        execution=said.execution,
        began=said.began if this else None,
        ended=said.ended if this else None,
        services=made,
        shared=report.shared if (report := recorded.report.tenants.get(id_)) is not None else (),
    )


def _drift(id_: str, recorded: Recorded, drift: Drift | None) -> Drift | None:
    """What the looks at a tenant found, unless the fleet's last cycle could not look at it, and nobody has since."""
    look = recorded.look
    if drift is None or look is None or (drift.at is not None and drift.at > utc(look.at)):
        return drift
    why = next((text.partition(": ")[2] for text in look.unchecked if text.partition(": ")[0] == id_), "")
    return replace(drift, state=DriftState.UNREADABLE, error=drift.error or why) if why else drift


def _state(
    id_: str,
    recorded: Recorded,
    report: TenantReport | None,
    record: RecordRow | None,
    to_come: str | None,
    *,
    new: bool,
) -> tuple[str, Mood, str]:
    """A tenant's state, what that asks of people, and what happened: what was decided since counts, too.

    `to_come`: for what it waits, if the roll-out that is under way has not come to it; None if that does not.
    """
    decided, mood = recorded.decided, Mood.WAITING if new else _mood(report, record)
    state = report.state.value if report is not None else _NEW if new else "stands"
    happened = report.happened if report is not None else ""
    if report is not None and report.earlier:
        happened = f"{happened} (in an earlier roll-out)"
    if to_come is not None:
        state, mood, happened = "to come", Mood.WAITING, to_come
    if id_ in decided.removed:
        stone = decided.removed[id_]
        said = f"was removed by {stone.who}{f': {stone.why}' if stone.why else ''}"
        if record is not None and record.revision is not None:
            return "removed", Mood.PERSON, f"{said}; it still stands: `orbits tenants remove` ends it"
        return "removed", Mood.WAITING, said
    if id_ in decided.paused and state != TenantState.PAUSED:
        paused = f"is paused{f': {decided.paused[id_]}' if decided.paused[id_] else ''}"
        if mood in {Mood.WELL, Mood.WAITING}:
            return TenantState.PAUSED.value, Mood.WAITING, paused
        happened = f"{happened}; it {paused}"
    return state, mood, happened


def _is_new(id_: str, recorded: Recorded, report: TenantReport | None, record: RecordRow | None, now: datetime) -> bool:
    """Whether a tenant was added again since it was removed, and no roll-out has come to it."""
    if _may_stand(record) or id_ in recorded.decided.removed:
        return False
    if report is None:
        return record is not None  # else the source has it, and it was not come to
    expires = recorded.listed.get(id_, {}).get("expires")
    expired = expires is not None and datetime.fromisoformat(expires) <= now
    return report.state is TenantState.ENDED and (id_ in recorded.added or not expired)


def _may_stand(record: RecordRow | None) -> bool:
    """Whether a tenant's stack stands, or may for all that its record says."""
    return record is not None and (record.revision, record.held, record.unsettled) != (None, None, None)


def _comes(id_: str, told: Attempt, report: TenantReport | None) -> bool:
    """Whether a roll-out that is under way comes to it, as far as that is known without the code."""
    if told.is_over or (report is not None and report.state in _AWAY):
        return False
    if told.execution.command == "rollback":
        return True
    asked = told.asked
    for field in ("back", "leaving", "importing"):
        if asked.get(field):
            return id_ in asked[field]
    if asked.get("only") and id_ not in asked["only"]:
        return False
    if asked.get("only_failed"):
        return report is not None and report.state not in OK | APART
    return not asked.get("from_wave")


def _hours(window: str | None, now: datetime) -> str:
    """When its window opens, if that is closed."""
    opens = now if not window else Window(window).opens(now)
    return "" if opens <= now else f"its window opens {opens:%Y-%m-%d %H:%M} UTC"


def _begun(recorded: Recorded) -> datetime:
    """When the roll-out that is told of was asked for: what was begun before is of an earlier one."""
    told = recorded.attempts.told
    row = told.execution if told is not None else recorded.last
    return utc(row.created_at if row is not None else 0)


def _now(attempt: Attempt, row: ExecutionRow) -> TenantReport:
    """The report of a tenant in a roll-out that is under way, or that broke off."""
    failure = row.failure
    done = TenantState.UPDATED if row.changed else TenantState.UNCHANGED
    if row.command != "update":
        left = row.command == "uninstall" and row.tenant not in attempt.forward and not attempt.asked.get("back")
        done = TenantState.ENDED if left else TenantState.BROUGHT_BACK
    return TenantReport(
        state=state_of(ExecutionFailed(failure), changed=row.changed) if failure is not None else done,
        wave="",
        changed=row.changed,
        revision=row.revision,
        path=failure.path if failure is not None else (),
        error=f"{failure.error_type}: {failure.message}" if failure is not None else None,
        no_return=failure.no_return if failure is not None else (),
        left=failure.left if failure is not None else (),
        execution=failure.execution_id if failure is not None else "",
        began=utc(row.created_at),
        ended=utc(row.ended_at) if row.ended_at is not None else None,
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


def _roll_out(recorded: Recorded) -> LastRollOut | None:
    told, notes = recorded.attempts.told, [*recorded.attempts.waits]
    row = told.execution if told is not None else recorded.last
    if told is None:
        notes += [f"{name}: {why}" for name, why in recorded.report.causes.items()]
        notes += [*recorded.report.doubts, *([recorded.report.stopped] if recorded.report.stopped else [])]
        if recorded.report.finish_error:
            notes.append(f"define_finish failed: {recorded.report.finish_error}")
    elif told.is_over:
        notes.append(f"it {_ended(told.execution)}")
        if told.is_release and told.forward:
            back = ", `orbits tenants rollback` brings them back" if recorded.last is not None else ""
            notes.append(f"it had gone to {counted(len(told.forward))}: `orbits up` goes on{back}")
    else:
        notes += told.waits
    notes += [f"a later roll-out, {one.id}, {_ended(one)}" for one in recorded.attempts.beside]
    if row is None:
        return None
    return LastRollOut(
        execution=row.id,
        who=row.who,
        began=utc(row.started_at or row.created_at),
        ended=utc(row.ended_at) if row.ended_at is not None else None,
        argument={name: value for name, value in (masked(row.argument) or {}).items() if value or name not in SCOPE},
        notes=tuple(notes),
    )


def _ended(row: ExecutionRow) -> str:
    return f"ended {row.state.value}: {row.failure.message if row.failure is not None else 'it says no more'}"
