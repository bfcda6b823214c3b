"""A stack that is there already becomes a record: as it is, before anything is changed, and back to that."""

import json
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_cdk import CdkStack
from orbits_cdk.context import NOTHING, Context
from orbits_cdk.payload import StackOutput, StackPayload
from orbits_cdk.yaml_template import read_yaml
from orbits_iac import Clock, ExecutionFailed, Options, Orbits, Outputs, Settings
from orbits_iac.provider import Refused

from .given import queue
from .test_deploy import TAGS, deploy, wanted

THEIRS = [{"Key": "team", "Value": "web"}]


class Urls(Outputs):
    jobs: str
    arn: str


class Legacy(CdkStack[Urls]):
    """The stack `legacy`, which somebody has made."""

    visibility: int = 30
    more: bool = False
    output: dict[str, Any] = {"Fn::GetAtt": ["Jobs", "Arn"]}
    options = Options(adopt=True)

    def identity(self) -> str:
        return "legacy"

    def stack_name(self) -> str:
        return "legacy"

    def synthesise(self, kept: Context = NOTHING) -> StackPayload:
        resources: dict[str, Any] = {"Jobs": queue("jobs", visibility=self.visibility)}
        return StackPayload(
            stack_name=self.stack_name(),
            region="eu-west-1",
            template={
                "Resources": resources | ({"More": queue("more")} if self.more else {}),
                "Outputs": {"Jobs": {"Value": {"Ref": "Jobs"}}, "Arn": {"Value": self.output}},
            },
            outputs=(
                StackOutput(field="jobs", name="Jobs", form="text"),
                StackOutput(field="arn", name="Arn", form="text"),
            ),
        )


BODY = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Seconds: {Type: Number, Default: 45}
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {QueueName: jobs, VisibilityTimeout: !Ref Seconds}
  Kept:
    Type: AWS::SSM::Parameter
    Properties: {Name: kept, Type: String, Value: !Sub "${AWS::Region}!"}
Outputs:
  Jobs: {Value: !Ref Jobs}
