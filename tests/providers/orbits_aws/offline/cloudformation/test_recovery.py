"""Stacks that failed: deleted by force or but for some resources, rolled back later, and protected from both."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"


def parameters(**values: str) -> str:
    resources = {
        name: {"Type": "AWS::SSM::Parameter", "Properties": {"Name": f"/{name}", "Type": "String", "Value": value}}
        for name, value in values.items()
    }
    return json.dumps({"Resources": resources})


def live(aws: Any) -> dict[str, str]:
    found = aws.client("ssm", account=MANAGEMENT).get_parameters_by_path(Path="/")["Parameters"]
    return {one["Name"].lstrip("/"): one["Value"] for one in found}


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    error = cast("Any", failure.value.response)["Error"]
    return error["Code"], error["Message"]


def test_what_fails_to_be_deleted_is_left_by_name_or_by_force(aws: Any, cfn: Any) -> None:
    ways: list[dict[str, Any]] = [{"RetainResources": ["A"]}, {"DeletionMode": "FORCE_DELETE_STACK"}]
    for number, more in enumerate(ways):
        made = cfn.client.create_stack(StackName="shop", TemplateBody=parameters(A=str(number), B="1"))
        code, said = refusal(cfn.client.delete_stack, StackName="shop", **more)
        assert (code, "can be specified only for stacks in DELETE_FAILED state" in said) == ("ValidationError", True)
        aws.fail("ssm", "DeleteParameter", code="AccessDenied", resource="/A", times=None)
        cfn.client.delete_stack(StackName="shop")
        assert cfn.stack("shop")["StackStatus"] == "DELETE_FAILED"
        assert live(aws) == {"A": str(number)}
        assert (
            "Do not specify resources that do not exist or were deleted: [B]"
            in (refusal(cfn.client.delete_stack, StackName="shop", RetainResources=["A", "B"])[1])
        )
        cfn.client.delete_stack(StackName="shop", **more)
        stack = cfn.stack(made["StackId"])
        assert (stack["StackStatus"], stack.get("DeletionMode")) == ("DELETE_COMPLETE", more.get("DeletionMode"))
        assert cfn.events(made["StackId"])[-2:] == [("A", "DELETE_SKIPPED"), ("shop", "DELETE_COMPLETE")]
        assert live(aws) == {"A": str(number)}
        aws.clear_faults()
        aws.client("ssm", account=MANAGEMENT).delete_parameter(Name="/A")


def test_two_updates_that_stayed_failed_are_rolled_back_together(aws: Any, cfn: Any) -> None:
    cfn.client.create_stack(StackName="shop", TemplateBody=parameters(A="1", B="1"))
    for value in ("2", "3"):
        aws.fail("ssm", "PutParameter", code="AccessDenied", resource="/B")
        new = parameters(A=value, **{f"New{value}": "1"}, B=value)
        cfn.client.update_stack(StackName="shop", TemplateBody=new, DisableRollback=True)
        assert cfn.stack("shop")["StackStatus"] == "UPDATE_FAILED"
    assert live(aws)["A"] == "3"
    cfn.client.rollback_stack(StackName="shop", ClientRequestToken="back")
    cfn.client.rollback_stack(StackName="shop", ClientRequestToken="back")
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert live(aws) == {"A": "1", "B": "1"}
    code, said = refusal(cfn.client.rollback_stack, StackName="shop")
    assert (code, "is in UPDATE_ROLLBACK_COMPLETE state and can not be rolled back." in said) == (
        "ValidationError",
        True,
    )


def test_only_what_failed_to_be_rolled_back_can_be_skipped(aws: Any, cfn: Any) -> None:
    cfn.client.create_stack(StackName="shop", TemplateBody=parameters(A="1", B="1"))
    aws.fail("ssm", "PutParameter", code="AccessDenied", times=None, resource="/B")
    cfn.client.update_stack(StackName="shop", TemplateBody=parameters(A="2", B="2"))
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    for wrong in ("A", "None", "Nested.B"):
        assert (
            f"ResourcesToSkip [{wrong}]"
            in (refusal(cfn.client.continue_update_rollback, StackName="shop", ResourcesToSkip=[wrong])[1])
        )
    cfn.client.continue_update_rollback(StackName="shop", ResourcesToSkip=["B"])
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert live(aws) == {"A": "1", "B": "1"}
    assert "can not continue update rollback" in refusal(cfn.client.continue_update_rollback, StackName="shop")[1]


def test_what_is_asked_with_a_creation_is_shown_back(cfn: Any) -> None:
    triggers = {
        "RollbackTriggers": [
            {"Arn": f"arn:aws:cloudwatch:eu-west-1:{MANAGEMENT}:alarm:errors", "Type": "AWS::CloudWatch::Alarm"}
        ],
        "MonitoringTimeInMinutes": 5,
    }
    cfn.client.create_stack(
        StackName="shop",
        TemplateBody=parameters(A="1"),
        RollbackConfiguration=triggers,
        TimeoutInMinutes=10,
        RetainExceptOnCreate=True,
        EnableTerminationProtection=True,
    )
    names = ("RollbackConfiguration", "TimeoutInMinutes", "RetainExceptOnCreate", "EnableTerminationProtection")
    assert [cfn.stack("shop")[name] for name in names] == [triggers, 10, True, True]
    cfn.client.update_stack(StackName="shop", TemplateBody=parameters(A="2"))
    assert cfn.stack("shop")["RollbackConfiguration"] == triggers
    described = cfn.change_set("shop", parameters(A="3"), RollbackConfiguration={"RollbackTriggers": []})
    assert described["RollbackConfiguration"] == {"RollbackTriggers": [], "MonitoringTimeInMinutes": 5}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"OnFailure": "DELETE", "DisableRollback": True}, "either DisableRollback or OnFailure"),
        ({"RollbackConfiguration": {"MonitoringTimeInMinutes": 181}}, "180 minutes at the most"),
        (
            {"RollbackConfiguration": {"RollbackTriggers": [{"Arn": "arn", "Type": "AWS::SNS::Topic"}]}},
            "unsupported type AWS::SNS::Topic",
        ),
        ({"StackPolicyBody": "{}", "StackPolicyURL": "http://localhost/x/y"}, "cannot specify both"),
    ],
)
def test_what_does_not_go_together_is_refused(cfn: Any, arguments: Any, said: str) -> None:
    code, message = refusal(cfn.client.create_stack, StackName="shop", TemplateBody=parameters(A="1"), **arguments)
    assert (code, said in message) == ("ValidationError", True), message
    assert cfn.client.list_stacks()["StackSummaries"] == []


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"DeletionPolicy": "Keep"}, "Template error: Unrecognized DeletionPolicy Keep for resource A"),
        (
            {"UpdateReplacePolicy": "RetainExceptOnCreate"},
            "Template error: Unrecognized UpdateReplacePolicy RetainExceptOnCreate for resource A",
        ),
        (
            {"DeletionPolicy": "Snapshot"},
            "Template error: resource type AWS::SNS::Topic does not support deletion policy Snapshot",
        ),
    ],
)
def test_policies_that_the_type_cannot_have_are_refused(cfn: Any, attributes: Any, said: str) -> None:
    body = json.dumps({"Resources": {"A": {"Type": "AWS::SNS::Topic", **attributes}}})
    assert refusal(cfn.client.create_stack, StackName="shop", TemplateBody=body) == ("ValidationError", said)


def test_nothing_waits_for_signals(cfn: Any) -> None:
    cfn.client.create_stack(StackName="shop", TemplateBody=parameters(A="1"))
    arguments = {"StackName": "shop", "LogicalResourceId": "A", "UniqueId": "1", "Status": "SUCCESS"}
    assert refusal(cfn.client.signal_resource, **arguments) == (
        "ValidationError",
        "Resource A is in CREATE_COMPLETE state and cannot be signaled",
    )


def test_each_operation_repeated_with_its_token_is_done_once(aws: Any, cfn: Any) -> None:
    arguments = {"StackName": "shop", "ClientRequestToken": "one"}
    first = cfn.client.create_stack(**arguments, TemplateBody=parameters(A="1"))
    assert cfn.client.create_stack(**arguments, TemplateBody=parameters(A="1"))["StackId"] == first["StackId"]
    assert refusal(cfn.client.update_stack, **arguments, TemplateBody=parameters(A="2"))[0] == (
        "TokenAlreadyExistsException"
    )
    for _ in range(2):
        cfn.client.update_stack(StackName="shop", ClientRequestToken="two", TemplateBody=parameters(A="2"))
    assert refusal(cfn.client.delete_stack, StackName="shop", ClientRequestToken="two")[0] == (
        "TokenAlreadyExistsException"
    )
    aws.fail("ssm", "DeleteParameter", code="AccessDenied")
    for _ in range(2):
        cfn.client.delete_stack(StackName="shop", ClientRequestToken="three")
        assert cfn.stack("shop")["StackStatus"] == "DELETE_FAILED", "a repetition does not try again"
