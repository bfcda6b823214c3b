"""What is there already is found by its name, or as the instance of a StackSet, and says what stands in the way."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orbits_aws import AwsTarget, OfflineAws, testing
from orbits_iac.provider import Existing, Refused

BODY = json.dumps({"Resources": {"Jobs": {"Type": "AWS::SQS::Queue"}}})

NOTHING = json.dumps({"Resources": {"Nothing": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}})


def cloudformation(aws: OfflineAws, account: str = testing.MANAGEMENT) -> Any:
    return aws.client("cloudformation", account=account)


def found(target: AwsTarget, *like: str) -> dict[str, Existing]:
    return {one.name: one for one in target.existing(like, project="tests")}


@pytest.mark.usefixtures("quick")
def test_stacks_are_found_over_all_pages_and_others_are_not_meant(
    aws: OfflineAws, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orbits_aws.offline.cloudformation.paging.SIZE", 2)  # of a page
    cfn = cloudformation(aws, "acme")
    for number in (7, 98, 99, 100, 101):
        cfn.create_stack(StackName=f"client-{number}", TemplateBody=NOTHING)
    aws.fail("cloudformation", "DescribeStacks", code="Throttling", times=1)
    one = found(acme, "client-100", "client-9[89]", "none-*")
    assert sorted(one) == ["client-100", "client-98", "client-99"]
    assert one["client-100"].place == acme.place()
    assert one["client-100"].id.startswith(f"arn:aws:cloudformation:eu-west-1:{acme.account}:stack/client-100/")
    assert found(AwsTarget(account=acme.account, region="us-east-1"), "*") == {}
    assert len(aws.calls("cloudformation", operation="DescribeStacks", account="acme", region="eu-west-1")) == 4


def test_what_stands_in_the_way_is_told_with_what_to_do(aws: OfflineAws, acme: AwsTarget) -> None:
    cfn = cloudformation(aws, "acme")
    theirs = [{"Key": "orbits:project", "Value": "shop"}, {"Key": "orbits:record", "Value": "Site acme"}]
    cfn.create_stack(StackName="theirs", TemplateBody=BODY, Tags=theirs)
    ours = [{"Key": "orbits:project", "Value": "tests"}]
    cfn.create_stack(StackName="ours", TemplateBody=BODY, Tags=ours)
    cfn.create_change_set(StackName="looked-at", ChangeSetName="a", ChangeSetType="CREATE", TemplateBody=BODY)
    aws.fail("sqs", "CreateQueue", code="AccessDenied", times=1)
    cfn.create_stack(StackName="never-made", TemplateBody=BODY)
    inside = {"Parent": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": _uploaded(aws)}}}
    cfn.create_stack(StackName="parent", TemplateBody=json.dumps({"Resources": inside}))
    aws.settings(polls=3)
    cfn.create_stack(StackName="busy", TemplateBody=BODY)
    said = {name: one.refused for name, one in found(acme, "*").items()}
    assert said.pop("theirs") == (
        "it belongs to Site acme of the project shop. Uninstall it there, or take it over: orbits state take-over ... "
        "--from shop"
    )
    assert said.pop("busy") == "it is CREATE_IN_PROGRESS: wait until that is over, then do this again"
    assert "it has no resources yet" in said.pop("looked-at")
    assert said.pop("never-made").startswith("it is ROLLBACK_COMPLETE: its creation failed")
    assert said == {"ours": "", "parent": ""}, "a stack inside another is that one's"


def _uploaded(aws: OfflineAws) -> str:
    s3 = aws.client("s3", account="acme")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="templates", Key="inner.json", Body=BODY)
    return f"{aws.endpoint_url}/templates/inner.json"


@pytest.fixture
def spread(aws: OfflineAws, member: Callable[[str], AwsTarget]) -> tuple[AwsTarget, AwsTarget, AwsTarget]:
    """Three accounts with an instance each: as it should be, outdated, and one that could not be deleted."""
    accounts = member("acme"), member("bolt"), member("cafe")
    cfn = cloudformation(aws)
    cfn.create_stack_set(StackSetName="shops", TemplateBody=BODY)
    where = {"StackSetName": "shops", "Regions": ["eu-west-1"]}
    cfn.create_stack_instances(Accounts=[each.account for each in accounts], **where)
    changed = BODY.replace('Queue"', 'Queue", "Properties": {"DelaySeconds": 1}')
    cfn.update_stack_set(TemplateBody=changed, Accounts=[accounts[0].account, accounts[2].account], **where)
    [stack] = cloudformation(aws, "cafe").describe_stacks()["Stacks"]
    cloudformation(aws, "cafe").update_termination_protection(
        StackName=stack["StackName"], EnableTerminationProtection=True
    )
    cfn.delete_stack_instances(Accounts=[accounts[2].account], RetainStacks=False, **where)
    return accounts


def test_instances_are_told_with_what_their_stackset_says_of_them(
    aws: OfflineAws, spread: tuple[AwsTarget, AwsTarget, AwsTarget]
) -> None:
    acme, bolt, cafe = spread
    by_place = {one.place: one for one in AwsTarget.spread("shops", by=None)}
    assert list(by_place) == sorted(each.place() for each in spread)
    one = by_place[acme.place()]
    assert (one.state, one.remarks[0]) == ("CURRENT", "an instance of the StackSet shops")
    assert "delete-stack-instances --stack-set-name shops --retain-stacks" in one.remarks[1]
    assert found(acme, one.name)[one.name].id == one.id
    assert by_place[bolt.place()].remarks[0].startswith("an instance of the StackSet shops that is OUTDATED: the Stack")
    assert "INOPERABLE: a deletion by the StackSet has failed" in by_place[cafe.place()].remarks[0]
    assert "TerminationProtection" in by_place[cafe.place()].remarks[0]
    cloudformation(aws).delete_stack_instances(
        StackSetName="shops", Accounts=[acme.account], Regions=["eu-west-1"], RetainStacks=True
    )
    assert acme.place() not in {one.place for one in AwsTarget.spread("shops", by=None)}
    assert list(found(acme, "StackSet-shops-*")) == [one.name], "what was taken out stays as it is"


def test_a_stackset_that_is_not_there_is_named(aws: OfflineAws, acme: AwsTarget) -> None:
    with pytest.raises(Refused, match=r"the management account has no StackSet none in eu-west-1: .*--stack-set-in"):
        AwsTarget.spread("none", by=None)
    with pytest.raises(ClientError, match="ValidationError"):
        cloudformation(aws).create_stack_set(StackSetName="none", TemplateBody="{}")
    with pytest.raises(Refused, match=rf"{acme.account} has no StackSet none"):
        AwsTarget.spread("none", by=acme)
    cloudformation(aws, "acme").create_stack_set(StackSetName="tools", TemplateBody=BODY)
    assert AwsTarget.spread("tools", by=acme) == []


def test_the_offline_aws_refuses_what_stacksets_cannot_do_there(aws: OfflineAws, acme: AwsTarget) -> None:
    cfn = cloudformation(aws)
    cfn.create_stack_set(StackSetName="shops", TemplateBody=BODY)
    for operation, arguments, said in (
        ("create_stack_set", {"TemplateBody": BODY}, "NameAlreadyExistsException"),
        ("create_stack_set", {"TemplateBody": BODY, "PermissionModel": "SERVICE_MANAGED"}, "NotImplemented"),
        (
            "create_stack_instances",
            {"DeploymentTargets": {"OrganizationalUnitIds": ["ou-1"]}, "Regions": ["eu-west-1"]},
            "NotImplemented",
        ),
        (
            "delete_stack_instances",
            {"Accounts": [acme.account], "Regions": ["eu-west-1"], "RetainStacks": True},
            "has no",
        ),
        ("describe_stack_set_operation", {"OperationId": "none"}, "OperationNotFoundException"),
    ):
        with pytest.raises(ClientError, match=said):
            getattr(cfn, operation)(StackSetName="shops", **arguments)
    operation = cfn.create_stack_instances(StackSetName="shops", Accounts=[acme.account], Regions=["eu-west-1"])
    done = cfn.describe_stack_set_operation(StackSetName="shops", OperationId=operation["OperationId"])
    assert done["StackSetOperation"]["Status"] == "SUCCEEDED"
    cfn.delete_stack_instances(StackSetName="shops", Accounts=[acme.account], Regions=["eu-west-1"], RetainStacks=False)
    assert found(acme, "*") == {}
    kept = aws.snapshot()
    aws.reset()
    aws.restore(kept)
    assert cfn.list_stack_instances(StackSetName="shops")["Summaries"] == []
