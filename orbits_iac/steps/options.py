"""Settings of a step: at its class (`options = Options(...)`) and at each `do`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from typing_extensions import TypedDict

from orbits_iac.model.retry import Retry

OnDrift = Literal["report", "notify", "remediate"]


@dataclass(frozen=True)
class Pool:
    """At most `capacity` steps at a time, over all executions of a store."""

    name: str
    capacity: int


class Executor:
    """Where a command or file runs. The default is this process."""


class Every:
    """A schedule: an interval, or a cron expression in a time zone, and what a cycle does about drift.

    `jitter` is the share of the interval by which a cycle may come earlier, so that many do not come at once.
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


class StepOptions(TypedDict, total=False):
    """At the `do`: for this step."""

    retry: Retry
    timeout: timedelta  # of one attempt, from `main` through `watch`
    executor: Executor
    pool: Pool
    deadline: timedelta  # of all attempts
    grace: timedelta  # how long a step may take to end when it is asked to
    priority: int
    labels: Mapping[str, str]
    on_conflict: Literal["wait", "fail"]
    protect: bool  # never removed or replaced without being named
    retain: bool  # stays when what did it is uninstalled
    adopt: bool
    no_return: bool  # once it was begun, nothing before it is brought back


class Options(StepOptions, total=False):
    """At the class: merged over the bases, `kind` apart; a `do` overrides what StepOptions has."""

    kind: str
    former_kinds: Sequence[str]
    idempotent: bool  # `main` may run again with the same token
    install_version: int
    stateful: bool
    schedule: Every
