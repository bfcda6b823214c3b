"""The report as one JSON document: everything that is known, for programs. Times are ISO 8601, in UTC."""

import json
from datetime import datetime
from typing import Any

from orbits_tenants.fleet import Drift, Fleet, Member, Service, Wave


def document(fleet: Fleet) -> dict[str, Any]:
    """A fleet in JSON's own types."""
    return {
        "fleet": fleet.name,
        "at": _time(fleet.at),
        "states": dict(fleet.states),
        "drift": {state.value: count for state, count in fleet.drifts.items()},
        "oldest_look": _time(fleet.looked),
        "rollout": _roll_out(fleet),
        "waves": [_wave(wave) for wave in fleet.waves],
        "tenants": [of_member(member) for member in fleet.members],
        "shared": [
            {**_service(service), "users": None if service.users is None else list(service.users)}
            for service in fleet.shared
        ],
    }


def _roll_out(fleet: Fleet) -> dict[str, Any] | None:
    if fleet.rollout is None:
        return None
    rollout = fleet.rollout
    return {
        "execution": rollout.execution,
        "who": rollout.who,
        "argument": dict(rollout.argument),
        "began": _time(rollout.began),
        "ended": _time(rollout.ended),
        "notes": list(rollout.notes),
    }


def _wave(wave: Wave) -> dict[str, Any]:
    return {
        "name": wave.name,
        "tenants": len(wave.members),
        "began": _time(wave.began),
        "ended": _time(wave.ended),
    }


def of_member(member: Member) -> dict[str, Any]:
    """A tenant in JSON's own types."""
    return {
        "id": member.id,
        "name": member.name,
        "labels": dict(member.labels),
        "pinned": list(member.pinned),
        "window": member.window or None,
        "expires": member.expires or None,
        "account": member.account,
        "state": member.state,
        "mood": member.mood.value,
        "wave": member.wave,
        "revision": member.revision,
        "since": _time(member.since),
        "by": member.by,
        "drift": _drift(member.drift),
        "happened": member.happened,
        "error": member.error,
        "path": list(member.path),
        "execution": member.execution or None,
        "began": _time(member.began),
        "ended": _time(member.ended),
        "services": [_service(service) for service in member.services],
        "shared": list(member.shared),
    }


def _service(service: Service) -> dict[str, Any]:
    return {
        "name": service.name,
        "kind": service.kind,
        "identity": service.identity,
        "state": service.state.value,
        "mood": service.mood.value,
        "revision": service.revision,
        "since": _time(service.since),
        "by": service.by,
        "drift": _drift(service.drift),
        "error": service.error,
        "shared": service.shared,
    }


def _drift(drift: Drift | None) -> dict[str, Any] | None:
    if drift is None:
        return None
    return {
        "state": drift.state.value,
        "at": _time(drift.at),
        "differences": [
            {
                "where": finding.where,
                "path": finding.path,
                "recorded": json.loads(finding.recorded or "null"),
                "live": json.loads(finding.live or "null"),
            }
            for finding in drift.findings
        ],
        "unchecked": drift.unchecked,
        "error": drift.error,
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")
