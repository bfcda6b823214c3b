"""Stacks in stacks: made, changed, taken back and removed with the stack around them."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"


def parameter(name: str, value: Any = "1") -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Name": name, "Type": "String", "Value": value}}


def child(*names: str, value: Any = "1") -> dict[str, Any]:
    """A template of parameters, whose value is a parameter of the template and an output."""
    return {
        "Parameters": {"Value": {"Type": "String", "Default": value}},
        "Resources": {name.strip("/"): parameter(name, {"Ref": "Value"}) for name in names},
        "Outputs": {"Value": {"Value": {"Ref": "Value"}}},
    }


def parent(url: str, **more: Any) -> dict[str, Any]:
    """A template with a nested stack and what uses its output."""
    nested = {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url} | more}
    return {
        "Resources": {
            "Nested": nested,
            "After": parameter("/after", {"Fn::GetAtt": ["Nested", "Outputs.Value"]}),
        }
    }


class Templates:
    """Templates in a bucket of the offline S3."""

    def __init__(self, aws: Any) -> None:
        self._url, self._s3 = aws.endpoint_url, aws.client("s3", account=MANAGEMENT)
        self._s3.create_bucket(Bucket="nested", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def put(self, template: dict[str, Any], key: str = "one") -> str:
        self._s3.put_object(Bucket="nested", Key=key, Body=json.dumps(template).encode())
        return f"{self._url}/nested/{key}"


@pytest.fixture
def templates(aws: Any) -> Templates:
    return Templates(aws)


def live(aws: Any) -> dict[str, str]:
    found = aws.client("ssm", account=MANAGEMENT).get_parameters_by_path(Path="/")["Parameters"]
    return {one["Name"].lstrip("/"): one["Value"] for one in found}


def nested_id(cfn: Any, stack: str = "shop") -> str:
    return str(cfn.physical_id(stack, "Nested"))


def test_a_nested_stack_is_made_with_its_parameters_and_gives_its_outputs(aws: Any, cfn: Any, templates: Any) -> None:
    template = parent(templates.put(child("/in")), Parameters={"Value": "given"}, TimeoutInMinutes=5)
    stack = cfn.deploy("shop", template, Tags=[{"Key": "project", "Value": "orbits"}])
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert live(aws) == {"in": "given", "after": "given"}
    nested = cfn.stack(nested_id(cfn))
    assert (nested["ParentId"], nested["RootId"], nested["TimeoutInMinutes"]) == (stack["StackId"], stack["StackId"], 5)
    assert nested["StackName"].startswith("shop-Nested-")
    assert nested["Tags"] == [{"Key": "project", "Value": "orbits"}]
    summaries = {one["StackName"]: one.get("ParentId") for one in cfn.client.list_stacks()["StackSummaries"]}
    assert summaries == {"shop": None, nested["StackName"]: stack["StackId"]}
    cfn.client.delete_stack(StackName="shop")
    assert live(aws) == {}
    assert cfn.stack(nested["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_a_child_that_cannot_be_made_fails_its_parent_and_leaves_nothing(aws: Any, cfn: Any, templates: Any) -> None:
    aws.fail("ssm", "PutParameter", code="AccessDenied", nth=2)
    made = cfn.deploy("shop", parent(templates.put(child("/a", "/b"))))
    assert made["StackStatus"] == "ROLLBACK_COMPLETE"
    [nested] = [one for one in cfn.client.list_stacks()["StackSummaries"] if one["StackName"] != "shop"]
    assert cfn.reasons("shop")["Nested"] == (
        f"Embedded stack {nested['StackId']} was not successfully created: "
        "The following resource(s) failed to create: [b]. "
    )
    assert nested["StackStatus"] == "DELETE_COMPLETE"
    assert ("CREATE_FAILED" in dict.fromkeys(status for _, status in cfn.events(nested["StackId"]))) is True
    assert live(aws) == {}


def test_what_stayed_of_a_child_that_failed_is_made_anew_by_an_update(aws: Any, cfn: Any, templates: Any) -> None:
    aws.fail("ssm", "PutParameter", code="AccessDenied", nth=2)
    template = json.dumps(parent(templates.put(child("/a", "/b"))))
    cfn.client.create_stack(StackName="shop", TemplateBody=template, DisableRollback=True)
    first = nested_id(cfn)
    assert [cfn.stack(name)["StackStatus"] for name in ("shop", first)] == ["CREATE_FAILED"] * 2
    assert live(aws) == {"a": "1"}
    cfn.client.update_stack(StackName="shop", TemplateBody=template)
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_COMPLETE"
    assert live(aws) == {"a": "1", "b": "1", "after": "1"}
    assert cfn.stack(first)["StackStatus"] == "DELETE_COMPLETE"


def test_a_child_is_changed_and_cleans_up_with_its_parent(aws: Any, cfn: Any, templates: Any) -> None:
    cfn.deploy("shop", parent(templates.put(child("/in", "/old"))))
    aws.settings(polls=1)
    cfn.client.update_stack(
        StackName="shop",
        TemplateBody=json.dumps(parent(templates.put(child("/in", "/new", value="2"), "two"))),
    )
    assert live(aws) == {"in": "2", "old": "1", "new": "2", "after": "2"}
    assert cfn.stack(nested_id(cfn))["StackStatus"] == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
    assert [cfn.stack("shop")["StackStatus"] for _ in range(2)][-1] == "UPDATE_COMPLETE"
    assert live(aws) == {"in": "2", "new": "2", "after": "2"}
    assert cfn.stack(nested_id(cfn))["StackStatus"] == "UPDATE_COMPLETE"


def test_a_child_goes_back_when_its_parent_fails_later(aws: Any, cfn: Any, templates: Any) -> None:
    cfn.deploy("shop", parent(templates.put(child("/in", "/old"))))
    aws.fail("ssm", "PutParameter", code="AccessDenied", resource="/after")
    stack = cfn.deploy("shop", parent(templates.put(child("/in", "/new", value="2"), "two")))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    nested = cfn.stack(nested_id(cfn))
    assert (nested["StackStatus"], nested["Outputs"][0]["OutputValue"]) == ("UPDATE_ROLLBACK_COMPLETE", "1")
    assert live(aws) == {"in": "1", "old": "1", "after": "1"}


def test_a_child_that_cannot_be_changed_fails_its_parent(aws: Any, cfn: Any, templates: Any) -> None:
    cfn.deploy("shop", parent(templates.put(child("/in", "/old"))))
    aws.fail("ssm", "PutParameter", code="AccessDenied", resource="/old")
    stack = cfn.deploy("shop", parent(templates.put(child("/in", "/old", value="2"), "two")))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    failed = [
        event["ResourceStatusReason"]
        for event in cfn.client.describe_stack_events(StackName="shop")["StackEvents"]
        if event["ResourceStatus"] == "UPDATE_FAILED"
    ]
    why = "Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason: The following resource(s) failed to update: [old]. "
    assert failed == [f"Embedded stack {nested_id(cfn)} was not successfully updated. {why}"]
    assert cfn.stack(nested_id(cfn))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert live(aws) == {"in": "1", "old": "1", "after": "1"}


def test_a_rollback_that_failed_in_a_child_is_continued_from_the_root(aws: Any, cfn: Any, templates: Any) -> None:
    cfn.deploy("shop", parent(templates.put(child("/in", "/old"))))
    aws.fail("ssm", "PutParameter", code="AccessDenied", resource="/old", times=None)
    cfn.deploy("shop", parent(templates.put(child("/in", "/old", value="2"), "two")))
    nested = nested_id(cfn)
    assert [cfn.stack(name)["StackStatus"] for name in ("shop", nested)] == ["UPDATE_ROLLBACK_FAILED"] * 2
    with pytest.raises(ClientError, match="RollbackUpdatedStack cannot be invoked on child stacks"):
        cfn.client.continue_update_rollback(StackName=nested)
    with pytest.raises(ClientError, match=r"ResourcesToSkip \[Nested.in\]"):
        cfn.client.continue_update_rollback(StackName="shop", ResourcesToSkip=["Nested.in"])
    cfn.client.continue_update_rollback(StackName="shop", ResourcesToSkip=["Nested.old"])
    assert [cfn.stack(name)["StackStatus"] for name in ("shop", nested)] == ["UPDATE_ROLLBACK_COMPLETE"] * 2
    assert live(aws) == {"in": "1", "old": "1", "after": "1"}


def test_a_child_that_cannot_be_deleted_keeps_its_parent(aws: Any, cfn: Any, templates: Any) -> None:
    cfn.deploy("shop", parent(templates.put(child("/in"))))
    nested = nested_id(cfn)
    aws.fail("ssm", "DeleteParameter", code="AccessDenied", resource="/in")
    cfn.client.delete_stack(StackName="shop")
    assert [cfn.stack(name)["StackStatus"] for name in ("shop", nested)] == ["DELETE_FAILED"] * 2
    assert f"Embedded stack {nested} was not successfully deleted" in cfn.reasons("shop")["Nested"]
    cfn.client.delete_stack(StackName="shop")
    assert live(aws) == {}


def test_a_child_is_protected_with_its_root_and_can_be_deleted_by_itself(aws: Any, cfn: Any, templates: Any) -> None:
    cfn.deploy("shop", parent(templates.put(child("/in"))))
    nested = nested_id(cfn)
    cfn.client.update_termination_protection(StackName="shop", EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        cfn.client.delete_stack(StackName=nested)
    with pytest.raises(ClientError) as refused:
        cfn.client.update_termination_protection(StackName=nested, EnableTerminationProtection=False)
    assert cast("Any", refused.value.response)["Error"]["Code"] == "ValidationError"
    cfn.client.update_termination_protection(StackName="shop", EnableTerminationProtection=False)
    cfn.client.delete_stack(StackName=nested)
    assert live(aws) == {"after": "1"}
    cfn.client.delete_stack(StackName="shop")
    assert live(aws) == {}


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({"Resources": {}}, "At least one Resources member must be defined"),
        (child("/in") | {"Parameters": {"Other": {"Type": "String"}}}, "Unresolved resource dependencies [Value]"),
        ({"Resources": {"X": {"Type": "AWS::IAM::Role"}}}, None),
    ],
)
def test_a_template_that_is_wrong_fails_the_nested_stack_alone(
    cfn: Any, templates: Any, template: Any, said: Any
) -> None:
    body = json.dumps(parent(templates.put(template)))
    cfn.client.create_stack(StackName="shop", TemplateBody=body)
    assert cfn.stack("shop")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert (said or "Requires capabilities : [CAPABILITY_IAM]") in cfn.reasons("shop")["Nested"]
    assert len(cfn.client.list_stacks()["StackSummaries"]) == 1


def test_a_change_set_has_one_for_each_nested_stack_and_they_go_with_it(aws: Any, cfn: Any, templates: Any) -> None:
    template = parent(templates.put(child("/in")))
    root = cfn.change_set("shop", template, IncludeNestedStacks=True, name="one")
    [nested_change] = [
        one["ResourceChange"] for one in root["Changes"] if one["ResourceChange"]["LogicalResourceId"] == "Nested"
    ]
    nested = cfn.client.describe_change_set(ChangeSetName=nested_change["ChangeSetId"])
    assert (nested["ParentChangeSetId"], nested["RootChangeSetId"]) == (root["ChangeSetId"], root["ChangeSetId"])
    assert [one["ResourceChange"]["LogicalResourceId"] for one in nested["Changes"]] == ["in"]
    assert cfn.stack(nested["StackId"])["StackStatus"] == "REVIEW_IN_PROGRESS"
    for call in (cfn.client.execute_change_set, cfn.client.delete_change_set):
        with pytest.raises(ClientError, match="it is a nested change set"):
            call(ChangeSetName=nested["ChangeSetId"])
    cfn.client.delete_change_set(ChangeSetName=root["ChangeSetId"])
    assert [one["StackName"] for one in cfn.client.list_stacks()["StackSummaries"]] == ["shop"]
    cfn.deploy("shop", template, IncludeNestedStacks=True)
    assert live(aws) == {"in": "1", "after": "1"}
    assert len(cfn.client.list_stacks()["StackSummaries"]) == 2, "what was in review became the resource"
    update = cfn.change_set("shop", parent(templates.put(child("/in", "/new"), "two")), IncludeNestedStacks=True)
    ids = [one["ResourceChange"]["ChangeSetId"] for one in update["Changes"] if "ChangeSetId" in one["ResourceChange"]]
    changes = [one["ResourceChange"] for one in cfn.client.describe_change_set(ChangeSetName=ids[0])["Changes"]]
    assert [(one["Action"], one["LogicalResourceId"]) for one in changes] == [("Add", "new")]


def test_a_nested_change_set_that_fails_fails_its_root(cfn: Any, templates: Any) -> None:
    broken = templates.put({"Resources": {"X": {"Type": "AWS::No::Such"}}})
    described = cfn.change_set("shop", parent(broken), IncludeNestedStacks=True)
    assert described["Status"] == "FAILED"
    assert "Unrecognized resource types: [AWS::No::Such]" in described["StatusReason"]
    assert len(cfn.client.list_stacks()["StackSummaries"]) == 1
