"""What becomes of a look at what is live: what counts as drift, whether it is brought back, and what of it is news.

What always holds: what is to be brought back is decided once for each cycle, in the journal, so that a re-run decides
the same; news is sent in the transaction that ends the cycle, so that it is sent once.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pydantic import BaseModel

from orbits_iac.drift.policy import News, may_remediate, news, place_of
from orbits_iac.model.happenings import Turn, of_drift
from orbits_iac.model.ids import RecordId, StepKey
from orbits_iac.model.news import DriftNews, Stop
from orbits_iac.model.rows import Difference, ExecutionRow, LookRow, RecordRow, amended

if TYPE_CHECKING:
    from orbits_iac.engine.flow import RunFlow
    from orbits_iac.engine.run import Run

_SHOWN = 5  # of what is new or healed, in an event
_LONGEST = 200  # characters of a value, in an event


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a provider says of its look."""

    differences: Sequence[Difference]
    unchecked: Sequence[str]
    ignored: Sequence[str]
    checked: int
    error: str | None
    left: str
    stopped: Sequence[Stop]
    outputs: BaseModel | None


async def take(run: "Run", flow: "RunFlow", record: tuple[str, str], seen: Seen) -> Sequence[Difference]:
    """Keep what was found, and return what this cycle is to bring back now."""
    codec = run.engine.codec
    if seen.outputs is not None:
        run.outputs = codec.encode(seen.outputs, type(seen.outputs))
    masked = [
        replace(each, recorded=codec.mask_json(each.recorded), live=codec.mask_json(each.live))
        for each in seen.differences
    ]
    counted, ignored = run.engine.drift.sorted_out(masked, record[0], run.pages.execution.tenant)
    drifted = [each for each in counted if not each.remediated]
    stopped: str | None = None
    if seen.differences and flow.on_drift == "remediate":
        if run.remediating:
            stopped = (seen.left or "it was brought back, and differs still") if drifted else None
        else:
            question = partial(_verdict, run, drifted=bool(drifted))
            stopped = await flow.ask("bring back", question, str | None)
    run.stops = (*seen.stopped, *([Stop(why=stopped)] if stopped else []))
    run.look = LookRow(
        kind=record[0],
        identity=record[1],
        at=run.loop.time(),
        differences=counted,
        unchecked=tuple(seen.unchecked),
        ignored=(*seen.ignored, *ignored),
        checked=seen.checked - len(_places(masked) - _places(counted)),
        error=seen.error,
        stopped="; ".join(stop.why for stop in run.stops),
        execution=run.pages.execution.id,
    )
    if stopped != "":
        return ()
    run.remediating = True
    return drifted


def _places(differences: Sequence[Difference]) -> set[tuple[str, str]]:
    """The properties that differences are in: what is counted as compared."""
    return {(each.resource, re.split(r"[.\[]", each.path, maxsplit=1)[0]) for each in differences}


async def _verdict(run: "Run", *, drifted: bool) -> str | None:
    """Whether what drifted is brought back: an empty text; else why not, and None where nothing counts as drift."""
    record, limit = run.record, run.engine.drift.limit
    if not drifted or record is None:
        return None
    if record.held is not None:
        return "it is held forward only: an update brings it to where it should be"
    earlier = record.remediated if run.options.get("limited") else ()
    if may_remediate("remediate", earlier=earlier, now=run.loop.time(), limit=limit):
        return ""
    return (
        f"it was brought back {limit.times} times within {limit.within} and drifts again: find out who changes it. An "
        f"update, or `orbits cycle --remediate` by hand, begins to count anew"
    )


def record_after(run: "Run", record: RecordRow) -> RecordRow:
    """The record after a cycle: it keeps when it was brought back."""
    if not run.remediating:
        return record
    now = run.loop.time()
    since = now - run.engine.drift.limit.within.total_seconds()
    earlier = [at for at in record.remediated if at > since] if run.options.get("limited") else []
    return amended(record, remediated=(*earlier, now))


