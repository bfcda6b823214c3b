"""What a stack would not be deleted with is emptied if its class says so, and never otherwise."""

from typing import Any, ClassVar

import pytest

from orbits_aws import AwsTarget, OfflineAws, client
from orbits_aws.errors import AwsRefused
from orbits_cdk import empty
from orbits_cdk.empty import Emptied, Emptying, advance_emptying
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.provider import Refused

from .given import Given
from .test_deploy import Said

BUCKET = {
    "Type": "AWS::S3::Bucket",
    "Properties": {"BucketName": "files", "VersioningConfiguration": {"Status": "Enabled"}},
}
KEPT = {"Type": "AWS::S3::Bucket", "DeletionPolicy": "Retain", "Properties": {"BucketName": "kept"}}


class Full(Given):
    """A stack whose buckets are full."""

    def identity(self) -> str:
        return "full"


class Cleared(Full):
    empty_on_uninstall: ClassVar[bool] = True


@pytest.fixture
def s3(aws: OfflineAws, acme: AwsTarget) -> Any:
    return aws.client("s3", account="acme")


def fill(s3: Any, bucket: str, count: int) -> None:
    for number in range(count):
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=b"1")
        s3.put_object(Bucket=bucket, Key=f"{number}", Body=b"2")
    s3.delete_object(Bucket=bucket, Key="0")


def buckets(s3: Any) -> list[str]:
    return [each["Name"] for each in s3.list_buckets()["Buckets"]]


async def test_versions_and_delete_markers_go_and_what_is_retained_stays(
    orbits: Orbits, s3: Any, acme: AwsTarget
) -> None:
    await orbits.run(Cleared(resources={"Files": BUCKET, "Kept": KEPT}), target=acme)
    fill(s3, "files", 3)
    s3.put_object(Bucket="kept", Key="k", Body=b"1")
    with pytest.raises(ExecutionFailed, match=r"holds Files \(AWS::S3::Bucket\)"):
        await orbits.record(Cleared, "full").uninstall()
    stays = await orbits.record(Cleared, "full").uninstall(accept_loss=["Cleared full"])
    assert (buckets(s3), stays) == (["kept"], ["AWS::S3::Bucket kept"])
    assert s3.list_objects_v2(Bucket="kept")["KeyCount"] == 1


async def test_untold_a_bucket_that_holds_anything_is_not_deleted(orbits: Orbits, s3: Any, acme: AwsTarget) -> None:
    await orbits.run(Full(resources={"Files": BUCKET}), target=acme)
    fill(s3, "files", 1)
    with pytest.raises(ExecutionFailed, match=r"DELETE_FAILED; Files .*Remove what stands in the way"):
        await orbits.record(Full, "full").uninstall()
    assert buckets(s3) == ["files"]


async def test_log_groups_that_functions_have_made_go_too(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    role = aws.client("iam", account="acme").create_role(RoleName="runs", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": "resize",
            "Role": role,
            "Runtime": "python3.12",
            "Handler": "index.handler",
            "Code": {"ZipFile": "def handler(event, context): ..."},
        },
    }
    await orbits.run(Cleared(resources={"Resize": function}), target=acme)
    logs = aws.client("logs", account="acme")
    logs.create_log_group(logGroupName="/aws/lambda/resize")
    logs.create_log_group(logGroupName="/aws/lambda/other")
    await orbits.record(Cleared, "full").uninstall()
    assert [each["logGroupName"] for each in logs.describe_log_groups()["logGroups"]] == ["/aws/lambda/other"]


def test_it_goes_on_where_it_was(aws: OfflineAws, s3: Any, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empty, "_BATCHES", 1)
    location = {"LocationConstraint": "eu-west-1"}
    for name in ("one", "two"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=location)
        s3.put_object(Bucket=name, Key="k", Body=b"1")
    said = Said()
    result: Emptied | Emptying = Emptying(buckets=("one", "two", "gone"), log_groups=())
    looks = 0
    while isinstance(result, Emptying):
        result = advance_emptying(lambda service: client(service, acme), result, said)
        looks += 1
    assert (result.removed, looks) == (2, 5)
    assert said.messages[0] == "emptying one: 1 objects removed"


def test_what_may_not_be_removed_is_named(aws: OfflineAws, s3: Any, acme: AwsTarget) -> None:
    class Locked:
        def list_object_versions(self, **_: object) -> Any:
            return {"Versions": [{"Key": "k", "VersionId": "v"}]}

        def delete_objects(self, **_: object) -> Any:
            return {"Errors": [{"Key": "k", "Code": "AccessDenied", "Message": "it is locked"}]}

    with pytest.raises(AwsRefused, match="1 objects of the bucket files could not be removed, such as k: it is locked"):
        advance_emptying(lambda _: Locked(), Emptying(buckets=("files",), log_groups=()), Said())


async def test_another_projects_stack_is_not_emptied(orbits: Orbits, aws: OfflineAws, s3: Any, acme: AwsTarget) -> None:
    await orbits.run(Cleared(resources={"Files": BUCKET}), target=acme)
    cloudformation = aws.client("cloudformation", account="acme")
    [stack] = cloudformation.describe_stacks()["Stacks"]
    other = [{"Key": "orbits:project", "Value": "other"}, {"Key": "orbits:record", "Value": "X y"}]
    cloudformation.update_stack(StackName=stack["StackName"], UsePreviousTemplate=True, Tags=other)
    fill(s3, "files", 1)
    with pytest.raises(ExecutionFailed, match="belongs to X y of the project other") as failed:
        await orbits.record(Cleared, "full").uninstall(accept_loss=["Cleared full"])
    assert failed.value.caused_by(Refused)
    assert s3.list_object_versions(Bucket="files")["Versions"]
