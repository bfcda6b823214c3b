"""The standing faults: which calls they strike.

Pure bookkeeping: a rule says which calls it means and which of them (`nth`, `times`, `share`, a throttle's buckets) it
strikes; the gateway asks `FaultRules.strike` once for each call that arrives, from outside or from CloudFormation, and
carries the effect out.
"""

import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock

from .calls import Origin, is_write
from .fault_spec import FaultSpec
from .throttling import Bucket


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a rule is matched against: one call as it arrived."""

    service: str
    operation: str
    account: str
    region: str
    origin: Origin
    invocation: str | None
    """The SDK's id of the call, the same for all its retries."""
    text: str
    """Path, query and body."""
    past: bool = False
    """Whether it is known how the service was in this account before its latest write."""


@dataclass(kw_only=True)
class FaultRule:
    """A standing rule, and how many calls it has seen and struck."""

    id: int
    spec: FaultSpec
    seen: int = 0
    struck: int = 0
    invocations: set[str] = field(default_factory=set[str])
    buckets: dict[tuple[str, str, str], Bucket] = field(default_factory=dict[tuple[str, str, str], Bucket])

    def __post_init__(self) -> None:
        """Take the dice."""
        self._dice = random.Random(self.spec.seed)  # noqa: S311 - chooses calls, guards nothing

    @property
    def spent(self) -> bool:
        """Whether it will never strike a new call."""
        return self.spec.times is not None and self.struck >= self.spec.times

    def as_dict(self) -> dict[str, object]:
        """The rule as JSON."""
        return {"id": self.id, "seen": self.seen, "struck": self.struck, **self.spec.model_dump()}

    def count(self, target: Target, now: float, *, free: bool) -> bool:
        """Count a matching call; whether the rule strikes it, which it may only where `free`.

        Every call throws the dice and takes its token, whatever other rules do.
        """
        self.seen += 1
        if self.seen < self.spec.nth or self.spent:
            return False
        chosen = self.spec.share is None or self._dice.random() < self.spec.share
        if chosen and self.spec.kind == "throttle":
            chosen = not self._bucket(target, now).take(now)
        if not (chosen and free):
            return False
        self.struck += 1
        if self.spec.kind == "lose_answer" and target.invocation is not None:
            self.invocations.add(target.invocation)
        return True

    def _bucket(self, target: Target, now: float) -> Bucket:
        key = (target.account, target.region, target.service)
        return self.buckets.setdefault(key, Bucket.full(*self.spec.bucket, now))


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A rule's effect on one call."""

    spec: FaultSpec
    again: bool = False
    """A retry of a call whose answer was lost before: lost again, and the work is not done twice."""


class FaultRules:
    """The standing rules, in the order in which they were added; safe to use from any thread."""

    def __init__(self, account_id: Callable[[str], str | None], clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `account_id` turns an account's name into its id, None if there is none."""
        self._account_id = account_id
        self.clock = clock
        self._lock = Lock()
        self._ids = itertools.count(1)
        self._rules: list[FaultRule] = []

    def add(self, spec: FaultSpec) -> FaultRule:
        """Add a rule; it counts calls from now on."""
        with self._lock:
            rule = FaultRule(id=next(self._ids), spec=spec)
            self._rules.append(rule)
            return rule

    def remove(self, rule_id: int) -> bool:
        """Remove one rule; whether it was there."""
        with self._lock:
            before = len(self._rules)
            self._rules = [rule for rule in self._rules if rule.id != rule_id]
            return len(self._rules) < before

    def clear(self) -> None:
        """Remove all rules."""
        with self._lock:
            self._rules.clear()

    def state(self) -> list[FaultRule]:
        """The rules with what they have struck, for `restore`."""
        with self._lock:
            return list(self._rules)

    def restore(self, state: Sequence[FaultRule]) -> None:
        """Have these rules and no others."""
        with self._lock:
            self._rules = list(state)
            self._ids = itertools.count(max((rule.id for rule in state), default=0) + 1)

    def all(self) -> Sequence[FaultRule]:
        """The rules, the spent ones included."""
        with self._lock:
            return list(self._rules)

    def stales(self, target: Target) -> bool:
        """Whether a rule may make later reads of the call's service in its account stale."""
        with self._lock:
            return any(
                rule.spec.kind == "stale" and not rule.spent and self._of_place(rule.spec, target)
                for rule in self._rules
            )

    def strike(self, target: Target) -> Strike | None:
        """The effect on a call, from the first rule that strikes it; every rule that matches counts it."""
        with self._lock:
            found: Strike | None = None
            now = self.clock()
            for rule in self._rules:
                if not self._matches(rule.spec, target):
                    continue
                if target.invocation is not None and target.invocation in rule.invocations:
                    return Strike(spec=rule.spec, again=True)
                if rule.count(target, now, free=found is None):
                    found = Strike(spec=rule.spec)
            return found

    def _matches(self, spec: FaultSpec, target: Target) -> bool:
        return (
            self._of_place(spec, target)
            and fnmatchcase(target.operation, spec.operation)
            and (spec.origin is None or spec.origin == target.origin)
            and (spec.resource is None or spec.resource in target.text)
            and (spec.kind != "stale" or (target.past and not is_write(target.operation)))
        )

    def _of_place(self, spec: FaultSpec, target: Target) -> bool:
        return (
            spec.service in ("*", target.service)
            and (spec.region is None or spec.region == target.region)
            and (spec.account is None or spec.account == target.account or self._named(spec.account, target))
        )

    def _named(self, account: str, target: Target) -> bool:
        return self._account_id(account) == target.account
