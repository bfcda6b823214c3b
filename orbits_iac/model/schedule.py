"""When the cycles of a schedule come. Pure: every time is handed in, in seconds since the epoch.

A schedule names *slots*: an interval every so many seconds from the first, a cron expression the times that it matches
in its time zone, as Debian's cron has it when the clock is changed for the summer (a fixed time that is left out comes
as soon as there is a time again, one that comes twice counts once; an hour or minute that begins with `*` follows the
time that passes). What always holds: the next slot is later than the last one, so none comes twice, and later than
now, so what was missed is not made up for.

`jitter` lets a cycle come before its slot, never after it: by up to that share of the time since the slot before.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

LONGEST_REPEAT = 3 * 3600.0
"""Seconds that a clock may be set back without a cron schedule's slots coming again: Debian's rule. Set back by more,
it was wrong before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """An interval in seconds, or a cron expression in a time zone; and by which share a cycle may come earlier."""

    every: float | str
    timezone: str = "UTC"
    jitter: float = 0.0

    def check(self) -> None:
        """Raise a ValueError that says what of it is wrong."""
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"jitter is {self.jitter}, and has to be a share from 0 to 1")
        zone_of(self.timezone)
        if isinstance(self.every, str):
            self.next_slot(0.0, 0.0)
        elif self.every < 1:
            raise ValueError(f"an interval of {self.every:g} s is too short: the shortest is one second")

    def next_slot(self, slot: float, now: float) -> float:
        """The first slot after both the last one and now. The first of all: `next_slot(now, now)`.

        A cycle that comes late by more than half an interval stands for the next slot too.
        """
        if isinstance(self.every, str):
            return _next_match(self.every, self.timezone, max(slot, now))
        found = slot + max(1.0, (now - slot) // self.every + 1.0) * self.every
        soon = now > slot and found - now < self.every / 2
        return found + self.every if soon else found

    def due(self, slot: float, since: float, chance: float) -> float:
        """When the cycle of a slot is due, from `since` (the slot before it, or now) on; `chance` is from 0 to 1."""
        return slot - max(0.0, slot - since) * self.jitter * chance

    def slot_after_set_back(self, slot: float, since: float, now: float) -> float:
        """The slot that stands if the clock was set back; `since` is when it was chosen, on the clock as it was."""
        if now >= since:
            return slot
        if not isinstance(self.every, str):
            return min(slot, now + self.every)
        return slot if now >= since - LONGEST_REPEAT else self.next_slot(now, now)


def _next_match(expression: str, timezone: str, after: float) -> float:
    from cronsim import CronSim, CronSimError

    try:
        matches = CronSim(expression, datetime.fromtimestamp(after, zone_of(timezone)))
    except CronSimError as error:
        raise ValueError(f"{expression!r} is no cron expression of five or six fields: {error}") from error
    for match in matches:
        if (found := match.timestamp()) > after:  # where an hour comes twice, cronsim goes on from its first time
            return found
    raise ValueError(f"{expression!r} names no time that ever comes")


@lru_cache(maxsize=64)
def zone_of(name: str) -> tzinfo:
    """The time zone of this name; ValueError if none is known. A machine without any (slim images) has UTC alone."""
    from zoneinfo import ZoneInfo, available_timezones

    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError) as error:  # unknown; a folder; a path
        none = "" if available_timezones() else "; none is: install tzdata"
        raise ValueError(f"{name!r} is no time zone that is known here, as Europe/Berlin is{none}") from error