async def tell(run: "Run") -> DriftNews | None:
    """Leave events of what is new and what is healed; what is to be sent to all, if the policy says so."""
    look = run.look
    if look is None or run.pages.execution.command != "cycle":
        return None
    before = await run.engine.store.get(LookRow, look.kind, look.identity)
    known = () if before is None else before.before if before.error is not None else before.differences
    told, stops = _told(run, before, known)
    if look.error is not None:
        run.look = amended(look, before=known, told=told, stops=stops)
        return None
    found = news(known, look.differences)
    earlier = {place_of(each): each for each in known if not each.remediated}
    look = amended(look, differences=_dated(look, earlier), healed=found.healed)
    begun = [stop for stop in run.stops if stop.key not in stops]
    stopped = "; ".join(stop.why for stop in begun)
    tells = run.options.get("on_drift") in {"notify", "remediate"}
    untold = _brought_back(news(told, look.differences), look) if tells else News()
    if tells:
        told = tuple(each for each in look.differences if not each.remediated)
    if tells or run.options.get("limited"):  # the others bring nothing back, and stop nothing
        stops = tuple(stop.key for stop in run.stops)
    run.look = look = amended(look, told=told, stops=stops)
    await _keep(run, look, before, earlier, stopped)
    note = partial(run.pages.note, at=run.now(), key=StepKey(""))
    if found.new:
        run.engine.measures.drift_found(look.kind, len(found.new))
        note(why=f"drift found: {_named(found.new)}")
    if healed := _brought_back(found, look).healed:
        note(why=f"drift healed: {_named(healed)}")
    if stopped:
        note(why=f"drift is not brought back: {stopped}")
    if not (untold.new or untold.healed or begun):
        return None
    return DriftNews(
        kind=look.kind,
        identity=look.identity,
        tenant=run.pages.execution.tenant,
        new=untold.new,
        healed=untold.healed,
        stopped="; ".join(stop.why for stop in begun if not stop.who),
        left=tuple(stop for stop in begun if stop.who),
    )


def _told(
    run: "Run", before: LookRow | None, known: Sequence[Difference]
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """The drift and the stops that stand as they were told, as of the look before.

    One that an earlier version of Orbits has kept does not say: then all that it had found counts as told.
    """
    if before is None:
        return (), ()
    if before.told is not None:
        return before.told, before.stops
    drift = tuple(each for each in known if not each.remediated)
    return drift, tuple(stop.key for stop in run.stops) if before.stopped else ()


def _brought_back(found: News, look: LookRow) -> News:
    """The news, where what this cycle has brought back is healed, whether it was known or not."""
    mended = {place_of(each): each for each in look.differences if each.remediated}
    known = {place_of(each) for each in found.healed}
    healed = [replace(each, remediated=place_of(each) in mended) for each in found.healed]
    return replace(found, healed=(*healed, *(each for place, each in mended.items() if place not in known)))


def _dated(look: LookRow, earlier: Mapping[tuple[str, str], Difference]) -> tuple[Difference, ...]:
    """What differs, each with the time since which it does."""
    return tuple(
        replace(each, since=earlier[place].since or look.at)
        if (place := place_of(each)) in earlier
        else replace(each, since=look.at)
        for each in look.differences
    )


async def _keep(
    run: "Run",
    look: LookRow,
    before: LookRow | None,
    earlier: Mapping[tuple[str, str], Difference],
    stopped: str,
) -> None:
    """Leave what happened to the drift since the look before in the record's own timeline."""
    turned = partial(of_drift, RecordId(look.kind, look.identity), at=look.at, execution=run.pages.execution.id)
    mended = {place_of(each) for each in look.differences if each.remediated}
    for each in look.differences:
        place, known = _place(each), earlier.get(place_of(each))
        if known is None:
            run.pages.happened(turned(Turn.FOUND, place, why=_values(each)))
        elif known.live != each.live:
            run.pages.happened(turned(Turn.CHANGED, place, why=_values(each)))
        if each.remediated:
            run.pages.happened(turned(Turn.BROUGHT_BACK, place, who=run.pages.execution.who))
    by = await _brought_by(run, before) if look.healed else None
    for each in look.healed:
        if place_of(each) not in mended:
            who, why = (by.who, f"by {by.command} {by.id}") if by is not None else ("", "")
            run.pages.happened(turned(Turn.HEALED, _place(each), who=who, why=why))
    if stopped:
        run.pages.happened(turned(Turn.LEFT, "", why=stopped))


async def _brought_by(run: "Run", before: LookRow | None) -> ExecutionRow | None:
    """The command that has brought the record to where it stands since the look before, if one has."""
    if before is None or run.record is None or run.record.brought_by is None:
        return None
    row = await run.engine.store.get(ExecutionRow, run.record.brought_by)
    return row if row is not None and row.ended_at is not None and row.ended_at > before.at else None


def _place(each: Difference) -> str:
    return " ".join(part for part in (each.resource, each.path) if part)


def _values(each: Difference) -> str:
    """What was recorded and what is live, cut to what people read."""
    if not each.path:
        return "is gone" if each.live == "null" else "is there, and should not be"
    recorded, live = (text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in (each.recorded, each.live))
    return f"recorded {recorded} → live {live}"


def _named(differences: Sequence[Difference]) -> str:
    whole = {"null": "is gone"}
    shown = [
        " ".join(part for part in (d.resource, d.path or whole.get(d.live, "is there")) if part)
        for d in differences[:_SHOWN]
    ]
    more = len(differences) - _SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
