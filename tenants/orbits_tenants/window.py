"""Window: when a tenant may be changed. Pure: it is asked with a time, and knows none itself."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from orbits_iac.provider import zone_of

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FORM = re.compile(
    r"(?:(?P<days>[A-Za-z,-]+) )?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?: (?P<zone>[A-Za-z0-9_+/-]+))?"
)
_EXAMPLE = "'Sat,Sun 22:00-04:00 Europe/Berlin'"


class Window:
    """The hours in which a tenant may be changed: `Mon-Fri 22:00-04:00 Europe/Berlin`.

    Days (every day if there are none), each by its first three letters, alone, in a list or as a span; from when to
    when, past midnight if the end is not after the beginning, and then of the day on which it begins; a time zone, UTC
    if there is none. Where clocks change, what begins in the hour that is left out begins that much later; if that is
    its end already, it is as long as written.

    Raises ValueError for what is none, and says what of it is wrong.
    """

    def __init__(self, text: str) -> None:
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no window: write days, hours and a time zone, as in {_EXAMPLE}")
        self.text = text
        self._days = frozenset(_days(found["days"], text))
        try:
            self._start, self._end = time.fromisoformat(found["start"]), time.fromisoformat(found["end"])
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}") from error
        try:
            self._zone = zone_of(found["zone"] or "UTC")
        except ValueError as error:
            raise ValueError(f"{text!r}: {error}") from error

    def opens(self, now: datetime) -> datetime:
        """When it is open next: `now` if it is open."""
        for start, end in self._spans(now):
            if now < end:
                return max(now, start)
        raise AssertionError("unreachable: within eight days there is one of each weekday")

    def _spans(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The spans from the day before `now` on, in UTC."""
        day = now.astimezone(self._zone).date() - timedelta(days=1)
        for _ in range(9):
            if day.weekday() in self._days:
                begins = datetime.combine(day, self._start, tzinfo=self._zone)
                ends = datetime.combine(day + timedelta(days=self._end <= self._start), self._end, tzinfo=self._zone)
                start, end = begins.astimezone(UTC), ends.astimezone(UTC)
                yield start, end if end > start else start + (ends - begins)  # one zone: what the clocks show
            day += timedelta(days=1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Window) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Window({self.text!r})"

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A field of this type takes the text, and is written as it."""
        return core_schema.no_info_plain_validator_function(
            _window, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )


def _window(value: object) -> Window:
    if isinstance(value, Window):
        return value
    if not isinstance(value, str):
        raise ValueError(f"a window is a text, as in {_EXAMPLE}")  # noqa: TRY004 - pydantic takes no TypeError for one
    return Window(value)


def _days(text: str | None, whole: str) -> Iterator[int]:
    for part in (text or "Mon-Sun").split(","):
        first, _, last = part.partition("-")
        try:
            begins, ends = _DAYS.index(first), _DAYS.index(last or first)
        except ValueError:
            raise ValueError(f"{whole!r}: {part!r} is no day or span of days: {', '.join(_DAYS)}") from None
        yield from ((begins + plus) % 7 for plus in range((ends - begins) % 7 + 1))
