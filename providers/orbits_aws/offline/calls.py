"""The log of every call that reached the offline AWS.

A `Call` is a string, `"s3:PutBucketTagging"`, so that a test may write `"s3:PutBucketTagging" in aws.calls()`, and
carries who called what, where, and how it ended. The log keeps the newest calls; counts are kept for all of them.
Written by the gateway, read by `OfflineAws.calls` and the admin interface.
"""

from collections import Counter, deque
from collections.abc import Mapping
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any, Literal, Self

Origin = Literal["outside", "cloudformation"]

KEPT = 100_000

_READ_VERBS = (
    "AssumeRole",
    "BatchCheck",
    "BatchDescribe",
    "BatchGet",
    "Check",
    "Count",
    "Decode",
    "Describe",
    "Detect",
    "Discover",
    "Download",
    "Estimate",
    "Filter",
    "Get",
    "Head",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Test",
    "TransactGet",
    "Validate",
    "Verify",
    "View",
)
"""Operations that begin with one of these change nothing; every other operation is counted as a write."""


def is_write(operation: str) -> bool:
    """Whether an operation, by the verb that its name begins with, changes anything."""
    return not operation.startswith(_READ_VERBS)


class Call(str):
    """One call: the text `service:Operation`, with the circumstances as attributes."""

    __slots__ = ("account", "error", "operation", "origin", "region", "seq", "service")

    seq: int
    """Position in the log, from 1, without gaps."""
    account: str
    region: str
    service: str
    operation: str
    origin: Origin
    """`cloudformation` for a call that CloudFormation, or Cloud Control, made to work on a resource."""
    error: str | None
    """The error code of the answer; `AnswerLost` when the work was done and the answer cut off, `ConnectionCut`
    when nothing was done; None for success."""

    def __new__(
        cls,
        *,
        seq: int,
        account: str,
        region: str,
        service: str,
        operation: str,
        origin: Origin = "outside",
        error: str | None = None,
    ) -> Self:
        """Make a call from what is known of it."""
        call = super().__new__(cls, f"{service}:{operation}")
        call.seq, call.account, call.region = seq, account, region
        call.service, call.operation, call.origin, call.error = service, operation, origin, error
        return call

    @property
    def write(self) -> bool:
        """Whether the operation changes anything."""
        return is_write(self.operation)

    def __repr__(self) -> str:
        """Everything known of the call, for the message of a failing assertion."""
        ended = f" -> {self.error}" if self.error else ""
        by = " by cloudformation" if self.origin == "cloudformation" else ""
        return f"<{self.seq} {self!s} {self.account}/{self.region}{by}{ended}>"

    def as_dict(self) -> dict[str, Any]:
        """The call as JSON, the inverse of `from_dict`."""
        return {name: getattr(self, name) for name in Call.__slots__} | {"write": self.write}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """A call from what `as_dict` gave."""
        return cls(**{name: data[name] for name in Call.__slots__})


class CallLog:
    """The calls, oldest first, and how many there were of each; safe to use from any thread."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = Lock()
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._counts: Counter[tuple[str, str, str, str]] = Counter()
        self._seq = 0

    def add(
        self, *, account: str, region: str, service: str, operation: str, origin: Origin, error: str | None
    ) -> Call:
        """Append a call and give it its number."""
        with self._lock:
            self._seq += 1
            call = Call(
                seq=self._seq,
                account=account,
                region=region,
                service=service,
                operation=operation,
                origin=origin,
                error=error,
            )
            self._calls.append(call)
            self._counts[account, service, operation, region] += 1
            return call

    def select(
        self,
        service: str | None = None,
        *,
        operation: str = "*",
        writes: bool = False,
        account: str | None = None,
        region: str | None = None,
        after: int = 0,
        origin: str | None = None,
    ) -> list[Call]:
        """The kept calls with a number above `after` that match every given filter, oldest first."""
        with self._lock:
            calls = list(self._calls)
        return [
            call
            for call in calls
            if call.seq > after
            and (service is None or call.service == service)
            and fnmatchcase(call.operation, operation)
            and (region is None or call.region == region)
            and (account is None or call.account == account)
            and (origin is None or call.origin == origin)
            and (not writes or call.write)
        ]

    def counts(
        self, service: str | None = None, *, account: str | None = None, region: str | None = None
    ) -> dict[str, dict[str, dict[str, int]]]:
        """How many calls there were that match every given filter: account, then service, then operation."""
        with self._lock:
            items = sorted(self._counts.items())
        result: dict[str, dict[str, dict[str, int]]] = {}
        for (in_account, of_service, operation, in_region), number in items:
            if service in (None, of_service) and account in (None, in_account) and region in (None, in_region):
                operations = result.setdefault(in_account, {}).setdefault(of_service, {})
                operations[operation] = operations.get(operation, 0) + number
        return result

    def clear(self) -> None:
        """Forget all calls; the next one has the number 1."""
        with self._lock:
            self._calls.clear()
            self._counts.clear()
            self._seq = 0
