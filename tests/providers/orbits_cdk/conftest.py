"""What holds for the tests of stacks: Node is chosen, and its start put off, before anything imports CDK."""

import pytest

from orbits_cdk.node import prepare

prepare()


@pytest.fixture(scope="session", autouse=True)
def _begun(node: None) -> None:
    """Node is begun before any of them, so that it is nothing that one of them leaves."""
