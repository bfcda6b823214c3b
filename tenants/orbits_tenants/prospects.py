"""Prospects: what is to be said of each tenant before what runs of it is recorded. Pure.

A tenant is recorded if of each part that was looked for exactly one thing was found, if that can be recorded as it is,
and if exactly one part of its stack takes it. What an update would change then is its differences; one that would
replace something is marked. Called by `orbits tenants import`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orbits_iac.provider import Change, Existing, PropertyChange, RecordId, Verb
from orbits_tenants.finding import Found
from orbits_tenants.tenant import REF

_FAILS = "fails: "  # what a preview says of a step that would fail
_MARKS = ("orbits:project", "orbits:record")
"""The tags of all that an update makes or takes: that they would be set is no difference."""


class Outlook(StrEnum):
    """What becomes of a tenant."""

    FOUND = "found"  # it is recorded
    RECORDED = "recorded already"
    NOT_FOUND = "not found"
    SEVERAL = "several match"
    REFUSED = "refused"
    UNSEEN = "not looked at"  # nobody could look


Held = Mapping[tuple[str, str], RecordId]
"""Which records hold what, by its place and name."""

BAD = frozenset({Outlook.SEVERAL, Outlook.REFUSED, Outlook.UNSEEN})
"""Those that somebody has to do something about."""


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """One tenant.

    Attributes:
        tenant: its id.
        outlook: what becomes of it.
        why: why, if it is not recorded.
        parts: what was found, by the refs that lead to who takes it; "" where that is not known yet.
        change: what an update would do to what runs.

    """

    tenant: str
    outlook: Outlook
    why: str = ""
    parts: Mapping[str, Existing] = field(default_factory=dict)
    change: Change | None = None

    @property
    def names(self) -> dict[str, str]:
        """What the parts are called where they are."""
        return {part: one.name for part, one in self.parts.items()}

    @property
    def remarks(self) -> list[str]:
        """What people should know of what was found."""
        return [remark for one in self.parts.values() for remark in one.remarks]

    @property
    def differences(self) -> list[str]:
        """What an update would change, a line for each thing."""
        return [] if self.change is None else [line for below in self.change.below for line in _lines(below, "")]

    @property
    def replaces(self) -> list[str]:
        """What an update would replace, or lose the data of."""
        return [] if self.change is None else [at for below in self.change.below for at in _replaced(below, "")]


def prospect(found: Found, revision: int | None) -> Prospect:
    """What becomes of a tenant by what was found of it; `revision`: the one at which its stack is recorded already."""
    id_ = found.tenant.id
    if revision is not None:
        return Prospect(tenant=id_, outlook=Outlook.RECORDED, why=f"at revision {revision}")
    if found.why:
        return Prospect(tenant=id_, outlook=Outlook.UNSEEN, why=found.why)
    if found.shared:
        why = f"{', '.join(found.shared)} would be another tenant's as well: let the pattern name the tenant"
        return Prospect(tenant=id_, outlook=Outlook.REFUSED, why=why)
    for part, these in found.parts.items():
        if len(these) > 1:
            names = ", ".join(f"{one.name} in {one.place}" for one in these)
            return Prospect(
                tenant=id_,
                outlook=Outlook.SEVERAL,
                why=f"{_of(part)}{names}: let the pattern fit one, or say where (@PLACE)",
            )
    there = {part: these[0] for part, these in found.parts.items() if these}
    missing = ", ".join(part for part in found.parts if part not in there)
    if not there:
        return Prospect(tenant=id_, outlook=Outlook.NOT_FOUND, why="nothing of it is there: orbits up makes it")
    if missing:
        why = f"{missing} is not there, and the whole of a tenant is recorded, or nothing"
        return Prospect(tenant=id_, outlook=Outlook.REFUSED, why=why, parts=there)
    taken: dict[tuple[str, str], str] = {}
    for part, one in there.items():
        other = taken.setdefault((one.place, one.name), part)
        if other != part:
            why = f"{other} and {part} would both be {one.name}: let their patterns name one each"
            return Prospect(tenant=id_, outlook=Outlook.REFUSED, why=why, parts=there)
    refused = "; ".join(f"{_of(part)}{one.name}: {one.refused}" for part, one in there.items() if one.refused)
    return Prospect(tenant=id_, outlook=Outlook.REFUSED if refused else Outlook.FOUND, why=refused, parts=there)


def judged(prospects: Sequence[Prospect], root: Change, held: Held) -> list[Prospect]:
    """The same with what the preview of their intake shows; `held`: what is recorded under a name of its own."""
    changes = {change.ref: change for change in root.below}
    return [
        _judged(one, changes.get(f"{REF}[{one.tenant}]"), held) if one.outlook is Outlook.FOUND else one
        for one in prospects
    ]


def _judged(one: Prospect, change: Change | None, held: Held) -> Prospect:
    if change is None:
        return replace(one, outlook=Outlook.REFUSED, why="its stack is not shown by a preview")
    if change.revision is not None:
        return replace(one, outlook=Outlook.RECORDED, why=f"at revision {change.revision}")
    if change.detail.startswith(_FAILS):
        hint = ". If its stack has several parts, say which is meant: PART=PATTERN" if "" in one.parts else ""
        why = f"{change.detail.removeprefix(_FAILS).removeprefix('Refused: ').rstrip('.')}{hint}"
        return replace(one, outlook=Outlook.REFUSED, why=why, change=change)
    takers = dict(_takers(change, ""))
    parts: dict[str, Existing] = {}
    for part, there in one.parts.items():
        named = [at for at, taker in takers.items() if taker.called == there.name and _is_below(at, part)]
        fit = [at for at in named if there.place in takers[at].places]
        why = _why_not(part, there, (fit, named), takers, change) or _why_held(there, takers[fit[0]], held)
        if why:
            return replace(one, outlook=Outlook.REFUSED, why=why, change=change)
        parts[fit[0]] = there
    why = _why_not_whole(change)
    return replace(one, outlook=Outlook.REFUSED if why else one.outlook, why=why, parts=parts, change=change)


def _why_held(there: Existing, taker: Change, held: Held) -> str:
    """Why something that is there is another record's; "" if it is not."""
    holder = held.get((there.place, there.name), RecordId(taker.kind, taker.identity))
    same = holder == RecordId(taker.kind, taker.identity)
    return "" if same else f"{there.name} is recorded already, as {holder}: leave it there"


