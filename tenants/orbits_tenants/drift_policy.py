"""DriftPolicy: what a fleet's cycles do about drift, tenant by tenant, and how much of the fleet they may bring back.

Pure: no I/O. Called by `drift`, which looks and brings back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar, get_args

from orbits_iac import Every
from orbits_iac.provider import OnDrift, Selector, Stop, UsageError
from orbits_tenants.tenant import Tenant

SPREAD = 0.8
"""The share of a schedule's interval that its looks are spread over: the rest is for the last ones to end."""
TICKS = 256
"""Times within the spread at which looks begin: who is due between two of them begins at the later one."""

T = TypeVar("T")


class DriftPolicy:
    """What a fleet's cycles do about drift.

    `by_label` says it by the tenants' labels, the first selector that fits counts; `default` is for all others. While
    one names a label that nobody has, nothing is brought back. Who is
    to be brought back is looked at first, like everybody else; when all have been looked at, it is counted: where more
    than `share` of the fleet has drifted, and more than `at_least` tenants, nothing is brought back until somebody has
    said so (`orbits cycle --remediate --most`). So it is with a tenant of which more than `things` have drifted.

    `at_once` tenants are looked at, or brought back, at a time; one that takes `longest` is let go of. A schedule's
    looks are spread over `spread`: by default four fifths of its interval; of a cron expression, not at all.

    Raises UsageError for what is no policy, selector or share.
    """

    def __init__(
        self,
        default: OnDrift = "report",
        *,
        by_label: Mapping[str, OnDrift] | None = None,
        share: float = 0.05,
        at_least: int = 3,
        things: int = 10,
        at_once: int = 10,
        longest: timedelta = timedelta(minutes=30),
        spread: timedelta | None = None,
    ) -> None:
        for what in (default, *(by_label or {}).values()):
            if what not in get_args(OnDrift):
                raise UsageError(f"DriftPolicy: {what!r} is not one of {', '.join(get_args(OnDrift))}")
        if not 0 <= share <= 1:
            raise UsageError(f"DriftPolicy(share={share}): a share of the fleet is from 0 to 1")
        if min(at_once, things, at_least + 1) < 1:
            raise UsageError("DriftPolicy: at_once and things are at least 1, at_least is at least 0")
        if longest <= timedelta() or (spread is not None and spread < timedelta()):
            raise UsageError("DriftPolicy: longest is more than no time, and spread is not less")
        self.default: OnDrift = default
        self.by_label: tuple[tuple[Selector, OnDrift], ...] = tuple(
            (Selector(text), what) for text, what in (by_label or {}).items()
        )
        self.share, self.at_least, self.things = share, at_least, things
        self.at_once, self.longest, self.spread = at_once, longest, spread

    @property
    def in_words(self) -> str:
        """What is done about whose drift, for people."""
        by_label = [f"{what} where {selector.text}" for selector, what in self.by_label]
        return "; ".join([*by_label, f"else {self.default}"]) if by_label else self.default

    def of(self, labels: Mapping[str, str]) -> OnDrift:
        """What is done about the drift of a tenant with these labels."""
        for selector, what in self.by_label:
            if selector.holds(labels):
                return what
        return self.default

    def unknown(self, fleet: Sequence[Mapping[str, str]]) -> str:
        """What is wrong with a selector that names a label which nobody in a fleet of these has; "" if none does.

        By a misspelt one, those whom it is meant for would be brought back by `default`.
        """
        known = {label for labels in fleet for label in labels}
        missing = {one.key for selector, _ in self.by_label for one in selector.requirements} - known
        if not fleet or not missing:
            return ""
        there = ", ".join(sorted(known)) or "none"
        return f"by_label: no tenant has a label {', '.join(map(repr, sorted(missing)))}; there are: {there}"

    def most(self, tenants: int) -> int:
        """How many of a fleet of so many tenants are brought back in one cycle without asking."""
        return max(self.at_least, int(self.share * tenants))

    def seconds(self, every: Every | None) -> float:
        """The time that the looks of a schedule are spread over."""
        if self.spread is not None:
            return self.spread.total_seconds()
        if every is None or not isinstance(every.every, timedelta):
            return 0.0
        return every.every.total_seconds() * SPREAD


def place(name: str) -> float:
    """Where in the spread a tenant is looked at, from 0 to 1: the same in each cycle, whoever else there is."""
    return int.from_bytes(sha256(name.encode()).digest()[:8]) / 2**64


def in_turn(named: Iterable[tuple[str, T]], seconds: float) -> list[tuple[float, list[T]]]:
    """Who is looked at when: seconds from the beginning, in order, with those whose turn it is then."""
    if seconds <= 0:
        return [(0.0, [one for _, one in named])]
    found: dict[int, list[T]] = {}
    for name, one in sorted(named, key=lambda pair: place(pair[0])):
        found.setdefault(int(place(name) * TICKS), []).append(one)
    return [(tick * seconds / TICKS, group) for tick, group in found.items()]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Who is brought back, and why the others that have drifted are not."""

    brought_back: tuple[str, ...] = ()
    stops: tuple[Stop, ...] = ()  # each of one of them, or of all

    @property
    def stopped(self) -> str:
        """The reasons in a line."""
        return "; ".join(stop.why for stop in self.stops)


def verdict(
    drifted: Mapping[str, int],
    *,
    tenants: int,
    policy: DriftPolicy,
    fleet: str,
    allowed: int | None = None,
    left: Mapping[str, str] | None = None,
) -> Verdict:
    """Who of those that have drifted (with how many things each) is brought back.

    `tenants` are in the fleet, which `fleet` names for commands. `allowed`: somebody has said how many may be; then
    how many things of each is not asked. `left`: who is not to be changed now, and why.
    """
    most = policy.most(tenants) if allowed is None else allowed
    if len(drifted) > most:
        why = (
            f"{len(drifted)} of {tenants} tenants have drifted, and at most {most} are brought back at a time: "
            f"nothing was. See what it is (orbits drift {fleet} --last); if it is to be brought back: "
            f"orbits cycle {fleet} --remediate --most {len(drifted)}"
        )
        return Verdict(stops=(Stop(about="too many", why=why),))
    stops: dict[str, Stop] = {}
    for name, count in drifted.items():
        if left and name in left:
            stops[name] = Stop(about="not now", who=name, why=f"{name} has drifted, and {left[name]}")
        elif allowed is None and count > policy.things:
            why = (
                f"of {name} {count} things have drifted, and at most {policy.things} are brought back at a time: "
                f"orbits cycle {fleet} --remediate --tenant {name}"
            )
            stops[name] = Stop(about="too much", who=name, why=why)
    return Verdict(brought_back=tuple(name for name in drifted if name not in stops), stops=tuple(stops.values()))


def left_alone(tenants: Iterable[Tenant], now: datetime) -> dict[str, str]:
    """Who is not to be changed now, and why: who is paused, and whose window is closed."""
    found: dict[str, str] = {}
    for tenant in tenants:
        if tenant.paused:
            found[tenant.id] = f"is paused: {tenant.paused}"
        elif tenant.window is not None and tenant.window.opens(now) > now:
            found[tenant.id] = f"may be changed in its window alone: {tenant.window}"
    return found
