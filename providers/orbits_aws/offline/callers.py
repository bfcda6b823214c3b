"""Who makes a call, told by its access key.

A key of twelve digits is an administrator of the account of that number, as in other offline clouds; a key that moto
issued (`sts.assume_role`, `iam.create_access_key`) is that role's session or that user; any other is an administrator
of the management account. Asked by the gateway for each call, and by what decides whether a call is allowed.
"""

from . import moto_state
from .principals import Caller, Session, administrator, is_account


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
