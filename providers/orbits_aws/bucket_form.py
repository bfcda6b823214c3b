"""A bucket's lifecycle, CORS and encryption, as fields say them and as S3 does. Pure; called by `bucket`."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class LifecycleRule(BaseModel):
    """What becomes of a bucket's objects with time.

    Attributes:
        name: tells the rules of a bucket apart.
        prefix: the objects that it is about: those whose keys begin so; all, by default.
        enabled: whether it is carried out.
        expire_days: days after which an object is deleted (of a versioned bucket: gets a delete marker).
        expire_old_versions_days: days after which a version is deleted that is not the current one any more.
        abort_uploads_days: days after which an upload in parts that was not completed is given up.
        move: storage class, such as `GLACIER`, to the days after which an object is moved there.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=255)
    prefix: str = ""
    enabled: bool = True
    expire_days: int | None = Field(default=None, ge=1)
    expire_old_versions_days: int | None = Field(default=None, ge=1)
    abort_uploads_days: int | None = Field(default=None, ge=1)
    move: dict[str, int] = {}


class CorsRule(BaseModel):
    """Which pages of other sites may use a bucket from a browser.

    Attributes:
        origins: such as `https://shop.example`, or `*`.
        methods: such as `GET`.
        headers: of requests, which may be sent.
        expose: headers of answers, which may be read.
        max_age: seconds for which a browser may remember this; None leaves it to the browser.

    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    origins: list[str]
    methods: list[str]
    headers: list[str] = []
    expose: list[str] = []
    max_age: int | None = Field(default=None, ge=0)


def lifecycle_rule(rule: LifecycleRule) -> dict[str, Any]:
    """A rule as S3 takes it."""
    found: dict[str, Any] = {
        "ID": rule.name,
        "Status": "Enabled" if rule.enabled else "Disabled",
        "Filter": {"Prefix": rule.prefix},
    }
    if rule.expire_days is not None:
        found["Expiration"] = {"Days": rule.expire_days}
    if rule.expire_old_versions_days is not None:
        found["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule.expire_old_versions_days}
    if rule.abort_uploads_days is not None:
        found["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": rule.abort_uploads_days}
    if rule.move:
        found["Transitions"] = [{"Days": days, "StorageClass": name} for name, days in rule.move.items()]
    return found


def lifecycle_of(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of S3's by the fields of `LifecycleRule`; what these cannot say stays as S3 says it."""
    fields = LifecycleRule(
        name=rule.get("ID") or "unnamed",
        prefix=rule.get("Filter", {}).get("Prefix") or rule.get("Prefix") or "",
        enabled=rule["Status"] == "Enabled",
        expire_days=rule.get("Expiration", {}).get("Days"),
        expire_old_versions_days=rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        abort_uploads_days=rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
        move={one["StorageClass"]: one["Days"] for one in rule.get("Transitions", ()) if "Days" in one},
    )
    return fields.model_dump() if _same(lifecycle_rule(fields), rule) else dict(rule)


def _same(said: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    """Whether `said` says all of a rule, in which no prefix may be said in three ways."""
    rest = {name: value for name, value in rule.items() if name not in {"Filter", "Prefix", "Transitions"}}
    moved = [one.items() for one in rule.get("Transitions", ())]
    return (
        {name: said[name] for name in said if name not in {"Filter", "Transitions"}} == rest
        and set(rule.get("Filter", {})) <= {"Prefix"}
        and all(one.items() in moved for one in said.get("Transitions", ()))
        and len(moved) == len(said.get("Transitions", ()))
    )


def cors_rule(rule: CorsRule) -> dict[str, Any]:
    """A rule as S3 takes it."""
    found: dict[str, Any] = {"AllowedOrigins": rule.origins, "AllowedMethods": rule.methods}
    if rule.headers:
        found["AllowedHeaders"] = rule.headers
    if rule.expose:
        found["ExposeHeaders"] = rule.expose
    if rule.max_age is not None:
        found["MaxAgeSeconds"] = rule.max_age
    return found


def cors_of(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of S3's by the fields of `CorsRule`."""
    return CorsRule(
        origins=rule["AllowedOrigins"],
        methods=rule["AllowedMethods"],
        headers=rule.get("AllowedHeaders", []),
        expose=rule.get("ExposeHeaders", []),
        max_age=rule.get("MaxAgeSeconds"),
    ).model_dump()


def encryption(kms_key: str | None) -> dict[str, Any]:
    """The encryption with a key of KMS, or with S3's own, as S3 takes it."""
    if kms_key is None:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key}
    return {"Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]}


def kms_key_of(found: Mapping[str, Any]) -> str | None:
    """The key of KMS that S3 encrypts with, None for its own."""
    default = found["Rules"][0].get("ApplyServerSideEncryptionByDefault", {})
    if default.get("SSEAlgorithm", "AES256") == "AES256":
        return None
    return str(default.get("KMSMasterKeyID", "alias/aws/s3"))
