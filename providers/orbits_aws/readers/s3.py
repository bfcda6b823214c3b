"""AWS::S3::Bucket and AWS::S3::BucketPolicy."""

from collections.abc import Callable, Mapping
from typing import Any

from orbits_aws.errors import AwsRefused, NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, given, tag_list, tags_by_key
from orbits_iac.provider import Rules

_NOT_SET = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchCORSConfiguration",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NoSuchTagSetError",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
_OPEN = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")


def _bucket(aws: Aws, name: str, _recorded: Mapping[str, Any]) -> Properties | None:
    s3 = aws("s3")
    try:
        versioning = s3.get_bucket_versioning(Bucket=name)
    except NotThere:
        return None
    status = versioning.get("Status")
    blocked = if_set(lambda: s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"])
    owners = if_set(lambda: s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]["Rules"])
    tags = if_set(lambda: s3.get_bucket_tagging(Bucket=name)["TagSet"]) or []
    return given(
        {
            "BucketName": name,
            "BucketEncryption": _encryption(s3, name),
            "OwnershipControls": {"Rules": owners} if owners else None,
            "PublicAccessBlockConfiguration": {key: blocked[key] for key in _OPEN if key in blocked}
            if blocked
            else None,
            "Tags": tag_list(tags_by_key(tags)),
            "VersioningConfiguration": {"Status": status} if status else None,
        }
    )


def _encryption(s3: Any, name: str) -> dict[str, Any] | None:
    found = if_set(lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"])
    if found is None:
        return None
    return {
        "ServerSideEncryptionConfiguration": [
            given(
                {
                    "ServerSideEncryptionByDefault": rule.get("ApplyServerSideEncryptionByDefault"),
                    "BucketKeyEnabled": rule.get("BucketKeyEnabled"),
                }
            )
            for rule in found["Rules"]
        ]
    }


def _bucket_policy(aws: Aws, physical_id: str, recorded: Mapping[str, Any]) -> Properties | None:
    bucket = recorded.get("Bucket")
    name = bucket if isinstance(bucket, str) else physical_id
    try:
        document = if_set(lambda: aws("s3").get_bucket_policy(Bucket=name)["Policy"])
    except NotThere:
        return None
    return {"Bucket": name, "PolicyDocument": document} if document else None


def if_set(read: Callable[[], Any]) -> Any:
    """What was read, or None where the service says that it is not set."""
    try:
        return read()
    except AwsRefused as error:
        if error.code in _NOT_SET:
            return None
        raise


BUCKET = Reader(
    type="AWS::S3::Bucket",
    read=_bucket,
    covers=frozenset(
        {
            "BucketEncryption",
            "BucketName",
            "OwnershipControls",
            "PublicAccessBlockConfiguration",
            "Tags",
            "VersioningConfiguration",
        }
    ),
    rules=Rules(
        whole=True,
        filled=("BucketName",),
        defaults={
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
            "BucketEncryption.ServerSideEncryptionConfiguration.*.BucketKeyEnabled": False,
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": dict.fromkeys(_OPEN, True),  # without it; in it, what is left out is off
            **dict.fromkeys((f"PublicAccessBlockConfiguration.{name}" for name in _OPEN), False),
            "VersioningConfiguration.Status": "Suspended",  # never enabled and suspended keep the same versions: none
        },
        named=("BucketEncryption.ServerSideEncryptionConfiguration.*.ServerSideEncryptionByDefault.KMSMasterKeyID",),
    ),
)

BUCKET_POLICY = Reader(
    type="AWS::S3::BucketPolicy",
    read=_bucket_policy,
    covers=frozenset({"Bucket", "PolicyDocument"}),
    rules=Rules(whole=True, policies=("PolicyDocument",)),
)
