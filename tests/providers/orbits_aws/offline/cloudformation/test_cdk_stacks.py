"""What CDK writes for whole workloads: deployed, in sync, removed without a rest."""

from typing import Any

import pytest


@pytest.mark.parametrize("name", ["cdn", "web", "wiring"])
def test_what_cdk_writes_is_deployed_and_removed(cfn: Any, written: Any, name: str) -> None:
    stack = cfn.deploy(name, written(name))
    assert stack["StackStatus"] == "CREATE_COMPLETE", cfn.reasons(name)
    assert {status for status, _ in cfn.drift(name).values()} == {"IN_SYNC"}
    cfn.client.delete_stack(StackName=name)
    assert cfn.stack(stack["StackId"])["StackStatus"] == "DELETE_COMPLETE", cfn.reasons(stack["StackId"])
