"""What is worked out from templates alone: names, intrinsic functions, plans, states that need a person."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbits_cdk.attributes import attribute_of
from orbits_cdk.cloudformation import Stack
from orbits_cdk.errors import StackStuck
from orbits_cdk.naming import LONGEST, stack_name
from orbits_cdk.parts import from_templates
from orbits_cdk.resolve import NO_VALUE, World, is_made, resolve
from orbits_cdk.stuck import refuse_stuck
from orbits_iac.provider import Change, Unknown, Verb

TEXT = st.text(max_size=200)


@given(TEXT, TEXT, TEXT)
def test_names_of_stacks_are_what_cloudformation_takes(project: str, kind: str, identity: str) -> None:
    name = stack_name(project, (kind, identity))
    assert len(name) <= LONGEST
    assert name[0].isalpha()
    assert name.replace("-", "").isalnum()
    assert name.isascii()


@given(st.tuples(TEXT, TEXT, TEXT), st.tuples(TEXT, TEXT, TEXT))
def test_names_of_two_stacks_differ(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    same = stack_name(one[0], one[1:]) == stack_name(other[0], other[1:])
    assert same == (one == other)


def test_a_plain_name_stays_readable() -> None:
    assert stack_name("agency", ("Storage", "acme")) == "agency-Storage-acme"
    assert stack_name("agency", ("Storage", "Shop acme/storage")).startswith("agency-Storage-Shop-acme-storage-")


TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Size": {"Type": "Number", "Default": "3"},
        "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"},
        "Secret": {"Type": "String", "NoEcho": True},
        "Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/image"},
        "Found": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/found"},
    },
    "Mappings": {"Sizes": {"eu-west-1": {"small": 1}}},
    "Conditions": {
        "Big": {"Fn::Equals": [{"Ref": "Size"}, 3]},
        "Small": {"Fn::Not": [{"Condition": "Big"}]},
        "Both": {"Fn::And": [{"Condition": "Big"}, {"Condition": "Small"}]},
        "Either": {"Fn::Or": [{"Condition": "Big"}, {"Condition": "Small"}]},
        "Unsure": {"Fn::Equals": [{"Ref": "Image"}, "x"]},
    },
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"Path": "/a/"}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Odd": {"Type": "AWS::Odd::Thing"},
    },
}
WORLD = World(
    template=TEMPLATE,
    parameters={},
    pseudo={"AWS::Region": "eu-west-1", "AWS::AccountId": "111111111111", "AWS::Partition": "aws"},
    physical_ids={"Role": "role-1", "Queue": "http://localhost/111111111111/queue-1", "Odd": "odd-1"},
    attribute=attribute_of("aws", "eu-west-1", "111111111111"),
    looked_up={"Found": "ami-1"},
    export={"eu-west-1-url": "https://shop.example"}.get,
)
RESOLVED: list[tuple[Any, Any]] = [
    ({"Ref": "Queue"}, "http://localhost/111111111111/queue-1"),
    ({"Ref": "Size"}, "3"),
    ({"Ref": "Zones"}, ["a", "b"]),
    ({"Ref": "AWS::Region"}, "eu-west-1"),
    ({"Ref": "Found"}, "ami-1"),
    ({"Fn::ImportValue": {"Fn::Sub": "${AWS::Region}-url"}}, "https://shop.example"),
    ({"Ref": "AWS::NoValue"}, NO_VALUE),
    ({"a": {"Ref": "AWS::NoValue"}, "b": 1}, {"b": 1}),
    ([{"Ref": "AWS::NoValue"}, 1], [1]),
    ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:eu-west-1:111111111111:queue-1"),
    ({"Fn::GetAtt": "Queue.QueueName"}, "queue-1"),
    ({"Fn::GetAtt": ["Role", "Arn"]}, "arn:aws:iam::111111111111:role/a/role-1"),
    ({"Fn::Join": ["-", ["a", {"Ref": "Size"}, True]]}, "a-3-true"),
    ({"Fn::Sub": "${AWS::Region}/${Queue.QueueName}/${!literal}"}, "eu-west-1/queue-1/${literal}"),
    ({"Fn::Sub": ["${A}-${Size}", {"A": {"Ref": "AWS::AccountId"}}]}, "111111111111-3"),
    ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
    ({"Fn::Select": ["0", {"Ref": "Zones"}]}, "a"),
    ({"Fn::If": ["Big", 1, 2]}, 1),
    ({"Fn::If": ["Small", 1, {"Ref": "Size"}]}, "3"),
    ({"Fn::If": ["Both", 1, 2]}, 2),
    ({"Fn::If": ["Either", 1, 2]}, 1),
    ({"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, "small"]}, 1),
    ({"Fn::Base64": "hi"}, "aGk="),
]
UNKNOWN: list[tuple[Any, str]] = [
    ({"Ref": "Gone"}, "no physical id"),
    ({"Ref": "Secret"}, "not echoed"),
    ({"Ref": "Image"}, "Systems Manager"),
    ({"Fn::GetAtt": ["Odd", "Arn"]}, "Odd.Arn is not known"),
    ({"Fn::Join": ["", ["a", {"Ref": "Gone"}]]}, "no physical id"),
    ({"Fn::Sub": "${Gone}"}, "no physical id"),
    ({"Fn::If": ["Unsure", 1, 2]}, "Systems Manager"),
    ({"Fn::ImportValue": "x"}, "nothing is exported as x"),
    ({"Fn::Cidr": ["10.0.0.0/16", 2]}, "CloudFormation alone"),
    ("{{resolve:secretsmanager:login:SecretString:password}}", "a dynamic reference"),
    ({"Fn::Join": ["", ["{{resolve:ssm:", "/size", "}}"]]}, "a dynamic reference"),
    ({"Fn::Sub": "${AWS::Region}-{{resolve:ssm:/size}}"}, "a dynamic reference"),
    ({"Fn::FindInMap": ["Sizes", "us-east-1", "small"]}, "could not be worked out"),
]


@pytest.mark.parametrize(("value", "expected"), RESOLVED, ids=[str(each[0]) for each in RESOLVED])
def test_functions_are_worked_out(value: Any, expected: Any) -> None:
    assert resolve(value, WORLD) == expected


@pytest.mark.parametrize(("value", "why"), UNKNOWN, ids=[str(each[0]) for each in UNKNOWN])
def test_what_cannot_be_worked_out_says_why(value: Any, why: str) -> None:
    found = resolve(value, WORLD)
    assert isinstance(found, Unknown)
    assert why in found.why


def test_the_unknown_stays_in_its_place() -> None:
    found = resolve({"a": {"b": {"Ref": "Gone"}, "c": 1}}, WORLD)
    assert isinstance(found["a"]["b"], Unknown)
    assert found["a"]["c"] == 1


@pytest.mark.parametrize(("condition", "made"), [(None, True), ("Big", True), ("Small", False)])
def test_a_condition_says_whether_a_resource_is_made(condition: str | None, made: bool) -> None:
    resource = {"Type": "AWS::SQS::Queue", **({"Condition": condition} if condition else {})}
    assert is_made(resource, WORLD) is made


def bucket(status: str, **more: Any) -> dict[str, Any]:
    properties = {"VersioningConfiguration": {"Status": status}, "Tags": [{"Key": "release", "Value": "1"}]}
    return {"Resources": {"Site": {"Type": "AWS::S3::Bucket", "Properties": properties, **more}}}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    return [part.change() for part in from_templates(before, after)]


def test_a_plan_names_each_property() -> None:
    [change] = differences(bucket("Suspended"), bucket("Enabled"))
    assert (change.verb, change.ref, change.kind) == (Verb.UPDATE, "Site", "AWS::S3::Bucket")
    [prop] = change.properties
    assert (prop.path, prop.before, prop.after) == ("VersioningConfiguration.Status", '"Suspended"', '"Enabled"')


def test_a_plan_shows_what_stands_around_the_properties() -> None:
    [change] = differences(bucket("Enabled"), bucket("Enabled", DeletionPolicy="Delete"))
    assert [(p.path, p.after) for p in change.properties] == [("DeletionPolicy", '"Delete"')]


@pytest.mark.parametrize(
    ("policy", "lost", "detail"),
    [({}, True, ""), ({"DeletionPolicy": "Delete"}, True, ""), ({"DeletionPolicy": "Retain"}, False, "kept (Retain)")],
)
def test_a_plan_says_what_is_removed_and_whether_data_is_lost(policy: dict[str, str], lost: bool, detail: str) -> None:
    before = {"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", **policy}}}
    [change] = differences(before, {"Resources": {}})
    assert (change.verb, change.stateful_loss, change.detail) == (Verb.REMOVE, lost, detail)


def test_a_plan_of_another_type_is_a_replacement() -> None:
    before = {"Resources": {"X": {"Type": "AWS::SQS::Queue"}}}
    [change] = differences(before, {"Resources": {"X": {"Type": "AWS::SNS::Topic"}}})
    assert (change.verb, change.detail) == (Verb.REPLACE, "was AWS::SQS::Queue")


class Events:
    """CloudFormation with one failed event."""

    def items(self, operation: str, key: str, **_: Any) -> list[dict[str, str]]:
        assert (operation, key) == ("describe_stack_events", "StackEvents")
        return [
            {
                "LogicalResourceId": "Table",
                "PhysicalResourceId": "t",
                "ResourceType": "AWS::DynamoDB::Table",
                "ResourceStatus": "UPDATE_FAILED",
                "ResourceStatusReason": 'Resource handler returned message: "it is locked (Status Code: 403, '
                'Request ID: 1-2)" (RequestToken: 1-2, HandlerErrorCode: X)',
            }
        ]


@pytest.mark.parametrize(
    ("status", "todo"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name site"),
        ("UPDATE_FAILED", "rollback-stack"),
        ("DELETE_FAILED", "uninstall it again"),
        ("CREATE_FAILED", "delete-stack"),
        ("IMPORT_ROLLBACK_FAILED", "Ask AWS Support, naming the stack's id id"),
    ],
)
def test_a_state_that_needs_a_person_says_the_one_thing_to_do(status: str, todo: str) -> None:
    stack = Stack(id="id", name="site", status=status, reason="", outputs={}, parameters={}, tags={})
    with pytest.raises(StackStuck) as stuck:
        refuse_stuck(Events(), stack, "111111111111 (eu-west-1)")
    assert todo in str(stuck.value)
    assert "Table (AWS::DynamoDB::Table) UPDATE_FAILED: it is locked (Status Code: 403)." in str(stuck.value)
    assert "in 111111111111 (eu-west-1)" in str(stuck.value)


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE"])
def test_other_states_need_nobody(status: str) -> None:
    refuse_stuck(Events(), Stack(id="i", name="s", status=status, reason="", outputs={}, parameters={}, tags={}), "x")
