"""pytest's fixture `aws`: an offline AWS for the tests of stacks, as empty as a new organization's before each test.

    async def test_a_shop_is_made(orbits: Orbits, aws: OfflineAws) -> None: ...

Everything that asks AWS while the test runs, boto3 and Orbits alike, asks this one. The current folder is the test's
own, so that neither an orbits.toml nor a cache from elsewhere has a say.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"
_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": MANAGEMENT,
    "AWS_SECRET_ACCESS_KEY": "offline",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
_OTHERS = ("AWS_PROFILE", "AWS_REGION", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN")


@pytest.fixture(scope="module")
def offline_aws() -> "Iterator[OfflineAws]":
    """The offline AWS of a module's tests; `aws` empties it for each of them."""
    from orbits_aws.offline import OfflineAws

    with OfflineAws() as running:
        yield running


@pytest.fixture
def aws(offline_aws: "OfflineAws", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[OfflineAws]":
    """An offline AWS with an organization and nothing else, which all clients of this process use."""
    from orbits_aws.clients import forget_sessions

    offline_aws.reset()
    for name in _OTHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in _ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", offline_aws.endpoint_url)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / f"no-{name.lower()}"))
    monkeypatch.chdir(tmp_path)
    forget_sessions()
    yield offline_aws
    forget_sessions()
