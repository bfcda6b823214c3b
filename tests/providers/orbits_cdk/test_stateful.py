"""What holds data is lost only if it was accepted by name: replaced, removed from the template, or with its stack."""

from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws
from orbits_cdk.stateful import data_in, losses
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.model.rows import RevisionRow
from orbits_iac.provider import Refused

from .given import Given, Holder, queue, table

SITE = "Given Holder acme/site"


def change(action: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"ResourceChange": {"Action": action, "LogicalResourceId": "It", "ResourceType": kind, **more}}


def recreates(*names: str) -> list[dict[str, Any]]:
    return [{"Target": {"Name": name, "RequiresRecreation": "Always"}} for name in names]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ([change("Remove", "AWS::DynamoDB::Table")], "It (AWS::DynamoDB::Table) would be removed"),
        (
            [change("Remove", "AWS::DynamoDB::Table", PolicyAction="Delete")],
            "It (AWS::DynamoDB::Table) would be removed",
        ),
        ([change("Remove", "AWS::DynamoDB::Table", PolicyAction="Retain")], None),
        ([change("Remove", "AWS::RDS::DBCluster", PolicyAction="Snapshot")], None),
        ([change("Remove", "AWS::SQS::Queue")], None),
        ([change("Remove", "AWS::S3::Bucket")], None),
        (
            [change("Remove", "AWS::S3::Bucket"), change("Remove", "Custom::S3AutoDeleteObjects")],
            "It (AWS::S3::Bucket) would be removed",
        ),
        ([change("Add", "AWS::DynamoDB::Table")], None),
        ([change("Modify", "AWS::DynamoDB::Table", Replacement="False")], None),
        (
            [change("Modify", "AWS::DynamoDB::Table", Replacement="True", Details=recreates("TableName", "KeySchema"))],
            "It (AWS::DynamoDB::Table) would be replaced: KeySchema and TableName cannot change in place",
        ),
        (
            [change("Modify", "AWS::S3::Bucket", Replacement="Conditional", Details=recreates("BucketName"))],
            "It (AWS::S3::Bucket) may be replaced: BucketName cannot change in place",
        ),
        ([change("Modify", "AWS::S3::Bucket", Replacement="True", PolicyAction="ReplaceAndRetain")], None),
        ([change("Modify", "AWS::RDS::DBInstance", Replacement="True", PolicyAction="ReplaceAndSnapshot")], None),
        ([change("Remove", "AWS::CloudFormation::Stack")], "It (AWS::CloudFormation::Stack) would be removed"),
        ([{"Type": "Hook", "HookInvocationCount": 1}], None),
    ],
)
def test_a_change_loses_what_no_policy_keeps(changes: list[dict[str, Any]], why: str | None) -> None:
    assert [loss.why for loss in losses(changes)] == ([why] if why else [])


