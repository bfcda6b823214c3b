"""The report as one file of HTML that needs nothing else: its style, its script and its data stand in it.

What always holds: whatever comes from outside (names, errors, values) is text, never markup, in the table and in the
data; the page says of itself that nothing is to be loaded, and that no script but its own runs. Without scripts the
table is there whole, unsorted and unfiltered.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from html import escape
from importlib.resources import files

from orbits_tenants.fleet import Drift, DriftState, Fleet, Member, Mood, Service
from orbits_tenants.reporting.document import document
from orbits_tenants.reporting.timeline import timeline
from orbits_tenants.reporting.words import DRIFT_MARKS, MARKS, counted, reason, short, took, used_by

_MOODS = list(Mood)
_DRIFTS = list(DriftState)


def page(fleet: Fleet) -> str:
    """The whole file."""
    style, script = _file("page.css"), _file("page.js")
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'"
    return "".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{escape(fleet.name)}: the fleet</title>\n<style>\n{style}</style>\n</head>\n<body>\n",
            *_header(fleet),
            "<main>\n",
            *_summary(fleet),
            *_waves(fleet),
            *_tenants(fleet),
            "</main>\n",
            f"<footer>Made by <code>orbits tenants report {escape(fleet.name)}</code> from what is recorded; ",
            "all times are in UTC.</footer>\n",
            f'<script type="application/json" id="fleet">{_embedded(fleet)}</script>\n',
            f"<script>{script}</script>\n</body>\n</html>\n",
        )
    )


def _file(name: str) -> str:
    return files("orbits_tenants.reporting").joinpath(name).read_text(encoding="utf-8")


def _embedded(fleet: Fleet) -> str:
    """The document as JSON in which nothing ends the element that it stands in."""
    text = json.dumps(document(fleet), separators=(",", ":"))  # all but ASCII is escaped
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _header(fleet: Fleet) -> Iterator[str]:
    yield f'<header>\n<p class="over">fleet, as of {_time(fleet.at)}</p>\n<h1>{escape(fleet.name)}</h1>\n'
    rollout = fleet.rollout
    if rollout is None:
        yield '<p class="under">No roll-out has come to its end yet.</p>\n'
    else:
        fields = " ".join(f"{name}={short(value)}" for name, value in rollout.argument.items())
        what = f" <code>{escape(fields)}</code>" if fields else ""
        ended = "under way" if rollout.ended is None else f"took {took(rollout.ended - rollout.began)}"
        yield (
            f'<p class="under">Last roll-out{what}, {_time(rollout.began)} by {escape(rollout.who)}, '
            f"{ended} <code>{escape(rollout.execution)}</code></p>\n"
        )
        yield from (f'<p class="note">{escape(note)}</p>\n' for note in rollout.notes)
    yield "</header>\n"


def _summary(fleet: Fleet) -> Iterator[str]:
    """The bar of all tenants, and a button for each state and for each state of drift: filters, and the legend."""
    total = len(fleet.members)
    moods = {mood: sum(one.mood is mood for one in fleet.members) for mood in Mood}
    bar = "".join(
        f'<span class="{mood.name.lower()}" style="flex-grow:{count}" title="{count:,} {mood.value}"></span>'
        for mood, count in moods.items()
        if count
    )
    yield '<section class="summary" aria-label="Summary">\n'
    yield f'<div class="share" aria-hidden="true">{bar}</div>\n<div class="filters">\n'
    yield '<div role="group" aria-label="State">'
    tenants = "tenant" if total == 1 else "tenants"
    yield f'<button type="button" data-all aria-pressed="true"><b>{total:,}</b> {tenants}</button>'
    for state, count in fleet.states.items():
        mood = next(one.mood for one in fleet.members if one.state == state)
        yield _button("state", state, count, mood.name.lower(), MARKS[mood])
    yield '</div>\n<div role="group" aria-label="Drift">'
    for drift, number in fleet.drifts.items():
        yield _button("drift", drift.value, number, _drift_class(drift), DRIFT_MARKS[drift])
    yield "</div>\n</div>\n"
    if fleet.looked is not None:
        yield f'<p class="hint">The oldest look at what is live was {_time(fleet.looked)}.</p>\n'
    yield "</section>\n"


def _button(what: str, value: str, count: int, mood: str, mark: str) -> str:
    return (
        f'<button type="button" data-{what}="{escape(value)}" aria-pressed="false" class="{mood}">'
        f'<i aria-hidden="true">{mark}</i><b>{count:,}</b> {escape(value)}</button>'
    )


def _waves(fleet: Fleet) -> Iterator[str]:
    drawn = timeline(fleet)
    if drawn:
        yield f'<section aria-labelledby="waves">\n<h2 id="waves">Waves</h2>\n{drawn}\n</section>\n'


def _tenants(fleet: Fleet) -> Iterator[str]:
    yield '<section aria-labelledby="tenants">\n<div class="bar"><h2 id="tenants">Tenants</h2>'
    yield '<label><span class="unseen">Filter</span>'
    yield '<input type="search" placeholder="Filter by any text" id="text"></label>'
    yield '<output id="shown" role="status"></output></div>\n'
    if fleet.shared:
        yield f'<p class="hint">Shared: {", ".join(_shared(one) for one in fleet.shared)}</p>\n'
    yield '<div class="table" tabindex="0" role="region" aria-labelledby="tenants"><table>\n'
    yield f'<caption class="unseen">The tenants of {escape(fleet.name)} and their services</caption>\n<thead><tr>'
    yield from _heads(fleet)
    yield "</tr></thead>\n"
    for member in sorted(fleet.members, key=lambda one: (_MOODS.index(one.mood), _drift_rank(one.drift))):
        yield from _row(fleet, member)
    yield "</table></div>\n</section>\n"


def _shared(service: Service) -> str:
    used = used_by(service)
    title = f' title="{escape(service.error)}"' if service.error else ""
    beside = f" ({used})" if used else ""
    return f'<span{title}>{escape(service.name)} <span class="cell">{_stands(service)}</span>{beside}</span>'


def _heads(fleet: Fleet) -> Iterator[str]:
    for name, sorts in (("Tenant", "text"), ("State", "number"), ("Wave", "text"), ("Revision", "number")):
        first = ' aria-sort="ascending"' if name == "State" else ""
        yield _head(name, sorts, "number" if name == "Revision" else "", first)
    for service in fleet.services:
        yield _head(service, "number", "service", "")
    for name, sorts in (("Drift", "number"), ("Last change", "number"), ("Where", "text")):
        yield _head(name, sorts, "", "")


def _head(name: str, sorts: str, kind: str, more: str) -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<th scope="col" data-sorts="{sorts}"{named}{more}><button type="button">{escape(name)}</button></th>'


def _row(fleet: Fleet, one: Member) -> Iterator[str]:
    """A tenant's line, and below it what happened, unless it is well: a body of its own, so that they stay together."""
    drift = one.drift.state.value if one.drift is not None else ""
    chips = [f"{name}={value}" for name, value in one.labels.items()]
    chips += [f"pinned: {', '.join(one.pinned)}"] if one.pinned else []
    labels = "".join(f"<span>{escape(chip)}</span>" for chip in chips)
    title = f' title="{escape(one.name)}"' if one.name else ""
    mood = one.mood.name.lower()
    yield f'<tbody data-id="{escape(one.id)}" data-state="{escape(one.state)}" data-drift="{escape(drift)}"><tr>'
    yield (
        f'<th scope="row" data-value="{escape(one.id)}">'
        f'<button type="button" class="more" aria-expanded="false"{title}>{escape(one.id)}</button>'
        f'<span class="labels">{labels}</span></th>'
    )
    yield _cell(
        f'<span class="state {mood}"><i aria-hidden="true">{MARKS[one.mood]}</i>{escape(one.state)}</span>',
        _MOODS.index(one.mood),
    )
    yield _cell(escape(one.wave), None)
    yield _cell("-" if one.revision is None else f"{one.revision:,}", one.revision or 0, "number")
    for name in fleet.services:
        yield _service(one.service(name))
    yield _cell(_drift(one.drift), _drift_rank(one.drift))
    yield _cell(_changed(one, fleet.at), one.since.timestamp() if one.since is not None else 0, "quiet")
    yield _cell(escape(one.account or ""), None, "quiet")
    yield "</tr>"
    said = "" if one.mood is Mood.WELL else reason(one)
    if said:
        yield f'<tr class="why {mood}"><td colspan="{7 + len(fleet.services)}"><div>{_lines(said)}</div></td></tr>'
    yield "</tbody>\n"


