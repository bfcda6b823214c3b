"""AwsCall: any operation, called again only where that is the same call."""

from typing import Any
from unittest.mock import Mock

import pytest

from orbits_aws import AwsCall, AwsTarget, OfflineAws, Until
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.provider import Interrupted, UsageError
from orbits_iac.steps.execution import Current
from orbits_iac.steps.step import bind

TABLE: dict[str, Any] = {
    "TableName": "orders",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "BillingMode": "PAY_PER_REQUEST",
}


async def test_an_answer_is_a_result(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    made = await orbits.run(AwsCall(service="sns", operation="CreateTopic", parameters={"Name": "news"}), target=acme)
    assert made == {"TopicArn": f"arn:aws:sns:eu-west-1:{acme.account}:news"}
    call = AwsCall(service="sts", operation="get_caller_identity")
    assert (await orbits.run(call, target=acme))["Account"] == acme.account


@pytest.mark.parametrize(
    "until",
    [
        Until(waiter="table_exists"),
        Until(operation="DescribeTable", path="Table.TableStatus", values=["ACTIVE"], failures=["DELETING"]),
        Until(operation="ListTables", path="TableNames.0", values=["orders"]),
        Until(
            operation="ListTagsOfResource",
            answers={"ResourceArn": "TableDescription.TableArn"},
            path="Tags.0.Value",
            values=["shop"],
        ),
    ],
    ids=["waiter", "path", "position", "answers"],
)
async def test_what_comes_of_a_call_is_waited_for(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, until: Until
) -> None:
    parameters: dict[str, Any] = {**TABLE, "Tags": [{"Key": "team", "Value": "shop"}]}
    call = AwsCall(service="dynamodb", operation="CreateTable", parameters=parameters, until=until)
    assert await orbits.run(call, target=acme)
    assert aws.client("dynamodb", account="acme").list_tables()["TableNames"] == ["orders"]


@pytest.mark.usefixtures("quick")
async def test_a_look_that_fails_is_no_reason_to_call_again(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    aws.fail("dynamodb", "DescribeTable", code="InternalServerError", status=500, times=6)
    until = Until(operation="DescribeTable", path="Table.TableStatus", values=["ACTIVE"])
    call = AwsCall(service="dynamodb", operation="CreateTable", parameters=TABLE, until=until)
    await orbits.run(call, target=acme)
    calls = aws.calls("dynamodb")
    assert (calls.count("dynamodb:CreateTable"), calls.count("dynamodb:DescribeTable")) == (1, 7)


async def test_what_has_failed_is_told(orbits: Orbits, acme: AwsTarget) -> None:
    until = Until(operation="DescribeTable", path="Table.TableStatus", values=["GONE"], failures=["ACTIVE"])
    call = AwsCall(service="dynamodb", operation="CreateTable", parameters=TABLE, until=until)
    with pytest.raises(ExecutionFailed, match="dynamodb:CreateTable was answered, and then failed"):
        await orbits.run(call, target=acme)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("call", "calls"),
    [
        (AwsCall(service="sns", operation="CreateTopic", parameters={"Name": "news"}), 1),
        (AwsCall(service="sns", operation="CreateTopic", parameters={"Name": "news"}, repeatable=True), 2),
        (AwsCall(service="sns", operation="ListTopics"), 2),
    ],
    ids=["once", "repeatable", "reads"],
)
async def test_a_failed_call_is_made_again_only_where_that_is_the_same_call(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, call: AwsCall, calls: int
) -> None:
    aws.fail("sns", call.operation, code="InternalFailure", status=500)
    if calls == 1:
        with pytest.raises(ExecutionFailed, match="InternalFailure on sns:CreateTopic"):
            await orbits.run(call, target=acme)
    else:
        await orbits.run(call, target=acme)
    assert aws.calls("sns").count(f"sns:{call.operation}") == calls


def bound(call: AwsCall) -> AwsCall:
    current = Mock(spec=Current)
    current.token = "t1"
    bind(call, current)
    return call


def test_the_token_that_an_operation_takes_is_the_executions() -> None:
    start = AwsCall(service="athena", operation="StartQueryExecution", parameters={"QueryString": "SELECT 1"})
    assert set(bound(start)._asked()) == {"QueryString", "ClientRequestToken"}
    assert bound(start)._asked() == bound(start)._asked()
    named = AwsCall(service="cloudformation", operation="DeleteStack", token_parameter="ClientRequestToken")
    assert set(bound(named)._asked()) == {"ClientRequestToken"}


def test_nobody_knows_of_what_takes_no_token() -> None:
    with pytest.raises(Interrupted, match="sns:Publish was being called when the process died, and nobody knows"):
        bound(AwsCall(service="sns", operation="Publish")).on_interrupted()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"service": "dynamo", "operation": "X"}, r"AWS has no service dynamo\. Did you mean dynamodb"),
        ({"service": "sns", "operation": "CreateTopics"}, r"no operation CreateTopics\. Did you mean CreateTopic"),
        ({"service": "sns", "operation": "create_topics"}, r"no operation create_topics\. Did you mean create_topic"),
        (
            {"service": "sns", "operation": "CreateTopic", "parameters": {"name": "x"}},
            r"sns:CreateTopic takes no name\. Did you mean Name",
        ),
        (
            {"service": "dynamodb", "operation": "CreateTable", "until": Until(waiter="table_exist")},
            r"no waiter table_exist\. Did you mean table_exists",
        ),
        ({"service": "sns", "operation": "Publish", "until": Until(path="x")}, "Until has a waiter; or an operation"),
    ],
)
def test_what_aws_does_not_have_is_refused_with_what_may_be_meant(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AwsCall.model_validate(fields).check_inputs()