"""


@pytest.fixture
def raw(aws: OfflineAws, acme: AwsTarget) -> Any:
    return aws.client("cloudformation", account="acme")


def make(raw: Any, **more: Any) -> None:
    raw.create_stack(**{"StackName": "legacy", "TemplateBody": BODY, "Tags": THEIRS, **more})


def stack(raw: Any) -> Any:
    return raw.describe_stacks(StackName="legacy")["Stacks"][0]


def tags(raw: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in stack(raw)["Tags"]}


def visibility(aws: OfflineAws) -> str:
    sqs = aws.client("sqs", account="acme")
    url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"])


async def test_what_is_there_is_revision_0_and_keeps_its_tags(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, raw: Any
) -> None:
    make(raw)
    made = await orbits.run(Legacy(visibility=60), target=acme)
    assert made.arn == f"arn:aws:sqs:eu-west-1:{acme.account}:jobs"
    assert (visibility(aws), tags(raw)["team"], tags(raw)["orbits:project"]) == ("60", "web", "tests")
    record = orbits.record(Legacy, "legacy")
    zero, one = await record.history()
    assert (zero.number, one.number) == (0, 1)
    assert zero.outputs == made, "what the stack did not publish was worked out from its resources"
    kept = zero.payload(StackPayload)
    assert (kept.kept_tags, kept.parameters, kept.ours) == ({"team": "web"}, {"Seconds": "45"}, False)
    await record.rollback(0)
    assert (visibility(aws), tags(raw)) == ("45", {"team": "web"})


async def test_a_first_update_that_fails_leaves_it_as_it_was_found(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, raw: Any
) -> None:
    make(raw)
    aws.fail("sqs", "CreateQueue", code="AccessDenied", resource="more")
    with pytest.raises(ExecutionFailed, match="More "):
        await orbits.run(Legacy(more=True), target=acme)
    assert (visibility(aws), tags(raw)) == ("45", {"team": "web"})
    before = len(aws.calls(writes=True))
    with pytest.raises(ExecutionFailed, match="left as it was found"):
        await orbits.record(Legacy, "legacy").uninstall()
    assert len(aws.calls(writes=True)) == before
    await orbits.run(Legacy(), target=acme)
    await orbits.record(Legacy, "legacy").uninstall()
    assert raw.describe_stacks()["Stacks"] == []


async def test_a_preview_says_that_it_would_be_adopted(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, raw: Any
) -> None:
    make(raw)
    plan = await orbits.preview(Legacy(visibility=60), target=acme)
    assert plan.root.detail.startswith("it is there and was not made by Orbits: adopt=True takes it; ")
    assert plan.root.detail.endswith("1 to change, 1 to remove; may adopt what is there")
    await orbits.run(Legacy(visibility=60), target=acme, plan=plan)
    assert visibility(aws) == "60"


async def test_without_adopt_it_is_refused(orbits: Orbits, acme: AwsTarget, raw: Any) -> None:
    class Plain(Legacy):
        options = Options(adopt=False, kind="Plain")

    make(raw)
    with pytest.raises(ExecutionFailed, match=r"was not made by Orbits\. Take it over with adopt=True") as failed:
        await orbits.run(Plain(), target=acme)
    assert failed.value.caused_by(Refused)
    assert tags(raw) == {"team": "web"}


async def test_where_there_is_none_it_is_made(orbits: Orbits, acme: AwsTarget, raw: Any) -> None:
    await orbits.run(Legacy(), target=acme)
    [only] = await orbits.record(Legacy, "legacy").history()
    assert (only.number, tags(raw)["orbits:record"]) == (1, "Legacy legacy")


async def test_an_output_that_cannot_be_told_is_refused(orbits: Orbits, acme: AwsTarget, raw: Any) -> None:
    make(raw)
    with pytest.raises(ExecutionFailed, match="does not publish the output Arn, and it cannot be worked out"):
        await orbits.run(Legacy(output={"Fn::GetAtt": ["Nowhere", "Arn"]}), target=acme)
    assert tags(raw) == {"team": "web"}


async def test_another_projects_stack_is_not_adopted(orbits: Orbits, acme: AwsTarget, raw: Any) -> None:
    owner = [{"Key": "orbits:project", "Value": "other"}, {"Key": "orbits:record", "Value": "Site bolt"}]
    make(raw, Tags=owner)
    with pytest.raises(ExecutionFailed, match="belongs to Site bolt of the project other"):
        await orbits.run(Legacy(), target=acme)


async def test_another_projects_stack_is_taken_over_where_somebody_says_so(
    orbits: Orbits, acme: AwsTarget, raw: Any
) -> None:
    owner = [{"Key": "orbits:project", "Value": "other"}, {"Key": "orbits:record", "Value": "Legacy legacy"}]
    make(raw, Tags=[*owner, *THEIRS])
    await (await orbits.start(Legacy(), target=acme, take_over="other"))
    assert tags(raw) == {"orbits:project": "tests", "orbits:record": "Legacy legacy", "team": "web"}


async def test_a_stack_cannot_be_renamed(orbits: Orbits, acme: AwsTarget, raw: Any) -> None:
    class Renamed(Legacy):
        name: str
        options = Options(kind="Renamed")

        def stack_name(self) -> str:
            return self.name

    await orbits.run(Renamed(name="legacy"), target=acme)
    with pytest.raises(ExecutionFailed, match="legacy cannot be renamed to other"):
        await orbits.run(Renamed(name="other"), target=acme)
    await orbits.record(Renamed, "legacy").uninstall()
    assert raw.describe_stacks()["Stacks"] == []


async def test_records_are_made_again_of_a_stack_that_is_tagged_as_ours(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, orbits_settings: Settings
) -> None:
    made = await orbits.run(Legacy(), target=acme)
    before = len(aws.calls(writes=True))
    async with Orbits(orbits_settings, clock=Clock()) as empty:
        await (await empty.start(Legacy(), target=acme, rebuild=True))
        [zero] = await empty.record(Legacy, "legacy").history()
        assert (zero.number, zero.outputs) == (0, made)
        assert not await empty.preview(Legacy(), target=acme)
        assert len(aws.calls(writes=True)) == before


async def test_records_are_not_made_of_a_stack_of_nobody(orbits: Orbits, acme: AwsTarget, raw: Any) -> None:
    make(raw)
    with pytest.raises(ExecutionFailed, match="was not made by Orbits"):
        await (await orbits.start(Legacy(), target=acme, rebuild=True))


def test_a_parameter_that_is_not_told_keeps_its_value(aws: OfflineAws, acme: AwsTarget, raw: Any) -> None:
    secret = {"Type": "String", "NoEcho": True}
    value = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": "p", "Value": {"Ref": "Secret"}}}
    body: dict[str, Any] = {"Parameters": {"Secret": secret}, "Resources": {"P": value}}
    given = [{"ParameterKey": "Secret", "ParameterValue": "canary"}]
    owner = [{"Key": key, "Value": text} for key, text in TAGS.items()]
    raw.create_stack(StackName="site", TemplateBody=json.dumps(body), Parameters=given, Tags=owner)
    cfn = client("cloudformation", acme)
    assert not deploy(cfn, wanted(body)).changed
    body["Resources"]["Jobs"] = queue("jobs")
    assert deploy(cfn, wanted(body)).changed
    assert aws.client("ssm", account="acme").get_parameter(Name="p")["Parameter"]["Value"] == "canary"


def test_short_forms_are_read_as_what_they_stand_for() -> None:
    text = """
    Version: 2010-09-09
    A: !GetAtt Jobs.Arn
    B: !Join ["-", [!Ref A, x]]
    C: !If [Big, !Select [0, !GetAZs ""], !Ref AWS::NoValue]
    D: !Condition Big
    """
    assert read_yaml(text) == {
        "Version": "2010-09-09",
        "A": {"Fn::GetAtt": ["Jobs", "Arn"]},
        "B": {"Fn::Join": ["-", [{"Ref": "A"}, "x"]]},
        "C": {"Fn::If": ["Big", {"Fn::Select": [0, {"Fn::GetAZs": ""}]}, {"Ref": "AWS::NoValue"}]},
        "D": {"Condition": "Big"},
    }
    assert read_yaml("[1") is None
    assert read_yaml("text") is None
    assert json.loads(json.dumps(read_yaml(BODY)))
