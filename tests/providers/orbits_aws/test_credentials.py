"""Sessions of roles: one a role, renewed in time, never of another account."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orbits_aws.credentials import RoleSessions, session_name
from orbits_aws.errors import AwsRefused, AwsUnavailable

ROLE = "arn:aws:iam::111111111111:role/Deploy"
OTHER = "arn:aws:iam::222222222222:role/Deploy"


class Sts:
    """An STS that counts, and whose clock is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.assumed: list[str] = []
        self.lifetime = timedelta(hours=1)
        self.answers_for: str | None = None

    def assume(self, arn: str, name: str) -> dict[str, Any]:
        self.assumed.append(arn)
        account = (self.answers_for or arn).split(":")[4]
        return {
            "AssumedRoleUser": {"Arn": f"arn:aws:sts::{account}:assumed-role/Deploy/{name}"},
            "Credentials": {
                "AccessKeyId": f"key-{len(self.assumed)}",
                "SecretAccessKey": "secret",
                "SessionToken": "token",
                "Expiration": self.now + self.lifetime,
            },
        }


@pytest.fixture
def sts() -> Sts:
    return Sts()


@pytest.fixture
def sessions(sts: Sts) -> RoleSessions:
    return RoleSessions(sts.assume, now=lambda: sts.now)


def test_a_session_is_used_again(sts: Sts, sessions: RoleSessions) -> None:
    assert sessions.keys(ROLE) == sessions.keys(ROLE)
    assert sts.assumed == [ROLE]


def test_each_role_has_a_session_of_its_own(sts: Sts, sessions: RoleSessions) -> None:
    assert sessions.keys(ROLE).access_key != sessions.keys(OTHER).access_key
    assert sts.assumed == [ROLE, OTHER]


def test_a_session_is_renewed_before_it_expires(sts: Sts, sessions: RoleSessions) -> None:
    first = sessions.keys(ROLE)
    sts.now += timedelta(minutes=54)
    assert sessions.keys(ROLE) == first
    sts.now += timedelta(minutes=2)
    assert sessions.keys(ROLE) != first


def test_a_forgotten_session_is_made_anew(sts: Sts, sessions: RoleSessions) -> None:
    first = sessions.keys(ROLE)
    sessions.forget(ROLE)
    assert sessions.keys(ROLE) != first


def test_threads_wait_for_one_call(sts: Sts, sessions: RoleSessions) -> None:
    barrier = threading.Barrier(8)

    def get(_: int) -> str:
        barrier.wait()
        return str(sessions.keys(ROLE).access_key)

    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(get, range(8)))
    assert keys == {"key-1"}
    assert sts.assumed == [ROLE]


def test_a_session_of_another_account_is_refused(sts: Sts, sessions: RoleSessions) -> None:
    sts.answers_for = OTHER
    with pytest.raises(AwsRefused, match="answered with arn:aws:sts::222222222222"):
        sessions.keys(ROLE)


def test_a_session_that_is_over_when_it_comes_points_to_the_clock(sts: Sts, sessions: RoleSessions) -> None:
    sts.lifetime = timedelta(0)
    with pytest.raises(AwsUnavailable, match="clock"):
        sessions.keys(ROLE)


def test_names_of_sessions_are_short_and_stable() -> None:
    arn = f"arn:aws:iam::111111111111:role/{'x' * 500}"
    assert session_name(arn) == session_name(arn)
    assert len(session_name(arn)) <= 64
