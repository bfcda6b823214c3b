"""The report as Markdown, for a pull request: what needs somebody first, all the rest folded away.

It is kept below what a comment may hold on the usual forges (65,536 characters): beyond that, the
tenants that do not fit are counted.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from orbits_tenants.fleet import Fleet, Member, Mood, Service
from orbits_tenants.reporting.words import (
    MARKS,
    changed,
    counted,
    drift_line,
    drift_said,
    found,
    headline,
    notes,
    plain,
    roll_out_line,
    used_by,
)

LONGEST = 60_000
"""Characters of a report; a comment on GitHub holds 65,536."""

_FINDINGS = 3  # of a tenant that are named
_CELL = 600  # characters
_MORE = 120  # characters for the line on what does not fit


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A table with what stands around it."""

    head: Sequence[str]
    rows: Sequence[str]
    foot: Sequence[str] = ()

    def within(self, room: int, more: str) -> str:
        """The part, with as many rows as there is room for; `more` says how to see the others."""
        left = room - _MORE - sum(len(line) + 1 for line in (*self.head, *self.foot))
        shown: list[str] = []
        for row in self.rows:
            left -= len(row) + 1
            if left < 0:
                break
            shown.append(row)
        dropped = len(self.rows) - len(shown)
        rest = ["", f"and {dropped:,} more: {_code(more)}"] if dropped else []
        return "".join(f"{line}\n" for line in (*self.head, *shown, *rest, *self.foot))


def markdown(fleet: Fleet) -> str:
    """The fleet as GitHub's Markdown."""
    text = "".join(f"{line}\n" for line in _facts(fleet))
    for part in (_troubled(fleet), _drifted(fleet), _others(fleet)):
        if part.rows:
            text += part.within(LONGEST - len(text), f"orbits tenants report {fleet.name}")
    return text


def _facts(fleet: Fleet) -> Iterator[str]:
    yield f"### {escaped(fleet.name)}"
    yield ""
    yield f"**{escaped(headline(fleet))}**  "
    yield f"{escaped(_begun(drift_line(fleet)))}.  "
    yield f"{escaped(_begun(roll_out_line(fleet)))}."
    if fleet.shared:
        yield ""
        yield f"Shared: {', '.join(map(_shared, fleet.shared))}."
    for note in notes(fleet):
        yield ""
        yield f"> {_cell(note)}"


def _begun(text: str) -> str:
    return text[:1].upper() + text[1:]


def _troubled(fleet: Fleet) -> _Part:
    columns = ("tenant", "state", "revision", "what happened", "its execution")
    rows = [
        (
            _cell(one.id),
            _cell(f"{MARKS[one.mood]} {one.state}"),
            _number(one),
            _cell(one.happened.replace(" → ", "\n→ ")),
            _code(f"orbits get {one.execution}") if one.execution else "-",
        )
        for one in fleet.troubled
    ]
    return _Part(head=["", "**Failed, or needs a person**", "", *_head(columns)], rows=_rows(rows))


def _drifted(fleet: Fleet) -> _Part:
    rows = [(_cell(one.id), drift_said(one.drift, fleet.at), _cell(_differences(one))) for one in fleet.drifted]
    return _Part(head=["", "**Drifted**", "", *_head(("tenant", "drift", "what differs"))], rows=_rows(rows))


def _differences(one: Member) -> str:
    if one.drift is None:
        return ""
    lines = [found(finding) for finding in one.drift.findings[:_FINDINGS]]
    if len(one.drift.findings) > _FINDINGS:
        lines.append(f"and {len(one.drift.findings) - _FINDINGS} more")
    return "\n".join([*lines, *([one.drift.error] if one.drift.error else [])])


def _others(fleet: Fleet) -> _Part:
    """Who is well or waits, folded away."""
    said = {one.id for one in fleet.troubled}
    members = [one for one in fleet.members if one.id not in said]
    columns = ("tenant", "state", "wave", "revision", *fleet.services, "drift", "last change", "why")
    summary = f"<summary>{'The other' if said else 'All'} {counted(len(members), 'tenant')}</summary>"
    return _Part(
        head=["", "<details>", summary, "", *_head(columns)],
        rows=_rows(_row(fleet, one) for one in members),
        foot=["", "</details>"],
    )


def _row(fleet: Fleet, one: Member) -> Sequence[str]:
    return (
        _cell(one.id),
        _cell(f"{MARKS[one.mood]} {one.state}{', pinned' * bool(one.pinned)}"),
        _cell(one.wave),
        _number(one),
        *(_service(one.service(name)) for name in fleet.services),
        drift_said(one.drift, fleet.at),
        _cell(changed(one, fleet.at)),
        "" if one.mood is Mood.WELL else _cell(one.happened),
    )


def _service(service: Service | None) -> str:
    if service is None:
        return ""
    return f"{MARKS[service.mood]} {'-' if service.revision is None else service.revision}"


def _shared(service: Service) -> str:
    used = used_by(service)
    return f"{escaped(service.name)} {_service(service)}{f' ({used})' if used else ''}"


def _number(one: Member) -> str:
    return "-" if one.revision is None else str(one.revision)


def _head(columns: Sequence[str]) -> Sequence[str]:
    return [_line([escaped(column) for column in columns]), _line(["---"] * len(columns))]


def _rows(rows: Iterable[Sequence[str]]) -> Sequence[str]:
    return [_line(row) for row in rows]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """A text that stays in its cell."""
    return escaped(text if len(text) <= _CELL else f"{text[: _CELL - 1]}…")


def _code(text: str) -> str:
    """A command to be copied: what could end the code or the cell is left out of it."""
    plain = re.sub(r"[`|<>\s]+", " ", text)
    return f"`{plain}`"


def escaped(text: str) -> str:
    """A text as it is, whatever it has of Markdown's signs, of tags, of people's names or of lines."""
    signs = str.maketrans({sign: f"\\{sign}" for sign in r"\`*_{}[]#|~$"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"})
    lines = [line.translate(signs) for line in plain(text).splitlines()]
    return re.sub(r"(?<!\w)@", "@\u200b", "<br>".join(lines))  # so that nobody is called for by a report
