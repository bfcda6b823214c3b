"""Schedules: each slot once, none made up for, right where the clock is changed."""

import sys
import zoneinfo
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits_iac.model.schedule import Timing, zone_of

HOUR, DAY = 3600.0, 86_400.0
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]
TIMES = st.floats(min_value=1.5e9, max_value=2.0e9)
CRONS = ["0 3 * * *", "30 2 * * *", "*/10 * * * *", "0 * * * *", "15,45 1-3 * * *", "0 0 1 * *", "0 12 * * MON#1"]
TIMINGS = st.one_of(
    st.builds(lambda seconds: Timing(every=seconds), st.floats(min_value=1.0, max_value=30 * DAY)),
    st.builds(lambda cron, zone: Timing(every=cron, timezone=zone), st.sampled_from(CRONS), st.sampled_from(ZONES)),
)


def at(text: str, zone: str = "Europe/Berlin") -> float:
    """The time that a clock in `zone` shows; `+` behind it for the second time that it does."""
    moment = datetime.fromisoformat(text.removesuffix("+")).replace(tzinfo=ZoneInfo(zone))
    return moment.replace(fold=1 if text.endswith("+") else 0).timestamp()


@pytest.mark.parametrize(
    ("cron", "last", "following"),
    [
        ("0 3 * * *", "2026-06-01 02:59:59", "2026-06-01 03:00"),
        ("0 3 * * *", "2026-06-01 03:00", "2026-06-02 03:00"),
        ("0 9 * * MON-FRI", "2026-06-05 09:00", "2026-06-08 09:00"),
        ("0 0 L * *", "2026-02-01 00:00", "2026-02-28 00:00"),
        ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
        # There is no 02:30 on the day on which summer begins: it comes when there is a time again, once.
        ("30 2 * * *", "2026-03-28 02:30", "2026-03-29 03:00"),
        ("30 2 * * *", "2026-03-29 03:00", "2026-03-30 02:30"),
        ("0 3 * * *", "2026-03-28 03:00", "2026-03-29 03:00"),
        # 02:30 comes twice on the day on which it ends: the first counts.
        ("30 2 * * *", "2026-10-24 02:30", "2026-10-25 02:30"),
        ("30 2 * * *", "2026-10-25 02:30", "2026-10-26 02:30"),
        ("30 2 * * *", "2026-10-25 02:10+", "2026-10-26 02:30"),
        # What begins with a star follows the time that passes.
        ("*/30 * * * *", "2026-10-25 02:30", "2026-10-25 02:00+"),
        ("*/30 * * * *", "2026-10-25 02:30+", "2026-10-25 03:00"),
        ("*/30 * * * *", "2026-03-29 01:30", "2026-03-29 03:00"),
    ],
)
def test_a_cron_slot_follows_another(cron: str, last: str, following: str) -> None:
    found = Timing(every=cron, timezone="Europe/Berlin").next_slot(at(last), at(last))
    assert datetime.fromtimestamp(found, UTC) == datetime.fromtimestamp(at(following), UTC)


@pytest.mark.parametrize(
    ("slot", "now", "following"),
    [
        (0.0, 0.0, 10.0),
        (10.0, 10.0, 20.0),
        (10.0, 10.2, 20.0),
        (10.0, 9.1, 20.0),  # it came early, by its jitter
        (10.0, 44.0, 50.0),  # what was missed is not made up for
        (10.0, 46.0, 60.0),  # nor comes the next at once after a late one
        (10.0, 50.0, 60.0),
        (10.0, -3590.0, 20.0),
    ],
)
def test_an_interval_keeps_its_rhythm(slot: float, now: float, following: float) -> None:
    assert Timing(every=10.0).next_slot(slot, now) == following


@given(TIMINGS, TIMES, st.floats(min_value=-5 * DAY, max_value=5 * DAY))
def test_no_slot_comes_twice_and_none_is_made_up_for(timing: Timing, slot: float, passed: float) -> None:
    following = timing.next_slot(slot, slot + passed)
    assert following > max(slot, slot + passed)


@given(st.sampled_from(CRONS), st.sampled_from(ZONES), TIMES, st.floats(min_value=0, max_value=1))
def test_no_slot_is_left_out_however_often_one_looks(cron: str, zone: str, now: float, share: float) -> None:
    timing = Timing(every=cron, timezone=zone)
    following = timing.next_slot(now, now)
    between = now + (following - now) * share
    assert timing.next_slot(between, between) == following or between >= following


@given(TIMINGS, TIMES, st.floats(min_value=0, max_value=1), st.floats(min_value=0, max_value=1))
def test_jitter_comes_earlier_and_never_later(timing: Timing, now: float, jitter: float, chance: float) -> None:
    slot = timing.next_slot(now, now)
    due = Timing(every=timing.every, timezone=timing.timezone, jitter=jitter).due(slot, now, chance)
    assert slot - jitter * (slot - now) - 1e-3 <= due <= slot


def test_jitter_of_a_late_cycle_is_a_share_of_the_time_that_is_left() -> None:
    assert Timing(every=10.0, jitter=0.5).due(20.0, 19.0, 1.0) == 19.5


@pytest.mark.parametrize(
    ("every", "slot", "since", "now", "stands"),
    [
        (6 * HOUR, 6 * HOUR, 0.0, HOUR, 6 * HOUR),  # not set back
        (6 * HOUR, 6 * HOUR, 0.0, -HOUR, 5 * HOUR),  # the longest that it may have to wait
        (600.0, 1200.0, 600.0, -3000.0, -2400.0),
        ("0 * * * *", 7200.0, 3600.0, 10.0, 7200.0),  # its slots are not repeated
        ("0 * * * *", 7200.0, 3600.0, -2 * HOUR, 7200.0),
        ("0 * * * *", 10 * DAY, 10 * DAY - HOUR, 10.0, 3600.0),  # it was wrong by days before
    ],
)
def test_what_stands_when_the_clock_was_set_back(
    every: float | str, slot: float, since: float, now: float, stands: float
) -> None:
    assert Timing(every=every).slot_after_set_back(slot, since, now) == stands


@pytest.mark.parametrize(
    ("timing", "said"),
    [
        (Timing(every="0 25 * * *"), "'0 25 * * *' is no cron expression of five or six fields: Bad hour"),
        (Timing(every="daily"), "Wrong number of fields"),
        (Timing(every="0 0 31 2 *"), "Bad day-of-month"),
        (Timing(every="0 0 */20 * MON#5"), "names no time that ever comes"),
        (Timing(every=0.0), "an interval of 0 s is too short: the shortest is one second"),
        (Timing(every=-60.0), "too short"),
        (Timing(every=60.0, jitter=1.5), "jitter is 1.5, and has to be a share from 0 to 1"),
        (Timing(every="0 3 * * *", timezone="Europe/Berln"), "'Europe/Berln' is no time zone that is known here"),
        (Timing(every=60.0, timezone="../x"), "no time zone"),
    ],
)
def test_what_is_wrong_is_said(timing: Timing, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        timing.check()
    assert said in str(raised.value)


def test_a_machine_that_knows_no_time_zones_has_utc_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tzdata", None)
    zoneinfo.reset_tzpath([])
    try:
        assert zone_of("UTC") is UTC
        with pytest.raises(ValueError, match="as Europe/Berlin is; none is: install tzdata"):
            zone_of("Antarctica/Troll")  # which no other test has asked for
    finally:
        zoneinfo.reset_tzpath()