def _cell(inner: str, value: float | None, named: str = "") -> str:
    classes = f' class="{named}"' if named else ""
    sorts = "" if value is None else f' data-value="{value:g}"' if abs(value) < 1e6 else f' data-value="{value:.0f}"'
    return f"<td{classes}{sorts}>{inner}</td>"


def _service(service: Service | None) -> str:
    if service is None:
        return '<td class="service" data-value="99"></td>'
    return (
        f'<td class="service" data-value="{_service_rank(service)}"><span class="cell">{_stands(service)}</span></td>'
    )


def _stands(service: Service) -> str:
    """A service as a sign in its mood's colour, its revision, and a sign of its drift unless it is in sync."""
    drift = service.drift
    said = f"{service.state.value}{'' if drift is None else f', {drift.state.value}'}"
    sign = f'<i class="{service.mood.name.lower()}" aria-hidden="true">{MARKS[service.mood]}</i>'
    number = "-" if service.revision is None else str(service.revision)
    beside = ""
    if drift is not None and drift.state is not DriftState.IN_SYNC:
        beside = f'<i class="{_drift_class(drift.state)}" aria-hidden="true">{DRIFT_MARKS[drift.state]}</i>'
    return f'<span title="{escape(said)}">{sign}{number}{beside}<span class="unseen"> {escape(said)}</span></span>'


