"""What a preview shows of a stack, from a change set of which nothing is left; and where it may make none."""

import asyncio
import json
from collections import deque
from dataclasses import replace
from datetime import timedelta
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_aws.errors import AwsRefused
from orbits_cdk import CdkStack
from orbits_cdk.cache import SynthCache
from orbits_cdk.cdk_stack import _CACHE
from orbits_cdk.change_set import PREVIEW, show
from orbits_cdk.deploy import advance
from orbits_cdk.errors import DeployFailed, StackStuck
from orbits_cdk.parts import Part
from orbits_cdk.plan import change_of
from orbits_cdk.rights import rights_changes
from orbits_cdk.synth import TURNS
from orbits_cdk.wanted import Deployed, Underway, Wanted, Withheld
from orbits_iac import Orbits, Outputs, Resource
from orbits_iac.model.alike import grouped
from orbits_iac.provider import Change, Verb

from .given import Given, Holder, queue, table
from .test_deploy import TAGS, Said, deploy, wanted

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Statement": [{"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]
        },
    },
}


def of(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


def changes(cfn: Any, what: Wanted) -> tuple[Change, dict[str, Change]]:
    """What a preview shows: the stack's change, and those of its resources."""
    found = change_of(cfn, what, "Site")
    return found, {one.ref: one for one in found.below if not one.aside}


@pytest.fixture
def cfn(acme: AwsTarget) -> Any:
    return client("cloudformation", acme)


@pytest.fixture
def raw(aws: OfflineAws, acme: AwsTarget) -> Any:
    return aws.client("cloudformation", account="acme")


def left(raw: Any) -> list[str]:
    """The change sets that were not executed."""
    found = raw.list_change_sets(StackName="site")["Summaries"]
    return [each["ChangeSetName"] for each in found if each["ExecutionStatus"] != "EXECUTE_COMPLETE"]


def test_each_resource_is_shown_with_why_it_would_be_replaced(cfn: Any, raw: Any) -> None:
    deploy(cfn, wanted(of(Orders=table("orders"), Jobs=queue("jobs"), Old=queue("old"))))
    after = of(
        Orders=table("orders", key="number"),
        Jobs=queue("jobs", visibility=60),
        New=queue("new"),
        Reads={"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Orders"}}},
    )
    stack, found = changes(cfn, wanted(after))
    assert (stack.verb, stack.detail) == (Verb.UPDATE, "2 to create, 1 to change, 1 to replace, 1 to remove")
    assert {name: one.verb.value for name, one in found.items()} == {
        "Orders": "replace",
        "Jobs": "update",
        "New": "create",
        "Reads": "create",
        "Old": "remove",
    }
    assert found["Orders"].stateful_loss
    assert found["Orders"].detail == "KeySchema and TableName cannot change in place"
    [visibility] = found["Jobs"].properties
    assert (visibility.path, visibility.before, visibility.after) == ("VisibilityTimeout", "30", "60")
    assert left(raw) == []


def test_what_depends_on_something_that_is_replaced_says_so(cfn: Any) -> None:
    reads = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Orders"}}}
    deploy(cfn, wanted(of(Orders=table("orders"), Reads=reads)))
    _, found = changes(cfn, wanted(of(Orders=table("orders", key="number"), Reads=reads)))
    assert found["Reads"].verb is Verb.UPDATE
    assert found["Reads"].detail == "depends on Orders"


def test_what_may_be_replaced_is_told_from_what_will_be(cfn: Any) -> None:
    named = {
        "Type": "AWS::SQS::Queue",
        "Properties": {"QueueName": {"Fn::Join": ["-", ["q", {"Fn::GetAtt": ["First", "QueueName"]}]]}},
    }
    deploy(cfn, wanted(of(First=queue("first"), Named=named)))
    _, found = changes(cfn, wanted(of(First=queue("second"), Named=named)))
    assert found["First"].detail == "QueueName cannot change in place"
    assert found["Named"].verb is Verb.UPDATE
    assert found["Named"].detail == "may be replaced: QueueName cannot change in place; depends on First"


