"""Who is asked where a type has no reader: Cloud Control, then CloudFormation; what none of them says is unchecked."""

import json
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_aws.errors import AwsRefused
from orbits_aws.readers import READERS
from orbits_aws.readers.cloud_control import as_given_back, compare_with_live
from orbits_aws.readers.schema import Schema
from orbits_aws.readers.service_managed import by_the_service
from orbits_cdk.cloudformation import STACK
from orbits_cdk.detection import LONGEST, Detecting, Left, begin, go_on
from orbits_cdk.live import StackLook
from orbits_iac.provider import Comparison, Unknown
from tests.providers.orbits_cdk.drift.world import Hands

STREAM: dict[str, Any] = {
    "Type": "AWS::Kinesis::Stream",
    "Properties": {"ShardCount": 1, "RetentionPeriodHours": 48},
}


@pytest.fixture
def hands(aws: OfflineAws, acme: AwsTarget) -> Hands:
    hands = Hands(aws, acme, "streams", {"Resources": {"Clicks": STREAM}})
    name = hands.ids["Clicks"]
    hands.of("kinesis").increase_stream_retention_period(StreamName=name, RetentionPeriodHours=72)
    return hands


def paths(look: StackLook) -> list[str]:
    return [f"{each.resource} {each.type} {each.path} {each.recorded} {each.live}" for each in look.differences]


def test_cloud_control_says_it_first(hands: Hands) -> None:
    before = len(hands.aws.calls())
    assert paths(hands.look()) == ["Clicks AWS::Kinesis::Stream RetentionPeriodHours 48 72"]
    assert "cloudformation:DetectStackDrift" not in hands.aws.calls()[before:]


def test_what_cloud_control_may_not_read_cloudformation_is_asked_for_once(hands: Hands) -> None:
    hands.aws.fail("cloudcontrol", "GetResource", code="AccessDeniedException")
    before = len(hands.aws.calls())
    look = hands.look()
    assert paths(look) == ["Clicks AWS::Kinesis::Stream RetentionPeriodHours 48 72"]
    assert (look.unchecked, look.checked) == ((), 3)  # of the tags too, which the stack hands down
    assert hands.aws.calls()[before:].count("cloudformation:DetectStackDrift") == 1


def test_what_nobody_may_read_is_unchecked_with_what_each_of_them_said(hands: Hands) -> None:
    hands.aws.fail("cloudcontrol", "GetResource", code="AccessDeniedException")
    hands.aws.fail("cloudformation", "DetectStackDrift", code="AccessDenied")
    look = hands.look()
    assert (look.differences, look.checked) == ((), 0)
    [said] = look.unchecked
    assert said.startswith(
        "Clicks AWS::Kinesis::Stream: no reader for this type; Cloud Control does not read it (AccessDeniedException: "
    )
    assert "; CloudFormation refused to look: AccessDenied on cloudformation:DetectStackDrift" in said


def test_what_cloudformation_could_not_find_out_is_unchecked(hands: Hands) -> None:
    hands.aws.fail("cloudcontrol", "GetResource", code="UnsupportedActionException")
    hands.aws.fail("kinesis", "*", code="AccessDenied", origin="cloudformation", times=9)
    [said] = hands.look().unchecked
    assert "; CloudFormation could not find out (" in said


