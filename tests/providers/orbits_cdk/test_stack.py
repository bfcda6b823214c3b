"""CdkStack end to end: deployed, left alone, changed, gone back from, looked at, brought back, removed."""

import json

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_cdk.errors import DeployFailed, SynthesisFailed
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.provider import RecordId, Refused, Verb, look_for, things

from .site import App


def stacks(aws: OfflineAws) -> dict[str, str]:
    """The stacks of the account, with their states."""
    found = aws.client("cloudformation", account="acme").describe_stacks()["Stacks"]
    return {stack["StackName"]: stack["StackStatus"] for stack in found}


def versioning(aws: OfflineAws, bucket: str) -> str | None:
    status = aws.client("s3", account="acme").get_bucket_versioning(Bucket=bucket).get("Status")
    return None if status is None else str(status)


def suspend(aws: OfflineAws, bucket: str) -> None:
    aws.client("s3", account="acme").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    )


async def test_a_stack_is_deployed_and_its_outputs_are_typed(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    made = await orbits.run(App(release="1"), target=acme)
    assert versioning(aws, made.bucket) == "Enabled"
    assert made.arns[0] == f"arn:aws:s3:::{made.bucket}"
    assert made.arns[1].startswith(f"arn:aws:sqs:eu-west-1:{acme.account}:")
    assert made.release == "1"
    [stack] = aws.client("cloudformation", account="acme").describe_stacks()["Stacks"]
    assert {tag["Key"]: tag["Value"] for tag in stack["Tags"]}["orbits:project"] == "tests"


async def test_a_second_time_only_reads(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    first = await orbits.run(App(release="1"), target=acme)
    before = len(aws.calls(writes=True))
    assert await orbits.run(App(release="1"), target=acme) == first
    assert len(aws.calls(writes=True)) == before


async def test_a_change_updates_in_place(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    first = await orbits.run(App(release="1"), target=acme)
    second = await orbits.run(App(release="2", versioned=False), target=acme)
    assert second.bucket == first.bucket
    assert versioning(aws, first.bucket) == "Suspended"


async def test_a_failing_update_ends_as_before_and_names_what_failed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    made = await orbits.run(App(release="1"), target=acme)
    aws.fail("s3", "PutBucketTagging", code="AccessDenied")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(App(release="2", versioned=False), target=acme)
    assert failed.value.path == ("site",)
    assert failed.value.caused_by(DeployFailed)
    assert "(AWS::S3::Bucket) UPDATE_FAILED" in failed.value.message
    assert f"in {acme.account} (eu-west-1)" in failed.value.message
    assert "RequestToken" not in failed.value.message
    assert versioning(aws, made.bucket) == "Enabled"
    assert (await orbits.record(App, "acme").drift()).in_sync


async def test_a_failing_first_deployment_leaves_nothing(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    aws.fail("sqs", "CreateQueue", code="AccessDenied")
    with pytest.raises(ExecutionFailed, match=r"Jobs\w+ \(AWS::SQS::Queue\) CREATE_FAILED"):
        await orbits.run(App(release="1", keep=True), target=acme)
    assert aws.client("s3", account="acme").list_buckets()["Buckets"] == []
    made = await orbits.run(App(release="1"), target=acme)
    assert versioning(aws, made.bucket) == "Enabled"
    assert list(stacks(aws).values()) == ["CREATE_COMPLETE"]


async def test_drift_is_found_property_by_property_and_brought_back(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    made = await orbits.run(App(release="1"), target=acme)
    suspend(aws, made.bucket)
    app = orbits.record(App, "acme")
    [(look, difference)] = (await app.drift()).drifted
    assert (look.kind, difference.type) == ("Site", "AWS::S3::Bucket")
    assert (difference.path, difference.recorded, difference.live) == (
        "VersioningConfiguration.Status",
        '"Enabled"',
        '"Suspended"',
    )
    report = await app.cycle(on_drift="remediate")
    assert [each.path for _, each in report.remediated] == ["VersioningConfiguration.Status"]
    assert versioning(aws, made.bucket) == "Enabled"
    assert (await app.drift()).in_sync


async def test_a_resource_that_was_removed_is_found_and_made_again(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(App(release="1"), target=acme)
    sqs = aws.client("sqs", account="acme")
    [url] = sqs.list_queues()["QueueUrls"]
    sqs.delete_queue(QueueUrl=url)
    app = orbits.record(App, "acme")
    [(_, difference)] = (await app.drift()).drifted
    assert (difference.path, difference.type, difference.live) == ("", "AWS::SQS::Queue", "null")
    report = await app.cycle(on_drift="remediate")
    assert [each.type for _, each in report.remediated] == ["AWS::SQS::Queue"]
    assert [each.path for _, each in report.drifted] == ["outputs.arns"], "the new queue has another name"
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    await orbits.run(App(release="1"), target=acme)
    assert (await app.drift()).in_sync


async def test_a_tag_that_somebody_added_is_found(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    made = await orbits.run(App(release="1"), target=acme)
    s3 = aws.client("s3", account="acme")
    tags = s3.get_bucket_tagging(Bucket=made.bucket)["TagSet"]
    s3.put_bucket_tagging(Bucket=made.bucket, Tagging={"TagSet": [*tags, {"Key": "by", "Value": "hand"}]})
    [(_, difference)] = (await orbits.record(App, "acme").drift()).drifted
    assert (difference.path, difference.recorded, difference.live) == ("Tags[by]", "null", '"hand"')


async def test_a_resource_that_somebody_added_to_the_template_is_found_and_removed(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(App(release="1"), target=acme)
    [name] = stacks(aws)
    cloudformation = aws.client("cloudformation", account="acme")
    template = cloudformation.get_template(StackName=name)["TemplateBody"]
    template["Resources"]["Extra"] = {"Type": "AWS::SQS::Queue"}
    [stack] = cloudformation.describe_stacks()["Stacks"]
    cloudformation.update_stack(StackName=name, TemplateBody=json.dumps(template), Tags=stack["Tags"])
    app = orbits.record(App, "acme")
    [(_, difference)] = (await app.drift()).drifted
    assert (difference.resource, difference.recorded, difference.live) == ("Extra", "null", '"there"')
    assert (await app.cycle(on_drift="remediate")).in_sync
    assert len(aws.client("sqs", account="acme").list_queues()["QueueUrls"]) == 1


async def test_an_interrupted_call_is_made_again_with_the_same_outcome(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, quick: None
) -> None:
    aws.lose_answer("cloudformation", "ExecuteChangeSet")
    made = await orbits.run(App(release="1"), target=acme)
    assert versioning(aws, made.bucket) == "Enabled"
    assert len(aws.client("s3", account="acme").list_buckets()["Buckets"]) == 1


async def test_a_stack_that_is_gone_is_drift_and_is_deployed_again(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(App(release="1"), target=acme)
    [name] = stacks(aws)
    aws.client("cloudformation", account="acme").delete_stack(StackName=name)
    app = orbits.record(App, "acme")
    [(_, difference)] = (await app.drift()).drifted
    assert (difference.path, difference.recorded, difference.live) == ("", f'"{name}"', "null")
    report = await app.cycle(on_drift="remediate")
    assert list(stacks(aws)) == [name]
    assert [each.path for _, each in report.remediated] == [""]
    outputs = [each.path for _, each in report.drifted]
    assert outputs == ["outputs.bucket", "outputs.arns"], "others were told the old bucket's name"
    await orbits.run(App(release="1"), target=acme)
    assert (await app.drift()).in_sync


async def test_a_rollback_deploys_the_kept_template(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    first = await orbits.run(App(release="1"), target=acme)
    await orbits.run(App(release="2", versioned=False, second=True), target=acme)
    assert await orbits.record(App, "acme").rollback() == first
    assert versioning(aws, first.bucket) == "Enabled"
    assert len(aws.client("sqs", account="acme").list_queues()["QueueUrls"]) == 1


async def test_an_uninstall_leaves_nothing(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(App(release="1"), target=acme)
    *_, stack = await things(orbits, RecordId("App", "acme"))
    [name] = stacks(aws)
    assert await look_for(orbits, stack) == f"the stack {name} is CREATE_COMPLETE"
    await orbits.record(App, "acme").uninstall()
    assert await look_for(orbits, stack) is None
    assert stacks(aws) == {}
    assert aws.client("s3", account="acme").list_buckets()["Buckets"] == []


async def test_an_uninstall_keeps_what_the_template_says_is_to_stay(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    made = await orbits.run(App(release="1", keep=True), target=acme)
    await orbits.record(App, "acme").uninstall()
    assert stacks(aws) == {}
    assert [b["Name"] for b in aws.client("s3", account="acme").list_buckets()["Buckets"]] == [made.bucket]


async def test_removing_a_stack_that_is_gone_is_fine(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(App(release="1"), target=acme)
    [name] = stacks(aws)
    aws.client("cloudformation", account="acme").delete_stack(StackName=name)
    await orbits.record(App, "acme").uninstall()


async def test_a_preview_shows_each_property_and_writes_nothing(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(App(release="1"), target=acme)
    before = len(aws.calls(writes=True))
    assert not await orbits.preview(App(release="1"), target=acme)
    assert len(aws.calls(writes=True)) == before
    plan = await orbits.preview(App(release="2", versioned=False, second=True), target=acme)
    looked = [str(call) for call in aws.calls(writes=True)[before:]]
    assert looked == ["cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet"]
    [site] = plan.root.below
    assert (site.verb, site.detail) == (Verb.UPDATE, "1 to create, 1 to change")
    bucket = next(change for change in site.below if change.kind == "AWS::S3::Bucket")
    assert {each.path: (each.before, each.after) for each in bucket.properties} == {
        "Tags[release]": ('"1"', '"2"'),
        "VersioningConfiguration.Status": ('"Enabled"', "null"),
    }


async def test_a_preview_of_a_new_stack_leaves_none_behind(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    plan = await orbits.preview(App(release="1"), target=acme)
    [site] = plan.root.below
    assert (site.verb, site.detail) == (Verb.CREATE, "2 to create")
    assert stacks(aws) == {}


async def test_a_stack_of_another_project_is_left_alone(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(App(release="1"), target=acme)
    [name] = stacks(aws)
    cloudformation = aws.client("cloudformation", account="acme")
    template = cloudformation.get_template(StackName=name)["TemplateBody"]
    cloudformation.delete_stack(StackName=name)
    cloudformation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Tags=[{"Key": "orbits:project", "Value": "other"}, {"Key": "orbits:record", "Value": "Site bolt"}],
    )
    with pytest.raises(ExecutionFailed, match="belongs to Site bolt of the project other") as failed:
        await orbits.run(App(release="2"), target=acme)
    assert failed.value.caused_by(Refused)


async def test_what_cannot_be_synthesised_changes_nothing(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(App(release="broken"), target=acme)
    assert failed.value.caused_by(SynthesisFailed)
    assert "site.py" in failed.value.message
    assert 's3.Bucket(stack, "Assets"' in failed.value.message
    assert stacks(aws) == {}


async def test_progress_of_a_slow_deployment_is_watched(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    aws.settings(polls=2)
    made = await orbits.run(App(release="1"), target=acme)
    assert versioning(aws, made.bucket) == "Enabled"
