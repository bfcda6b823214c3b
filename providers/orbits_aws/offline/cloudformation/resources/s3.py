"""Amazon S3: buckets and their policies.

A bucket's configurations are calls of their own; `_ASPECTS` says for each property how it is put, removed and read.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from orbits_aws.offline.cloudformation.errors import ResourceFailed

from .contract import Made, Properties, ResourceType, Site, changed, is_true, tag_list, tag_map

_ABSENT = frozenset(
    {
        "NoSuchBucketPolicy",
        "NoSuchCORSConfiguration",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "NoSuchTagSet",
        "NoSuchWebsiteConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)


@dataclass(frozen=True, kw_only=True)
class _Aspect:
    """How one property of a bucket is put, removed and read (None if it is not set)."""

    put: Callable[[Any, str, Any], object]
    remove: Callable[[Any, str], object]
    read: Callable[[Any, str], Any]


def _encryption(value: Mapping[str, Any]) -> dict[str, Any]:
    rules: list[dict[str, Any]] = []
    for rule in value["ServerSideEncryptionConfiguration"]:
        default = rule.get("ServerSideEncryptionByDefault")
        written: dict[str, Any] = {}
        if default:
            written["ApplyServerSideEncryptionByDefault"] = default
        if "BucketKeyEnabled" in rule:
            written["BucketKeyEnabled"] = is_true(rule["BucketKeyEnabled"])
        rules.append(written)
    return {"Rules": rules}


def _encryption_of(s3: Any, bucket: str) -> Any:
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    found: list[dict[str, Any]] = []
    for rule in rules:
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        shown: dict[str, Any] = {"ServerSideEncryptionByDefault": default}
        if rule.get("BucketKeyEnabled"):
            shown["BucketKeyEnabled"] = True
        found.append(shown)
    return {"ServerSideEncryptionConfiguration": found}


def _lifecycle(value: Mapping[str, Any]) -> dict[str, Any]:
    return {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {"Status": rule["Status"]}
    if "Id" in rule:
        written["ID"] = rule["Id"]
    filters: dict[str, Any] = {}
    for name, inner in rule.items():
        match name:
            case "Id" | "Status":
                pass
            case "ExpirationInDays":
                written["Expiration"] = {"Days": int(inner)}
            case "ExpiredObjectDeleteMarker":
                written["Expiration"] = {"ExpiredObjectDeleteMarker": is_true(inner)}
            case "Prefix":
                filters["Prefix"] = inner
            case "AbortIncompleteMultipartUpload":
                written[name] = {"DaysAfterInitiation": int(inner["DaysAfterInitiation"])}
            case "NoncurrentVersionExpiration":
                written[name] = {key: int(number) for key, number in inner.items()}
            case "Transitions":
                written[name] = [
                    {"Days": int(step["TransitionInDays"]), "StorageClass": step["StorageClass"]} for step in inner
                ]
            case _:
                raise ResourceFailed(f"The offline AWS does not support {name} in a rule of LifecycleConfiguration")
    written["Filter"] = filters or {"Prefix": ""}
    return written


def _lifecycle_of(s3: Any, bucket: str) -> Any:
    rules: list[dict[str, Any]] = []
    for rule in s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]:
        shown: dict[str, Any] = {"Status": rule["Status"]}
        if rule.get("ID"):
            shown["Id"] = rule["ID"]
        for name, inner in rule.get("Expiration", {}).items():
            shown["ExpirationInDays" if name == "Days" else name] = inner
        if prefix := rule.get("Filter", {}).get("Prefix") or rule.get("Prefix"):
            shown["Prefix"] = prefix
        for name in ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration"):
            if name in rule:
                shown[name] = rule[name]
        if rule.get("Transitions"):
            shown["Transitions"] = [
                {"TransitionInDays": step["Days"], "StorageClass": step["StorageClass"]} for step in rule["Transitions"]
            ]
        rules.append(shown)
    return {"Rules": rules}


def _public_access(value: Mapping[str, Any]) -> dict[str, bool]:
    return {name: is_true(inner) for name, inner in value.items()}


def _cors(value: Mapping[str, Any]) -> dict[str, Any]:
    names = {"ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
    return {"CORSRules": [{names.get(key, key): inner for key, inner in rule.items()} for rule in value["CorsRules"]]}


def _cors_of(s3: Any, bucket: str) -> Any:
    names = {"ExposeHeaders": "ExposedHeaders", "ID": "Id", "MaxAgeSeconds": "MaxAge"}
    rules = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
    return {"CorsRules": [{names.get(key, key): inner for key, inner in rule.items()} for rule in rules]}


def _versioning_of(s3: Any, bucket: str) -> Any:
    status = s3.get_bucket_versioning(Bucket=bucket).get("Status")
    return {"Status": status} if status else None


def _ownership_of(s3: Any, bucket: str) -> Any:
    return {"Rules": s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]}


def _canned(name: str) -> str:
    """A canned access control list as the API calls it: `public-read` for `PublicRead`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


