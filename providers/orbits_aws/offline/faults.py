"""Faults by request: rules that make chosen calls fail, lose their answer or take longer.

Pure bookkeeping: a rule says which calls it means and which of them (`nth`, `times`) it strikes; the gateway asks
`FaultRules.strike` once for each call that arrives, from outside or from CloudFormation, and carries the effect out.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .calls import Origin

Kind = Literal["error", "lose_answer", "delay"]


class FaultSpec(BaseModel):
    """What is asked for; the body of `POST /_offline/faults`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "error"
    """`error`: refuse without doing anything. `lose_answer`: do the work, then cut the connection. `delay`: wait."""
    service: str
    """boto3's name of the service, such as `s3`; `*` matches any."""
    operation: str
    """The operation's name, such as `PutBucketTagging`; `*` and `?` are wildcards."""
    account: str | None = None
    """Only calls into this account: an id, or an account's name in the organization. None: any."""
    resource: str | None = None
    """Only calls whose path, query or body contains this text. None: any."""
    origin: Origin | None = None
    """Only calls from outside, or only those that CloudFormation makes. None: both."""
    nth: int = Field(default=1, ge=1)
    """The first matching call, counted from when the rule was added, that is struck."""
    times: int | None = Field(default=1, ge=1)
    """How many calls are struck from the `nth` on; None: all."""
    code: str = "InternalFailure"
    """The error code of an `error`."""
    message: str | None = None
    status: int | None = None
    """The HTTP status of an `error`; None: the usual one for the code."""
    delay: float = Field(default=0.0, ge=0.0)
    """Seconds to wait before the call is worked on, whatever the kind."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a rule is matched against: one call as it arrived."""

    service: str
    operation: str
    account: str
    origin: Origin
    invocation: str | None
    """The SDK's id of the call, the same for all its retries."""
    text: str
    """Path, query and body."""


@dataclass(kw_only=True)
class FaultRule:
    """A standing rule, and how many calls it has seen and struck."""

    id: int
    spec: FaultSpec
    seen: int = 0
    struck: int = 0
    invocations: set[str] = field(default_factory=set[str])

    @property
    def spent(self) -> bool:
        """Whether it will never strike a new call."""
        return self.spec.times is not None and self.struck >= self.spec.times

    def as_dict(self) -> dict[str, object]:
        """The rule as JSON."""
        return {"id": self.id, "seen": self.seen, "struck": self.struck, **self.spec.model_dump()}


@dataclass(frozen=True, kw_only=True)
class Strike:
    """A rule's effect on one call."""

    spec: FaultSpec
    again: bool = False
    """A retry of a call whose answer was lost before: lost again, and the work is not done twice."""


class FaultRules:
    """The standing rules, in the order in which they were added; safe to use from any thread."""

    def __init__(self, account_id: Callable[[str], str | None]) -> None:
        """Start empty; `account_id` turns an account's name into its id, None if there is none."""
        self._account_id = account_id
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

    def strike(self, target: Target) -> Strike | None:
        """The effect on a call, from the first rule that strikes it; every rule that matches counts it."""
        with self._lock:
            found: Strike | None = None
            for rule in self._rules:
                if not self._matches(rule.spec, target):
                    continue
                if target.invocation is not None and target.invocation in rule.invocations:
                    return Strike(spec=rule.spec, again=True)
                if found is None:
                    found = _count(rule, target)
                else:
                    rule.seen += 1
            return found

    def _matches(self, spec: FaultSpec, target: Target) -> bool:
        return (
            spec.service in ("*", target.service)
            and fnmatchcase(target.operation, spec.operation)
            and (spec.origin is None or spec.origin == target.origin)
            and (spec.resource is None or spec.resource in target.text)
            and (spec.account is None or spec.account == target.account or self._named(spec.account, target))
        )

    def _named(self, account: str, target: Target) -> bool:
        return self._account_id(account) == target.account


def _count(rule: FaultRule, target: Target) -> Strike | None:
    rule.seen += 1
    if rule.seen < rule.spec.nth or rule.spent:
        return None
    rule.struck += 1
    if rule.spec.kind == "lose_answer" and target.invocation is not None:
        rule.invocations.add(target.invocation)
    return Strike(spec=rule.spec)
