"""The bucket of an account and region for the files of all stacks there: made when a file first needs it.

`ensure_bucket` may be called by any number of stacks at once, and again after a crash at any call: every write says
what is to be, and the version is written last, as a tag, so that a bucket that has it is complete. A bucket of a newer
version is left as it is. Each call names the account that has to own the bucket: its name can be guessed, and somebody
else may have taken it.
"""

import json
from typing import Any

from orbits_aws.errors import AwsRefused, NotThere
from orbits_iac.provider import Refused

VERSION = 1
TAG = "orbits:assets-version"
_EVERYWHERE = "us-east-1"  # where a bucket is made without naming its region
KEPT_FOR = 30  # days that an object which was deleted or overwritten can still be brought back by hand
_OPEN_FOR = 7  # days until the parts of an upload that nobody ended are removed


def ensure_bucket(s3: Any, name: str, *, account: str, region: str, partition: str) -> None:
    """Make the bucket, or bring it to what this version wants; only reads if it is there."""
    tags = _tags(s3, name, account)
    if tags is not None and _version(tags) >= VERSION:
        return
    if tags is None:
        _create(s3, name, account, region)
        tags = _tags(s3, name, account) or {}
    mine = {"Bucket": name, "ExpectedBucketOwner": account}
    s3.put_public_access_block(
        **mine,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_encryption(
        **mine,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_versioning(**mine, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(**mine, LifecycleConfiguration={"Rules": _LIFECYCLE})
    s3.put_bucket_policy(**mine, Policy=json.dumps(_policy(name, partition)))
    s3.put_bucket_tagging(
        **mine, Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in {**tags, TAG: str(VERSION)}.items()]}
    )


_LIFECYCLE = [
    {
        "ID": "what nobody ended or needs",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _OPEN_FOR},
        "NoncurrentVersionExpiration": {"NoncurrentDays": KEPT_FOR},
    }
]


def _policy(name: str, partition: str) -> dict[str, Any]:
    arn = f"arn:{partition}:s3:::{name}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "EncryptedConnectionsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def _create(s3: Any, name: str, account: str, region: str) -> None:
    where: dict[str, Any] = {} if region == _EVERYWHERE else {"LocationConstraint": region}
    more: dict[str, Any] = {"CreateBucketConfiguration": where} if where else {}
    try:
        s3.create_bucket(Bucket=name, **more)
    except AwsRefused as error:
        if error.code == "BucketAlreadyOwnedByYou":  # another stack made it in between, or an answer was lost
            return
        if error.code == "BucketAlreadyExists":
            raise Refused(
                f"The bucket {name} for the files of stacks in {account} ({region}) belongs to another account, which "
                f"has no business with that name. Ask AWS support to have it released."
            ) from error
        raise


def _tags(s3: Any, name: str, account: str) -> dict[str, str] | None:
    """The tags of the bucket; None if there is no such bucket."""
    try:
        found = s3.get_bucket_tagging(Bucket=name, ExpectedBucketOwner=account)["TagSet"]
    except NotThere as error:
        return {} if error.code == "NoSuchTagSet" else None
    return {tag["Key"]: tag["Value"] for tag in found}


def _version(tags: dict[str, str]) -> int:
    text = tags.get(TAG, "")
    return int(text) if text.isdigit() else 0