_TOLD = {
    "LambdaConfigurations": ("LambdaFunctionConfigurations", "Function", "LambdaFunctionArn"),
    "QueueConfigurations": ("QueueConfigurations", "Queue", "QueueArn"),
    "TopicConfigurations": ("TopicConfigurations", "Topic", "TopicArn"),
}
"""Whom a bucket tells of its objects: the API's list, and what names the one told, in templates and in the API."""


def _notifications(value: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, inner in value.items():
        if name == "EventBridgeConfiguration":
            written[name] = {}
            continue
        listed, given, arn = _TOLD[name]
        written[listed] = []
        for one in inner:
            told: dict[str, Any] = {arn: one[given], "Events": [one["Event"]]}
            if "Filter" in one:
                told["Filter"] = {"Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}}
            written[listed].append(told)
    return written


def _notifications_of(s3: Any, bucket: str) -> Any:
    live = s3.get_bucket_notification_configuration(Bucket=bucket)
    found: dict[str, Any] = {"EventBridgeConfiguration": {}} if "EventBridgeConfiguration" in live else {}
    for name, (listed, given, arn) in _TOLD.items():
        for one in live.get(listed, []):
            told: dict[str, Any] = {given: one[arn], "Event": one["Events"][0]}
            if rules := one.get("Filter", {}).get("Key", {}).get("FilterRules"):
                told["Filter"] = {"S3Key": {"Rules": rules}}
            found.setdefault(name, []).append(told)
    return found or None


def _logging(bucket: str, value: Mapping[str, Any]) -> dict[str, Any]:
    target = {
        "TargetBucket": value.get("DestinationBucketName", bucket),
        "TargetPrefix": value.get("LogFilePrefix", ""),
    }
    return {"LoggingEnabled": target}


def _logging_of(s3: Any, bucket: str) -> Any:
    live = s3.get_bucket_logging(Bucket=bucket).get("LoggingEnabled")
    if not live:
        return None
    prefix = {"LogFilePrefix": live["TargetPrefix"]} if live.get("TargetPrefix") else {}
    return {"DestinationBucketName": live["TargetBucket"], **prefix}


_ASPECTS: dict[str, _Aspect] = {
    "AccelerateConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": value["AccelerationStatus"]}
        ),
        remove=lambda s3, bucket: s3.put_bucket_accelerate_configuration(
            Bucket=bucket, AccelerateConfiguration={"Status": "Suspended"}
        ),
        read=lambda s3, bucket: {
            "AccelerationStatus": s3.get_bucket_accelerate_configuration(Bucket=bucket).get("Status", "Suspended")
        },
    ),
    "LoggingConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=_logging(bucket, value)),
        remove=lambda s3, bucket: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={}),
        read=_logging_of,
    ),
    "NotificationConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration=_notifications(value), SkipDestinationValidation=True
        ),
        remove=lambda s3, bucket: s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={}, SkipDestinationValidation=True
        ),
        read=_notifications_of,
    ),
    "AccessControl": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_acl(Bucket=bucket, ACL=_canned(value)),
        remove=lambda s3, bucket: s3.put_bucket_acl(Bucket=bucket, ACL="private"),
        read=lambda _s3, _bucket: None,  # for writing alone, as the type's schema says
    ),
    "VersioningConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=value),
        remove=lambda s3, bucket: s3.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
        ),
        read=_versioning_of,
    ),
    "BucketEncryption": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration=_encryption(value)
        ),
        remove=lambda s3, bucket: s3.delete_bucket_encryption(Bucket=bucket),
        read=_encryption_of,
    ),
    "PublicAccessBlockConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=_public_access(value)
        ),
        remove=lambda s3, bucket: s3.delete_public_access_block(Bucket=bucket),
        read=lambda s3, bucket: s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
    ),
    "OwnershipControls": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=value),
        remove=lambda s3, bucket: s3.delete_bucket_ownership_controls(Bucket=bucket),
        read=_ownership_of,
    ),
    "LifecycleConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration=_lifecycle(value)
        ),
        remove=lambda s3, bucket: s3.delete_bucket_lifecycle(Bucket=bucket),
        read=_lifecycle_of,
    ),
    "CorsConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=_cors(value)),
        remove=lambda s3, bucket: s3.delete_bucket_cors(Bucket=bucket),
        read=_cors_of,
    ),
    "WebsiteConfiguration": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=_website(value)),
        remove=lambda s3, bucket: s3.delete_bucket_website(Bucket=bucket),
        read=lambda s3, bucket: _website_of(s3.get_bucket_website(Bucket=bucket)),
    ),
    "Tags": _Aspect(
        put=lambda s3, bucket, value: s3.put_bucket_tagging(
            Bucket=bucket, Tagging={"TagSet": tag_list(tag_map({"Tags": value}))}
        ),
        remove=lambda s3, bucket: s3.delete_bucket_tagging(Bucket=bucket),
        read=lambda s3, bucket: s3.get_bucket_tagging(Bucket=bucket)["TagSet"],
    ),
}


