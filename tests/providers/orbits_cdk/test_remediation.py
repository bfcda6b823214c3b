"""Drift of a stack is brought back exactly: what no look has shown is not overwritten, and what stays is named."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_cdk.live import StackLook
from orbits_cdk.remediation import beside, shown, why_left
from orbits_iac import Orbits
from orbits_iac.drift.project import DriftSettings, Ignored
from orbits_iac.model.rows import EventRow
from orbits_iac.provider import Difference
from orbits_iac.testing import Clock

from .given import Given, Holder

SITE = "Holder acme/site"


def difference(resource: str, path: str) -> Difference:
    return Difference(path=path, recorded="1", live="2", resource=resource, type="AWS::SQS::Queue")


def change(action: str, *names: str, source: str = "DirectModification") -> dict[str, Any]:
    details = [{"ChangeSource": source, "Target": {"Attribute": "Properties", "Name": name}} for name in names]
    resource = {"Action": action, "LogicalResourceId": "Jobs", "ResourceType": "AWS::SQS::Queue", "Details": details}
    return {"Type": "Resource", "ResourceChange": resource}


@pytest.mark.parametrize(
    ("found", "changes", "unseen"),
    [
        (["Tags[by]"], [change("Modify", "Tags")], []),
        (["RedrivePolicy.maxReceiveCount"], [change("Modify", "RedrivePolicy")], []),
        (["Tags[by]"], [change("Modify", "Tags", "DelaySeconds")], ["Jobs DelaySeconds"]),
        (["Tags[by]"], [change("Modify", "DelaySeconds", source="ResourceReference")], []),
        ([""], [change("Add")], []),
        ([""], [change("Modify", "Tags", "DelaySeconds")], []),
        ([], [change("Add")], ["Jobs"]),
        ([], [change("Remove")], ["Jobs"]),
        (["Tags[by]"], [{"Type": "Hook", "HookInvocationCount": 1}], []),
    ],
)
def test_what_a_look_has_not_shown_is_named(found: list[str], changes: list[dict[str, Any]], unseen: list[str]) -> None:
    may = frozenset(shown(difference("Jobs", path) for path in found))
    named = [loss.why.removesuffix(" (AWS::SQS::Queue) would be overwritten unseen") for loss in beside(changes, may)]
    assert named == unseen


def test_a_stack_that_is_gone_is_made_again_whole() -> None:
    gone = Difference(path="", recorded='"site"', live="null", type="AWS::CloudFormation::Stack")
    assert beside([change("Add")], frozenset(shown([gone]))) == ()


def test_what_is_not_brought_back_is_named_by_its_resource() -> None:
    before = [difference("Jobs", "DelaySeconds"), difference("Mail", "Tags[by]"), difference("", "outputs.url")]
    assert why_left(before, StackLook(differences=(difference("", "outputs.url"),))) == ""
    left = why_left(before, StackLook(differences=(difference("Mail", "Tags[by]"), difference("Jobs", "New"))))
    assert left.startswith("CloudFormation has not brought back Mail (AWS::SQS::Queue): ")


BUCKET = {
    "Type": "AWS::S3::Bucket",
    "Properties": {
        "BucketName": "acme-site",
        "VersioningConfiguration": {"Status": "Enabled"},
        "CorsConfiguration": {"CorsRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
    },
}
QUEUE: dict[str, Any] = {
    "Type": "AWS::SQS::Queue",
    "Properties": {"QueueName": "jobs", "VisibilityTimeout": 45, "DelaySeconds": 5},
}


def by_hand(aws: OfflineAws) -> Any:
    """Somebody, in an incident, lets one site alone in, and puts versioning off."""
    s3 = aws.client("s3", account="acme")
    s3.put_bucket_versioning(Bucket="acme-site", VersioningConfiguration={"Status": "Suspended"})
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["https://acme.example"]}
    s3.put_bucket_cors(Bucket="acme-site", CORSConfiguration={"CORSRules": [rule]})
    return s3


async def test_a_fix_by_hand_that_no_look_has_shown_is_not_overwritten(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(Holder(resources={"Site": BUCKET}), target=acme)
    s3 = by_hand(aws)
    aws.fail("cloudcontrol", "GetResource", code="AccessDeniedException")
    report = await orbits.record(Given, SITE).cycle(on_drift="remediate")
    [look] = report.looks
    assert look.stopped == "Site CorsConfiguration (AWS::S3::Bucket) would be overwritten unseen"
    assert [each.path for _, each in report.drifted] == ["VersioningConfiguration.Status"]
    assert s3.get_bucket_versioning(Bucket="acme-site")["Status"] == "Suspended"
    assert s3.get_bucket_cors(Bucket="acme-site")["CORSRules"][0]["AllowedOrigins"] == ["https://acme.example"]


async def test_a_look_that_is_throttled_is_taken_again(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, clock: Clock, quick: None
) -> None:
    await orbits.run(Holder(resources={"Jobs": QUEUE}), target=acme)
    aws.fail("sqs", "GetQueueAttributes", code="Throttling", times=5)  # as often as the client tries by itself
    looking = asyncio.ensure_future(orbits.record(Given, SITE).drift())
    while not looking.done():
        await clock.advance(timedelta(seconds=1))
    assert (await looking).in_sync
    assert aws.calls("sqs").count("sqs:GetQueueAttributes") > 5


async def test_a_detection_of_cloudformation_is_waited_for(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    """It is asked for while somebody else's is under way, asked for again, and looked at."""
    stream = {
        "Type": "AWS::Kinesis::Stream",
        "Properties": {"Name": "clicks", "ShardCount": 1, "RetentionPeriodHours": 48},
    }
    await orbits.run(Holder(resources={"Clicks": stream}), target=acme)
    kinesis = aws.client("kinesis", account="acme")
    kinesis.increase_stream_retention_period(StreamName="clicks", RetentionPeriodHours=72)
    aws.fail("cloudcontrol", "GetResource", code="UnsupportedActionException")
    busy = "Drift detection is already in progress for stack"
    aws.fail("cloudformation", "DetectStackDrift", code="ValidationError", message=busy)
    [(_, found)] = (await orbits.record(Given, SITE).drift()).drifted
    assert (found.resource, found.path, found.recorded, found.live) == ("Clicks", "RetentionPeriodHours", "48", "72")
    assert aws.calls("cloudformation").count("cloudformation:DetectStackDrift") == 2


