"""What is to be deployed, and how far that is: the values that a deployment is made of."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be deployed, where, and for which execution."""

    stack: str
    place: str  # for messages
    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    token: str
    attempt: int = 1
    template_url: str = ""  # where CloudFormation reads the template, if it is too large to be handed over
    role: Callable[[], str | None] = lambda: None  # as whom CloudFormation acts; asked where there is work
    accepted: frozenset[str] = frozenset()  # resources that hold data which may be lost
    by_hand: Callable[[Collection[str]], tuple[str, ...]] = lambda _: ()  # what was done by hand to these resources
    reverts: frozenset[str] | None = None  # bring this back to the template, as `remediation.shown` names it

    @property
    def change_set(self) -> str:
        """The name of the change set: the same for each call of one attempt."""
        return request_token(self.token, self.attempt)

    @property
    def where(self) -> str:
        """The stack and its place, for messages."""
        return f"{self.stack} in {self.place}"


def request_token(token: str, attempt: int) -> str:
    """A token and attempt as CloudFormation takes them for a client's token or a name."""
    return f"orbits-{hashlib.sha256(f'{token}/{attempt}'.encode()).hexdigest()[:20]}"


class Underway(BaseModel):
    """How far a deployment is; kept between two looks at it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Literal["begin", "prepared", "executing"] = "begin"
    stack_id: str = ""
    total: int = 0  # how many resources change
    by_hand: tuple[str, ...] = ()  # what somebody did to them before, for people
    mended: bool = False  # whether a rollback that had failed was gone on with


class Deployed(BaseModel):
    """A stack that is as wanted. `changed` says whether anything was written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    outputs: dict[str, str]
    changed: bool
    by_hand: tuple[str, ...] = ()  # what somebody did before to what was written, for people


class Loss(BaseModel):
    """Something that would be lost with a resource of the stack, or of it: data, or what somebody did by hand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    resource: str  # its logical id
    why: str


class Withheld(BaseModel):
    """A change that was not made, since it would lose or overwrite what nobody has accepted; it left nothing behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    losses: tuple[Loss, ...]


Tell = Callable[[str, float | None], None]
