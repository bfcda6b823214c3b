"""The Cloud Control API: single resources, with the errors of the service."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.cloudformation.json_patch import Unpatchable, patched

MANAGEMENT = "123456789012"


@pytest.fixture
def control(aws: OfflineAws) -> Any:
    return aws.client("cloudcontrol", account=MANAGEMENT)


def ended(control: Any, progress: dict[str, Any]) -> dict[str, Any]:
    """How a request ended, which its own answer does not tell yet."""
    assert progress["ProgressEvent"]["OperationStatus"] == "IN_PROGRESS"
    token = progress["ProgressEvent"]["RequestToken"]
    shown: dict[str, Any] = control.get_resource_request_status(RequestToken=token)["ProgressEvent"]
    return shown


def properties(control: Any, type_name: str, identifier: str) -> dict[str, Any]:
    found = control.get_resource(TypeName=type_name, Identifier=identifier)["ResourceDescription"]
    assert found["Identifier"] == identifier
    loaded: dict[str, Any] = json.loads(found["Properties"])
    return loaded


def code_of(call: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response.get("Error", {})
    return str(error.get("Code")), str(error.get("Message"))


def test_a_resource_is_made_read_listed_changed_and_removed(control: Any) -> None:
    group: dict[str, Any] = {"TypeName": "AWS::Logs::LogGroup"}
    made = ended(
        control,
        control.create_resource(**group, DesiredState=json.dumps({"LogGroupName": "web", "RetentionInDays": 7})),
    )
    assert (made["OperationStatus"], made["Identifier"]) == ("SUCCESS", "web")
    assert properties(control, "AWS::Logs::LogGroup", "web") == {
        "LogGroupName": "web",
        "RetentionInDays": 7,
        "Tags": [],
    }
    listed = control.list_resources(**group)["ResourceDescriptions"]
    assert [one["Identifier"] for one in listed] == ["web"]
    patch = [{"op": "replace", "path": "/RetentionInDays", "value": 30}, {"op": "remove", "path": "/Tags"}]
    progress = control.update_resource(**group, Identifier="web", PatchDocument=json.dumps(patch))
    assert ended(control, progress)["OperationStatus"] == "SUCCESS"
    assert properties(control, "AWS::Logs::LogGroup", "web")["RetentionInDays"] == 30
    assert ended(control, control.delete_resource(**group, Identifier="web"))["OperationStatus"] == "SUCCESS"
    assert code_of(lambda: control.get_resource(**group, Identifier="web")) == (
        "ResourceNotFoundException",
        (
            "Resource of type 'AWS::Logs::LogGroup' with identifier "
            '\'{"/properties/LogGroupName": "web"}\' was not found.'
        ),
    )
    done = control.list_resource_requests()["ResourceRequestStatusSummaries"]
    assert [one["Operation"] for one in done] == ["DELETE", "UPDATE", "CREATE"]


def test_a_token_is_one_request_and_is_refused_for_another(control: Any) -> None:
    asked = {"TypeName": "AWS::SQS::Queue", "DesiredState": "{}", "ClientToken": "once"}
    first, again = control.create_resource(**asked), control.create_resource(**asked)
    assert first["ProgressEvent"]["RequestToken"] == again["ProgressEvent"]["RequestToken"]
    assert len(control.list_resources(TypeName="AWS::SQS::Queue")["ResourceDescriptions"]) == 1
    other = code_of(lambda: control.create_resource(**{**asked, "DesiredState": '{"QueueName": "x"}'}))
    assert other[0] == "ClientTokenConflictException"


def test_a_failed_request_tells_code_and_message(aws: OfflineAws, control: Any) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    progress = control.create_resource(TypeName="AWS::SQS::Queue", DesiredState="{}")
    failed = ended(control, progress)
    assert (failed["OperationStatus"], failed["ErrorCode"]) == ("FAILED", "AccessDenied")
    assert "AccessDenied on CreateQueue" in failed["StatusMessage"]
    taken = {"TypeName": "AWS::S3::Bucket", "DesiredState": '{"Unknown": 1}'}
    invalid = ended(control, control.create_resource(**taken))
    assert (invalid["ErrorCode"], "extraneous key [Unknown]" in invalid["StatusMessage"]) == ("InvalidRequest", True)


def test_what_cannot_be_done_is_refused_as_the_service_refuses_it(aws: OfflineAws, control: Any) -> None:
    aws.client("logs", account=MANAGEMENT).create_log_group(logGroupName="web")
    rename = json.dumps([{"op": "replace", "path": "/LogGroupName", "value": "other"}])
    refused = {
        "TypeNotFoundException": lambda: control.get_resource(TypeName="AWS::No::Such", Identifier="x"),
        "UnsupportedActionException": lambda: control.get_resource(TypeName="AWS::SQS::QueuePolicy", Identifier="x"),
        "RequestTokenNotFoundException": lambda: control.get_resource_request_status(RequestToken="none"),
        "ValidationException": lambda: control.update_resource(
            TypeName="AWS::Logs::LogGroup", Identifier="web", PatchDocument=rename
        ),
        "InvalidRequestException": lambda: control.create_resource(TypeName="AWS::SQS::Queue", DesiredState="{"),
        "NotImplemented": lambda: control.cancel_resource_request(RequestToken="none"),
    }
    assert {code: code_of(call)[0] for code, call in refused.items()} == {code: code for code in refused}
    unlisted = code_of(lambda: control.list_resources(TypeName="AWS::SQS::QueuePolicy"))
    assert unlisted == (
        "UnsupportedActionException",
        "Resource type AWS::SQS::QueuePolicy does not support LIST action",
    )


def test_other_accounts_see_neither_resources_nor_requests(aws: OfflineAws, control: Any) -> None:
    progress = control.create_resource(TypeName="AWS::SNS::Topic", DesiredState='{"TopicName": "mine"}')
    other = aws.client("cloudcontrol", account="111122223333")
    assert other.list_resources(TypeName="AWS::SNS::Topic")["ResourceDescriptions"] == []
    token = progress["ProgressEvent"]["RequestToken"]
    assert code_of(lambda: other.get_resource_request_status(RequestToken=token))[0] == "RequestTokenNotFoundException"


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/b", "value": 1}, {"a": [1, 2], "b": 1}),
        ({"op": "add", "path": "/a/0", "value": 0}, {"a": [0, 1, 2]}),
        ({"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}),
        ({"op": "replace", "path": "/a/1", "value": 3}, {"a": [1, 3]}),
        ({"op": "remove", "path": "/a/0"}, {"a": [2]}),
        ({"op": "move", "from": "/a", "path": "/b~1c"}, {"b/c": [1, 2]}),
        ({"op": "copy", "from": "/a/0", "path": "/b"}, {"a": [1, 2], "b": 1}),
        ({"op": "test", "path": "/a/0", "value": 1}, {"a": [1, 2]}),
        ({"op": "replace", "path": "", "value": {}}, {}),
        ({"op": "test", "path": "/a/0", "value": 2}, None),
        ({"op": "remove", "path": "/b"}, None),
        ({"op": "other", "path": "/a"}, None),
    ],
)
def test_a_patch_does_what_the_standard_says(operation: dict[str, Any], result: Any) -> None:
    document = {"a": [1, 2]}
    if result is None:
        with pytest.raises(Unpatchable):
            patched(document, [operation])
    else:
        assert patched(document, [operation]) == result
    assert document == {"a": [1, 2]}
