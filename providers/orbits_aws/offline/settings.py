"""What can be changed of a running offline AWS."""

from typing import TypedDict

from pydantic import BaseModel, ConfigDict, Field

CallsUntilReady = int | None


class Denial(BaseModel):
    """Calls that an explicit deny forbids, as a service control policy or a permissions boundary does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = "*"
    """boto3's name of the service; `*` matches any."""
    operation: str = "*"
    """The operation's name, with wildcards."""
    account: str | None = None
    """Only in this account: an id, or a name in the organization."""
    role: str | None = None
    """Only for sessions of the role of this name, with wildcards."""
    session: str | None = None
    """Only for sessions of this name, with wildcards."""
    resource: str | None = None
    """Only calls whose path, query or body contains this text."""


class Settings(BaseModel):
    """The settings; the body of `PUT /_offline/settings`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    polls: int = Field(default=0, ge=0)
    """How many DescribeStacks of a stack answer `*_IN_PROGRESS` after an operation, before its end is shown."""
    account_polls: int = Field(default=0, ge=0)
    """How many looks show a new account as `IN_PROGRESS`, and a closed one as `PENDING_CLOSURE`, before the end."""
    account_quota: int | None = Field(default=None, ge=1)
    """How many accounts the organization may have, the management account included; None: any number."""
    close_quota: int | None = Field(default=None, ge=0)
    """How many accounts may be closed; None: any number."""
    unready: dict[str, int | None] = Field(default_factory=dict[str, CallsUntilReady])
    """The services that accounts made from now on cannot use yet: for so many calls, or, None, until they are told."""
    denied: tuple[Denial, ...] = ()
    """The calls that are forbidden."""
    strict_keys: bool = False
    """Whether keys that nobody issued are refused; the accounts of the organization keep theirs of twelve digits."""
    disabled_regions: frozenset[str] = frozenset()
    """The regions that are off in each account until it enables them, which takes `account_polls` looks."""


class Changes(TypedDict, total=False):
    """What `OfflineAws.settings` changes; see `Settings` for what each one means."""

    polls: int
    account_polls: int
    account_quota: int | None
    close_quota: int | None
    unready: dict[str, int | None]
    denied: list[dict[str, str]]
    strict_keys: bool
    disabled_regions: list[str]
