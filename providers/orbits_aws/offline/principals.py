"""Whose a call is: accounts' administrators, IAM users, sessions of roles. Pure; `callers` tells which by the key."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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


def is_account(text: str) -> bool:
    """Whether a text is an account's id."""
    return len(text) == 12 and text.isdigit()
