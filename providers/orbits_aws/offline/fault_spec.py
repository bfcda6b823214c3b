"""What may be asked for as a fault: `FaultSpec`, checked strictly, so that a rule that can never strike is refused.

The body of `POST /_offline/faults` and what the methods of `OfflineAws` send. Pure data; `faults` keeps the rules and
the gateway carries them out.
"""

from typing import Any, Literal, Self, TypedDict, Unpack, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .calls import Origin

Kind = Literal["error", "throttle", "cut", "lose_answer", "delay", "stale"]

_OF_KIND: dict[str, frozenset[Kind]] = {
    "code": frozenset(("error", "throttle")),
    "message": frozenset(("error", "throttle")),
    "status": frozenset(("error", "throttle")),
    "rate": frozenset(("throttle",)),
    "burst": frozenset(("throttle",)),
}


class Which(TypedDict, total=False):
    """Which of the matching calls a fault strikes."""

    account: str | None
    """Only calls into this account: its id, or its name in the organization."""
    region: str | None
    """Only calls to this region."""
    nth: int
    """The first one, counted from 1 from now on."""
    times: int | None
    """How many from then on; None: all. Unless said, 1, but all for a throttle and where a share is given."""
    share: float | None
    """Only this fraction of them, by dice that fall the same in every run."""
    seed: int
    """Other dice for `share`."""
    resource: str | None
    """Only calls whose path, query or body contains this text."""
    origin: Origin | None
    """Only calls from `outside`, or only those that `cloudformation` makes."""


class FaultSpec(BaseModel):
    """What is asked for; the body of `POST /_offline/faults`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "error"
    """`error`: refuse without doing anything. `throttle`: refuse those for which the token bucket holds no token.
    `cut`: cut the connection without doing anything. `lose_answer`: do the work, then cut the connection.
    `delay`: wait. `stale`: answer a read as before the service's latest write in the account."""
    service: str
    """boto3's name of the service, such as `s3`; `*` matches any."""
    operation: str
    """The operation's name, such as `PutBucketTagging`; `*` and `?` are wildcards."""
    account: str | None = None
    """Only calls into this account: an id, or an account's name in the organization. None: any."""
    region: str | None = None
    """Only calls signed for this region. None: any."""
    resource: str | None = None
    """Only calls whose path, query or body contains this text. None: any."""
    origin: Origin | None = None
    """Only calls from outside, or only those that CloudFormation makes. None: both; a stale read is from outside if
    nothing is given."""
    nth: int = Field(default=1, ge=1)
    """The first matching call, counted from when the rule was added, that is struck."""
    times: int | None = Field(default=1, ge=1)
    """How many calls are struck from the `nth` on; None: all. 1 if not given, but None for a throttle or a share."""
    share: float | None = Field(default=None, gt=0.0, le=1.0)
    """The fraction of the calls from the `nth` on that is struck. None: each."""
    seed: int = 0
    """What the dice for `share` begin with: calls in the same order are struck in the same places."""
    code: str | None = Field(default=None, min_length=1)
    """The error code of an `error`, or of a `throttle` that is not to have the service's own."""
    message: str | None = None
    status: int | None = Field(default=None, ge=400, le=599)
    """The HTTP status of an `error` or `throttle`; None: the usual one for the code."""
    rate: float | None = Field(default=None, ge=0.0)
    """Tokens a second that a `throttle` gives each account, region and service; 0: none after the burst."""
    burst: int | None = Field(default=None, ge=1)
    """How many tokens a bucket of a `throttle` holds; it is full at first. Given by no one: the rate, at least 1."""
    delay: float = Field(default=0.0, ge=0.0)
    """Seconds to wait before the call is worked on, whatever the kind."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_kind_has_it(cls, given: Any) -> Any:
        """A throttle and a share mean all calls, and stale reads are those from outside, unless something is given."""
        if not isinstance(given, dict):
            return given
        asked = cast("dict[str, Any]", given)
        usual: dict[str, Any] = {"origin": "outside"} if asked.get("kind") == "stale" else {}
        if asked.get("kind") == "throttle" or asked.get("share") is not None:
            usual["times"] = None
        return usual | asked

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        for name, kinds in _OF_KIND.items():
            if getattr(self, name) is not None and self.kind not in kinds:
                raise ValueError(f"{name} has no meaning for a fault of the kind {self.kind}")
        if self.kind == "throttle" and self.rate is None:
            raise ValueError("a throttle needs its rate: how many calls a second each account and region may make")
        if self.kind == "delay" and not self.delay:
            raise ValueError("a fault of the kind delay needs its delay, in seconds above 0")
        if self.seed and self.share is None:
            raise ValueError("seed has no meaning without a share")
        return self

    @property
    def bucket(self) -> tuple[float, int]:
        """Tokens a second and the most that a bucket of this throttle holds."""
        rate = self.rate or 0.0
        return rate, self.burst or max(1, int(rate))


def fault(kind: Kind, service: str, operation: str, effect: dict[str, Any], **which: Unpack[Which]) -> FaultSpec:
    """A fault from what a Python caller gave. Raises ValueError, naming what is wrong."""
    return FaultSpec.model_validate({"kind": kind, "service": service, "operation": operation, **effect, **which})