def test_who_may_do_what_stands_apart(cfn: Any) -> None:
    policy = {
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "Queues": [{"Ref": "Jobs"}],
            "PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Principal": "*"}]},
        },
    }
    deploy(cfn, wanted(of(Jobs=queue("jobs"))))
    stack, found = changes(cfn, wanted(of(Jobs=queue("jobs"), Role=ROLE, Open=policy)))
    [access] = [one for one in stack.below if one.aside]
    assert (access.ref, [(one.ref, one.verb.value, one.detail) for one in access.below]) == (
        "who may do what",
        [
            ("Role", "create", "Allow sts:AssumeRole to lambda.amazonaws.com"),
            ("Open", "create", "Allow sqs:SendMessage to *"),
        ],
    )
    assert set(found) == {"Role", "Open"}


def allow(actions: Any, **more: Any) -> dict[str, Any]:
    return {"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": actions, **more}]}}


@pytest.mark.parametrize(
    ("kind", "before", "after", "lines"),
    [
        pytest.param(
            "AWS::IAM::Policy",
            {**allow("s3:GetObject", Resource={"Fn::GetAtt": ["Files", "Arn"]}), "Roles": [{"Ref": "Role"}]},
            {**allow(["s3:GetObject", "s3:PutObject"], Resource="*"), "Roles": [{"Ref": "Role"}]},
            ["- Allow s3:GetObject on ${Files.Arn} to ${Role}", "+ Allow s3:GetObject, s3:PutObject on * to ${Role}"],
            id="a policy",
        ),
        pytest.param(
            "AWS::S3::BucketPolicy",
            {},
            {
                "PolicyDocument": {
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "NotAction": "s3:Get*",
                            "NotPrincipal": {"AWS": ["a", "b"]},
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                        }
                    ]
                }
            },
            ['+ Deny all but s3:Get* to all but a, b if {"Bool": {"aws:SecureTransport": "false"}}'],
            id="exclusions and a condition",
        ),
        pytest.param(
            "AWS::IAM::Role",
            {"ManagedPolicyArns": ["arn:a", "arn:b"]},
            {"ManagedPolicyArns": ["arn:b"]},
            ["- policy arn:a"],
            id="a managed policy",
        ),
        pytest.param(
            "AWS::Lambda::Permission",
            {},
            {"Action": "lambda:InvokeFunction", "FunctionName": "f", "Principal": "s3.amazonaws.com", "SourceArn": "b"},
            ["+ Allow lambda:InvokeFunction on f to s3.amazonaws.com if it comes from b"],
            id="a function's permission",
        ),
        pytest.param(
            "AWS::EC2::SecurityGroup",
            {"SecurityGroupEgress": [{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}]},
            {"SecurityGroupIngress": [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "10.0.0.0/8"}]},
            ["- out: everything to 0.0.0.0/0", "+ in: TCP 443 from 10.0.0.0/8"],
            id="a security group",
        ),
        pytest.param(
            "AWS::EC2::SecurityGroupIngress",
            {},
            {
                "GroupId": "sg-1",
                "IpProtocol": "udp",
                "FromPort": 1,
                "ToPort": 9,
                "SourceSecurityGroupId": {"Ref": "Web"},
            },
            ["+ in of sg-1: UDP 1-9 from ${Web}"],
            id="a rule of its own",
        ),
        pytest.param("AWS::SQS::Queue", {"DelaySeconds": 1}, {"DelaySeconds": 2}, [], id="no right"),
        pytest.param("AWS::IAM::Policy", allow("a"), allow("a"), [], id="no change"),
    ],
)
def test_rights_come_to_lines(kind: str, before: Any, after: Any, lines: list[str]) -> None:
    part = Part(verb=Verb.UPDATE, name="It", kind=kind, before=before, after=after)
    signs = {Verb.CREATE: "+", Verb.REMOVE: "-"}
    groups = rights_changes([part])
    assert [f"{signs[line.verb]} {line.detail}" for group in groups for line in group.below] == lines


