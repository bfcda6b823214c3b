"""What is done about drift: report, notify or remediate; when it is news, and when remediating has to stop."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from orbits_iac.model.rows import Difference


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How often one thing is brought back before a person has to look: more than that, and it flaps."""

    times: int = 3
    within: timedelta = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What is different since the last look: notified once for each new drift, and once when it is healed."""

    new: tuple[Difference, ...] = ()
    healed: tuple[Difference, ...] = ()


def may_remediate(
    on_drift: Literal["report", "notify", "remediate"],
    *,
    earlier: Sequence[float],
    now: float,
    limit: Limit,
    forward_only: bool = False,
) -> bool:
    """Whether drift may be brought back now. `earlier` are the times (seconds) when it was, `now` is this one's.

    What is held forward only is reported and nothing else.
    """
    if on_drift != "remediate" or forward_only:
        return False
    since = now - limit.within.total_seconds()
    return sum(1 for at in earlier if at > since) < limit.times


def news(before: Collection[Difference], now: Collection[Difference]) -> News:
    """What of the drift is new and what is healed, told apart by where it is and not by its values."""
    was = {place_of(difference) for difference in before if not difference.remediated}
    still = {place_of(difference) for difference in now if not difference.remediated}
    return News(
        new=tuple(d for d in now if not d.remediated and place_of(d) not in was),
        healed=tuple(d for d in before if not d.remediated and place_of(d) not in still),
    )


def place_of(difference: Difference) -> tuple[str, str]:
    """What tells differences of one look apart: where they are, whatever the values."""
    return (difference.resource, difference.path)
