"""Whichever of a type's calls fails while a stack is updated, the stack goes back, and can then be updated."""

import json
from typing import Any

import pytest

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.types.trial import samples

MANAGEMENT = "123456789012"
SAMPLES = samples()


@pytest.mark.parametrize(
    "name",
    ["AWS::EC2::SecurityGroup", "AWS::ECR::Repository", "AWS::IAM::User", "AWS::Lambda::EventInvokeConfig"],
)
def test_a_failed_change_is_taken_back_from_wherever_it_came(aws: OfflineAws, cfn: Any, name: str) -> None:
    sample = SAMPLES[name]
    before, after = json.loads(sample.template()), json.loads(sample.template(**sample.change))
    cfn.deploy("shop", before)
    start = len(aws.calls(writes=True, origin="cloudformation"))
    cfn.deploy("shop", after)
    writes = aws.calls(writes=True, origin="cloudformation")[start:]
    cfn.deploy("shop", before)
    for nth, write in enumerate(writes, start=1):
        same = [call for call in writes[:nth] if call == write]
        aws.fail(write.service, write.operation, code="AccessDenied", nth=len(same), times=1, origin="cloudformation")
        stack = cfn.deploy("shop", after)
        aws.clear_faults()
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", (write, cfn.reasons("shop"))
        assert {status for status, _ in cfn.drift("shop").values()} == {"IN_SYNC"}
    assert len(writes) > 1
    assert cfn.deploy("shop", after)["StackStatus"] == "UPDATE_COMPLETE"


def test_what_is_not_found_while_something_is_removed_may_be_what_it_needs(aws: OfflineAws, cfn: Any) -> None:
    stack_id = cfn.deploy("shop", {"Resources": {"It": {"Type": "AWS::EC2::InternetGateway"}}})["StackId"]
    aws.fail("ec2", "DeleteInternetGateway", code="InvalidVpcID.NotFound", times=1)
    cfn.client.delete_stack(StackName="shop")
    assert cfn.stack(stack_id)["StackStatus"] == "DELETE_FAILED"
    cfn.client.delete_stack(StackName="shop")
    assert cfn.stack(stack_id)["StackStatus"] == "DELETE_COMPLETE"
