"""An offline AWS and member accounts of its organization, for the tests of all providers."""

from collections.abc import Callable

import pytest

from orbits_aws import AwsTarget, OfflineAws, testing
from orbits_iac import Settings


@pytest.fixture
def member(aws: OfflineAws) -> Callable[[str], AwsTarget]:
    """Makes a member account of a name, and gives the target for it."""

    def make(name: str) -> AwsTarget:
        organizations = aws.client("organizations", account=testing.MANAGEMENT)
        made = organizations.create_account(AccountName=name, Email=f"{name}@agency.example")["CreateAccountStatus"]
        return AwsTarget(account=str(made["AccountId"]))

    return make


@pytest.fixture
def acme(member: Callable[[str], AwsTarget]) -> AwsTarget:
    """A member account, `acme`."""
    return member("acme")


@pytest.fixture
def orbits_settings() -> Settings:
    return Settings(project="tests", store="memory:")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between attempts, botocore's own and those of Orbits."""
    monkeypatch.setattr("orbits_iac.model.retry.Retry.wait", lambda *_: 0.0)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
