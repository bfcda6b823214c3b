"""Operations that are still under way: seen step by step, cancelled, and taken back."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"
CANNOT = ("ValidationError", "CancelUpdateStack cannot be called from current stack status")


def parameters(**values: str) -> dict[str, Any]:
    """A template of SSM parameters: logical id to value."""
    return {
        "Resources": {
            name: {"Type": "AWS::SSM::Parameter", "Properties": {"Name": f"/{name}", "Type": "String", "Value": value}}
            for name, value in values.items()
        }
    }


def live(aws: Any) -> dict[str, str]:
    ssm = aws.client("ssm", account=MANAGEMENT)
    found = ssm.get_parameters_by_path(Path="/")["Parameters"]
    return {one["Name"].lstrip("/"): one["Value"] for one in found}


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    error = cast("Any", failure.value.response)["Error"]
    return error["Code"], error["Message"]


def states(cfn: Any, name: str, number: int) -> list[str]:
    return [cfn.stack(name)["StackStatus"] for _ in range(number)]


def test_an_update_is_seen_in_its_cleanup_before_it_is_complete(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", parameters(A="1", Old="1"))
    aws.settings(polls=2)
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="2", New="1")))
    assert live(aws) == {"A": "2", "Old": "1", "New": "1"}, "nothing is removed before the cleanup"
    assert states(cfn, "shop", 4) == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
        "UPDATE_COMPLETE",
    ]
    assert live(aws) == {"A": "2", "New": "1"}


def test_a_cancelled_update_brings_everything_back(aws: Any, cfn: Any) -> None:
    before = parameters(A="1", Old="1") | {"Outputs": {"Value": {"Value": {"Fn::GetAtt": ["A", "Value"]}}}}
    cfn.deploy("shop", before)
    aws.settings(polls=2)
    after = parameters(A="2", New="1") | {"Outputs": {"Value": {"Value": "changed"}}}
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(after))
    assert states(cfn, "shop", 1) == ["UPDATE_IN_PROGRESS"]
    cfn.client.cancel_update_stack(StackName="shop", ClientRequestToken="stop")
    assert states(cfn, "shop", 3)[::2] == ["UPDATE_ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"]
    assert live(aws) == {"A": "1", "Old": "1"}
    assert cfn.outputs("shop") == {"Value": "1"}
    assert cfn.client.get_template(StackName="shop")["TemplateBody"] == before
    assert ("shop", "UPDATE_ROLLBACK_IN_PROGRESS") in cfn.events("shop")
    assert refusal(cfn.client.cancel_update_stack, StackName="shop") == CANNOT
    assert cfn.drift("shop")["A"][0] == "IN_SYNC"


def test_an_update_that_is_replacing_keeps_the_old_one_when_it_is_cancelled(aws: Any, cfn: Any) -> None:
    template = parameters(A="1")
    cfn.deploy("shop", template)
    template["Resources"]["A"]["Properties"]["Name"] = "/renamed"
    aws.settings(polls=1)
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(template))
    assert live(aws) == {"A": "1", "renamed": "1"}
    cfn.client.cancel_update_stack(StackName="shop")
    assert states(cfn, "shop", 2)[-1] == "UPDATE_ROLLBACK_COMPLETE"
    assert (live(aws), cfn.physical_id("shop", "A")) == ({"A": "1"}, "/A")


def test_an_update_that_failed_meanwhile_is_on_its_way_back_already(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", parameters(A="1", B="1"))
    aws.settings(polls=1)
    aws.fail("ssm", "PutParameter", code="AccessDenied", nth=2)
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="2", B="2")))
    cfn.client.cancel_update_stack(StackName="shop")
    assert states(cfn, "shop", 3)[-1] == "UPDATE_ROLLBACK_COMPLETE"
    assert live(aws) == {"A": "1", "B": "1"}


def test_only_an_update_can_be_cancelled_and_only_before_its_cleanup(aws: Any, cfn: Any) -> None:
    assert refusal(cfn.client.cancel_update_stack, StackName="none") == (
        "ValidationError",
        "Stack with id none does not exist",
    )
    aws.settings(polls=2)
    cfn.client.create_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="1")))
    assert refusal(cfn.client.cancel_update_stack, StackName="shop") == CANNOT
    states(cfn, "shop", 3)
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="2")))
    assert states(cfn, "shop", 2)[-1] == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    assert refusal(cfn.client.cancel_update_stack, StackName="shop") == CANNOT


def test_a_creation_under_way_can_be_deleted_and_an_update_cannot(aws: Any, cfn: Any) -> None:
    aws.settings(polls=2)
    made = cfn.client.create_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="1")))
    cfn.client.delete_stack(StackName="shop")
    assert states(cfn, made["StackId"], 3)[::2] == ["DELETE_IN_PROGRESS", "DELETE_COMPLETE"]
    assert live(aws) == {}
    made = cfn.client.create_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="1")))
    states(cfn, "shop", 3)
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="2")))
    code, said = refusal(cfn.client.delete_stack, StackName="shop")
    assert (code, said) == (
        "ValidationError",
        f"Stack [{made['StackId']}] cannot be deleted while in status UPDATE_IN_PROGRESS",
    )


def test_an_update_under_way_is_saved_and_goes_on_where_it_is_loaded(aws: Any, cfn: Any, tmp_path: Path) -> None:
    cfn.deploy("shop", parameters(A="1", Old="1"))
    aws.settings(polls=1)
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(parameters(A="2")))
    aws.save(tmp_path / "saved")
    assert states(cfn, "shop", 2)[-1] == "UPDATE_COMPLETE"
    aws.load(tmp_path / "saved")
    assert live(aws) == {"A": "2", "Old": "1"}
    cfn.client.cancel_update_stack(StackName="shop")
    assert states(cfn, "shop", 2)[-1] == "UPDATE_ROLLBACK_COMPLETE"
    assert live(aws) == {"A": "1", "Old": "1"}