def test_a_resource_that_its_reader_may_not_read_is_unchecked_and_the_others_are_compared(
    aws: OfflineAws, acme: AwsTarget
) -> None:
    hands = Hands(
        aws, acme, "two", {"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}, "News": {"Type": "AWS::SNS::Topic"}}}
    )
    hands.of("sns").set_topic_attributes(TopicArn=hands.ids["News"], AttributeName="DisplayName", AttributeValue="x")
    hands.aws.fail("sqs", "GetQueueAttributes", code="AccessDenied")
    look = hands.look()
    assert [each.resource for each in look.differences] == ["News"]
    [said] = look.unchecked
    assert said.startswith("Jobs AWS::SQS::Queue: it could not be read: AccessDenied on sqs:GetQueueAttributes")


def test_what_is_in_nested_stacks_is_looked_at_too(aws: OfflineAws, acme: AwsTarget) -> None:
    inner = {
        "Resources": {"Jobs": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 5}}, "Clicks": STREAM},
        "Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Jobs", "QueueName"]}}},
    }
    s3 = aws.client("s3", account="acme")
    s3.create_bucket(Bucket="inner", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="inner", Key="inner", Body=json.dumps(inner).encode())
    nested = {"Type": STACK, "Properties": {"TemplateURL": f"{aws.endpoint_url}/inner/inner"}}
    name = {"Fn::GetAtt": ["Data", "Outputs.Name"]}
    shown = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": name}}
    hands = Hands(aws, acme, "outer", {"Resources": {"Data": nested, "Shown": shown}})
    assert (hands.untouched.differences, hands.untouched.unchecked, hands.untouched.checked) == ((), (), 6)
    [url] = hands.of("sqs").list_queues()["QueueUrls"]
    hands.of("sqs").set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "9"})
    hands.aws.fail("cloudcontrol", "GetResource", code="AccessDeniedException")
    look = hands.look()
    assert [f"{each.resource} {each.path}" for each in look.differences] == ["Data/Jobs DelaySeconds"]
    [said] = look.unchecked
    assert said.startswith("Data/Clicks AWS::Kinesis::Stream: no reader for this type; Cloud Control does not read it")
    assert said.endswith("CloudFormation's detection is not asked for inside nested stacks")


class Cfn:
    """CloudFormation, as far as its detection goes: what it says of one resource."""

    def __init__(self, status: str, *, detection: str = "DETECTION_COMPLETE", **drift: Any) -> None:
        self.status = {"DetectionStatus": detection, "DetectionStatusReason": "why"}
        self.drifts = [{"LogicalResourceId": "It", "StackResourceDriftStatus": status, **drift}] if status else []

    def describe_stack_drift_detection_status(self, **_: str) -> dict[str, str]:
        return self.status

    def items(self, *_: str, **__: str) -> list[dict[str, Any]]:
        return self.drifts


LEFT = Detecting(stack="shop", left={"It": Left(type="T", why="no reader")}, id="d")
EXPECTED = '{"Size":"1","Tags":[]}'
TAG = {"DifferenceType": "ADD", "PropertyPath": "/Tags/0/Value", "ExpectedValue": "null", "ActualValue": "x"}
SIZE = {"DifferenceType": "NOT_EQUAL", "PropertyPath": "/Size", "ExpectedValue": "1", "ActualValue": "2"}


@pytest.mark.parametrize(
    ("cfn", "differences", "unchecked", "checked"),
    [
        (Cfn("IN_SYNC", ExpectedProperties=EXPECTED), [], [], 2),
        (
            Cfn("MODIFIED", ExpectedProperties=EXPECTED, PropertyDifferences=[SIZE, TAG]),
            [("Size", "1", "2"), ("Tags[0].Value", "null", '"x"')],
            [],
            2,
        ),
        (Cfn("DELETED"), [("", '"there"', "null")], [], 1),
        (Cfn("NOT_CHECKED"), [], ["no reader; CloudFormation does not detect the drift of this type"], 0),
        (Cfn("UNSUPPORTED"), [], ["no reader; CloudFormation does not detect the drift of this type"], 0),
        (Cfn("UNKNOWN", DriftStatusReason="denied"), [], ["no reader; CloudFormation could not find out (denied)"], 0),
        (Cfn("SOMETHING_NEW"), [], ["no reader; CloudFormation says SOMETHING_NEW"], 0),
        (Cfn(""), [], ["no reader; CloudFormation does not detect the drift of this type"], 0),
        (
            Cfn("", detection="DETECTION_FAILED"),
            [],
            ["no reader; CloudFormation does not detect the drift of this type (why)"],
            0,
        ),
    ],
)
def test_each_status_of_a_detection_is_mapped(
    cfn: Cfn, differences: list[tuple[str, str, str]], unchecked: list[str], checked: int
) -> None:
    found = go_on(cfn, LEFT)
    assert isinstance(found, Comparison)
    assert [(each.path, each.recorded, each.live) for each in found.differences] == differences
    assert list(found.unchecked) == [f"It T: {why}" for why in unchecked]
    assert found.checked == checked


