"""Who makes a call, told by its access key.

A key of twelve digits is an administrator of the account of that number, as in other offline clouds; a key that moto
issued (`sts.assume_role`, `iam.create_access_key`) is that role's session or that user; any other is an administrator
of the management account. Asked by the gateway for each call, and by what decides whether a call is allowed.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from . import moto_state

Kind = Literal["administrator", "user", "session", "service", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Session:
    """A role's session, as `sts.assume_role` gave it out."""

    role_arn: str
    name: str
    token: str
    expires: datetime


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whose call it is."""

    kind: Kind
    """`service` is CloudFormation, `unknown` one whose key nobody issued."""
    account: str
    arn: str
    """What errors name: the user, or the role's session."""
    session: Session | None = None
    active: bool = True
    """Whether the key may be used: an IAM user's may be switched off."""

    @property
    def principals(self) -> frozenset[str]:
        """What a policy may call it."""
        own = {self.arn, self.account, f"arn:aws:iam::{self.account}:root"}
        return frozenset(own | ({self.session.role_arn} if self.session else set()))


def administrator(account: str, kind: Kind = "administrator") -> Caller:
    """Who may do everything in an account."""
    return Caller(kind=kind, account=account, arn=f"arn:aws:iam::{account}:user/administrator")


class Callers:
    """The callers by their access keys."""

    def __init__(self) -> None:
        """Start without knowing any key."""
        self._accounts: dict[str, str] = {}

    def clear(self) -> None:
        """Forget where keys were found; after a reset they are no longer valid."""
        self._accounts.clear()

    def of(self, key: str | None) -> Caller:
        """Who has a key; without one, whoever asks is taken for an administrator of the management account."""
        if key is not None and is_account(key):
            return administrator(key)
        issued = moto_state.issued_key(key, self._accounts.get(key)) if key else None
        if key is None or issued is None:
            return administrator(moto_state.MANAGEMENT_ACCOUNT, "unknown")
        self._accounts[key] = issued.account
        if issued.assumed is None:
            arn = f"arn:aws:iam::{issued.account}:user/{issued.user}"
            return Caller(kind="user", account=issued.account, arn=arn, active=issued.active)
        role = issued.assumed
        session = Session(
            role_arn=role.role_arn, name=role.session_name, token=role.session_token, expires=role.expiration
        )
        return Caller(kind="session", account=issued.account, arn=role.arn, session=session)


def is_account(text: str) -> bool:
    """Whether a text is an account's id."""
    return len(text) == 12 and text.isdigit()
