"""The picture of the waves over time: a bar for each tenant, from when it was begun to when it was over. Pure.

All waves share one axis. A bar stands in the first lane of its wave that is free, so a wave is as high as tenants were
under way at a time. Time in which nobody was is cut short, and marked: a wave that was promoted the next morning is
still to be seen.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from math import floor, log10

from orbits_tenants.fleet import Fleet, Member, Wave
from orbits_tenants.reporting.words import counted, took

_LONG = 0.5  # of all busy time: an idle time longer than this is cut
_CUT = 0.06  # of all busy time: what it takes of the axis then
_WIDTH = 10_000  # of the drawing, in its own units
_NARROWEST = 18  # a bar that took no time is still to be seen
_HIGHEST, _LOWEST = 12, 2  # of a lane, in pixels
_ROOM = 420  # pixels that all lanes share, until a lane is as low as it gets
_TICKS = 6
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)  # seconds


@dataclass(frozen=True, kw_only=True)
class _Bar:
    """A tenant in its lane."""

    member: Member
    lane: int
    begins: datetime
    ends: datetime


class _Axis:
    """From times to places: busy time as long as it was, long idle times cut short."""

    def __init__(self, bars: Sequence[_Bar]) -> None:
        spans = _busy(bars)
        busy = sum((end - start for start, end in spans), timedelta()) or timedelta(milliseconds=1)
        self._pieces: list[tuple[datetime, datetime, timedelta]] = []  # from, to, and how far along the axis it begins
        self._cuts: list[tuple[timedelta, timedelta]] = []  # where along the axis, and how long the idle time was
        at, before = timedelta(), spans[0][0]
        for start, end in spans:
            idle = start - before
            if idle > busy * _LONG:
                at += busy * _CUT
                self._cuts.append((at, idle))
            else:
                at += idle
            self._pieces.append((start, end, at))
            at += end - start
            before = end
        self._length = at or timedelta(milliseconds=1)

    def share(self, when: datetime) -> float:
        """Where a time is, from 0 to 1."""
        start, end, at = next(piece for piece in reversed(self._pieces) if when >= piece[0])
        return (at + min(when, end) - start) / self._length

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Places to mark: how long after the beginning they are; where idle time was cut, how long that was."""
        if self._cuts:
            yield 0.0, f"{self._pieces[0][0]:%d %b %H:%M}"
            for at, idle in self._cuts:
                yield at / self._length, f"{took(idle)} later"
            return
        seconds = self._length.total_seconds()
        step = _step(seconds)
        for number in range(floor(seconds / step) + 1):
            yield number * step / seconds, _said(number * step)


def timeline(fleet: Fleet) -> str:
    """The waves as HTML with a drawing each; empty if none was begun."""
    waves = [(wave, _bars(wave, fleet.at)) for wave in fleet.waves]
    if not waves:
        return ""
    axis = _Axis([bar for _, bars in waves for bar in bars])
    lanes = sum(_lanes(bars) for _, bars in waves)
    high = max(_LOWEST, min(_HIGHEST, _ROOM // lanes))
    ticks = list(axis.ticks())
    grid = "".join(f'<line x1="{_x(at)}" x2="{_x(at)}" y1="0" y2="100%"/>' for at, _ in ticks)
    rows = "".join(_row(wave, bars, axis, high, grid, fleet.at) for wave, bars in waves)
    labels = "".join(f'<span style="left:{at:.2%}">{escape(said)}</span>' for at, said in ticks)
    return f'<div class="waves">{rows}<div></div><div class="axis" aria-hidden="true">{labels}</div></div>'


def _row(wave: Wave, bars: Sequence[_Bar], axis: _Axis, high: int, grid: str, now: datetime) -> str:
    height = _lanes(bars) * high
    drawn = "".join(_drawn(bar, axis, high) for bar in bars)
    name = f"wave {wave.name}" if wave.name else "now"
    began, ended = wave.began, wave.ended
    span = "" if began is None else took((ended or now) - began)
    said = f"{counted(len(bars), 'tenant')}, {span}{'' if ended else ', under way'}"
    return (
        f'<div class="wave"><b>{escape(name)}</b><span>{escape(said)}</span></div>'
        f'<svg role="img" aria-label="{escape(name)}: {escape(said)}" viewBox="0 0 {_WIDTH} {height}" '
        f'preserveAspectRatio="none" style="height:{height}px"><g class="grid">{grid}</g>{drawn}</svg>'
    )


def _drawn(bar: _Bar, axis: _Axis, high: int) -> str:
    left = axis.share(bar.begins) * _WIDTH
    width = max(axis.share(bar.ends) * _WIDTH - left, _NARROWEST)
    left = min(left, _WIDTH - width)
    one, gap = bar.member, 1 if high > _LOWEST else 0
    title = f"{one.id}: {one.state}, {took(bar.ends - bar.begins)}"
    return (
        f'<rect class="{one.mood.name.lower()}" x="{left:.0f}" y="{bar.lane * high}" width="{width:.0f}" '
        f'height="{high - gap}"><title>{escape(title)}</title></rect>'
    )


def _bars(wave: Wave, now: datetime) -> list[_Bar]:
    """Each tenant in the first lane that is free when it begins."""
    begun = [(one.began, max(one.ended or now, one.began), one) for one in wave.members if one.began is not None]
    free: list[datetime] = []  # when each lane is, from then on
    bars: list[_Bar] = []
    for begins, ends, member in sorted(begun, key=lambda each: each[:2]):
        lane = next((at for at, until in enumerate(free) if until <= begins), len(free))
        free[lane : lane + 1] = [ends]
        bars.append(_Bar(member=member, lane=lane, begins=begins, ends=ends))
    return bars


def _lanes(bars: Sequence[_Bar]) -> int:
    return 1 + max(bar.lane for bar in bars)


def _busy(bars: Sequence[_Bar]) -> list[tuple[datetime, datetime]]:
    """The spans in which anybody was under way."""
    spans: list[tuple[datetime, datetime]] = []
    for bar in sorted(bars, key=lambda bar: bar.begins):
        if spans and bar.begins <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], bar.ends))
        else:
            spans.append((bar.begins, bar.ends))
    return spans


def _step(seconds: float) -> float:
    """How far apart the marks of an axis of so many seconds are."""
    fitting = (step for step in _STEPS if seconds / step <= _TICKS)
    return next(fitting, 10 ** floor(log10(max(seconds, 1e-6))))


def _said(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def _x(at: float) -> str:
    return f"{at * _WIDTH:.0f}"