def test_what_changes_inside_a_nested_stack_is_shown_and_held_to_the_same(
    cfn: Any, raw: Any, aws: OfflineAws, acme: AwsTarget
) -> None:
    s3 = aws.client("s3", account="acme")
    s3.create_bucket(Bucket="nested", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def nesting(key: str, **resources: Any) -> dict[str, Any]:
        s3.put_object(Bucket="nested", Key=key, Body=json.dumps(of(**resources)).encode())
        url = f"{aws.endpoint_url}/nested/{key}"
        return of(Data={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}})

    deploy(cfn, wanted(nesting("one", Orders=table("orders"))))
    after = wanted(nesting("two", Orders=table("orders", key="number"), Jobs=queue("jobs")), token="t2")
    stacks = len(raw.describe_stacks()["Stacks"])
    _, found = changes(cfn, after)
    assert [(name, one.verb.value, one.stateful_loss) for name, one in found.items()] == [
        ("Data", "update", False),
        ("Data/Orders", "replace", True),
        ("Data/Jobs", "create", False),
    ]
    assert (len(raw.describe_stacks()["Stacks"]), left(raw)) == (stacks, [])
    result: Deployed | Withheld | Underway = Underway()
    while isinstance(result, Underway):
        result = advance(cfn, after, result, Said())
    assert isinstance(result, Withheld)
    assert [loss.resource for loss in result.losses] == ["Data/Orders"]
    assert deploy(cfn, replace(after, token="t3", accepted=frozenset({"Data/Orders"}))).changed
    assert aws.client("dynamodb", account="acme").list_tables()["TableNames"] == ["orders-number"]


def test_where_change_sets_are_denied_templates_are_compared_and_it_says_so(cfn: Any, aws: OfflineAws) -> None:
    deploy(cfn, wanted(of(Jobs=queue("jobs"))))
    aws.fail("cloudformation", "CreateChangeSet", code="AccessDenied")
    stack, found = changes(cfn, wanted(of(Jobs=queue("jobs", visibility=60))))
    assert stack.detail == "1 to change; compared by templates, since cloudformation:CreateChangeSet is denied"
    assert [one.path for one in found["Jobs"].properties] == ["VisibilityTimeout"]


def test_while_somebody_deploys_templates_are_compared_and_it_says_so(cfn: Any, aws: OfflineAws, raw: Any) -> None:
    deploy(cfn, wanted(of(Jobs=queue("jobs"))))
    aws.settings(polls=3)
    tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
    raw.update_stack(StackName="site", TemplateBody=json.dumps(of(Jobs=queue("jobs", visibility=5))), Tags=tags)
    stack, _ = changes(cfn, wanted(of(Jobs=queue("jobs", visibility=60))))
    assert stack.detail.endswith("; the stack is UPDATE_IN_PROGRESS")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("Stack:site is in UPDATE_IN_PROGRESS state and can not be updated.", "somebody has just begun to deploy it"),
        ("Role arn:aws:iam::1:role/gone is invalid or cannot be assumed", "make the role that the table"),
    ],
)
def test_what_stands_in_the_way_of_a_change_set_is_said(cfn: Any, aws: OfflineAws, message: str, said: str) -> None:
    deploy(cfn, wanted(of(Jobs=queue("jobs"))))
    aws.fail("cloudformation", "CreateChangeSet", code="ValidationError", message=message)
    try:
        told = change_of(cfn, wanted(of(Jobs=queue("jobs", visibility=60))), "Site").detail
    except StackStuck as stuck:
        told = str(stuck)
    assert said in told


def test_what_cloudformation_refuses_leaves_nothing(cfn: Any, raw: Any) -> None:
    deploy(cfn, wanted(of(Jobs=queue("jobs"))))
    wrong = of(Jobs={"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Ref": "Nobody"}}})
    with pytest.raises(AwsRefused, match="Nobody"):
        change_of(cfn, wanted(wrong), "Site")
    assert left(raw) == []


class Validating:
    """A client whose change sets fail in early validation, which DescribeEvents alone explains."""

    def __init__(self, cfn: Any) -> None:
        self._cfn = cfn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cfn, name)

    def describe_change_set(self, **arguments: Any) -> Any:
        failed = "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation]"
        return {**self._cfn.describe_change_set(**arguments), "Status": "FAILED", "StatusReason": failed}

    def items(self, operation: str, key: str, **arguments: Any) -> Any:
        if operation != "describe_events":
            return self._cfn.items(operation, key, **arguments)
        path = "/Resources/Jobs/Properties/VisibilityTimeout"
        return [
            {
                "EventType": "VALIDATION_ERROR",
                "LogicalResourceId": "Jobs",
                "ValidationPath": path,
                "ValidationStatusReason": "expected type: Integer, found: String",
            }
        ]


