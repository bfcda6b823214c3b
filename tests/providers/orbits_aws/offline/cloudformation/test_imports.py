"""Existing resources taken into stacks: by change sets of type IMPORT, and by name with the others."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"


def parameter(name: str = "/kept", **attributes: Any) -> dict[str, Any]:
    properties = {"Name": name, "Type": "String", "Value": "wanted"}
    return {"Type": "AWS::SSM::Parameter", "DeletionPolicy": "Retain", "Properties": properties} | attributes


def to_import(logical_id: str, name: str) -> dict[str, Any]:
    return {
        "ResourceType": "AWS::SSM::Parameter",
        "LogicalResourceId": logical_id,
        "ResourceIdentifier": {"Name": name},
    }


def import_set(cfn: Any, resources: dict[str, Any], *asked: dict[str, Any], **more: Any) -> dict[str, Any]:
    template = {"Resources": resources} | more.pop("sections", {})
    return dict(cfn.change_set("shop", template, kind="IMPORT", ResourcesToImport=list(asked), **more))


@pytest.fixture
def ssm(aws: Any) -> Any:
    client = aws.client("ssm", account=MANAGEMENT)
    client.put_parameter(Name="/kept", Type="String", Value="live")
    return client


def test_a_new_stack_is_made_of_what_exists(aws: Any, cfn: Any, ssm: Any) -> None:
    asked = to_import("Kept", "/kept")
    change_set = import_set(cfn, {"Kept": parameter()}, asked, Tags=[{"Key": "project", "Value": "orbits"}])
    assert change_set["Status"] == "CREATE_COMPLETE"
    [change] = [one["ResourceChange"] for one in change_set["Changes"]]
    assert (change["Action"], change["PhysicalResourceId"]) == ("Import", "/kept")
    assert cfn.stack("shop")["StackStatus"] == "REVIEW_IN_PROGRESS"
    cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    cfn.client.get_waiter("stack_import_complete").wait(StackName="shop")
    assert cfn.physical_id("shop", "Kept") == "/kept"
    events = cfn.client.describe_stack_events(StackName="shop")["StackEvents"][::-1]
    assert [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason")) for e in events[1:]] == [
        ("shop", "IMPORT_IN_PROGRESS", "User Initiated"),
        ("Kept", "IMPORT_IN_PROGRESS", "Resource import started."),
        ("Kept", "IMPORT_COMPLETE", "Resource import completed."),
        ("Kept", "UPDATE_IN_PROGRESS", "Apply stack-level tags to imported resource if applicable."),
        ("Kept", "UPDATE_COMPLETE", None),
        ("shop", "IMPORT_COMPLETE", None),
    ]
    assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "live", "an import changes no property"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId="/kept")["TagList"]
    assert tags == [{"Key": "project", "Value": "orbits"}]
    cfn.client.delete_stack(StackName="shop")
    assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "live", "its policy keeps it"


def test_an_existing_stack_takes_more_and_updates_it_later(cfn: Any, ssm: Any) -> None:
    own = parameter("/own")
    cfn.deploy("shop", {"Resources": {"Own": own}})
    change_set = import_set(cfn, {"Own": own, "Kept": parameter()}, to_import("Kept", "/kept"))
    assert [one["ResourceChange"]["Action"] for one in change_set["Changes"]] == ["Import"]
    cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert cfn.stack("shop")["StackStatus"] == "IMPORT_COMPLETE"
    changed = parameter(Properties={"Name": "/kept", "Type": "String", "Value": "new"})
    assert cfn.deploy("shop", {"Resources": {"Own": own, "Kept": changed}})["StackStatus"] == "UPDATE_COMPLETE"
    assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "new"


@pytest.mark.parametrize(
    ("resources", "asked", "said"),
    [
        ({"Kept": parameter()}, [], "ResourcesToImport must be specified"),
        ({"Kept": parameter()}, [to_import("Other", "/kept")], "[Other] of type [AWS::SSM::Parameter] are missing"),
        (
            {"Kept": {**parameter(), "DeletionPolicy": None}},
            [to_import("Kept", "/kept")],
            "The following resources to import [Kept] must have DeletionPolicy attribute specified in the template.",
        ),
        (
            {"Kept": parameter()},
            [{**to_import("Kept", "/kept"), "ResourceIdentifier": {"Arn": "/kept"}}],
            "Invalid resource identifier for resource [Kept]: expected [Name], got [Arn]",
        ),
        ({"Kept": parameter("/other")}, [to_import("Kept", "/kept")], "does not match the value in the template"),
    ],
)
def test_what_is_asked_wrongly_is_refused(cfn: Any, ssm: Any, resources: Any, asked: Any, said: str) -> None:
    with pytest.raises(ClientError) as refused:
        import_set(cfn, resources, *asked)
    error = cast("Any", refused.value.response)["Error"]
    assert (error["Code"], said in error["Message"]) == ("ValidationError", True), error
    assert cfn.client.list_stacks()["StackSummaries"] == []


@pytest.mark.parametrize(
    ("resources", "sections", "said"),
    [
        (
            {"Kept": parameter("/none")},
            {},
            "AWS::SSM::Parameter with identifier [/none] does not exist",
        ),
        (
            {"Kept": parameter(), "More": parameter("/more")},
            {},
            "You have modified resources [More] in your template that are not being imported. Update, create or",
        ),
        (
            {"Kept": parameter()},
            {"Outputs": {"Name": {"Value": {"Ref": "Kept"}}}},
            "As part of the import operation, you cannot modify or add [Outputs]",
        ),
    ],
)
def test_what_cannot_be_imported_fails_the_change_set(
    cfn: Any, ssm: Any, resources: Any, sections: Any, said: str
) -> None:
    name = resources["Kept"]["Properties"]["Name"]
    change_set = import_set(cfn, resources, to_import("Kept", name), sections=sections)
    assert (change_set["Status"], change_set["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert said in change_set["StatusReason"]


def test_what_another_stack_has_is_not_imported(cfn: Any) -> None:
    owner = cfn.deploy("owner", {"Resources": {"Kept": parameter()}})
    change_set = import_set(cfn, {"Kept": parameter()}, to_import("Kept", "/kept"))
    assert change_set["StatusReason"] == f"/kept already exists in stack {owner['StackId']}"


def test_a_type_that_cannot_be_read_is_not_imported(cfn: Any) -> None:
    handle = {"Type": "AWS::CloudFormation::WaitConditionHandle", "DeletionPolicy": "Retain"}
    asked = {
        "ResourceType": "AWS::CloudFormation::WaitConditionHandle",
        "LogicalResourceId": "Handle",
        "ResourceIdentifier": {"Id": "x"},
    }
    reason = import_set(cfn, {"Handle": handle}, asked)["StatusReason"]
    assert reason == "ResourceTypes [AWS::CloudFormation::WaitConditionHandle] are not supported for Import"


def test_an_import_that_fails_lets_go_of_what_it_took(cfn: Any, ssm: Any) -> None:
    ssm.put_parameter(Name="/gone", Type="String", Value="live")
    resources = {"Kept": parameter(), "Gone": parameter("/gone")}
    change_set = import_set(cfn, resources, to_import("Kept", "/kept"), to_import("Gone", "/gone"))
    ssm.delete_parameter(Name="/gone")
    cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert cfn.stack("shop")["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE"
    assert cfn.events("shop")[-6:] == [
        ("Gone", "IMPORT_IN_PROGRESS"),
        ("Gone", "IMPORT_FAILED"),
        ("shop", "IMPORT_ROLLBACK_IN_PROGRESS"),
        ("Kept", "IMPORT_ROLLBACK_IN_PROGRESS"),
        ("Kept", "IMPORT_ROLLBACK_COMPLETE"),
        ("shop", "IMPORT_ROLLBACK_COMPLETE"),
    ]
    assert cfn.reasons("shop")["shop"] == "The following resource(s) failed to import: [Gone]. "
    assert cfn.client.list_stack_resources(StackName="shop")["StackResourceSummaries"] == []
    assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "live"


def test_a_deployment_takes_what_has_the_name_if_told_to(aws: Any, cfn: Any, ssm: Any) -> None:
    template = {"Resources": {"Kept": parameter(), "New": parameter("/new")}}
    change_set = cfn.change_set("shop", template, ImportExistingResources=True)
    actions = {
        one["ResourceChange"]["LogicalResourceId"]: one["ResourceChange"]["Action"] for one in change_set["Changes"]
    }
    assert actions == {"Kept": "Import", "New": "Add"}
    aws.fail("ssm", "PutParameter", code="AccessDenied")
    cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert cfn.stack("shop")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ssm.get_parameter(Name="/kept")["Parameter"]["Value"] == "live", "what was taken is not deleted"
    cfn.client.delete_stack(StackName="shop")
    assert cfn.deploy("shop", template, ImportExistingResources=True)["StackStatus"] == "CREATE_COMPLETE"
    assert json.dumps(cfn.physical_id("shop", "Kept")) == '"/kept"'
