"""Whether a caller may make a call at all, before any service sees it.

In AWS's order: the key and its session, the region, the account's state, then what is forbidden. What is not asked for
by the settings is allowed: the offline AWS enforces no identity policies. The gateway asks once for each call.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

from . import moto_adapter, moto_state, refusals
from .identify import Identity
from .principals import is_account
from .refusals import Refusal
from .settings import Denial, Settings
from .wire import Protocol

_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
"""What actions in policies begin with, where it is not the name that requests are signed for."""


class Access:
    """What the accounts and sessions of one offline AWS may do."""

    def __init__(self, settings: Callable[[], Settings], is_off: Callable[[str, str], bool]) -> None:
        """Everything, but for what `settings` says; `is_off` tells whether an account has not enabled a region."""
        self._settings = settings
        self._is_off = is_off
        self._lock = Lock()
        self._unready: dict[str, dict[str, int | None]] = {}
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def refusal(self, identity: Identity, protocol: Protocol, token: str | None, text: str) -> Refusal | None:
        """Why a call is refused; None if it is not. `token` is the session's, `text` the path, query and body."""
        settings = self._settings()
        if not identity.signed:
            return None
        return (
            self._not_authentic(identity, protocol, token, settings)
            or self._not_ready(identity, protocol)
            or _forbidden(identity, protocol, text, settings)
        )

    def _not_authentic(
        self, identity: Identity, protocol: Protocol, token: str | None, settings: Settings
    ) -> Refusal | None:
        caller, service = identity.caller, identity.service
        if identity.region not in moto_adapter.regions():
            return refusals.unknown_region(service, protocol, identity.region)
        if (
            not caller.active
            or self._is_off(identity.account, identity.region)
            or (settings.strict_keys and not _issued(identity))
            or (caller.session and caller.session.token != token)
        ):
            return refusals.unknown_key(service, protocol)
        if caller.session and _aware(caller.session.expires) <= self.now():
            return refusals.expired(service, protocol)
        member = moto_state.member(caller.account) if caller.kind != "service" else None
        if member is not None and member.status != "ACTIVE":
            return refusals.unknown_key(service, protocol)
        return None

    def _not_ready(self, identity: Identity, protocol: Protocol) -> Refusal | None:
        with self._lock:
            waiting = self._unready.get(identity.account, {})
            if identity.service not in waiting:
                return None
            left = waiting[identity.service]
            if left is not None and left <= 1:
                del waiting[identity.service]
            elif left is not None:
                waiting[identity.service] = left - 1
            return refusals.unready(identity.service, protocol)

    def new_account(self, account: str) -> None:
        """An account was made: it has to wait for the services that the settings name."""
        with self._lock:
            self._unready[account] = dict(self._settings().unready)

    def ready(self, account: str) -> None:
        """An account may use all services from now on."""
        with self._lock:
            self._unready.pop(account, None)

    def expire_sessions(self) -> int:
        """Let all roles' sessions end now; how many there are."""
        sessions = moto_state.sessions()
        for session in sessions:
            session.expiration = self.now()
        return len(sessions)

    def state(self) -> Any:
        """Which accounts wait for which services, for `restore`."""
        with self._lock:
            return {account: dict(waiting) for account, waiting in self._unready.items()}

    def restore(self, state: Any) -> None:
        """Have what `state` gave, and nothing else."""
        with self._lock:
            self._unready = state


def _issued(identity: Identity) -> bool:
    caller = identity.caller
    if caller.kind == "administrator":
        return is_account(caller.account) and moto_state.member(caller.account) is not None
    return caller.kind != "unknown"


def _aware(moment: datetime) -> datetime:
    """moto's times are in UTC and do not say so."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _forbidden(identity: Identity, protocol: Protocol, text: str, settings: Settings) -> Refusal | None:
    for denial in settings.denied:
        if _means(denial, identity, text):
            name = moto_adapter.signing_name(identity.service)
            action = f"{_PREFIXES.get(name, name)}:{identity.operation}"
            why = "with an explicit deny in an identity-based policy"
            return refusals.denied(protocol, identity.caller.arn, action, denial.resource or "", why)
    return None


def _means(denial: Denial, identity: Identity, text: str) -> bool:
    session = identity.caller.session
    account = denial.account
    return (
        denial.service in ("*", identity.service)
        and fnmatchcase(identity.operation, denial.operation)
        and (account is None or identity.account in (account, moto_state.account_named(account)))
        and (denial.role is None or (session is not None and _role(session.role_arn, denial.role)))
        and (denial.session is None or (session is not None and fnmatchcase(session.name, denial.session)))
        and (denial.resource is None or denial.resource in text)
    )


def _role(arn: str, pattern: str) -> bool:
    return fnmatchcase(arn.rpartition("/")[2], pattern)
