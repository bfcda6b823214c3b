"""The live suite: the course in a sandbox account of AWS itself. `make test-live` runs it, and nothing else does.

It needs ORBITS_LIVE_ACCOUNT, the account's number, and ORBITS_LIVE_CONFIRM="deploy into NUMBER", so that nobody gets
there by accident; ORBITS_LIVE_REGION and ORBITS_LIVE_ROLE, if they are others than a target's own; and credentials that
may assume the role. It takes some minutes, costs cents, and removes what it has made.
"""

import os
from collections.abc import Iterator

import pytest

from orbits_aws import AwsTarget
from orbits_aws.clients import forget_sessions
from orbits_iac import Orbits, Settings

from .course import PREFIX, go

ACCOUNT, CONFIRM = "ORBITS_LIVE_ACCOUNT", "ORBITS_LIVE_CONFIRM"


def sandbox() -> AwsTarget:
    """The target that the environment names; ends the run where it does not, or where it is not confirmed."""
    account = os.environ.get(ACCOUNT, "")
    if not (len(account) == 12 and account.isdigit()):
        pytest.exit(
            f"{ACCOUNT} has to be the number of a sandbox account: this suite makes and removes things there", 2
        )
    wanted = f"deploy into {account}"
    if os.environ.get(CONFIRM) != wanted:
        pytest.exit(f'say that you mean it: {CONFIRM}="{wanted}"', 2)
    plain = AwsTarget(account=account)
    region, role = os.environ.get("ORBITS_LIVE_REGION"), os.environ.get("ORBITS_LIVE_ROLE")
    return AwsTarget(account=account, region=region or plain.region, role=role or plain.role)


TARGET = sandbox()  # before anything is begun


@pytest.fixture
def orbits_settings() -> Settings:
    return Settings(project=PREFIX, store="memory:")


@pytest.fixture
def target(node: None) -> Iterator[AwsTarget]:
    yield TARGET
    forget_sessions()


async def test_things_and_a_stack_live_in_a_sandbox_account(orbits: Orbits, target: AwsTarget) -> None:
    await go(orbits, target)
