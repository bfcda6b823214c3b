"""When a tenant may be changed, in the hours of its own place."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from orbits_tenants import Window


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "now", "opens"),
    [
        pytest.param("22:00-04:00", "2026-11-26 23:00", "2026-11-26 23:00", id="open"),
        pytest.param("22:00-04:00", "2026-11-26 03:59", "2026-11-26 03:59", id="open-since-yesterday"),
        pytest.param("22:00-04:00", "2026-11-26 04:00", "2026-11-26 22:00", id="its-end-is-not-in-it"),
        pytest.param("Sat,Sun 08:00-10:00", "2026-11-26 09:00", "2026-11-28 08:00", id="another-day"),
        pytest.param("Fri-Mon 08:00-10:00", "2026-11-29 11:00", "2026-11-30 08:00", id="days-over-a-weekend"),
        pytest.param("Thu 22:00-04:00", "2026-11-27 03:00", "2026-11-27 03:00", id="of-the-day-it-begins"),
        pytest.param("Thu 22:00-04:00", "2026-11-28 03:00", "2026-12-03 22:00", id="not-of-the-day-after"),
        pytest.param("22:00-23:00 Europe/Berlin", "2026-11-26 20:59", "2026-11-26 21:00", id="winter-there"),
        pytest.param("22:00-23:00 Europe/Berlin", "2026-07-26 20:10", "2026-07-26 20:10", id="summer-there"),
        pytest.param("02:00-03:00 Europe/Berlin", "2026-03-28 23:30", "2026-03-29 01:00", id="an-hour-left-out"),
        pytest.param("02:00-03:00 Europe/Berlin", "2026-03-29 01:00", "2026-03-29 01:00", id="it-is-open-then"),
        pytest.param("02:30-03:15 Europe/Berlin", "2026-03-29 02:00", "2026-03-29 02:00", id="half-of-it-left-out"),
        pytest.param("02:30-03:15 Europe/Berlin", "2026-03-29 02:15", "2026-03-30 00:30", id="as-long-as-written"),
        pytest.param("22:00-03:30 Europe/Berlin", "2026-03-29 01:30", "2026-03-29 20:00", id="over-a-change-of-clocks"),
        pytest.param("00:00-00:00", "2026-11-26 12:00", "2026-11-26 12:00", id="always"),
    ],
)
def test_it_opens(window: str, now: str, opens: str) -> None:
    assert Window(window).opens(at(now)) == at(opens)


@given(st.datetimes(at("2026-01-01").replace(tzinfo=None), at("2027-01-01").replace(tzinfo=None)))
def test_it_opens_within_a_week_and_is_open_then(now: datetime) -> None:
    window = Window("Wed 23:30-00:30 America/New_York")
    opens = window.opens(now.replace(tzinfo=UTC))
    assert timedelta() <= opens - now.replace(tzinfo=UTC) <= timedelta(days=7, hours=1)
    assert window.opens(opens) == opens


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("at night", "'at night' is no window"),
        ("Sab 08:00-10:00", "'Sab' is no day or span of days: Mon, Tue"),
        ("08:00-10:00\n", "is no window"),
        ("25:00-26:00", "hour must be in 0..23"),
        ("08:00-10:00 Europe/Atlantis", "'Europe/Atlantis' is no time zone that is known here"),
        (7, "a window is a text"),
    ],
)
def test_what_is_no_window_is_refused(text: object, said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Window).validate_python(text)
    assert said in str(refused.value)


def test_it_is_written_as_it_was_read() -> None:
    adapter = TypeAdapter(Window)
    assert adapter.validate_json(adapter.dump_json(Window("Mon 08:00-10:00"))) == Window("Mon 08:00-10:00")
