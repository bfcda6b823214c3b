"""Stack policies: what they deny, and for how long. The rule itself is a table; the rest goes through the API."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from orbits_aws.offline.cloudformation.errors import ValidationError
from orbits_aws.offline.cloudformation.stack_policy import denied, parse_policy

QUEUE, TOPIC = "AWS::SQS::Queue", "AWS::SNS::Topic"


def statement(effect: str, action: Any = "Update:*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": "*", "Action": action, "Resource": resource} | more


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Statement": list(statements)})


ALLOW = statement("Allow")


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([ALLOW], ["Modify", "Replace", "Delete"]),
        ([ALLOW, statement("Deny", "Update:Replace")], ["Modify", "Delete"]),
        ([ALLOW, statement("Deny", ["Update:Replace", "Update:Delete"], "LogicalResourceId/Main")], ["Modify"]),
        ([ALLOW, statement("Deny", resource="LogicalResourceId/Ma*")], []),
        ([ALLOW, statement("Deny", resource="LogicalResourceId/Other")], ["Modify", "Replace", "Delete"]),
        ([statement("Allow", "Update:Modify")], ["Modify"]),
        ([{"Effect": "Allow", "Principal": "*", "NotAction": "Update:Delete", "Resource": "*"}], ["Modify", "Replace"]),
        (
            [
                ALLOW,
                {"Effect": "Deny", "Principal": "*", "Action": "Update:*", "NotResource": "LogicalResourceId/Main"},
            ],
            ["Modify", "Replace", "Delete"],
        ),
        ([ALLOW, statement("Deny", Condition={"StringEquals": {"ResourceType": [QUEUE]}})], []),
        (
            [ALLOW, statement("Deny", Condition={"StringEquals": {"ResourceType": [TOPIC]}})],
            ["Modify", "Replace", "Delete"],
        ),
        ([ALLOW, statement("Deny", Condition={"StringLike": {"ResourceType": "AWS::SQS::*"}})], []),
        ([ALLOW, statement("Deny", Condition={"StringNotLike": {"ResourceType": "AWS::SNS::*"}})], []),
    ],
)
def test_a_policy_allows_what_a_statement_allows_and_none_denies(statements: Any, allowed: list[str]) -> None:
    body = parse_policy(policy(*statements))
    assert [
        action for action in ("Modify", "Replace", "Delete") if denied(body, action, "Main", QUEUE) is None
    ] == allowed


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        "{}",
        policy({**ALLOW, "Effect": "Maybe"}),
        policy({**ALLOW, "Principal": "me"}),
        policy({**ALLOW, "Action": "sqs:*"}),
        policy(statement("Deny", Condition={"Bool": {"ResourceType": "x"}})),
        policy(ALLOW) + " " * 16_384,
    ],
)
def test_a_policy_that_is_none_is_refused(body: str) -> None:
    with pytest.raises(ValidationError, match="Error validating stack policy: Invalid stack policy"):
        parse_policy(body)


def template(**parameters: dict[str, Any]) -> str:
    resources = {
        name: {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "1", **given}}
        for name, given in parameters.items()
    }
    return json.dumps({"Resources": resources})


BEFORE = template(A={}, B={"Name": "/b"})


@pytest.mark.parametrize(
    ("action", "after", "name"),
    [
        ("Modify", template(A={"Value": "2"}, B={"Name": "/b"}), "A"),
        ("Replace", template(A={}, B={"Name": "/c"}), "B"),
        ("Delete", template(A={"Value": "2"}), "B"),
    ],
)
def test_what_is_denied_fails_the_update_which_is_taken_back(cfn: Any, action: str, after: str, name: str) -> None:
    body = policy(ALLOW, statement("Deny", f"Update:{action}"))
    cfn.client.create_stack(StackName="shop", TemplateBody=BEFORE, StackPolicyBody=body)
    assert cfn.client.get_stack_policy(StackName="shop")["StackPolicyBody"] == body
    cfn.client.update_stack(StackName="shop", TemplateBody=after)
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    reasons = [
        event["ResourceStatusReason"]
        for event in cfn.client.describe_stack_events(StackName="shop")["StackEvents"]
        if event["ResourceStatus"] == "UPDATE_FAILED" and event["LogicalResourceId"] == name
    ]
    why = f"Statement [#2] does not allow [Update:{action}] for resource [LogicalResourceId/{name}]"
    assert reasons == [f"Action denied by stack policy: {why}"]
    cfn.client.update_stack(StackName="shop", TemplateBody=after, StackPolicyDuringUpdateBody=policy(ALLOW))
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_COMPLETE"
    assert cfn.client.get_stack_policy(StackName="shop")["StackPolicyBody"] == body, "it stood in for one update"


def test_a_policy_is_set_later_and_meets_change_sets_too(cfn: Any) -> None:
    cfn.client.create_stack(StackName="shop", TemplateBody=BEFORE)
    assert "StackPolicyBody" not in cfn.client.get_stack_policy(StackName="shop")
    with pytest.raises(ClientError) as refused:
        cfn.client.set_stack_policy(StackName="shop", StackPolicyBody="{")
    assert cast("Any", refused.value.response)["Error"]["Code"] == "ValidationError"
    cfn.client.set_stack_policy(StackName="shop", StackPolicyBody=policy(statement("Deny")))
    assert cfn.deploy("shop", template(A={"Value": "2"}))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
