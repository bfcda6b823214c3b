"""Sessions of roles: one a role, renewed in time, never of another account."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orbits_aws.assuming import assumption, not_assumed
from orbits_aws.credentials import Role, RoleSessions, session_name
from orbits_aws.errors import AccessDenied, AwsRefused, AwsUnavailable
from orbits_aws.targets import AwsTarget

ROLE = Role(arn="arn:aws:iam::111111111111:role/Deploy")
OTHER = Role(arn="arn:aws:iam::222222222222:role/Deploy")


class Sts:
    """An STS that counts, and whose clock is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.assumed: list[Role] = []
        self.lifetime = timedelta(hours=1)
        self.answers_for: Role | None = None
        self.raises: AwsUnavailable | None = None
        self.gate: threading.Event | None = None
        self.reached = threading.Event()

    def assume(self, role: Role, name: str) -> dict[str, Any]:
        self.assumed.append(role)
        if self.gate is not None:
            self.reached.set()
            assert self.gate.wait(10)
        if self.raises is not None:
            raise self.raises
        account = (self.answers_for or role).account
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
    return RoleSessions(sts.assume, now=lambda: sts.now, chance=lambda: 0.0)


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
    sessions.forget(ROLE, first)
    second = sessions.keys(ROLE)
    assert second != first
    sessions.forget(ROLE, first)  # by another thread, which was refused with the same keys
    assert sessions.keys(ROLE) == second


def test_renewals_are_spread(sts: Sts) -> None:
    chances = iter((0.0, 1.0))
    sessions = RoleSessions(sts.assume, now=lambda: sts.now, chance=lambda: next(chances))
    first, other = sessions.keys(ROLE), sessions.keys(OTHER)
    sts.now += timedelta(minutes=51)
    assert sessions.keys(ROLE) == first
    chances = iter((0.0,))
    assert sessions.keys(OTHER) != other


def test_while_one_renews_the_others_go_on_with_what_holds(sts: Sts, sessions: RoleSessions) -> None:
    first = sessions.keys(ROLE)
    sts.now += timedelta(minutes=56)
    sts.gate = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        renewing = pool.submit(sessions.keys, ROLE)
        assert sts.reached.wait(10)
        assert sessions.keys(ROLE) == first
        sts.gate.set()
        assert renewing.result() != first
    assert len(sts.assumed) == 2


def test_where_renewing_fails_what_holds_is_used_and_nobody_insists(sts: Sts, sessions: RoleSessions) -> None:
    first = sessions.keys(ROLE)
    sts.now += timedelta(minutes=56)
    sts.raises = AwsUnavailable("STS is down")
    assert [sessions.keys(ROLE) for _ in range(3)] == [first] * 3
    assert len(sts.assumed) == 2
    sts.now += timedelta(minutes=3, seconds=30)  # it holds for half a minute
    with pytest.raises(AwsUnavailable, match="STS is down"):
        sessions.keys(ROLE)
    sts.raises = None
    assert sessions.keys(ROLE) != first


@pytest.mark.parametrize(
    "other",
    [
        Role(arn=ROLE.arn, external_id="acme"),
        Role(arn=ROLE.arn, via=(OTHER.arn,)),
        Role(arn=ROLE.arn, source_identity="ana"),
        Role(arn=ROLE.arn, tags=(("client", "acme"),)),
        Role(arn=ROLE.arn, seconds=900),
    ],
)
def test_another_way_of_assuming_is_another_session(sts: Sts, sessions: RoleSessions, other: Role) -> None:
    assert sessions.keys(ROLE) != sessions.keys(other)
    assert sts.assumed == [ROLE, other]


def test_roles_are_assumed_one_with_the_session_of_the_other() -> None:
    last = Role(arn=ROLE.arn, via=("arn:hub", "arn:spoke"), external_id="acme")
    before = [last]
    while (role := before[-1].before) is not None:
        before.append(role)
    assert before == [last, Role(arn="arn:spoke", via=("arn:hub",)), Role(arn="arn:hub")]


def test_only_what_the_target_says_is_asked_of_the_role() -> None:
    assert assumption(ROLE) == {"RoleArn": ROLE.arn, "DurationSeconds": 3600}
    said = Role(arn=ROLE.arn, external_id="acme", source_identity="ana", tags=(("client", "acme"),), seconds=900)
    assert assumption(said) == {
        "RoleArn": ROLE.arn,
        "DurationSeconds": 900,
        "ExternalId": "acme",
        "SourceIdentity": "ana",
        "Tags": [{"Key": "client", "Value": "acme"}],
    }


@pytest.mark.parametrize(
    ("error", "todo"),
    [
        (AccessDenied("not authorized to perform: sts:AssumeRole"), "has no such role, or the role does not trust"),
        (AccessDenied("not authorized to perform: sts:AssumeRole"), "asks for an external id"),
        (AccessDenied("not authorized to perform: sts:TagSession"), "leave session_tags out"),
        (AccessDenied("not authorized to perform: sts:SetSourceIdentity"), "leave source_identity out"),
        (AwsRefused("The requested DurationSeconds exceeds the 1 hour session limit"), "an hour is the most"),
        (AwsRefused("something else"), "something else"),
    ],
)
def test_a_role_that_cannot_be_assumed_is_explained(error: AwsRefused, todo: str) -> None:
    explained = not_assumed(ROLE, error)
    assert isinstance(explained, type(error))
    assert todo in str(explained)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"via": ("Hub",)}, "not the ARN of a role"),
        ({"session": timedelta(minutes=5)}, "15 minutes at least"),
        ({"session": timedelta(hours=13)}, "12:00:00 at most"),
        ({"via": (OTHER.arn,), "session": timedelta(hours=2)}, "reached through another lasts .* 1:00:00 at most"),
    ],
)
def test_a_target_that_cannot_be_reached_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AwsTarget(account="111111111111", **fields)


def test_how_a_role_is_assumed_is_not_where_it_is() -> None:
    plain = AwsTarget(account="111111111111")
    other = AwsTarget(account="111111111111", via=(OTHER.arn,), external_id="acme")
    assert other.place() == plain.place()
    assert {plain, other, AwsTarget(account="111111111111")} == {plain, other}


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
