"""Whether an account can be used: of a stand-in for Account Management, which the offline AWS does not have."""

from collections.abc import Callable
from typing import Any

import pytest

from orbits_aws.errors import AccessDenied, AnswerLost, AwsError, AwsRefused, AwsUnavailable
from orbits_aws.readiness import enable_region, passes, what_is_missing


class Accounts:
    """The status of one region: what EnableRegion raises, and what it is after that call."""

    def __init__(self, status: str, *, raises: Exception | None = None, then: str = "ENABLING") -> None:
        self.status, self.raises, self.then = status, raises, then
        self.asked: list[str] = []

    def get_region_opt_status(self, RegionName: str) -> dict[str, str]:  # noqa: N803 - boto3's name
        return {"RegionName": RegionName, "RegionOptStatus": self.status}

    def enable_region(self, RegionName: str) -> None:  # noqa: N803 - boto3's name
        self.asked.append(RegionName)
        self.status = self.then
        if self.raises is not None:
            raise self.raises


@pytest.mark.parametrize(
    ("accounts", "missing", "asked"),
    [
        (Accounts("ENABLED_BY_DEFAULT"), None, 0),
        (Accounts("ENABLED"), None, 0),
        (Accounts("ENABLING"), "ENABLING", 0),
        (Accounts("DISABLING"), "DISABLING", 0),
        (Accounts("DISABLED"), "ENABLING", 1),
        (Accounts("DISABLED", raises=AwsRefused("being enabled", code="ConflictException")), "ENABLING", 1),
        (Accounts("DISABLED", raises=AnswerLost("cut")), "ENABLING", 1),
    ],
)
def test_a_region_is_enabled_once_and_waited_for(accounts: Accounts, missing: str | None, asked: int) -> None:
    found = enable_region(accounts, "eu-south-2")
    assert (found is None) if missing is None else (found is not None and missing in found)
    assert len(accounts.asked) == asked


@pytest.mark.parametrize("error", [AwsRefused("no", code="ValidationException"), AnswerLost("cut")])
def test_a_region_that_stays_disabled_is_an_error(error: AwsError) -> None:
    with pytest.raises(type(error)):
        enable_region(Accounts("DISABLED", raises=error, then="DISABLED"), "eu-south-2")


class Service:
    """Any service: it answers."""

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        return lambda **_: {}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("region", "asked"),
    [
        ("eu-west-1", [("s3", "eu-west-1")]),
        ("eu-south-2", [("account", "us-east-1"), ("s3", "eu-south-2")]),
        ("cn-north-1", [("s3", "cn-north-1")]),
    ],
)
def test_a_region_that_is_off_at_first_is_enabled_before_its_services_are_asked(
    region: str, asked: list[tuple[str, str]]
) -> None:
    calls: list[tuple[str, str]] = []

    def client(service: str, where: str) -> Any:
        calls.append((service, where))
        return Accounts("ENABLED") if service == "account" else Service()

    assert what_is_missing(client, region, ("s3",)) is None
    assert calls == asked


@pytest.mark.parametrize(
    ("error", "is_new", "waits"),
    [
        (AwsUnavailable("OptInRequired on s3", code="OptInRequired"), False, True),
        (AccessDenied("AccessDenied on sts"), True, True),
        (AccessDenied("AccessDenied on sts"), False, False),
        (AccessDenied("no", said="with an explicit deny in a service control policy"), True, False),
        (AwsRefused("ValidationError on s3"), True, False),
    ],
)
def test_what_passes_by_itself_is_waited_for(error: AwsError, *, is_new: bool, waits: bool) -> None:
    assert passes(error, is_new=lambda: is_new) is waits
