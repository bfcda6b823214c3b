"""Fleet: how a fleet stands, tenant by tenant and service by service, as the report of it shows.

Plain values, made by `standing.read`; the forms in which they are shown are in reporting/. What always holds: what was
never looked at, or could not be, is said to be so, and counts as in sync nowhere.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class Mood(StrEnum):
    """What a state asks of people: the forms of the report colour and sort by it, the first first."""

    PERSON = "needs a person"  # nothing goes on with it until somebody decides
    FAILED = "failed"  # it is back at what was good before
    MOVING = "under way"
    WAITING = "waiting"  # nothing was done to it, for the reason that is said
    WELL = "well"


class DriftState(StrEnum):
    """What the last looks at a thing and all below it found, the worst of all, the first first."""

    UNREADABLE = "could not be looked at"
    DRIFTED = "drifted"
    UNCHECKED = "unchecked"  # never looked at, or nothing of it could be compared
    BROUGHT_BACK = "brought back"
    IN_SYNC = "in sync"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A property that is not as it was recorded; the values as JSON texts."""

    where: str
    path: str  # empty: the whole of it is gone, or there though it should not be
    recorded: str
    live: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Drift:
    """What the last looks found."""

    state: DriftState = DriftState.UNCHECKED
    at: datetime | None = None  # the oldest of the looks; None: there was none
    findings: tuple[Finding, ...] = ()
    unchecked: int = 0  # properties that were not compared, beside those that were
    error: str | None = None


class ServiceState(StrEnum):
    """What stands of a service."""

    STANDS = "stands"
    ABSENT = "nothing stands"
    BUSY = "under way"  # an execution has it now, or waits for it
    FAILED = "failed"  # what failed in the last roll-out; its revision is what stands
    HELD = "forward only"  # a step of no return was passed before something failed


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One thing that a tenant's stack is made of, with all below it."""

    name: str
    kind: str
    identity: str
    state: ServiceState
    mood: Mood
    revision: int | None = None
    since: datetime | None = None  # its last change; None if that is not recorded
    by: str = ""
    drift: Drift | None = None  # None: nothing stands
    error: str | None = None
    shared: bool = False  # others may use it, too
    users: tuple[str, ...] | None = None  # of what tenants use together: those that do


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One tenant of the fleet."""

    id: str
    state: str
    mood: Mood
    happened: str = ""  # in a line for people; of one that was not rolled out: why
    name: str = ""  # what people call it
    labels: Mapping[str, str] = field(default_factory=dict)
    pinned: Mapping[str, Any] = field(default_factory=dict)  # fields of its stack that stay whatever is released
    window: str = ""  # when it may be changed; "": at any time
    expires: str = ""  # when it ends by itself, in ISO 8601; "": never
    account: str | None = None
    wave: str = ""
    revision: int | None = None
    since: datetime | None = None
    by: str = ""
    drift: Drift | None = None
    error: str | None = None
    path: tuple[str, ...] = ()
    execution: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    services: tuple[Service, ...] = ()
    shared: tuple[str, ...] = ()  # what it uses together with others, by their names

    def service(self, name: str) -> Service | None:
        """Its service of this name."""
        return next((one for one in self.services if one.name == name), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wave:
    """One wave of the last roll-out, as far as it was begun."""

    name: str
    members: tuple[Member, ...]

    @property
    def began(self) -> datetime | None:
        """When the first of its tenants was begun."""
        return min((one.began for one in self.members if one.began), default=None)

    @property
    def ended(self) -> datetime | None:
        """When the last of its tenants was over; None while one is under way."""
        if any(one.began and not one.ended for one in self.members):
            return None
        return max((one.ended for one in self.members if one.ended), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class LastRollOut:
    """The last roll-out: the one under way, or else the last that came to its end."""

    execution: str
    who: str
    began: datetime
    ended: datetime | None  # None: it is under way
    argument: Mapping[str, Any]
    notes: tuple[str, ...] = ()  # what else is to be known of it, such as why it went no further


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """A fleet as it stands."""

    name: str
    at: datetime  # when this was read
    members: tuple[Member, ...] = ()
    shared: tuple[Service, ...] = ()  # what was done before the tenants: for all, or for those that use it together
    rollout: LastRollOut | None = None

    def of(self, members: Iterable[Member]) -> "Fleet":
        """The fleet as if only these tenants were in it."""
        return replace(self, members=tuple(members))

    @property
    def services(self) -> tuple[str, ...]:
        """The names of the tenants' services, in the order in which they are done."""
        return tuple(dict.fromkeys(service.name for one in self.members for service in one.services))

    @property
    def waves(self) -> tuple[Wave, ...]:
        """The waves in which tenants were begun, in their order."""
        found: dict[str, list[Member]] = {}
        for one in self.members:
            if one.began:
                found.setdefault(one.wave, []).append(one)
        waves = [Wave(name=name, members=tuple(members)) for name, members in found.items()]
        return tuple(sorted(waves, key=lambda wave: wave.began or self.at))

    @property
    def states(self) -> Mapping[str, int]:
        """How many tenants there are of each state, what asks most of people first."""
        order = {one.state: list(Mood).index(one.mood) for one in self.members}
        counts = Counter(one.state for one in self.members)
        return {state: counts[state] for state in sorted(counts, key=lambda state: (order[state], -counts[state]))}

    @property
    def drifts(self) -> Mapping[DriftState, int]:
        """How many of the tenants that stand are in each state of drift."""
        counts = Counter(one.drift.state for one in self.members if one.drift is not None)
        return {state: counts[state] for state in DriftState if counts[state]}

    @property
    def looked(self) -> datetime | None:
        """The oldest last look at any of them."""
        return min((one.drift.at for one in self.members if one.drift and one.drift.at), default=None)

    @property
    def troubled(self) -> tuple[Member, ...]:
        """Who failed or needs a person, those who need one first."""
        bad = [one for one in self.members if one.mood in {Mood.PERSON, Mood.FAILED}]
        return tuple(sorted(bad, key=lambda one: list(Mood).index(one.mood)))

    @property
    def drifted(self) -> tuple[Member, ...]:
        """Who has drifted, or could not be looked at."""
        bad = {DriftState.UNREADABLE, DriftState.DRIFTED}
        return tuple(one for one in self.members if one.drift is not None and one.drift.state in bad)


def worst(drifts: Iterable[Drift | None]) -> Drift | None:
    """What several looks say together: the worst state, and all that was found; None if nothing stands of any."""
    there = [drift for drift in drifts if drift is not None]
    if not there:
        return None
    return Drift(
        state=min((drift.state for drift in there), key=list(DriftState).index),
        at=min((drift.at for drift in there if drift.at), default=None),
        findings=tuple(finding for drift in there for finding in drift.findings),
        unchecked=sum(drift.unchecked for drift in there),
        error="; ".join(drift.error for drift in there if drift.error) or None,
    )
