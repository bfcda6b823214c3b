"""What the calls that read answer: pages, filters, templates, exports in use, operations and their events."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

HANDLE = {"Type": "AWS::CloudFormation::WaitConditionHandle"}


def handles(number: int, **sections: Any) -> str:
    return json.dumps({"Resources": {f"H{one}": HANDLE for one in range(number)}} | sections)


def parameter(value: Any, name: str = "/p") -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}


def refusal(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    error = cast("Any", failure.value.response)["Error"]
    return error["Code"], error["Message"]


def test_what_is_long_comes_in_pages_of_a_hundred(cfn: Any) -> None:
    outputs = {f"O{one}": {"Value": str(one), "Export": {"Name": f"export{one:03}"}} for one in range(101)}
    template = handles(101, Outputs=outputs)
    change_set = cfn.change_set("shop", template)
    assert (len(change_set["Changes"]), "NextToken" in change_set) == (100, True)
    rest = cfn.client.describe_change_set(ChangeSetName=change_set["ChangeSetId"], NextToken=change_set["NextToken"])
    assert (len(rest["Changes"]), "NextToken" in rest) == (1, False)
    cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    for operation, key, number in (
        ("list_stack_resources", "StackResourceSummaries", 101),
        ("describe_stack_events", "StackEvents", 306),
    ):
        pages = list(cfn.client.get_paginator(operation).paginate(StackName="shop"))
        assert (len(pages[0][key]), sum(len(page[key]) for page in pages)) == (100, number)
    pages = list(cfn.client.get_paginator("list_exports").paginate())
    assert [len(page["Exports"]) for page in pages] == [100, 1]
    assert len(cfn.client.describe_stack_resources(StackName="shop")["StackResources"]) == 100
    assert refusal(cfn.client.list_exports, NextToken="other") == ("ValidationError", "Invalid nextToken")


def test_events_follow_each_other_in_time_and_belong_to_an_operation(aws: Any, cfn: Any) -> None:
    made = cfn.client.create_stack(StackName="shop", TemplateBody=handles(3))
    times = [event["Timestamp"] for event in cfn.client.describe_stack_events(StackName="shop")["StackEvents"]]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times)
    aws.fail("ssm", "PutParameter", code="AccessDenied")
    body = json.dumps({"Resources": {"H0": HANDLE, "P": parameter("1")}})
    updated = cfn.client.update_stack(StackName="shop", TemplateBody=body)
    assert cfn.stack("shop")["LastOperations"] == [
        {"OperationType": "UPDATE_STACK", "OperationId": updated["OperationId"]},
        {"OperationType": "CREATE_STACK", "OperationId": made["OperationId"]},
    ]
    first = cfn.client.describe_events(StackName="shop", OperationId=made["OperationId"])["OperationEvents"]
    assert {(event["OperationType"], event["EventType"]) for event in first} == {
        ("CREATE_STACK", "STACK_EVENT"),
        ("CREATE_STACK", "PROGRESS_EVENT"),
    }
    assert (first[0]["ResourceStatus"], first[0]["OperationStatus"]) == ("CREATE_COMPLETE", "SUCCEEDED")
    failed = cfn.client.describe_events(StackName="shop", Filters={"FailedEvents": True})["OperationEvents"]
    assert [(event["LogicalResourceId"], event["EventType"]) for event in failed] == [("P", "PROVISIONING_ERROR")]


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"O": {"Value": "x"}}, "Export name cannot be deleted as it is in use by user"),
        (
            {"O": {"Value": "y", "Export": {"Name": "name"}}},
            "Export name cannot be updated as it is in use by user",
        ),
    ],
)
def test_an_export_in_use_is_neither_removed_nor_changed(cfn: Any, outputs: Any, said: str) -> None:
    own = {"O": {"Value": "x", "Export": {"Name": "name"}}}
    cfn.client.create_stack(StackName="shop", TemplateBody=handles(1, Outputs=own))
    using = json.dumps({"Resources": {"P": parameter({"Fn::ImportValue": "name"})}})
    cfn.client.create_stack(StackName="user", TemplateBody=using)
    cfn.client.update_stack(StackName="shop", TemplateBody=handles(1, Outputs=outputs))
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert said in cfn.reasons("shop")["shop"]
    assert [one["Value"] for one in cfn.client.list_exports()["Exports"]] == ["x"]
    cfn.client.update_stack(StackName="user", TemplateBody=json.dumps({"Resources": {"P": parameter("own")}}))
    cfn.client.update_stack(StackName="shop", TemplateBody=handles(1, Outputs=outputs))
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_COMPLETE"


def test_a_template_is_summarized_with_what_it_needs(cfn: Any) -> None:
    template = json.dumps(
        {
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": "a shop",
            "Metadata": {"of": "us"},
            "Parameters": {"Size": {"Type": "String", "Default": "s", "AllowedValues": ["s", "l"], "NoEcho": True}},
            "Resources": {
                "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
                "P": parameter({"Ref": "Size"}),
                "Q": parameter("x", "/q"),
            },
        }
    )
    summary = cfn.client.get_template_summary(TemplateBody=template)
    del summary["ResponseMetadata"]
    assert summary == {
        "Parameters": [
            {
                "ParameterKey": "Size",
                "ParameterType": "String",
                "DefaultValue": "s",
                "NoEcho": True,
                "ParameterConstraints": {"AllowedValues": ["s", "l"]},
            }
        ],
        "Description": "a shop",
        "Capabilities": ["CAPABILITY_IAM"],
        "CapabilitiesReason": "The following resource(s) require capabilities: [AWS::IAM::Role]",
        "ResourceTypes": ["AWS::IAM::Role", "AWS::SSM::Parameter"],
        "Version": "2010-09-09",
        "Metadata": '{"of": "us"}',
        "DeclaredTransforms": [],
        "ResourceIdentifierSummaries": [
            {"ResourceType": "AWS::IAM::Role", "LogicalResourceIds": ["Role"], "ResourceIdentifiers": ["RoleName"]},
            {
                "ResourceType": "AWS::SSM::Parameter",
                "LogicalResourceIds": ["P", "Q"],
                "ResourceIdentifiers": ["Name"],
            },
        ],
    }
    valid = cfn.client.validate_template(TemplateBody=template)
    assert valid["Parameters"] == [{"ParameterKey": "Size", "DefaultValue": "s", "NoEcho": True}]
    assert refusal(cfn.client.validate_template, TemplateBody=handles(0))[0] == "ValidationError"


def test_a_change_set_repeated_with_its_token_is_the_same_one(cfn: Any) -> None:
    first = cfn.change_set("shop", handles(1), name="one", ClientToken="token")
    again = cfn.change_set("shop", handles(1), name="one", ClientToken="token")
    assert again["ChangeSetId"] == first["ChangeSetId"]
    assert refusal(cfn.change_set, stack="shop", template=handles(1), name="one", ClientToken="other")[0] == (
        "AlreadyExistsException"
    )


def bucket(**properties: Any) -> dict[str, Any]:
    return {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "things", **properties}}}}


def test_changes_are_told_by_the_place_below_the_property(cfn: Any) -> None:
    rule = {"Id": "old", "Status": "Enabled", "ExpirationInDays": 1}
    cfn.deploy("shop", bucket(LifecycleConfiguration={"Rules": [rule]}, Tags=[{"Key": "a", "Value": "1"}]))
    after = bucket(
        LifecycleConfiguration={"Rules": [rule | {"ExpirationInDays": 2, "Prefix": "x"}]},
        Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    )
    change_set = cfn.change_set("shop", after)
    full = cfn.client.describe_change_set(ChangeSetName=change_set["ChangeSetId"], IncludePropertyValues=True)
    targets = [detail["Target"] for detail in full["Changes"][0]["ResourceChange"]["Details"]]
    assert [
        (one["Path"], one["AttributeChangeType"], one.get("BeforeValue"), one.get("AfterValue")) for one in targets[:2]
    ] == [
        ("/Properties/LifecycleConfiguration/Rules/0/ExpirationInDays", "Modify", "1", "2"),
        ("/Properties/LifecycleConfiguration/Rules/0/Prefix", "Add", None, "x"),
    ]
    assert (targets[2]["Attribute"], targets[2]["Path"]) == ("Tags", "/Properties/Tags")
    names = [detail["Target"] for detail in change_set["Changes"][0]["ResourceChange"]["Details"]]
    assert names == [
        {"Attribute": "Properties", "Name": "LifecycleConfiguration", "RequiresRecreation": "Never"},
        {"Attribute": "Tags", "Name": "Tags", "RequiresRecreation": "Never"},
    ]


def test_what_is_out_of_scope_is_refused_by_its_name(cfn: Any) -> None:
    for operation, arguments in (
        ("detect_stack_set_drift", {"StackSetName": "all"}),
        ("list_types", {}),
        ("estimate_template_cost", {"TemplateBody": handles(1)}),
        ("describe_change_set_hooks", {"ChangeSetName": "one", "StackName": "shop"}),
    ):
        code, said = refusal(getattr(cfn.client, operation), **arguments)
        assert (code, said.startswith("The offline AWS does not offer ")) == ("NotImplemented", True)
