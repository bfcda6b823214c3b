"""What is to be deployed, and how far that is: the values that a deployment is made of."""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from orbits_aws.ownership import refuse_foreign


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
    owner: Mapping[str, str] | None = None  # the tags that say whose it is, where `tags` does not
    known: bool = False  # it was adopted, or may be: nobody has to have tagged it as ours yet
    role: Callable[[], str | None] = lambda: None  # as whom CloudFormation acts; asked where there is work
    accepted: frozenset[str] = frozenset()  # resources that hold data which may be lost
    by_hand: Callable[[Collection[str]], tuple[str, ...]] = lambda _: ()  # what was done by hand to these resources
    imports: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # only take these in, and change nothing
    watch: Callable[[str], str | None] = lambda _: None  # the state of a stack that is surely in progress
    may_read_events: Callable[[str], bool] = lambda _: True  # whether progress may be told of a stack now
    reverts: frozenset[str] | None = None  # bring this back to the template, as `remediation.shown` names it

    @property
    def change_set(self) -> str:
        """The name of the change set: the same for each call of one attempt."""
        return request_token(self.token, self.attempt)

    @property
    def where(self) -> str:
        """The stack and its place, for messages."""
        return f"{self.stack} in {self.place}"

    def refuse_foreign(self, tags: Mapping[str, str]) -> None:
        """Raise Refused unless the stack that is there, with these tags, is ours."""
        owner = self.tags if self.owner is None else self.owner
        refuse_foreign(f"The stack {self.where}", tags, owner, known=self.known)


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
    told: int = 0  # of how many events progress was told
    importing: bool = False  # whether only resources that exist are taken in; the rest follows
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


class Terms(BaseModel):
    """What a deployment may do beyond bringing its own stack to the template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted: tuple[str, ...] = ()  # resources of which the data may be lost
    known: bool = False  # the stack was adopted: nobody has to have tagged it as ours yet


class Withheld(BaseModel):
    """A change that was not made, since it would lose or overwrite what nobody has accepted; it left nothing behind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    losses: tuple[Loss, ...]


Tell = Callable[[str, float | None], None]
