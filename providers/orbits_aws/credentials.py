"""As whom AWS is called: the management credentials, and sessions of roles assumed with them.

What always holds: a session belongs to one role of one account and is never handed out for another; it is renewed
five minutes before it expires; two threads that want the same one wait for one call to STS. The environment's own
credentials are used to assume roles and for the management target, and for nothing else.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.credentials import ReadOnlyCredentials

from orbits_aws.errors import AwsRefused, AwsUnavailable

RENEW_BEFORE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class _Session:
    keys: ReadOnlyCredentials
    expires: datetime


@dataclass
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    session: _Session | None = None


class RoleSessions:
    """The sessions of one process, a role each; safe to use from any thread.

    `assume` calls sts:AssumeRole with the management credentials and returns its answer; `now` is the time (UTC).
    """

    def __init__(
        self, assume: Callable[[str, str], dict[str, Any]], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._assume = assume
        self._now = now
        self._lock = threading.Lock()
        self._slots: dict[str, _Slot] = {}

    def keys(self, arn: str) -> ReadOnlyCredentials:
        """Credentials of the role `arn` that hold for five more minutes at least."""
        with self._lock:
            slot = self._slots.setdefault(arn, _Slot())
        with slot.lock:
            if slot.session is None or slot.session.expires - self._now() < RENEW_BEFORE:
                slot.session = self._new(arn)
            return slot.session.keys

    def forget(self, arn: str) -> None:
        """Assume the role anew when it is wanted next."""
        with self._lock:
            self._slots.pop(arn, None)

    def _new(self, arn: str) -> _Session:
        answer = self._assume(arn, session_name(arn))
        account = arn.split(":")[4]
        if f":{account}:" not in answer["AssumedRoleUser"]["Arn"]:
            raise AwsRefused(f"sts:AssumeRole of {arn} answered with {answer['AssumedRoleUser']['Arn']}")
        keys = answer["Credentials"]
        expires = keys["Expiration"]
        if expires <= self._now():
            raise AwsUnavailable(f"The session of {arn} had expired when it came: is this machine's clock right?")
        return _Session(
            keys=ReadOnlyCredentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], account),
            expires=expires,
        )


def session_name(arn: str) -> str:
    """A name for sessions of a role: short, the same each time, within STS's 64 characters."""
    return f"orbits-{hashlib.sha256(arn.encode()).hexdigest()[:16]}"