@pytest.mark.parametrize(
    ("cfn", "differences", "unchecked", "checked"),
    [
        (Cfn("IN_SYNC", ExpectedProperties='{"Size":"1"}'), [], [], 1),
        (Cfn("MODIFIED", ExpectedProperties='{"Size":"1"}', PropertyDifferences=[SIZE, TAG]), ["Size"], [], 1),
        (Cfn("IN_SYNC", ExpectedProperties="{}"), [], ["absent; CloudFormation does not compare it"], 0),
        (Cfn("DELETED"), [""], [], 1),
        (Cfn("UNKNOWN"), [], ["absent; CloudFormation could not find out"], 0),
    ],
)
def test_what_cloud_control_does_not_give_is_gone_only_if_cloudformation_says_so(
    cfn: Cfn, differences: list[str], unchecked: list[str], checked: int
) -> None:
    found = go_on(cfn, LEFT.model_copy(update={"left": {"It": Left(type="T", why="absent", paths=("Size",))}}))
    assert isinstance(found, Comparison)
    assert [each.path for each in found.differences] == differences
    assert (list(found.unchecked), found.checked) == ([f"It T Size: {why}" for why in unchecked], checked)


def test_a_detection_is_looked_at_until_it_has_ended_but_not_for_ever() -> None:
    busy = Cfn("IN_SYNC", detection="DETECTION_IN_PROGRESS")
    found: Detecting | Comparison = LEFT
    for _ in range(LONGEST):
        assert isinstance(found, Detecting)
        found = go_on(busy, found)
    assert isinstance(found, Detecting)
    found = go_on(busy, found)
    assert isinstance(found, Comparison)
    assert found.unchecked == ("It T: no reader; CloudFormation's detection did not end in time",)