async def test_what_was_changed_by_hand_is_shown_before_an_update_overwrites_it(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(Holder(resources={"Jobs": QUEUE}), target=acme)
    sqs = aws.client("sqs", account="acme")
    url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "90", "DelaySeconds": "9"})
    slower = {**QUEUE, "Properties": {**QUEUE["Properties"], "VisibilityTimeout": 60}}
    plan = await orbits.preview(Holder(resources={"Jobs": slower}), target=acme)
    [part] = [change for change in plan.root.walk() if change.ref == "Jobs"]
    assert [(each.path, each.before, each.after, each.live) for each in part.properties] == [
        ("VisibilityTimeout", "45", "60", "90")
    ]
    assert part.detail == "changed by hand, and may be overwritten: DelaySeconds"
    await orbits.run(Holder(resources={"Jobs": slower}), target=acme)
    said = [row.why for row in await orbits.store.find(EventRow) if "by hand" in row.why]
    assert said == [
        f"Jobs {what} by hand, and this update may overwrite that"
        for what in ("VisibilityTimeout: it was changed from 45 to 90", "DelaySeconds: it was changed from 5 to 9")
    ]


async def test_what_the_project_ignores_is_not_overwritten_either(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    rule = Ignored(type="AWS::SQS::Queue", path="VisibilityTimeout", reason="tuned by hand")
    orbits.engine.drift = DriftSettings(ignore=(rule,))
    await orbits.run(Holder(resources={"Jobs": QUEUE}), target=acme)
    sqs = aws.client("sqs", account="acme")
    url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "90"})
    report = await orbits.record(Given, SITE).cycle(on_drift="remediate")
    assert report.in_sync
    assert report.ignored == [f"Given {SITE}: Jobs AWS::SQS::Queue VisibilityTimeout: tuned by hand"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"DelaySeconds": "9"})
    report = await orbits.record(Given, SITE).cycle(on_drift="remediate")
    assert report.stopped == [
        f"Given {SITE}: Jobs VisibilityTimeout (AWS::SQS::Queue) would be overwritten unseen",
    ]
    live = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (live["VisibilityTimeout"], live["DelaySeconds"]) == ("90", "9")