def _service_rank(service: Service) -> int:
    return _MOODS.index(service.mood) * len(_DRIFTS) + _drift_rank(service.drift)


def _drift(drift: Drift | None) -> str:
    if drift is None:
        return '<span class="quiet">-</span>'
    many = f" {len(drift.findings)}" if drift.findings else ""
    title = "never looked at" if drift.at is None else f"looked at {drift.at:%d %b %Y %H:%M}"
    if drift.unchecked:
        title += f"; {counted(drift.unchecked, 'property').replace('propertys', 'properties')} not compared"
    return (
        f'<span class="state {_drift_class(drift.state)}" title="{escape(title)}">'
        f'<i aria-hidden="true">{DRIFT_MARKS[drift.state]}</i>{escape(drift.state.value)}{many}</span>'
    )


def _drift_class(state: DriftState) -> str:
    """The colour of a state of drift: that of the mood which asks as much of people."""
    moods = {
        DriftState.UNREADABLE: Mood.FAILED,
        DriftState.DRIFTED: Mood.WAITING,
        DriftState.UNCHECKED: None,
        DriftState.BROUGHT_BACK: Mood.WELL,
        DriftState.IN_SYNC: Mood.WELL,
    }
    mood = moods[state]
    return "unknown" if mood is None else mood.name.lower()


def _drift_rank(drift: Drift | None) -> int:
    return len(_DRIFTS) if drift is None else _DRIFTS.index(drift.state)


def _changed(one: Member, now: datetime) -> str:
    if one.since is None:
        return "-"
    form = "%d %b %H:%M" if one.since.year == now.year else "%d %b %Y"
    return f'<time datetime="{one.since.isoformat(timespec="seconds")}">{one.since:{form}}</time> {escape(one.by)}'


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.replace(" → ", "\n→ ").splitlines())


def _time(at: datetime) -> str:
    return f'<time datetime="{at.isoformat(timespec="seconds")}">{at:%d %b %Y, %H:%M}</time>'
