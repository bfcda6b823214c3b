"""pytest's fixture `aws`: an offline AWS for the tests of stacks, as empty as a new organization's before each test.

    async def test_a_shop_is_made(orbits: Orbits, aws: OfflineAws) -> None: ...

Everything that asks AWS while the test runs, boto3 and Orbits alike, asks this one. The current folder is the test's
own, so that neither an orbits.toml nor a cache from elsewhere has a say.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
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


@contextmanager
def in_use(running: "OfflineAws", folder: Path) -> "Generator[None]":
    """Empty an offline AWS and have all clients of this process use it, with `folder` as the current folder."""
    from orbits_aws.clients import forget_rates, forget_sessions

    running.reset()
    with pytest.MonkeyPatch.context() as patch:
        for name in _OTHERS:
            patch.delenv(name, raising=False)
        for name, value in _ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", running.endpoint_url)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, os.devnull)
        patch.chdir(folder)
        forget_sessions()  # and keep the clients, which take longer to make than most tests
        forget_rates()
        yield
    forget_rates()


@pytest.fixture
def aws(offline_aws: "OfflineAws", tmp_path: Path) -> "Iterator[OfflineAws]":
    """An offline AWS with an organization and nothing else, which all clients of this process use."""
    with in_use(offline_aws, tmp_path):
        yield offline_aws
