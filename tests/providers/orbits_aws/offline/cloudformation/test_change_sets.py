"""Change sets: what they show, when they can be executed, and what becomes of the others."""

import json
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

MANAGEMENT = "123456789012"
NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."


def queues(**queues: Any) -> dict[str, Any]:
    return {"Resources": {name: {"Type": "AWS::SQS::Queue", "Properties": given} for name, given in queues.items()}}


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    error = cast("Any", failure.value.response)["Error"]
    return error["Code"], error["Message"]


def changes(change_set: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """Action, logical id and replacement of a change set's changes."""
    resources = [change["ResourceChange"] for change in change_set["Changes"]]
    return [(one["Action"], one["LogicalResourceId"], one.get("Replacement")) for one in resources]


def test_a_create_change_set_makes_a_stack_in_review_that_the_first_execution_deploys(aws: Any, cfn: Any) -> None:
    first = cfn.change_set("shop", queues(A={}), name="first")
    assert (first["Status"], first["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert changes(first) == [("Add", "A", None)]
    assert cfn.stack("shop")["StackStatus"] == "REVIEW_IN_PROGRESS"
    second = cfn.change_set("shop", queues(A={}, B={}), name="second")
    assert second["StackId"] == first["StackId"]
    assert [one["ChangeSetName"] for one in cfn.client.list_change_sets(StackName="shop")["Summaries"]] == [
        "first",
        "second",
    ]
    assert aws.calls("sqs") == []
    cfn.client.execute_change_set(StackName="shop", ChangeSetName="second")
    stack = cfn.stack("shop")
    assert (stack["StackId"], stack["StackStatus"]) == (first["StackId"], "CREATE_COMPLETE")
    assert stack["ChangeSetId"] == second["ChangeSetId"]
    assert refused(cfn.client.describe_change_set, ChangeSetName="first", StackName="shop") == (
        "ChangeSetNotFound",
        "ChangeSet [first] does not exist",
    )
    assert (
        "already exists and cannot be created again with the changeSet [third]"
        in (refused(cfn.change_set, stack="shop", template=queues(A={}), name="third", kind="CREATE")[1])
    )


def test_change_sets_of_one_name_are_kept_apart_by_stack(cfn: Any) -> None:
    for stack in ("one", "two"):
        cfn.change_set(stack, queues(**{stack: {}}), name="release")
    for stack in ("one", "two"):
        described = cfn.client.describe_change_set(StackName=stack, ChangeSetName="release")
        assert (described["StackName"], changes(described)) == (stack, [("Add", stack, None)])
    assert refused(cfn.change_set, stack="one", template=queues(A={}), name="release")[0] == "AlreadyExistsException"


def test_an_update_lists_what_it_adds_changes_replaces_and_removes(cfn: Any) -> None:
    cfn.deploy("shop", queues(Same={}, Changed={"VisibilityTimeout": 1}, Renamed={"QueueName": "a"}, Gone={}))
    change_set = cfn.change_set(
        "shop", queues(Same={}, Changed={"VisibilityTimeout": 2}, Renamed={"QueueName": "b"}, New={})
    )
    assert sorted(changes(change_set), key=str) == sorted(
        [
            ("Modify", "Changed", "False"),
            ("Modify", "Renamed", "True"),
            ("Add", "New", None),
            ("Remove", "Gone", None),
        ],
        key=str,
    )
    by_id = {
        change["ResourceChange"]["LogicalResourceId"]: change["ResourceChange"] for change in change_set["Changes"]
    }
    assert by_id["Changed"]["PhysicalResourceId"] == cfn.physical_id("shop", "Changed")
    assert by_id["Changed"]["Scope"] == ["Properties"]
    assert by_id["Changed"]["Details"] == [
        {
            "Target": {"Attribute": "Properties", "Name": "VisibilityTimeout", "RequiresRecreation": "Never"},
            "Evaluation": "Static",
            "ChangeSource": "DirectModification",
        }
    ]
    assert by_id["Renamed"]["PolicyAction"] == "ReplaceAndDelete"
    assert by_id["Renamed"]["Details"][0]["Target"]["RequiresRecreation"] == "Always"
    assert by_id["Gone"]["PolicyAction"] == "Delete"
    full = cfn.client.describe_change_set(ChangeSetName=change_set["ChangeSetId"], IncludePropertyValues=True)
    [target] = [
        detail["Target"]
        for change in full["Changes"]
        for detail in change["ResourceChange"]["Details"]
        if change["ResourceChange"]["LogicalResourceId"] == "Changed"
    ]
    assert (target["Path"], target["BeforeValue"], target["AfterValue"]) == (
        "/Properties/VisibilityTimeout",
        "1",
        "2",
    )


def test_what_depends_on_a_replaced_resource_is_shown_as_depending(cfn: Any) -> None:
    def template(name: str) -> dict[str, Any]:
        target = {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 1}
        return queues(Dead={"QueueName": name}, Main={"RedrivePolicy": target})

    cfn.deploy("shop", template("one"))
    change_set = cfn.change_set("shop", template("two"))
    assert changes(change_set) == [("Modify", "Dead", "True"), ("Modify", "Main", "False")]
    [detail] = change_set["Changes"][1]["ResourceChange"]["Details"]
    assert (detail["Evaluation"], detail["ChangeSource"], detail["CausingEntity"]) == (
        "Dynamic",
        "ResourceReference",
        "Dead",
    )


def test_one_without_changes_fails_and_cannot_be_executed(cfn: Any) -> None:
    cfn.deploy("shop", queues(A={"VisibilityTimeout": 10}))
    change_set = cfn.change_set("shop", queues(A={"VisibilityTimeout": "10"}))
    assert (change_set["Status"], change_set["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert change_set["StatusReason"] == NO_CHANGES
    code, said = refused(cfn.client.execute_change_set, ChangeSetName=change_set["ChangeSetId"])
    assert code == "InvalidChangeSetStatus"
    assert said.endswith("cannot be executed in its current status of [FAILED]")


@pytest.mark.parametrize(
    "change",
    [
        {"Outputs": {"A": {"Value": {"Ref": "A"}}}},
        {"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {}, "DeletionPolicy": "Retain"}}},
        {"Resources": {"A": {"Type": "AWS::SQS::Queue", "Properties": {}, "Metadata": {"a": 1}}}},
    ],
)
def test_outputs_policies_and_metadata_are_changes_too(aws: Any, cfn: Any, change: dict[str, Any]) -> None:
    cfn.deploy("shop", queues(A={}))
    before = len(aws.calls("sqs", writes=True))
    assert cfn.deploy("shop", queues(A={}) | change)["StackStatus"] == "UPDATE_COMPLETE"
    assert len(aws.calls("sqs", writes=True)) == before
    assert cfn.change_set("shop", queues(A={}) | change)["Status"] == "FAILED"


def test_executing_one_deletes_the_others_of_the_stack_alone(cfn: Any) -> None:
    cfn.deploy("shop", queues(A={}))
    cfn.change_set("shop", queues(A={}, B={}), name="one")
    cfn.change_set("shop", queues(A={}, C={}), name="two")
    cfn.change_set("other", queues(A={}), name="one")
    cfn.client.execute_change_set(StackName="shop", ChangeSetName="one")
    left = [one["ChangeSetName"] for one in cfn.client.list_change_sets(StackName="shop")["Summaries"]]
    assert "two" not in left
    assert cfn.client.describe_change_set(StackName="other", ChangeSetName="one")["Status"] == "CREATE_COMPLETE"
    code, said = refused(cfn.client.execute_change_set, StackName="shop", ChangeSetName="one")
    assert (code, said.endswith("in its current status of [EXECUTE_COMPLETE]")) == ("InvalidChangeSetStatus", True)


def test_an_execution_repeated_with_its_token_does_nothing(aws: Any, cfn: Any) -> None:
    change_set = cfn.change_set("shop", queues(A={}))
    arguments = {"ChangeSetName": change_set["ChangeSetId"], "ClientRequestToken": "token"}
    cfn.client.execute_change_set(**arguments)
    before = len(aws.calls("sqs"))
    cfn.client.execute_change_set(**arguments)
    assert len(aws.calls("sqs")) == before
    assert {
        event["ClientRequestToken"]
        for event in cfn.client.describe_stack_events(StackName="shop")["StackEvents"]
        if event["ResourceStatus"] != "REVIEW_IN_PROGRESS"
    } == {"token"}
    other = cfn.change_set("shop", queues(A={}, B={}))
    code, _ = refused(cfn.client.execute_change_set, ChangeSetName=other["ChangeSetId"], ClientRequestToken="token")
    assert code == "TokenAlreadyExistsException"


def test_deleting_works_and_an_absent_one_is_deleted_already(cfn: Any) -> None:
    cfn.change_set("shop", queues(A={}), name="one")
    for _ in range(2):
        cfn.client.delete_change_set(StackName="shop", ChangeSetName="one")
    cfn.client.delete_change_set(StackName="none", ChangeSetName="one")
    assert cfn.client.list_change_sets(StackName="shop")["Summaries"] == []
    assert cfn.stack("shop")["StackStatus"] == "REVIEW_IN_PROGRESS"
    cfn.client.delete_stack(StackName="shop")
    assert "does not exist" in refused(cfn.client.describe_stacks, StackName="shop")[1]


def test_what_cannot_be_changed_is_refused(aws: Any, cfn: Any) -> None:
    assert refused(cfn.change_set, stack="none", template=queues(A={}), kind="UPDATE") == (
        "ValidationError",
        "Stack [none] does not exist",
    )
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    cfn.deploy("shop", queues(A={}))
    code, said = refused(cfn.change_set, stack="shop", template=queues(A={}), kind="UPDATE")
    assert (code, said.endswith("is in ROLLBACK_COMPLETE state and can not be updated.")) == ("ValidationError", True)
    assert "already exists" in refused(cfn.change_set, stack="shop", template=queues(A={}), kind="CREATE")[1]


@pytest.mark.parametrize(
    ("on_failure", "status"),
    [("DO_NOTHING", "CREATE_FAILED"), ("DELETE", "DELETE_COMPLETE"), ("ROLLBACK", "ROLLBACK_COMPLETE")],
)
def test_on_stack_failure_decides_what_becomes_of_a_failed_creation(
    aws: Any, cfn: Any, on_failure: str, status: str
) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    assert cfn.deploy("shop", queues(A={}, B={}), OnStackFailure=on_failure)["StackStatus"] == status


def test_an_execution_is_told_while_it_goes_on_and_how_it_ended(aws: Any, cfn: Any) -> None:
    def execution(name: str) -> str:
        return str(cfn.client.describe_change_set(StackName="shop", ChangeSetName=name)["ExecutionStatus"])

    aws.settings(polls=1)
    cfn.change_set("shop", queues(A={"VisibilityTimeout": 1}), name="one")
    cfn.client.execute_change_set(StackName="shop", ChangeSetName="one")
    assert execution("one") == "EXECUTE_IN_PROGRESS"
    for _ in range(2):
        cfn.stack("shop")
    assert execution("one") == "EXECUTE_COMPLETE"
    aws.settings(polls=0)
    cfn.change_set("shop", queues(A={"VisibilityTimeout": 2}), name="two")
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    cfn.client.execute_change_set(StackName="shop", ChangeSetName="two")
    assert execution("two") == "EXECUTE_FAILED"
    cfn.client.delete_stack(StackName="shop")
    assert refused(cfn.client.describe_change_set, StackName="shop", ChangeSetName="two")[0] == "ChangeSetNotFound"


def test_what_a_failed_update_left_unmade_is_told_as_to_be_made(aws: Any, cfn: Any) -> None:
    cfn.deploy("shop", queues(A={}))
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    after = queues(A={}, B={}, C={})
    cfn.client.update_stack(StackName="shop", TemplateBody=json.dumps(after), DisableRollback=True)
    assert cfn.stack("shop")["StackStatus"] == "UPDATE_FAILED"
    assert changes(cfn.change_set("shop", after)) == [("Add", "B", None), ("Add", "C", None)]
    assert set(cfn.drift("shop")) == {"A"}
    assert cfn.deploy("shop", after)["StackStatus"] == "UPDATE_COMPLETE"
    assert len(aws.client("sqs", account=MANAGEMENT).list_queues()["QueueUrls"]) == 3


def test_a_changed_parameter_is_told_as_the_cause(cfn: Any) -> None:
    template = queues(A={"VisibilityTimeout": {"Ref": "Seconds"}})
    template["Parameters"] = {"Seconds": {"Type": "Number", "Default": 1}}
    cfn.deploy("shop", template)
    given = [{"ParameterKey": "Seconds", "ParameterValue": "2"}]
    change_set = cfn.change_set("shop", template, Parameters=given)
    [detail] = change_set["Changes"][0]["ResourceChange"]["Details"]
    assert (detail["Evaluation"], detail["ChangeSource"], detail["CausingEntity"]) == (
        "Static",
        "ParameterReference",
        "Seconds",
    )


def test_what_becomes_of_a_failure_is_said_once_and_deletes_creations_alone(cfn: Any) -> None:
    change_set = cfn.change_set("shop", queues(A={}), OnStackFailure="DO_NOTHING")
    assert (
        "OnStackFailure"
        in (refused(cfn.client.execute_change_set, ChangeSetName=change_set["ChangeSetId"], DisableRollback=True)[1])
    )
    cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert "type CREATE" in refused(cfn.change_set, stack="shop", template=queues(B={}), OnStackFailure="DELETE")[1]


def test_a_change_set_is_not_validated_early_if_told_so(cfn: Any) -> None:
    wrong = queues(A={"VisibilityTimeout": "soon"})
    assert cfn.change_set("shop", wrong)["Status"] == "FAILED"
    assert cfn.deploy("shop", wrong, DisableValidation=True)["StackStatus"] == "ROLLBACK_COMPLETE"


def test_retain_except_on_create_leaves_no_orphan_of_a_failed_creation(aws: Any, cfn: Any) -> None:
    template = queues(A={"QueueName": "data"}, B={})
    template["Resources"]["A"]["DeletionPolicy"] = "Retain"
    aws.fail("sqs", "CreateQueue", code="AccessDenied", nth=2)
    cfn.deploy("shop", template, execution={"RetainExceptOnCreate": True})
    assert "QueueUrls" not in aws.client("sqs", account=MANAGEMENT).list_queues()


def test_the_role_is_kept_with_the_stack_and_has_to_exist(aws: Any, cfn: Any) -> None:
    iam = aws.client("iam", account=MANAGEMENT)
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    assert cfn.deploy("shop", queues(A={}), RoleARN=role)["RoleARN"] == role
    assert cfn.deploy("shop", queues(A={}, B={}))["RoleARN"] == role
    missing = role.replace("deployer", "nobody")
    code, said = refused(cfn.change_set, stack="shop", template=queues(A={}), RoleARN=missing)
    assert (code, said) == ("ValidationError", f"Role {missing} is invalid or cannot be assumed")


def test_the_template_of_a_change_set_and_of_the_stack_come_back_as_handed_over(cfn: Any) -> None:
    text = json.dumps(queues(A={}), indent=3)
    cfn.deploy("shop", text)
    change_set = cfn.change_set("shop", json.dumps(queues(B={}), indent=3))
    for stage in ("Original", "Processed"):
        assert cfn.client.get_template(StackName="shop", TemplateStage=stage)["TemplateBody"] == json.loads(text)
    of_change = cfn.client.get_template(ChangeSetName=change_set["ChangeSetId"])
    assert list(of_change["TemplateBody"]["Resources"]) == ["B"]


def test_an_answer_lost_after_the_execution_leaves_the_stack_deployed(aws: Any, cfn: Any) -> None:
    change_set = cfn.change_set("shop", queues(A={}))
    aws.lose_answer("cloudformation", "ExecuteChangeSet")
    with pytest.raises(Exception, match="Connection was closed"):
        cfn.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert cfn.stack("shop")["StackStatus"] == "CREATE_COMPLETE"
    assert len(aws.calls("sqs", writes=True)) == 1
