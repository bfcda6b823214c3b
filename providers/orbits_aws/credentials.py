"""As whom AWS is called: the management credentials, and sessions of roles assumed with them.

What always holds: a session belongs to one role of one account, assumed in one way, and is never handed out for
another. It is renewed in good time, by one thread: the others go on with the one that still holds, and so does
everybody where renewing fails. The environment's own credentials are used to assume roles, to ask what state an account
is in that refuses, and for the management target, and for nothing else. Called by `clients`.
"""

import hashlib
import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.credentials import ReadOnlyCredentials

from orbits_aws.errors import AwsError, AwsRefused, AwsUnavailable

RENEW_BEFORE = timedelta(minutes=5)
"""How long before its end a session is renewed at the latest; up to twice as long, so that not all are at once."""
HOLDS = timedelta(minutes=1)
"""A session that lasts shorter than this is not used any more: a call may take as long."""
AGAIN = timedelta(seconds=30)
"""After a renewal that failed, nobody tries for so long while the session holds."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role, and how it is assumed; what differs in any of this has a session of its own."""

    arn: str
    via: tuple[str, ...] = ()  # roles that are assumed before, each with the session of the one before it
    external_id: str | None = None
    source_identity: str | None = None
    tags: tuple[tuple[str, str], ...] = ()
    seconds: int = 3600

    @property
    def account(self) -> str:
        """The account that the role is in."""
        return self.arn.split(":")[4]

    @property
    def before(self) -> "Role | None":
        """The role with whose session this one is assumed; None: with the management credentials."""
        return Role(arn=self.via[-1], via=self.via[:-1]) if self.via else None


@dataclass(frozen=True, kw_only=True)
class _Session:
    keys: ReadOnlyCredentials
    renew_at: datetime
    expires: datetime


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    session: _Session | None = None


class RoleSessions:
    """The sessions of one process, one for each way of assuming a role; safe to use from any thread.

    `assume` calls sts:AssumeRole for a role, with a name for the session, and returns its answer; `now` is the time
    (UTC), `chance` a random number from 0 to 1.
    """

    def __init__(
        self,
        assume: Callable[[Role, str], dict[str, Any]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._assume = assume
        self._now = now
        self._chance = chance
        self._slots: dict[Role, _Slot] = {}

    def keys(self, role: Role) -> ReadOnlyCredentials:
        """Credentials of the role that hold for another minute at least."""
        slot = self._slots.get(role) or self._slots.setdefault(role, _Slot())
        session, now = slot.session, self._now()
        if session is None or now >= session.expires - HOLDS:
            return self._first(slot, role).keys
        if now < session.renew_at or not slot.lock.acquire(blocking=False):
            return session.keys
        try:
            return self._renewed(slot, role, session).keys
        finally:
            slot.lock.release()

    def forget(self, role: Role, keys: ReadOnlyCredentials) -> None:
        """Assume the role anew when it is wanted next, unless that was done since `keys` were handed out."""
        slot = self._slots.get(role)
        if slot is None:
            return
        with slot.lock:
            if slot.session is not None and slot.session.keys == keys:
                slot.session = None

    def clear(self) -> None:
        """Forget all sessions."""
        self._slots = {}

    def _first(self, slot: _Slot, role: Role) -> _Session:
        with slot.lock:
            if slot.session is None or self._now() >= slot.session.expires - HOLDS:
                slot.session = self._new(role)
            return slot.session

    def _renewed(self, slot: _Slot, role: Role, session: _Session) -> _Session:
        """A new session, or `session` where there is none to be had; the caller holds the slot's lock."""
        if slot.session is not session:
            return slot.session or session
        try:
            slot.session = self._new(role)
        except AwsError as error:
            log.warning(
                "the session of %s goes on until %s: it could not be renewed: %s", role.arn, session.expires, error
            )
            slot.session = replace(session, renew_at=self._now() + AGAIN)
        return slot.session

    def _new(self, role: Role) -> _Session:
        answer = self._assume(role, session_name(role.arn))
        if f":{role.account}:" not in answer["AssumedRoleUser"]["Arn"]:
            raise AwsRefused(f"sts:AssumeRole of {role.arn} answered with {answer['AssumedRoleUser']['Arn']}")
        keys = answer["Credentials"]
        expires = keys["Expiration"]
        if expires <= self._now():
            raise AwsUnavailable(f"The session of {role.arn} had expired when it came: is this machine's clock right?")
        return _Session(
            keys=ReadOnlyCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], role.account),
            renew_at=expires - RENEW_BEFORE * (1 + self._chance()),
            expires=expires,
        )


def session_name(arn: str) -> str:
    """A name for sessions of a role: short, the same each time, within STS's 64 characters."""
    return f"orbits-{hashlib.sha256(arn.encode()).hexdigest()[:16]}"