@pytest.mark.parametrize(
    ("resource", "held"),
    [
        ({"Type": "AWS::Logs::LogGroup"}, True),
        ({"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "Retain"}, False),
        ({"Type": "AWS::Logs::LogGroup", "DeletionPolicy": "RetainExceptOnCreate"}, False),
        ({"Type": "AWS::RDS::DBInstance"}, False),
        ({"Type": "AWS::RDS::DBInstance", "Properties": {"DBClusterIdentifier": "x"}}, True),
        ({"Type": "AWS::RDS::DBInstance", "DeletionPolicy": "Delete"}, True),
        ({"Type": "AWS::RDS::DBCluster"}, False),
        ({"Type": "AWS::Neptune::DBCluster", "DeletionPolicy": "Snapshot"}, False),
        ({"Type": "AWS::S3::Bucket"}, False),
        ({"Type": "AWS::SQS::Queue"}, False),
    ],
)
def test_a_stack_loses_what_no_policy_keeps(resource: dict[str, Any], held: bool) -> None:
    assert bool(data_in({"Resources": {"It": resource}})) is held


def test_a_bucket_that_the_stack_empties_is_lost_with_it() -> None:
    resources = {"Files": {"Type": "AWS::S3::Bucket"}, "Empties": {"Type": "Custom::S3AutoDeleteObjects"}}
    assert data_in({"Resources": resources}) == ("Files (AWS::S3::Bucket)",)


def tables(aws: OfflineAws) -> list[str]:
    names: list[str] = aws.client("dynamodb", account="acme").list_tables()["TableNames"]
    return sorted(names)


async def test_a_replacement_has_to_be_accepted_by_the_resources_own_name(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    before = {"Orders": table("orders"), "Jobs": queue("jobs")}
    after = {"Orders": table("orders", key="number"), "Jobs": queue("jobs")}
    await orbits.run(Holder(resources=before), target=acme)
    with pytest.raises(ExecutionFailed, match=f"Orders .* KeySchema.* in place.*--accept-loss '{SITE}/Orders'"):
        await orbits.run(Holder(resources=after), target=acme, accept_loss=[SITE, "Orders"])
    cloudformation = aws.client("cloudformation", account="acme")
    [stack] = cloudformation.describe_stacks()["Stacks"]
    sets = cloudformation.list_change_sets(StackName=stack["StackName"])["Summaries"]
    assert [each["ExecutionStatus"] for each in sets] == ["EXECUTE_COMPLETE"], "the one that was withheld is gone"
    assert (stack["StackStatus"], tables(aws)) == ("CREATE_COMPLETE", ["orders-id"])
    await orbits.run(Holder(resources=after), target=acme, accept_loss=[f"{SITE}/Orders"])
    assert tables(aws) == ["orders-number"]
    [first, _] = await orbits.store.find(RevisionRow, kind="Given", identity="Holder acme/site")
    assert first.not_restorable == f"what {SITE} held is lost"


async def test_a_removal_from_the_template_shows_in_the_plan_and_has_to_be_accepted(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    kept = table("kept", DeletionPolicy="Retain")
    await orbits.run(Holder(resources={"Orders": table("orders"), "Kept": kept, "Jobs": queue("jobs")}), target=acme)
    less = Holder(resources={"Jobs": queue("jobs")})
    plan = await orbits.preview(less, target=acme)
    assert [str(loss) for loss in plan.losses] == [f"{SITE}/Orders loses data"]
    with pytest.raises(Refused, match=f"--accept-loss '{SITE}/Orders'"):
        await orbits.run(less, target=acme, plan=plan)
    await orbits.run(less, target=acme, plan=plan, accept_loss=[f"{SITE}/Orders"])
    assert tables(aws) == ["kept-id"]


async def test_a_stack_that_holds_data_goes_only_if_that_was_accepted(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    await orbits.run(Holder(resources={"Orders": table("orders")}), target=acme)
    none = Holder(resources={})
    plan = await orbits.preview(none, target=acme)
    [removed] = [change for change in plan.root.walk() if change.kind == "Given"]
    assert (removed.detail, removed.stateful_loss) == ("with Orders (AWS::DynamoDB::Table)", True)
    with pytest.raises(ExecutionFailed, match=rf"{SITE} holds Orders \(AWS::DynamoDB::Table\): "):
        await orbits.run(none, target=acme, prune=True)
    with pytest.raises(ExecutionFailed, match=rf"{SITE} holds Orders"):
        await orbits.record(Holder, "acme").uninstall()
    assert tables(aws) == ["orders-id"]
    await orbits.record(Holder, "acme").uninstall(accept_loss=[SITE])
    assert tables(aws) == []


async def test_a_first_deployment_that_fails_around_it_keeps_the_data(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget
) -> None:
    with pytest.raises(ExecutionFailed):
        await orbits.run(Holder(resources={"Orders": table("orders")}, fails=True), target=acme)
    assert tables(aws) == ["orders-id"]


async def test_drift_is_not_brought_back_at_the_price_of_data(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(Holder(resources={"Orders": table("orders")}), target=acme)
    dynamodb = aws.client("dynamodb", account="acme")
    arn = dynamodb.describe_table(TableName="orders-id")["Table"]["TableArn"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    dynamodb.delete_table(TableName="orders-id")
    dynamodb.create_table(
        TableName="orders-id",
        AttributeDefinitions=[{"AttributeName": "other", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "other", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=tags,
    )
    report = await orbits.record(Given, "Holder acme/site").cycle(on_drift="remediate")
    [look] = report.looks
    assert look.stopped.startswith("Orders (AWS::DynamoDB::Table) would be replaced")
    assert dynamodb.describe_table(TableName="orders-id")["Table"]["KeySchema"][0]["AttributeName"] == "other"