def test_early_validation_is_explained_with_the_propertys_path(cfn: Any, raw: Any) -> None:
    deploy(cfn, wanted(of(Jobs=queue("jobs"))))
    with pytest.raises(
        DeployFailed, match=r"Jobs /Resources/Jobs/Properties/VisibilityTimeout: expected type: Integer"
    ):
        show(Validating(cfn), wanted(of(Jobs=queue("jobs", visibility=60))))
    assert left(raw) == []


class Clocked:
    """A client for which it is an hour later; and which can stop before it deletes anything."""

    def __init__(self, cfn: Any, *, later: timedelta = timedelta(), stops: bool = False) -> None:
        self._cfn, self._later, self._stops = cfn, later, stops

    def __getattr__(self, name: str) -> Any:
        if name == "delete_change_set" and self._stops:
            raise KeyboardInterrupt
        return getattr(self._cfn, name)

    def describe_change_set(self, **arguments: Any) -> Any:
        made = self._cfn.describe_change_set(**arguments)
        return {**made, "CreationTime": made["CreationTime"] + self._later}


def test_what_a_crash_has_left_is_removed_by_the_next_preview(cfn: Any, raw: Any) -> None:
    deploy(cfn, wanted(of(Jobs=queue("jobs"))))
    more = wanted(of(Jobs=queue("jobs", visibility=60)))
    with pytest.raises(KeyboardInterrupt):
        show(Clocked(cfn, stops=True), more)
    [stale] = left(raw)
    assert stale.startswith(PREVIEW)
    show(cfn, more)
    assert left(raw) == [stale], "another preview may be looking at it"
    show(Clocked(cfn, later=timedelta(hours=1)), more)
    assert left(raw) == []


async def test_a_plan_from_a_change_set_holds_until_it_is_executed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(Holder(resources={"Jobs": queue("jobs")}), target=acme)
    more = Holder(resources={"Jobs": queue("jobs", visibility=60), "Role": ROLE})
    plan = await orbits.preview(more, target=acme)
    assert plan.changes == ["site.Jobs: update AWS::SQS::Queue", "site.Role: create AWS::IAM::Role"]
    await orbits.run(more, target=acme, plan=plan)
    assert not await orbits.preview(more, target=acme)
    assert (await orbits.record(Given, "Holder acme/site").drift()).in_sync


class Dock(CdkStack[Outputs]):
    """A queue in one of two sizes."""

    seconds: int

    def define_stack(self, stack: cdk.Stack) -> Outputs:
        sqs.Queue(stack, "Ships", visibility_timeout=cdk.Duration.seconds(self.seconds))
        MADE.append(self.seconds)
        return Outputs()


MADE = deque[int]()  # what was synthesised; a list of a module's is among what its stacks are made from


class Harbour(Resource):
    """A dock for each of eight firms, which are looked at together."""

    def identity(self) -> str:
        return "harbour"

    async def define_update(self) -> None:
        await asyncio.gather(*(self.do("dock", Dock(seconds=30 + firm % 2), key=f"firm{firm}") for firm in range(8)))


async def test_each_variant_of_a_fleet_is_synthesised_once(
    orbits: Orbits, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []

    def put(*given: Any, **more: Any) -> None:
        kept.append(TURNS._holder is not None)  # nobody has looked since whether it is there
        SynthCache.put(_CACHE, *given, **more)

    monkeypatch.setattr(_CACHE, "put", put)
    MADE.clear()
    plan = await orbits.preview(Harbour(), target=acme)
    groups = [group.names for group in grouped(plan.root.below)]
    assert groups == [tuple(f"firm{firm}" for firm in firms) for firms in ((0, 2, 4, 6), (1, 3, 5, 7))]
    assert (sorted(MADE), kept) == ([30, 31], [True, True])
