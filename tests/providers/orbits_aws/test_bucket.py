"""Bucket: made private, changed call by call, and deleted with what is in it only if that was asked for."""

from typing import Any

import pytest

from orbits_aws import AwsTarget, Bucket, CorsRule, LifecycleRule, OfflineAws
from orbits_aws.bucket_form import lifecycle_of, lifecycle_rule
from orbits_iac import ExecutionFailed, Orbits, Resource

from .things import Case, Client, by_key, held, it_lives, it_respects_owners, listed


def by_hand(aws: Client, tags: dict[str, str]) -> None:
    asked = {"LocationConstraint": "eu-west-1", "Tags": listed(tags)}
    aws("s3").create_bucket(Bucket="acme-site", CreateBucketConfiguration=asked)


CASE = Case(
    first=Bucket(name="acme-site", versioning=True, tags={"team": "shop"}),
    changed=Bucket(
        name="acme-site",
        kms_key="alias/aws/s3",
        tags={"team": "sales"},
        lifecycle=[LifecycleRule(name="old", expire_days=30, abort_uploads_days=7, move={"GLACIER": 10})],
        cors=[CorsRule(origins=["https://shop.example"], methods=["GET", "PUT"])],
        policy={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:PutObjectAcl",
                    "Resource": ["arn:aws:s3:::acme-site/*"],
                }
            ],
        },
    ),
    other=Bucket(name="acme-other"),
    made_by="s3:CreateBucket",
    made_by_hand=by_hand,
    spoilt=lambda aws: aws("s3").delete_public_access_block(Bucket="acme-site"),
    drifted={"block_public_access": "false"},
    tags=lambda aws: by_key(aws("s3").get_bucket_tagging(Bucket="acme-site")["TagSet"]),
    there=lambda aws: [one["Name"] for one in aws("s3").list_buckets()["Buckets"]],
)


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


class Site(Resource):
    empty: bool = False

    def identity(self) -> str:
        return "site"

    async def define_update(self) -> None:
        await self.do("bucket", Bucket(name="acme-site", versioning=True, empty_on_delete=self.empty))


async def test_what_is_in_it_is_deleted_page_by_page_and_only_if_that_was_asked_for(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    await orbits.run(Site(), target=acme)
    s3 = aws.client("s3", account="acme")
    for key in ("a", "a", "b"):
        s3.put_object(Bucket="acme-site", Key=key, Body=b"x")
    s3.delete_object(Bucket="acme-site", Key="b")
    record, loss = orbits.record(Site, "site"), ["Bucket Site site/bucket"]
    with pytest.raises(ExecutionFailed, match="has objects in it, and is not deleted"):
        await record.uninstall(accept_loss=loss)
    assert len(s3.list_object_versions(Bucket="acme-site")["Versions"]) == 3

    await orbits.run(Site(empty=True), target=acme)
    monkeypatch.setattr("orbits_aws.bucket._PAGE", 2)
    await record.uninstall(accept_loss=loss)
    assert s3.list_buckets()["Buckets"] == []
    assert aws.calls("s3").count("s3:DeleteObjects") == 2


async def test_a_name_that_another_account_has_is_refused(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    aws.fail("s3", "HeadBucket", code="403", message="Forbidden", status=403)
    with pytest.raises(ExecutionFailed, match=r"acme-site is another account's, or Organ.* may not look at it"):
        await orbits.run(Site(), target=acme)


@pytest.mark.usefixtures("quick")
async def test_what_was_made_a_moment_ago_is_waited_for(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    aws.fail("s3", "PutPublicAccessBlock", code="NoSuchBucket", message="The bucket does not exist", status=404)
    await orbits.run(held(CASE), target=acme)
    message = "Invalid principal in policy"
    aws.fail("s3", "PutBucketPolicy", code="MalformedPolicy", message=message, status=400, times=3)
    await orbits.run(held(CASE, "changed"), target=acme)
    assert aws.calls("s3").count("s3:PutBucketPolicy") == 4


@pytest.mark.parametrize(
    "rule",
    [
        LifecycleRule(name="all", prefix="logs/", enabled=False, expire_days=1, expire_old_versions_days=2),
        LifecycleRule(name="moves", abort_uploads_days=3, move={"STANDARD_IA": 30, "GLACIER": 90}),
    ],
)
def test_a_lifecycle_rule_reads_as_it_was_written(rule: LifecycleRule) -> None:
    assert lifecycle_of(lifecycle_rule(rule)) == rule.model_dump()


def test_a_lifecycle_rule_that_fields_cannot_say_stays_as_it_is() -> None:
    rule: dict[str, Any] = {
        "ID": "tagged",
        "Status": "Enabled",
        "Filter": {"Tag": {"Key": "a", "Value": "b"}},
        "Expiration": {"Days": 3},
    }
    assert lifecycle_of(rule) == rule
