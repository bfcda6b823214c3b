"""Properties against their schema: what is refused, where it is said to be, and how change sets and stacks tell it."""

import json
from typing import Any

import pytest

from orbits_aws.offline.cloudformation.intrinsics import UNKNOWN
from orbits_aws.offline.cloudformation.validation import problems, reason

TABLE: dict[str, Any] = {
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}
BUCKET, QUEUE, FUNCTION = "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::Lambda::Function"


@pytest.mark.parametrize(
    ("type_name", "properties"),
    [
        (QUEUE, {"VisibilityTimeout": "60", "FifoQueue": "true", "QueueName": 12}),
        (QUEUE, {"RedrivePolicy": json.dumps({"maxReceiveCount": 1})}),
        (QUEUE, {"RedrivePolicy": {"maxReceiveCount": 1}, "VisibilityTimeout": UNKNOWN}),
        (BUCKET, {"VersioningConfiguration": {"Status": UNKNOWN}, "Tags": [{"Key": "a", "Value": "b"}]}),
        ("AWS::SSM::Parameter", {"Type": "String", "Value": "x", "Tags": {"any": "tag"}}),
        ("AWS::DynamoDB::Table", TABLE),
        ("AWS::No::Schema", {"any": "thing"}),
    ],
)
def test_what_the_service_takes_is_taken(type_name: str, properties: dict[str, Any]) -> None:
    assert problems(type_name, properties) == []


@pytest.mark.parametrize(
    ("type_name", "properties", "where", "said"),
    [
        (QUEUE, {"Colour": "red"}, "#", "extraneous key [Colour] is not permitted"),
        (QUEUE, {"QueueUrl": "x"}, "#/QueueUrl", "Encountered read-only property QueueUrl"),
        (QUEUE, {"VisibilityTimeout": "soon"}, "#/VisibilityTimeout", "expected type: Integer, found: String"),
        (QUEUE, {"FifoQueue": "maybe"}, "#/FifoQueue", "expected type: Boolean, found: String"),
        (QUEUE, {"Tags": {"Key": "a"}}, "#/Tags", "expected type: JSONArray, found: JSONObject"),
        (QUEUE, {"QueueName": ["a"]}, "#/QueueName", "expected type: String, found: JSONArray"),
        (BUCKET, {"VersioningConfiguration": {}}, "#/VersioningConfiguration", "required key [Status] not found"),
        (
            BUCKET,
            {"VersioningConfiguration": {"Status": "On"}},
            "#/VersioningConfiguration/Status",
            "failed validation constraint for keyword [enum]",
        ),
        (
            BUCKET,
            {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled"}, {"Status": "Enabled", "Day": 1}]}},
            "#/LifecycleConfiguration/Rules/1",
            "extraneous key [Day] is not permitted",
        ),
        (
            "AWS::Logs::LogGroup",
            {"LogGroupName": "a b"},
            "#/LogGroupName",
            "failed validation constraint for keyword [pattern]",
        ),
        (
            "AWS::Logs::LogGroup",
            {"LogGroupName": "x" * 513},
            "#/LogGroupName",
            "failed validation constraint for keyword [maxLength]",
        ),
        (
            FUNCTION,
            {"Code": {"ZipFile": "x"}, "Role": "arn:aws:iam::123456789012:role/x", "MemorySize": 1},
            "#/MemorySize",
            "failed validation constraint for keyword [minimum]",
        ),
        (
            "AWS::DynamoDB::Table",
            {**TABLE, "KeySchema": []},
            "#/KeySchema",
            "failed validation constraint for keyword [minItems]",
        ),
    ],
)
def test_what_the_service_refuses_is_found_where_it_is(
    type_name: str, properties: dict[str, Any], where: str, said: str
) -> None:
    found = [(one.pointer, one.told) for one in problems(type_name, properties)]
    assert (where, said) in found


def test_the_reason_tells_what_is_built_wrongly_apart_from_wrong_values() -> None:
    assert reason("Main", problems(QUEUE, {"Colour": "red", "VisibilityTimeout": "soon"})) == (
        "Properties validation failed for resource Main with message:\n"
        "#: extraneous key [Colour] is not permitted\n"
        "#/VisibilityTimeout: expected type: Integer, found: String"
    )
    wrong = problems(BUCKET, {"VersioningConfiguration": {"Status": "On"}})
    assert reason("Main", wrong) == (
        "Model validation failed (#/VersioningConfiguration/Status: failed validation constraint for keyword [enum])"
    )


def queue(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"Main": {"Type": QUEUE, "Properties": properties}}}


def test_a_change_set_that_is_wrong_fails_and_events_tell_where(cfn: Any) -> None:
    wrong = queue(VisibilityTimeout="soon")
    wrong["Resources"]["Bucket"] = {"Type": BUCKET, "Properties": {"VersioningConfiguration": {"Status": "On"}}}
    change_set = cfn.change_set("shop", wrong)
    assert (change_set["Status"], change_set["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert change_set["StatusReason"] == (
        "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]. To troubleshoot Early "
        "Validation errors, use the DescribeEvents API for detailed failure information."
    )
    events = cfn.client.describe_events(ChangeSetName=change_set["ChangeSetId"])["OperationEvents"]
    told = {
        event["ValidationPath"]: (event["LogicalResourceId"], event["ValidationName"], event["ValidationStatusReason"])
        for event in events
        if event["EventType"] == "VALIDATION_ERROR"
    }
    assert told == {
        "/Resources/Main/Properties/VisibilityTimeout": (
            "Main",
            "PROPERTY_VALIDATION",
            "expected type: Integer, found: String",
        ),
        "/Resources/Bucket/Properties/VersioningConfiguration/Status": (
            "Bucket",
            "PROPERTY_VALIDATION",
            "failed validation constraint for keyword [enum]",
        ),
    }


def test_a_name_that_is_taken_fails_the_change_set(aws: Any, cfn: Any) -> None:
    properties = {"Name": "/taken", "Type": "String", "Value": "1"}
    template = {"Resources": {"P": {"Type": "AWS::SSM::Parameter", "Properties": properties}}}
    aws.client("ssm", account="123456789012").put_parameter(Name="/taken", Type="String", Value="0")
    change_set = cfn.change_set("shop", template)
    assert "[AWS::EarlyValidation::ResourceExistenceCheck]" in change_set["StatusReason"]
    [finding] = [
        event
        for event in cfn.client.describe_events(ChangeSetName=change_set["ChangeSetId"])["OperationEvents"]
        if event["EventType"] == "VALIDATION_ERROR"
    ]
    assert finding["ValidationPath"] == "/Resources/P/Properties/Name"
    assert finding["ValidationStatusReason"] == (
        "Resource of type 'AWS::SSM::Parameter' with identifier '/taken' already exists."
    )


def test_a_stack_deployed_directly_tells_it_as_the_resources_reason(aws: Any, cfn: Any) -> None:
    cfn.client.create_stack(StackName="shop", TemplateBody=json.dumps(queue(VisibilityTimeout="soon")))
    assert cfn.stack("shop")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert cfn.reasons("shop")["Main"] == (
        "Properties validation failed for resource Main with message:\n"
        "#/VisibilityTimeout: expected type: Integer, found: String"
    )
    assert aws.calls("sqs") == []
