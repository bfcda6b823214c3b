"""An offline AWS for a module's tests: emptied before each of them, with an organization, and used by all of boto3."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_aws.clients import forget_sessions
from orbits_iac import Settings

MANAGEMENT = "123456789012"


@pytest.fixture(scope="module")
def offline() -> Iterator[OfflineAws]:
    with OfflineAws() as aws:
        yield aws


@pytest.fixture
def aws(offline: OfflineAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OfflineAws]:
    """The offline AWS, empty but for an organization; the current folder is a project of its own."""
    offline.reset()
    offline.client("organizations", account=MANAGEMENT).create_organization(FeatureSet="ALL")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", offline.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", MANAGEMENT)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "offline")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.chdir(tmp_path)
    forget_sessions()
    yield offline
    forget_sessions()


@pytest.fixture
def member(aws: OfflineAws) -> Callable[[str], AwsTarget]:
    """Makes a member account of a name, and gives the target for it."""

    def make(name: str) -> AwsTarget:
        organizations = aws.client("organizations", account=MANAGEMENT)
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
    """No waiting between botocore's own attempts."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
