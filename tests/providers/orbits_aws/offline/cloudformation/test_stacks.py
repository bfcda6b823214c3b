"""Stacks made, changed and removed directly: states, events, and the way back from a failure."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"


def queues(**queues: Any) -> dict[str, Any]:
    """A template of queues: logical id to properties."""
    return {"Resources": {name: {"Type": "AWS::SQS::Queue", "Properties": given} for name, given in queues.items()}}


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    """The code and the message with which a call is refused."""
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    error = cast("Any", failure.value.response)["Error"]
    return error["Code"], error["Message"]


def create(cfn: Any, name: str, template: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    cfn.client.create_stack(StackName=name, TemplateBody=json.dumps(template), **arguments)
    return dict(cfn.stack(name))


def update(cfn: Any, name: str, template: dict[str, Any], **arguments: Any) -> dict[str, Any]:
    cfn.client.update_stack(StackName=name, TemplateBody=json.dumps(template), **arguments)
    return dict(cfn.stack(name))


def urls(aws: Any) -> list[str]:
    found: list[str] = aws.client("sqs", account=MANAGEMENT).list_queues().get("QueueUrls", [])
    return found


def visibility(aws: Any, url: str) -> str:
    live = aws.client("sqs", account=MANAGEMENT).get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    return str(live["Attributes"]["VisibilityTimeout"])


def test_a_stack_is_made_in_order_with_outputs_and_events(aws: Any, cfn: Any) -> None:
    template = queues(
        Main={"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}},
        Dead={"QueueName": "dead"},
    )
    template["Outputs"] = {"Url": {"Value": {"Ref": "Main"}, "Export": {"Name": "main-url"}, "Description": "it"}}
    stack = create(cfn, "shop", template, Tags=[{"Key": "project", "Value": "orbits"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    url = cfn.physical_id("shop", "Main")
    assert stack["Outputs"] == [{"OutputKey": "Url", "OutputValue": url, "Description": "it", "ExportName": "main-url"}]
    assert cfn.events("shop") == [
        ("shop", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_IN_PROGRESS"),
        ("Dead", "CREATE_COMPLETE"),
        ("Main", "CREATE_IN_PROGRESS"),
        ("Main", "CREATE_IN_PROGRESS"),
        ("Main", "CREATE_COMPLETE"),
        ("shop", "CREATE_COMPLETE"),
    ]
    tags = aws.client("sqs", account=MANAGEMENT).list_queue_tags(QueueUrl=url)["Tags"]
    assert tags == {"project": "orbits"}
    assert [export["Value"] for export in cfn.client.list_exports()["Exports"]] == [url]


def test_a_failing_creation_removes_what_it_made(aws: Any, cfn: Any) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    stack = create(cfn, "shop", queues(First={}, Second={}, Third={}))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert urls(aws) == []
    assert cfn.events("shop")[4:] == [
        ("Second", "CREATE_IN_PROGRESS"),
        ("Second", "CREATE_FAILED"),
        ("Third", "CREATE_IN_PROGRESS"),
        ("Third", "CREATE_FAILED"),
        ("shop", "ROLLBACK_IN_PROGRESS"),
        ("Third", "DELETE_IN_PROGRESS"),
        ("Third", "DELETE_COMPLETE"),
        ("Second", "DELETE_IN_PROGRESS"),
        ("Second", "DELETE_COMPLETE"),
        ("First", "DELETE_IN_PROGRESS"),
        ("First", "DELETE_COMPLETE"),
        ("shop", "ROLLBACK_COMPLETE"),
    ]
    reasons = cfn.reasons("shop")
    assert reasons["shop"] == (
        "The following resource(s) failed to create: [Second, Third]. Rollback requested by user."
    )
    assert reasons["Third"] == "Resource creation cancelled"
    assert "AccessDenied on CreateQueue" in reasons["Second"]
    assert "HandlerErrorCode: AccessDenied" in reasons["Second"]


def test_a_creation_that_fails_half_way_through_a_resource_leaves_no_orphan(aws: Any, cfn: Any) -> None:
    aws.fail("s3", "PutBucketVersioning", code="AccessDenied")
    bucket = {"Type": "AWS::S3::Bucket", "Properties": {"VersioningConfiguration": {"Status": "Enabled"}}}
    assert create(cfn, "shop", {"Resources": {"Bucket": bucket}})["StackStatus"] == "ROLLBACK_COMPLETE"
    assert aws.client("s3", account=MANAGEMENT).list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("arguments", "status", "left"),
    [
        ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", 1),
        ({"DisableRollback": True}, "CREATE_FAILED", 1),
        ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", 0),
        ({"OnFailure": "ROLLBACK"}, "ROLLBACK_COMPLETE", 0),
    ],
)
def test_on_failure_decides_what_becomes_of_a_failed_creation(
    aws: Any, cfn: Any, arguments: Any, status: str, left: int
) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    made = cfn.client.create_stack(StackName="shop", TemplateBody=json.dumps(queues(A={}, B={})), **arguments)
    assert cfn.stack(made["StackId"])["StackStatus"] == status
    assert len(urls(aws)) == left


def test_what_a_disabled_rollback_left_can_be_rolled_back_later(aws: Any, cfn: Any) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    create(cfn, "shop", queues(A={}, B={}), DisableRollback=True)
    cfn.client.rollback_stack(StackName="shop")
    assert cfn.stack("shop")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert urls(aws) == []


def test_what_a_disabled_rollback_left_can_be_finished_by_an_update(aws: Any, cfn: Any) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    create(cfn, "shop", queues(A={}, B={}), DisableRollback=True)
    [first] = urls(aws)
    assert update(cfn, "shop", queues(A={}, B={}))["StackStatus"] == "UPDATE_COMPLETE"
    assert len(urls(aws)) == 2
    assert first in urls(aws)


@pytest.mark.parametrize(
    ("policy", "option", "kept"),
    [
        ("Retain", False, True),
        ("Retain", True, False),
        ("RetainExceptOnCreate", False, False),
        ("Delete", False, False),
    ],
)
def test_a_failed_creation_keeps_what_its_policy_retains(
    aws: Any, cfn: Any, policy: str, *, option: bool, kept: bool
) -> None:
    template = queues(A={}, B={})
    template["Resources"]["A"]["DeletionPolicy"] = policy
    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    create(cfn, "shop", template, RetainExceptOnCreate=option)
    assert len(urls(aws)) == kept
    assert (("A", "DELETE_SKIPPED") in cfn.events("shop")) is kept


def test_an_update_changes_in_place_and_removes_what_went(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(Main={"VisibilityTimeout": 10}, Old={}))
    url = cfn.physical_id("shop", "Main")
    stack = update(cfn, "shop", queues(Main={"VisibilityTimeout": 20}, New={}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert cfn.physical_id("shop", "Main") == url
    assert visibility(aws, url) == "20"
    assert sorted(urls(aws)) == sorted([url, cfn.physical_id("shop", "New")])
    assert cfn.events("shop")[8:] == [
        ("shop", "UPDATE_IN_PROGRESS"),
        ("Main", "UPDATE_IN_PROGRESS"),
        ("Main", "UPDATE_COMPLETE"),
        ("New", "CREATE_IN_PROGRESS"),
        ("New", "CREATE_IN_PROGRESS"),
        ("New", "CREATE_COMPLETE"),
        ("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("Old", "DELETE_IN_PROGRESS"),
        ("Old", "DELETE_COMPLETE"),
        ("shop", "UPDATE_COMPLETE"),
    ]


def test_a_property_that_goes_returns_to_its_default(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(Main={"VisibilityTimeout": 10}))
    update(cfn, "shop", queues(Main={}))
    assert visibility(aws, cfn.physical_id("shop", "Main")) == "30"


def test_a_failing_update_brings_the_old_values_back(aws: Any, cfn: Any) -> None:
    old = queues(A={"VisibilityTimeout": 10}, B={"VisibilityTimeout": 10}, Kept={})
    old["Outputs"] = {"A": {"Value": {"Ref": "A"}}}
    create(cfn, "shop", old)
    a, b = cfn.physical_id("shop", "A"), cfn.physical_id("shop", "B")
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", nth=2)
    stack = update(cfn, "shop", queues(New={}, A={"VisibilityTimeout": 20}, B={"VisibilityTimeout": 20}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (visibility(aws, a), visibility(aws, b)) == ("10", "10")
    assert len(urls(aws)) == 3
    assert cfn.outputs("shop") == {"A": a}
    assert json.dumps(cfn.client.get_template(StackName="shop")["TemplateBody"]) == json.dumps(old)
    assert cfn.events("shop")[cfn.events("shop").index(("B", "UPDATE_FAILED")) + 1 :] == [
        ("shop", "UPDATE_ROLLBACK_IN_PROGRESS"),
        ("A", "UPDATE_IN_PROGRESS"),
        ("A", "UPDATE_COMPLETE"),
        ("B", "UPDATE_IN_PROGRESS"),
        ("B", "UPDATE_COMPLETE"),
        ("shop", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("New", "DELETE_IN_PROGRESS"),
        ("New", "DELETE_COMPLETE"),
        ("shop", "UPDATE_ROLLBACK_COMPLETE"),
    ]
    assert cfn.reasons("shop")["shop"] == "The following resource(s) failed to update: [B]. "
    assert update(cfn, "shop", queues(A={"VisibilityTimeout": 20}))["StackStatus"] == "UPDATE_COMPLETE"


def test_a_rollback_that_fails_can_be_continued(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(A={"VisibilityTimeout": 10}, B={"VisibilityTimeout": 10}))
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", nth=2, times=3)
    stack = update(cfn, "shop", queues(A={"VisibilityTimeout": 20}, B={"VisibilityTimeout": 20}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to update: [A, B]. "
    code, said = refused(cfn.client.update_stack, StackName="shop", TemplateBody=json.dumps(queues(A={})))
    assert (code, said.endswith("is in UPDATE_ROLLBACK_FAILED state and can not be updated.")) == (
        "ValidationError",
        True,
    )
    cfn.client.continue_update_rollback(StackName="shop")
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert [visibility(aws, cfn.physical_id("shop", name)) for name in "AB"] == ["10", "10"]


def test_a_rollback_can_be_continued_without_a_resource(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(A={"VisibilityTimeout": 10}))
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied", times=None)
    assert update(cfn, "shop", queues(A={"VisibilityTimeout": 20}))["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    cfn.client.continue_update_rollback(StackName="shop", ResourcesToSkip=["A"])
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


def test_a_change_that_no_update_allows_makes_a_new_one_and_removes_the_old(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(Main={"QueueName": "one"}))
    stack = update(cfn, "shop", queues(Main={"QueueName": "two"}))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert urls(aws) == [cfn.physical_id("shop", "Main")]
    assert urls(aws)[0].endswith("/two")
    assert cfn.events("shop")[5:] == [
        ("shop", "UPDATE_IN_PROGRESS"),
        ("Main", "UPDATE_IN_PROGRESS"),
        ("Main", "CREATE_IN_PROGRESS"),
        ("Main", "CREATE_IN_PROGRESS"),
        ("Main", "CREATE_COMPLETE"),
        ("shop", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("Main", "DELETE_IN_PROGRESS"),
        ("Main", "DELETE_COMPLETE"),
        ("shop", "UPDATE_COMPLETE"),
    ]


def test_a_failing_update_keeps_the_old_one_of_what_it_replaced(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(Main={"QueueName": "one"}, Other={"VisibilityTimeout": 1}))
    old = cfn.physical_id("shop", "Main")
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    stack = update(cfn, "shop", queues(Main={"QueueName": "two"}, Other={"VisibilityTimeout": 2}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert cfn.physical_id("shop", "Main") == old
    assert sorted(urls(aws)) == sorted([old, cfn.physical_id("shop", "Other")])


def test_the_old_one_of_what_is_replaced_is_kept_by_its_policy(aws: Any, cfn: Any) -> None:
    template = queues(Main={"QueueName": "one"})
    template["Resources"]["Main"]["UpdateReplacePolicy"] = "Retain"
    create(cfn, "shop", template)
    template["Resources"]["Main"]["Properties"]["QueueName"] = "two"
    update(cfn, "shop", template)
    assert len(urls(aws)) == 2
    assert ("Main", "DELETE_SKIPPED") in cfn.events("shop")


def test_what_has_a_name_of_its_own_cannot_be_replaced_under_that_name(cfn: Any) -> None:
    table = {
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    }
    template = {"Resources": {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": table}}}
    create(cfn, "shop", template)
    table["AttributeDefinitions"] = [{"AttributeName": "key", "AttributeType": "S"}]
    table["KeySchema"] = [{"AttributeName": "key", "KeyType": "HASH"}]
    assert update(cfn, "shop", template)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert cfn.reasons("shop")["Table"] == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename orders and update the stack again."
    )


def test_deleting_removes_in_reverse_order_and_keeps_what_is_retained(aws: Any, cfn: Any) -> None:
    template = queues(
        Kept={"QueueName": "kept"},
        Dead={},
        Main={"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}},
    )
    template["Resources"]["Kept"]["DeletionPolicy"] = "Retain"
    made = create(cfn, "shop", template)
    cfn.client.delete_stack(StackName="shop")
    assert refused(cfn.client.describe_stacks, StackName="shop") == (
        "ValidationError",
        "Stack with id shop does not exist",
    )
    deleted = cfn.stack(made["StackId"])
    assert (deleted["StackStatus"], "DeletionTime" in deleted) == ("DELETE_COMPLETE", True)
    assert [url.rpartition("/")[2] for url in urls(aws)] == ["kept"]
    assert cfn.events(made["StackId"])[-7:] == [
        ("shop", "DELETE_IN_PROGRESS"),
        ("Main", "DELETE_IN_PROGRESS"),
        ("Main", "DELETE_COMPLETE"),
        ("Dead", "DELETE_IN_PROGRESS"),
        ("Dead", "DELETE_COMPLETE"),
        ("Kept", "DELETE_SKIPPED"),
        ("shop", "DELETE_COMPLETE"),
    ]
    cfn.client.delete_stack(StackName="shop")
    assert create(cfn, "shop", queues(A={}))["StackId"] != made["StackId"]


def test_a_deletion_that_fails_keeps_what_failed_and_what_it_needs(aws: Any, cfn: Any) -> None:
    template = queues(
        Dead={},
        Main={"RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}},
        Other={},
    )
    create(cfn, "shop", template)
    main = cfn.physical_id("shop", "Main")
    aws.fail("sqs", "DeleteQueue", code="AccessDenied", resource=main.rpartition("/")[2])
    cfn.client.delete_stack(StackName="shop")
    stack = cfn.stack("shop")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to delete: [Main]. "
    assert len(urls(aws)) == 2
    aws.fail("sqs", "DeleteQueue", code="AccessDenied", times=None, resource=main.rpartition("/")[2])
    cfn.client.delete_stack(StackName="shop", RetainResources=["Main"])
    assert cfn.stack(stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert urls(aws) == [main]


def test_a_bucket_with_objects_is_not_deleted(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", {"Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}}})
    s3, bucket = aws.client("s3", account=MANAGEMENT), cfn.physical_id("shop", "Bucket")
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    cfn.client.delete_stack(StackName="shop")
    assert cfn.stack("shop")["StackStatus"] == "DELETE_FAILED"
    assert "not empty" in cfn.reasons("shop")["Bucket"]
    s3.delete_object(Bucket=bucket, Key="key")
    cfn.client.delete_stack(StackName="shop")
    assert s3.list_buckets()["Buckets"] == []


def test_what_was_removed_behind_the_stacks_back_is_deleted_already(aws: Any, cfn: Any) -> None:
    made = create(cfn, "shop", queues(Main={}))
    aws.client("sqs", account=MANAGEMENT).delete_queue(QueueUrl=cfn.physical_id("shop", "Main"))
    cfn.client.delete_stack(StackName="shop")
    assert cfn.stack(made["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_protected_stacks_and_used_exports_are_not_deleted(cfn: Any) -> None:
    template = queues(Main={})
    template["Outputs"] = {"Url": {"Value": {"Ref": "Main"}, "Export": {"Name": "url"}}}
    create(cfn, "shop", template, EnableTerminationProtection=True)
    assert "TerminationProtection is enabled" in refused(cfn.client.delete_stack, StackName="shop")[1]
    cfn.client.update_termination_protection(StackName="shop", EnableTerminationProtection=False)
    create(cfn, "user", queues(Copy={"Tags": [{"Key": "of", "Value": {"Fn::ImportValue": "url"}}]}))
    assert cfn.client.list_imports(ExportName="url")["Imports"] == ["user"]
    assert refused(cfn.client.delete_stack, StackName="shop")[1] == (
        "Export url cannot be deleted as it is in use by user"
    )
    cfn.client.delete_stack(StackName="user")
    cfn.client.delete_stack(StackName="shop")
    assert cfn.client.list_exports()["Exports"] == []


def test_states_unfold_over_the_set_number_of_polls(aws: Any, cfn: Any) -> None:
    aws.settings(polls=2)
    template = queues(A={})
    template["Outputs"] = {"A": {"Value": {"Ref": "A"}}}
    cfn.client.create_stack(StackName="shop", TemplateBody=json.dumps(template))
    seen = [cfn.stack("shop") for _ in range(4)]
    assert [stack["StackStatus"] for stack in seen] == ["CREATE_IN_PROGRESS"] * 2 + ["CREATE_COMPLETE"] * 2
    assert ["Outputs" in stack for stack in seen] == [False, False, True, True]
    update_body = json.dumps(queues(A={"VisibilityTimeout": 5}))
    cfn.client.update_stack(StackName="shop", TemplateBody=update_body)
    assert (
        "is in UPDATE_IN_PROGRESS state and can not be updated"
        in (refused(cfn.client.update_stack, StackName="shop", TemplateBody=json.dumps(queues(A={})))[1])
    )
    assert cfn.events("shop")[-1] == ("shop", "UPDATE_IN_PROGRESS")
    assert [cfn.stack("shop")["StackStatus"] for _ in range(3)][-1] == "UPDATE_COMPLETE"
    cfn.client.delete_stack(StackName="shop")
    assert cfn.stack("shop")["StackStatus"] == "DELETE_IN_PROGRESS"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ({"TemplateBody": "{}"}, "ValidationError", "At least one Resources member must be defined"),
        ({}, "ValidationError", "Either Template URL or Template Body must be specified."),
        (
            {"TemplateBody": json.dumps(queues(A={}) | {"Metadata": {"long": "x" * 51_200}})},
            "ValidationError",
            "Member must have length less than or equal to 51200",
        ),
        ({"TemplateURL": "http://localhost/none/key.json"}, "ValidationError", "S3 error"),
        (
            {"TemplateBody": json.dumps({"Resources": {"X": {"Type": "AWS::No::Such"}}})},
            "ValidationError",
            "Template format error: Unrecognized resource types: [AWS::No::Such]",
        ),
        (
            {"TemplateBody": json.dumps({"Resources": {"X": {"Type": "AWS::IAM::Role"}}})},
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_IAM]",
        ),
        (
            {
                "TemplateBody": json.dumps(
                    {"Resources": {"X": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "x"}}}}
                ),
                "Capabilities": ["CAPABILITY_IAM"],
            },
            "InsufficientCapabilitiesException",
            "Requires capabilities : [CAPABILITY_NAMED_IAM]",
        ),
        (
            {"StackName": "1shop", "TemplateBody": json.dumps(queues(A={}))},
            "ValidationError",
            "failed to satisfy constraint: Member must satisfy regular expression pattern",
        ),
    ],
)
def test_requests_that_are_wrong_are_refused_before_anything_is_made(
    cfn: Any, arguments: Any, code: str, said: str
) -> None:
    refusal = refused(cfn.client.create_stack, **({"StackName": "shop"} | arguments))
    assert (refusal[0], said in refusal[1]) == (code, True), refusal
    assert cfn.client.list_stacks()["StackSummaries"] == []


def test_what_does_not_exist_or_differ_is_refused(cfn: Any) -> None:
    body = json.dumps(queues(A={}))
    missing = ("ValidationError", "Stack with id shop does not exist")
    assert refused(cfn.client.update_stack, StackName="shop", TemplateBody=body) == missing
    assert refused(cfn.client.describe_stack_events, StackName="shop") == missing
    assert refused(cfn.client.list_stack_resources, StackName="shop") == missing
    cfn.client.create_stack(StackName="shop", TemplateBody=body)
    assert refused(cfn.client.create_stack, StackName="shop", TemplateBody=body) == (
        "AlreadyExistsException",
        "Stack [shop] already exists",
    )
    assert refused(cfn.client.update_stack, StackName="shop", TemplateBody=body) == (
        "ValidationError",
        "No updates are to be performed.",
    )


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"Colour": "red"}, "extraneous key [Colour] is not permitted"),
        ({"QueueUrl": "x"}, "read-only property QueueUrl"),
    ],
)
def test_properties_that_the_type_does_not_have_fail_the_resource(cfn: Any, properties: Any, said: str) -> None:
    assert create(cfn, "shop", queues(Other={}, Main=properties))["StackStatus"] == "ROLLBACK_COMPLETE"
    assert said in cfn.reasons("shop").get("Main", cfn.reasons("shop")["shop"])


def test_a_required_property_that_is_missing_fails_the_resource(cfn: Any) -> None:
    template = {"Resources": {"Parameter": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String"}}}}
    create(cfn, "shop", template)
    assert "required key [Value] not found" in cfn.reasons("shop")["Parameter"]


def test_an_update_refused_before_anything_was_done_rolls_back_without_a_write(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(Main={"VisibilityTimeout": 10}))
    before = len(aws.calls(writes=True))
    stack = update(cfn, "shop", queues(Main={"Colour": "red"}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert aws.calls(writes=True)[before:] == ["cloudformation:UpdateStack"]


def test_a_template_comes_from_a_bucket_by_its_url(aws: Any, cfn: Any) -> None:
    s3 = aws.client("s3", account=MANAGEMENT)
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    template = queues(A={}) | {"Metadata": {"long": "x" * 60_000}}
    s3.put_object(Bucket="templates", Key="a/shop.json", Body=json.dumps(template).encode())
    for name, url in (
        ("one", f"{aws.endpoint_url}/templates/a/shop.json"),
        ("two", "https://templates.s3.eu-west-1.amazonaws.com/a/shop.json"),
        ("three", "https://s3.eu-west-1.amazonaws.com/templates/a/shop.json"),
    ):
        cfn.client.create_stack(StackName=name, TemplateURL=url)
        assert cfn.stack(name)["StackStatus"] == "CREATE_COMPLETE"


def test_parameters_conditions_and_previous_values(aws: Any, cfn: Any) -> None:
    template = queues(
        Main={"VisibilityTimeout": {"Ref": "Seconds"}, "QueueName": {"Fn::Sub": "${Name}-${AWS::Region}"}}, Extra={}
    )
    template["Parameters"] = {
        "Seconds": {"Type": "Number", "Default": 10},
        "Name": {"Type": "String", "NoEcho": True},
    }
    template["Conditions"] = {"Slow": {"Fn::Equals": [{"Ref": "Seconds"}, "60"]}}
    template["Resources"]["Extra"]["Condition"] = "Slow"
    create(cfn, "shop", template, Parameters=[{"ParameterKey": "Name", "ParameterValue": "orders"}])
    assert [url.rpartition("/")[2] for url in urls(aws)] == ["orders-eu-west-1"]
    shown = {one["ParameterKey"]: one["ParameterValue"] for one in cfn.stack("shop")["Parameters"]}
    assert shown == {"Seconds": "10", "Name": "****"}
    cfn.client.update_stack(
        StackName="shop",
        UsePreviousTemplate=True,
        Parameters=[
            {"ParameterKey": "Name", "UsePreviousValue": True},
            {"ParameterKey": "Seconds", "ParameterValue": "60"},
        ],
    )
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_COMPLETE"
    assert len(urls(aws)) == 2
    assert visibility(aws, cfn.physical_id("shop", "Main")) == "60"


def test_changed_stack_tags_update_every_resource_that_takes_tags(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(A={}), Tags=[{"Key": "stage", "Value": "one"}])
    cfn.client.update_stack(StackName="shop", UsePreviousTemplate=True, Tags=[{"Key": "stage", "Value": "two"}])
    tags = aws.client("sqs", account=MANAGEMENT).list_queue_tags(QueueUrl=cfn.physical_id("shop", "A"))["Tags"]
    assert tags == {"stage": "two"}
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(queues(A={"VisibilityTimeout": 7})))
    assert cfn.stack("shop")["Tags"] == [{"Key": "stage", "Value": "two"}]


def test_a_lost_answer_inside_fails_the_resource_and_leaves_no_orphan_of_an_update(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(Main={"VisibilityTimeout": 10}))
    aws.lose_answer("sqs", "SetQueueAttributes")
    stack = update(cfn, "shop", queues(Main={"VisibilityTimeout": 20}))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "NetworkFailure" in cfn.reasons("shop")["Main"]
    assert visibility(aws, cfn.physical_id("shop", "Main")) == "10"


def test_a_throttled_call_inside_is_repeated(aws: Any, cfn: Any) -> None:
    aws.fail("sqs", "CreateQueue", code="Throttling", times=3)
    assert create(cfn, "shop", queues(Main={}))["StackStatus"] == "CREATE_COMPLETE"
    assert [call.error for call in aws.calls("sqs", writes=True)] == ["Throttling"] * 3 + [None]


def test_stacks_are_kept_apart_by_account_and_region(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(A={}))
    for account, region in (("444455556666", "eu-west-1"), (MANAGEMENT, "us-east-1")):
        other = aws.client("cloudformation", account=account, region=region)
        assert other.list_stacks()["StackSummaries"] == []
        other.create_stack(StackName="shop", TemplateBody=json.dumps(queues(A={})))
        [stack] = other.describe_stacks()["Stacks"]
        assert f":{region}:{account}:stack/shop/" in stack["StackId"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_lists_come_in_pages_and_by_status(cfn: Any) -> None:
    for number in range(3):
        cfn.client.create_stack(StackName=f"s{number}", TemplateBody=json.dumps(queues(A={})))
    cfn.client.delete_stack(StackName="s1")
    names = [
        one["StackName"]
        for page in cfn.client.get_paginator("list_stacks").paginate(StackStatusFilter=["CREATE_COMPLETE"])
        for one in page["StackSummaries"]
    ]
    assert names == ["s2", "s0"]
    assert [one["StackName"] for one in cfn.client.describe_stacks()["Stacks"]] == ["s2", "s0"]
    resources = cfn.client.list_stack_resources(StackName="s0")["StackResourceSummaries"]
    assert [(one["LogicalResourceId"], one["ResourceStatus"]) for one in resources] == [("A", "CREATE_COMPLETE")]
    by_id = cfn.client.describe_stack_resources(PhysicalResourceId=resources[0]["PhysicalResourceId"])
    assert [one["StackName"] for one in by_id["StackResources"]] == ["s0"]


def test_waiters_of_boto3_work(cfn: Any) -> None:
    cfn.client.create_stack(StackName="shop", TemplateBody=json.dumps(queues(A={})))
    cfn.client.get_waiter("stack_create_complete").wait(StackName="shop")
    cfn.client.delete_stack(StackName="shop")
    cfn.client.get_waiter("stack_delete_complete").wait(StackName="shop")


def test_outputs_that_cannot_be_resolved_fail_the_operation_and_nothing_is_left(aws: Any, cfn: Any) -> None:
    template = queues(A={}) | {"Outputs": {"O": {"Value": {"Fn::ImportValue": "none"}}}}
    assert create(cfn, "shop", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert urls(aws) == []
    assert cfn.reasons("shop")["shop"] == "No export named none found. Rollback requested by user."
    create(cfn, "good", queues(A={}))
    assert update(cfn, "good", template)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.parametrize("value", [{"Fn::GetAtt": ["A", "Colour"]}, {"Fn::Sub": "${A.Colour}"}])
def test_an_attribute_that_the_type_does_not_have_is_refused(cfn: Any, value: Any) -> None:
    template = queues(A={}) | {"Outputs": {"O": {"Value": value}}}
    assert refused(cfn.client.create_stack, StackName="shop", TemplateBody=json.dumps(template)) == (
        "ValidationError",
        "Template error: resource A does not support attribute type Colour in Fn::GetAtt",
    )


def test_what_went_with_a_stack_or_its_creation_is_still_listed(aws: Any, cfn: Any) -> None:
    def listed(stack: str) -> list[tuple[str, str]]:
        found = cfn.client.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        return [(one["LogicalResourceId"], one["ResourceStatus"]) for one in found]

    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    made = create(cfn, "shop", queues(A={}, B={}))
    assert sorted(listed("shop")) == [("A", "DELETE_COMPLETE"), ("B", "DELETE_COMPLETE")]
    cfn.client.delete_stack(StackName="shop")
    assert sorted(listed(made["StackId"])) == [("A", "DELETE_COMPLETE"), ("B", "DELETE_COMPLETE")]


def test_an_export_that_is_taken_fails_the_second_stack(cfn: Any) -> None:
    template = queues(A={}) | {"Outputs": {"O": {"Value": "x", "Export": {"Name": "taken"}}}}
    create(cfn, "one", template)
    assert create(cfn, "two", template)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "Export with name taken is already exported by stack one" in cfn.reasons("two")["two"]


def test_failed_events_are_told_apart(aws: Any, cfn: Any) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    create(cfn, "shop", queues(A={}))
    [event] = cfn.client.describe_events(StackName="shop", Filters={"FailedEvents": True})["OperationEvents"]
    assert (event["LogicalResourceId"], event["ResourceStatus"]) == ("A", "CREATE_FAILED")


def test_what_waits_for_a_failed_one_is_not_begun_and_what_would_have_begun_is_cancelled(aws: Any, cfn: Any) -> None:
    create(cfn, "shop", queues(Old={"VisibilityTimeout": 1}))
    template = queues(Old={"VisibilityTimeout": 2}, Waiting={}, Free={})
    template["Resources"]["Waiting"]["DependsOn"] = "Old"
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    assert update(cfn, "shop", template)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    events = cfn.events("shop")
    assert ("Free", "CREATE_FAILED") in events
    assert "Waiting" not in dict(events)
    assert cfn.reasons("shop")["shop"] == (
        "The following resource(s) failed to create: [Free]. The following resource(s) failed to update: [Old]. "
    )
    assert urls(aws) == [cfn.physical_id("shop", "Old")]


def test_only_the_types_that_the_caller_names_are_deployed(cfn: Any) -> None:
    body = json.dumps(queues(A={}))
    code, said = refused(cfn.client.create_stack, StackName="shop", TemplateBody=body, ResourceTypes=["AWS::SNS::*"])
    assert (code, said) == (
        "ValidationError",
        "Resource type AWS::SQS::Queue is not allowed by parameter ResourceTypes [AWS::SNS::*]",
    )
    cfn.client.create_stack(StackName="shop", TemplateBody=body, ResourceTypes=["AWS::SQS::*"])