def _why_not_whole(change: Change) -> str:
    """Why not all of a stack can be recorded; "" if it can."""
    missing = [at or each.kind for at, each in _things(change, "") if each.verb is Verb.CREATE]
    if missing:
        return f"{', '.join(missing)} is not there, and the whole of a tenant is recorded, or nothing"
    waits = dict.fromkeys(wait for _, each in _all(change, "") for wait in each.waits)
    return f"what depends on {', '.join(waits)} is not known before that was done" if waits else ""


def _why_not(
    part: str,
    there: Existing,
    takers_of: tuple[Sequence[str], Sequence[str]],
    takers: Mapping[str, Change],
    change: Change,
) -> str:
    """Why something that is there cannot be given to one part of a stack; "" if it can.

    `takers_of`: the parts that would take it, and those that would if it were elsewhere.
    """
    fit, named = takers_of
    if len(fit) > 1:
        return f"{' and '.join(fit)} would both be {there.name}: say which, as in {fit[0]}={there.name}"
    if fit:
        return ""
    if named:
        places = ", ".join(takers[named[0]].places)
        return f"{_of(named[0])}{there.name} is in {there.place}, and its class has it in {places}"
    others = ", ".join(f"{at or taker.kind} is called {taker.called}" for at, taker in takers.items())
    waits = f"what depends on {', '.join(change.waits)} is not known yet" if change.waits else ""
    why = others or waits or "nothing of it is taken by a name"
    return f"{_of(part)}nothing in its stack takes the name {there.name}: {why}"


def _takers(change: Change, above: str) -> Iterator[tuple[str, Change]]:
    """All that can be recorded under a name, with the refs that lead there from the tenant's stack."""
    return ((at, each) for at, each in _things(change, above) if each.called)


def _things(change: Change, above: str) -> Iterator[tuple[str, Change]]:
    """All Resources that are one thing, as they say themselves."""
    return ((at, each) for at, each in _all(change, above) if each.whole and each.verb is not Verb.RUN)


def _all(change: Change, above: str) -> Iterator[tuple[str, Change]]:
    """A change and all steps below it, with the refs that lead there."""
    yield above, change
    for below in () if change.whole else change.below:
        yield from _all(below, f"{above}.{below.ref}" if above else below.ref)


def _is_below(at: str, part: str) -> bool:
    return not part or at == part or at.startswith(f"{part}.")


def _of(part: str) -> str:
    return f"{part}: " if part else ""


def _lines(change: Change, above: str) -> Iterator[str]:
    at = f"{above}.{change.ref}" if above and change.ref else change.ref or above
    shown = [below for below in change.below if not below.aside]
    properties = [each for each in change.properties if not any(mark in each.path for mark in _MARKS)]
    marked = len(properties) < len(change.properties) and not properties and change.verb is Verb.UPDATE
    if change and not change.aside and not marked and (not shown or properties):
        mark = "loses data, " if change.stateful_loss else ""
        what = "; ".join(filter(None, (*(_said(each) for each in properties), change.detail)))
        yield f"{at}: {mark}{change.verb.value} {change.kind}{f': {what}' if what else ''}"
    for below in shown:
        yield from _lines(below, at)


def _said(each: PropertyChange) -> str:
    return f"{each.path}: {each.before or 'none'} → {each.after or 'none'}" + (
        f" over {each.live}" if each.live else ""
    )


def _replaced(change: Change, above: str) -> Iterator[str]:
    at = f"{above}.{change.ref}" if above and change.ref else change.ref or above
    if change.verb is Verb.REPLACE or change.stateful_loss:
        yield at
    for below in change.below:
        yield from _replaced(below, at)
