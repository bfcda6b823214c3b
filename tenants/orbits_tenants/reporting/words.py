"""What all forms of the report say in the same words: the summary, drift, the last change, how long ago. Pure."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from orbits_iac.provider import ago
from orbits_tenants.fleet import Drift, DriftState, Finding, Fleet, Member, Mood, Service

MARKS: Mapping[Mood, str] = {
    Mood.PERSON: "!",
    Mood.FAILED: "✘",
    Mood.MOVING: "▸",
    Mood.WAITING: "‖",
    Mood.WELL: "✔",
}
"""A sign for each mood: it says what the colour says, so that nobody needs to see that."""

DRIFT_MARKS: Mapping[DriftState, str] = {
    DriftState.UNREADABLE: "✘",
    DriftState.DRIFTED: "≠",
    DriftState.UNCHECKED: "?",
    DriftState.BROUGHT_BACK: "↩",
    DriftState.IN_SYNC: "=",
}
ERRANDS: Mapping[str, str] = {
    "back": "the way back of",
    "leaving": "the removal of",
    "importing": "the import of",
}
"""What a roll-out is for, where it does not bring forward: by the field that a command asks with."""

HOW = frozenset({"stood_as", "letting_go", "found_at"})
"""What commands ask with besides: how it stood or was found when they looked, which nobody has to read."""

_LONGEST = 60  # characters of a value
_STEERING = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NOTES = 10  # that are said


def plain(text: str) -> str:
    """A text without what steers a terminal: colours of a tool's output, say, that an error holds."""
    return _STEERING.sub("", text)


def took(span: timedelta) -> str:
    """How long something took: 0.4 s, 41 s, 2 min 05 s, 1 h 02 min."""
    seconds = span.total_seconds()
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def counted(number: int, what: str) -> str:
    """A number of things: 1 tenant, 2 tenants."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def used_by(service: Service) -> str:
    """How many tenants use what they use together; "" for what was done for all."""
    return "" if service.users is None else f"used by {counted(len(service.users), 'tenant')}"


def headline(fleet: Fleet) -> str:
    """The fleet in a line: how many tenants, and how many of each state."""
    states = ", ".join(f"{count:,} {state}" for state, count in fleet.states.items())
    return f"{counted(len(fleet.members), 'tenant')}{': ' if states else ''}{states}"


def drift_line(fleet: Fleet) -> str:
    """What is known of the fleet's drift, and how old that is."""
    if not fleet.drifts:
        return "drift: nothing stands that could drift"
    states = ", ".join(f"{count:,} {state.value}" for state, count in fleet.drifts.items())
    return f"drift: {states}; {'never looked at' if fleet.looked is None else _oldest(fleet.at - fleet.looked)}"


def _oldest(span: timedelta) -> str:
    return f"the oldest look was {ago(span.total_seconds())}"


def roll_out_line(fleet: Fleet) -> str:
    """The last roll-out in a line: what of, when, by whom, how long it took."""
    rollout = fleet.rollout
    if rollout is None:
        return "no roll-out came to its end yet"
    what = " ".join(_asked(name, value) for name, value in rollout.argument.items() if name not in HOW)
    begun = (
        f"roll-out {rollout.execution}{' of ' if what else ''}{what}, {ago((fleet.at - rollout.began).total_seconds())}"
    )
    if rollout.ended is None:
        return f"{begun} by {rollout.who}: under way"
    return f"{begun} by {rollout.who}, took {took(rollout.ended - rollout.began)}"


def _asked(name: str, value: object) -> str:
    """A field that a roll-out was asked with; of those that commands ask with, what the command does."""
    if name in ERRANDS and isinstance(value, Collection):
        return f"{ERRANDS[name]} {short(', '.join(map(str, value)))}"
    return f"{name}={short(value)}"


def notes(fleet: Fleet) -> Sequence[str]:
    """What else is to be known of the last roll-out: the first of it, where a whole list was not believed."""
    said = [plain(note) for note in (fleet.rollout.notes if fleet.rollout is not None else ())]
    return [*said[:_NOTES], *([f"and {len(said) - _NOTES:,} more"] if len(said) > _NOTES else [])]


def changed(one: Member | Service, now: datetime) -> str:
    """When it was last changed, and by whom; "-" if that is not recorded."""
    if one.since is None:
        return "-"
    return f"{ago((now - one.since).total_seconds())}{f' by {one.by}' if one.by else ''}"


def drift_said(drift: Drift | None, now: datetime) -> str:
    """What the last look found, and how old that is."""
    if drift is None:
        return "-"
    many = f" ({counted(len(drift.findings), 'difference')})" if drift.findings else ""
    beside = f", {drift.unchecked:,} unchecked" if drift.unchecked and drift.state is not DriftState.UNCHECKED else ""
    when = "" if drift.at is None else f", {ago((now - drift.at).total_seconds())}"
    return f"{drift.state.value}{many}{beside}{when}"


def found(finding: Finding) -> str:
    """One difference in a line."""
    where = " ".join(part for part in (finding.where, finding.path) if part)
    if not finding.path:
        return f"{where} {'is gone' if finding.live == 'null' else 'is there, and should not be'}".strip()
    return f"{where}: recorded {short(_value(finding.recorded))} → live {short(_value(finding.live))}"


def reason(member: Member) -> str:
    """What is to be known of a tenant: what happened to it, and what of it could not be looked at."""
    lines = [member.happened]
    if member.drift is not None and member.drift.error:
        lines.append(f"could not be looked at: {member.drift.error}")
    return plain("; ".join(line for line in lines if line))


def short(value: object) -> str:
    """A value in a few words."""
    shown = plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _value(text: str) -> object:
    return json.loads(text) if text else None
