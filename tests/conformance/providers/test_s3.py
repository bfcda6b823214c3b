"""Bucket, held to what every provider's Resource has to do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from orbits_aws import AwsTarget, Bucket, OfflineAws
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, theirs, without_ours


class BucketSubject(AwsSubject):
    refused = ("s3", "PutBucketVersioning")

    def first(self) -> Bucket:
        return Bucket(name="assets-of-acme", tags={"team": "web"})

    def changed(self) -> Bucket:
        return Bucket(name="assets-of-acme", versioning=True, tags={"team": "shop"})

    def by_hand(self) -> None:
        self._make()

    def stands(self) -> Any:
        return {one["Name"]: self._bucket(one["Name"]) for one in self.api("s3").list_buckets()["Buckets"]} or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        s3, named = self.api("s3"), {"Bucket": "assets-of-acme"}
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
        return {
            "removed": lambda: s3.delete_bucket(**named),
            "opened": lambda: s3.delete_public_access_block(**named),
            "something added": lambda: s3.put_bucket_cors(CORSConfiguration={"CORSRules": [rule]}, **named),
            "tags taken away": lambda: s3.delete_bucket_tagging(**named),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        def another_projects() -> None:
            self._make()
            tags = [{"Key": name, "Value": value} for name, value in theirs().items()]
            self.api("s3").put_bucket_tagging(Bucket="assets-of-acme", Tagging={"TagSet": tags})

        return {"nobody's": self.by_hand, "another project's": another_projects}

    def _make(self) -> None:
        self.api("s3").create_bucket(
            Bucket="assets-of-acme", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )

    def _bucket(self, name: str) -> Any:
        s3 = self.api("s3")
        return {
            "versioning": s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled",
            "tags": without_ours(_or_none(lambda: s3.get_bucket_tagging(Bucket=name)["TagSet"])),
            "blocked": _or_none(lambda: s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]),
            "cors": _or_none(lambda: s3.get_bucket_cors(Bucket=name)["CORSRules"]),
            "owners": _or_none(lambda: s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]),
        }


def _or_none(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except ClientError:
        return None


class TestBucket(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return BucketSubject(aws, acme)