class Busy:
    """CloudFormation, looking at the stack for somebody else the first time that it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def detect_stack_drift(self, *, StackName: str, LogicalResourceIds: list[str]) -> dict[str, str]:  # noqa: N803
        self.asked.append(StackName)
        if len(self.asked) == 1:
            raise AwsRefused(f"Drift detection is already in progress for stack {StackName}")
        return {"StackDriftDetectionId": "-".join(LogicalResourceIds)}


def test_a_detection_of_somebody_elses_is_waited_for() -> None:
    cfn, wanted = Busy(), LEFT.model_copy(update={"id": ""})
    waiting = begin(cfn, wanted)
    assert waiting == wanted
    begun = go_on(cfn, wanted)
    assert isinstance(begun, Detecting)
    assert (begun.id, cfn.asked) == ("It", ["shop", "shop"])


SCHEMA = Schema(
    {
        "properties": {
            "Names": {"type": "array", "insertionOrder": False, "items": {}},
            "Steps": {"type": "array", "items": {"$ref": "#/definitions/Step"}},
            "Line": {"type": "array", "insertionOrder": True, "items": {}},
            "Secret": {"type": "string"},
            "Host": {"type": "string"},
            "Size": {"type": "integer", "default": 5},
            "Tags": {"type": "array"},
        },
        "definitions": {
            "Step": {"properties": {"Key": {}, "To": {"type": "array", "items": {}}, "Next": {"$ref": "#"}}}
        },
        "writeOnlyProperties": ["/properties/Secret", "/properties/Steps/*/Key"],
        "propertyTransform": {"/properties/Host": "$lowercase(Host)"},
        "handlers": {"read": {}},
    }
)


@pytest.mark.parametrize(
    ("substitutions", "definition"),
    [
        ({"Start": "A"}, '{"StartAt": "A"}'),
        ({"Other": "A"}, '{"StartAt": "${Start}"}'),
        (None, '{"StartAt": "${Start}"}'),
    ],
)
def test_what_a_state_machine_substitutes_is_substituted(substitutions: dict[str, str] | None, definition: str) -> None:
    recorded = {"DefinitionString": '{"StartAt": "${Start}"}'}
    if substitutions is not None:
        recorded |= {"DefinitionSubstitutions": substitutions}  # type: ignore[dict-item]
    assert as_given_back("AWS::StepFunctions::StateMachine", recorded)["DefinitionString"] == definition
    assert as_given_back("AWS::SQS::Queue", recorded) == recorded


def test_what_a_service_changes_by_itself_is_ignored_and_said() -> None:
    schema = Schema({"properties": {"DesiredCount": {"type": "integer"}, "Name": {"type": "string"}}})
    ignore = by_the_service("AWS::ECS::Service")
    found = compare_with_live({"DesiredCount": 1, "Name": "a"}, {"DesiredCount": 5, "Name": "b"}, schema, ignore=ignore)
    assert ([each.path for each in found.differences], found.checked) == (["Name"], 1)
    assert found.ignored == ("DesiredCount: its service scales it",)


def test_so_it_is_where_cloudformation_finds_it() -> None:
    count = {**SIZE, "PropertyPath": "/DesiredCount"}
    cfn = Cfn("MODIFIED", ExpectedProperties='{"DesiredCount":"1","Size":"1"}', PropertyDifferences=[SIZE, count])
    service = Left(type="AWS::ECS::Service", why="no reader")
    found = go_on(cfn, LEFT.model_copy(update={"left": {"It": service}}))
    assert isinstance(found, Comparison)
    assert ([each.path for each in found.differences], found.checked) == (["Size"], 1)
    assert found.ignored == ("It AWS::ECS::Service DesiredCount: its service scales it",)


def test_the_capacity_of_a_table_that_is_scaled_is_not_compared() -> None:
    def beside(kind: str) -> list[tuple[str, dict[str, Any]]]:
        assert kind == "AWS::ApplicationAutoScaling::ScalableTarget"
        return [("id", {"ResourceId": "table/orders"})]

    units = {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
    live = READERS["AWS::DynamoDB::Table"].own({"ProvisionedThroughput": units}, "orders", {}, beside)
    assert isinstance(live["ProvisionedThroughput"], Unknown)
    assert READERS["AWS::DynamoDB::Table"].own({"ProvisionedThroughput": units}, "others", {}, beside) == {
        "ProvisionedThroughput": units
    }


@pytest.mark.parametrize(
    ("recorded", "live", "different", "unchecked"),
    [
        ({"Size": "7"}, {"Size": 7, "Arn": "a"}, [], []),
        ({"Size": 7}, {}, ["Size"], []),
        ({"Size": 5}, {}, [], []),
        ({"Names": ["a", "b"]}, {"Names": ["b", "a"]}, [], []),
        ({"Steps": [{"To": ["a", "b"]}]}, {"Steps": [{"To": ["b", "a"], "More": 1}]}, [], []),
        ({"Steps": [{"To": ["a"]}, {"To": ["b"]}]}, {"Steps": [{"To": ["b"]}, {"To": ["a"]}]}, [], []),
        ({"Steps": [{"To": ["a"]}, {"To": ["b"]}]}, {"Steps": [{"To": ["b"]}, {"To": ["c"]}]}, ["Steps[0].To"], []),
        ({"Line": [1, 2]}, {"Line": [2, 1]}, ["Line"], []),
        ({"Steps": [{"Key": "k", "To": []}]}, {"Steps": [{}]}, [], ["Steps[0].Key: it is never given back"]),
        ({"Secret": "s"}, {}, [], ["Secret: it is never given back"]),
        ({"Host": "Shop"}, {"Host": "shop"}, [], ["Host: the service gives it back in a form of its own"]),
        ({}, {"Tags": [{"Key": "by", "Value": "hand"}]}, ["Tags[by]"], []),
        ({}, {"Tags": []}, [], []),
    ],
)
def test_what_cloud_control_gives_is_compared_by_the_schema(
    recorded: dict[str, Any], live: dict[str, Any], different: list[str], unchecked: list[str]
) -> None:
    found = compare_with_live(recorded, live, SCHEMA)
    assert [each.path for each in found.differences] == different
    assert list(found.unchecked) == unchecked
