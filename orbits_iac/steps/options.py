"""Settings of a step: at its class (`options = Options(...)`) and at each `do`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from typing_extensions import TypedDict

from orbits_iac.model.conflict import OnConflict
from orbits_iac.model.retry import Retry
from orbits_iac.model.schedule import Timing
from orbits_iac.model.target import Target

OnDrift = Literal["report", "notify", "remediate"]


@dataclass(frozen=True)
class Pool:
    """At most `capacity` steps at a time, over all executions of a store."""

    name: str
    capacity: int


class Executor:
    """Where an Action runs. The default is this process; `orbits_iac.executors` has others."""


@dataclass(frozen=True)
class Ssh(Executor):
    """A machine that is reached by SSH."""

    host: str
    user: str


@dataclass(frozen=True)
class Docker(Executor):
    """A container, made for the step from an image."""

    image: str


class Every:
    """A schedule: an interval, or a cron expression in a time zone, and what a cycle does about drift.

    The time zone is a name such as `Europe/Berlin`, for cron expressions alone. `jitter` is the share, from 0 to 1, of
    the time since the slot before by which a cycle may come earlier, so that many do not come at once. A class whose
    schedule is wrong in any of this is a TypeError when it is made.
    """

    def __init__(
        self,
        every: timedelta | str,
        *,
        jitter: float = 0,
        timezone: str = "UTC",
        on_drift: OnDrift = "report",
    ) -> None:
        self.every = every
        self.jitter = jitter
        self.timezone = timezone
        self.on_drift: OnDrift = on_drift

    @property
    def timing(self) -> Timing:
        """When its cycles come; a ValueError says what of the schedule is wrong."""
        if isinstance(self.every, timedelta):
            every: float | str = self.every.total_seconds()
        elif isinstance(self.every, str):
            every = self.every
        else:
            raise ValueError(f"every is {self.every!r}, and has to be a timedelta or a cron expression")  # noqa: TRY004 - the caller makes it a TypeError, with the class
        made = Timing(every=every, timezone=self.timezone, jitter=self.jitter)
        made.check()
        if self.on_drift not in get_args(OnDrift):
            raise ValueError(f"on_drift is {self.on_drift!r}, and has to be one of {', '.join(get_args(OnDrift))}")
        return made


def check_labels(labels: Mapping[Any, Any]) -> None:
    """Raise a ValueError for labels that limits and workers could not be told by: names and values are text."""
    for name, value in labels.items():
        if not (isinstance(name, str) and isinstance(value, str)) or not name or "=" in name:
            raise ValueError(f"{name!r}: {value!r} is no label: the name is text without =, the value is text")


class StepOptions(TypedDict, total=False):
    """At the `do`: for this step."""

    retry: Retry
    timeout: timedelta  # of one attempt, from `main` through `watch`
    executor: Executor  # where Actions run: at a Workflow or Resource, those of all below that say nothing else
    pool: Pool
    deadline: timedelta  # of all attempts
    grace: timedelta  # how long a step may take to end when it is asked to
    priority: int  # who is claimed first; handed down to what it does
    labels: Mapping[str, str]  # "tenant", "worker" (the label of workers that go on with it), your own; handed down
    on_conflict: OnConflict  # where its record is busy; `supersede`: what goes before it ends where that is safe
    protect: bool  # never removed or replaced without being named
    retain: bool  # stays when what did it is uninstalled
    adopt: bool  # take what is live already into the record, as revision 0
    as_found: Mapping[str, str]  # of an update: only that, of it and all below, and nothing is changed; what things are
    # called there, by the refs below that lead to them, joined by dots: `{"web.db": "client-acme-db"}`; "" is itself
    no_return: bool  # once it was begun, nothing before it is brought back
    within: Sequence[Target]  # it and all below may act here, and in what they or all make, and nowhere else
    shared: bool  # its record is no tenant's, whoever does it: all may do it and read what it publishes


class Options(StepOptions, total=False):
    """At the class: merged over the bases, `kind` apart; a `do` overrides what StepOptions has."""

    kind: str
    former_kinds: Sequence[str]  # what it was called before: its records stay under the kind they were made with
    idempotent: bool  # `main` may run again with the same token
    install_version: int
    stateful: bool
    schedule: Every
    cycles_beside: bool  # its cycle only asks its children's, so it holds nothing, and its updates do not wait for it
    own_build: bool  # an update, and all below it, goes on only with the code that it was asked for by