def _website(value: Mapping[str, Any]) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, inner in value.items():
        match name:
            case "IndexDocument":
                written[name] = {"Suffix": inner}
            case "ErrorDocument":
                written[name] = {"Key": inner}
            case "RedirectAllRequestsTo":
                written[name] = inner
            case _:
                raise ResourceFailed(f"The offline AWS does not support {name} in WebsiteConfiguration")
    return written


def _website_of(live: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "IndexDocument" in live:
        found["IndexDocument"] = live["IndexDocument"]["Suffix"]
    if "ErrorDocument" in live:
        found["ErrorDocument"] = live["ErrorDocument"]["Key"]
    if "RedirectAllRequestsTo" in live:
        found["RedirectAllRequestsTo"] = live["RedirectAllRequestsTo"]
    return found


class Bucket(ResourceType):
    """AWS::S3::Bucket."""

    type = "AWS::S3::Bucket"
    listing = ("s3", "list_buckets", "Buckets[].Name")
    supported = frozenset({*_ASPECTS, "BucketName"})
    named_by = "BucketName"

    def create(self, site: Site, properties: Properties) -> Made:
        s3 = site.client("s3")
        name = str(properties.get("BucketName") or site.name(63, lower=True))
        if site.region == "us-east-1":
            s3.create_bucket(Bucket=name)
        else:
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": site.region})
        site.made(name)
        for key, aspect in _ASPECTS.items():
            if properties.get(key):
                aspect.put(s3, name, properties[key])
        return self._made(site, name)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        s3 = site.client("s3")
        for name in [aspect for aspect in _ASPECTS if aspect in changed(before, after)]:
            if after.get(name):
                _ASPECTS[name].put(s3, physical_id, after[name])
            else:
                _ASPECTS[name].remove(s3, physical_id)
        return self._made(site, physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("s3").delete_bucket(Bucket=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        s3 = site.client("s3")
        s3.head_bucket(Bucket=physical_id)
        found: dict[str, Any] = {"BucketName": physical_id}
        for name, aspect in _ASPECTS.items():
            try:
                value = aspect.read(s3, physical_id)
            except ClientError as absent:
                if absent.response.get("Error", {}).get("Code") not in _ABSENT:
                    raise
                value = None
            if value is not None:
                found[name] = value
        return found

    @staticmethod
    def _made(site: Site, name: str) -> Made:
        return Made(
            physical_id=name,
            attributes={
                "Arn": f"arn:{site.partition}:s3:::{name}",
                "DomainName": f"{name}.s3.amazonaws.com",
                "DualStackDomainName": f"{name}.s3.dualstack.{site.region}.amazonaws.com",
                "RegionalDomainName": f"{name}.s3.{site.region}.amazonaws.com",
                "WebsiteURL": f"http://{name}.s3-website-{site.region}.amazonaws.com",
            },
        )


class BucketPolicy(ResourceType):
    """AWS::S3::BucketPolicy."""

    type = "AWS::S3::BucketPolicy"
    supported = frozenset({"Bucket", "PolicyDocument"})

    def create(self, site: Site, properties: Properties) -> Made:
        bucket = str(properties["Bucket"])
        site.client("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(properties["PolicyDocument"]))
        return Made(physical_id=bucket)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        return self.create(site, after)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("s3").delete_bucket_policy(Bucket=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        policy = site.client("s3").get_bucket_policy(Bucket=physical_id)["Policy"]
        return {"Bucket": physical_id, "PolicyDocument": json.loads(policy)}


HANDLERS = (Bucket(), BucketPolicy())
