"""Uploading: whatever a payload names is in the account's bucket before CloudFormation is asked for anything.

An object is called after its content, so one that is there is the right one, and putting it twice is the same as once:
a lost answer or a crash is met by looking again. What is there costs one read; the bucket itself is looked at only
where something is missing.
"""

import math
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict

from orbits_aws.errors import AwsError, AwsRefused, NotThere
from orbits_cdk.assets import staged_file
from orbits_cdk.bucket import KEPT_FOR, ensure_bucket
from orbits_cdk.errors import AssetGone
from orbits_cdk.naming import bucket_name
from orbits_cdk.payload import FileAsset, StackPayload, template_text
from orbits_cdk.wanted import Tell
from orbits_iac.provider import Refused

UNTOUCHED = timedelta(days=7)
"""An object that is younger is not collected, whoever needs it: a deployment that counts on it may be under way."""
_RENEWED = timedelta(days=1)
WHOLE = 64 * 2**20  # bytes that are put in one call; more are put in parts
PART = 32 * 2**20
_PARTS = 10_000  # S3's limit
_FORBIDDEN = frozenset({"403", "AccessDenied", "Forbidden"})  # which of it, a HEAD does not say


@dataclass(frozen=True, kw_only=True)
class Store:
    """The bucket of an account and region, which need not be there yet."""

    s3: Any
    account: str
    region: str
    partition: str = "aws"

    @property
    def bucket(self) -> str:
        """Its name."""
        return bucket_name(self.account, self.region)

    @property
    def mine(self) -> dict[str, Any]:
        """What each call says of the bucket: its name, and whose it has to be."""
        return {"Bucket": self.bucket, "ExpectedBucketOwner": self.account}

    def url(self, key: str) -> str:
        """Where CloudFormation reads an object."""
        suffix = "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com"
        return f"https://{self.bucket}.s3.{self.region}.{suffix}/{key}"


class Uploaded(BaseModel):
    """Everything is there. `new` are the keys that had to be uploaded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    new: tuple[str, ...] = ()


def upload(store: Store, payload: StackPayload, standing: Sequence[FileAsset], tell: Tell) -> Uploaded:
    """See to it that all objects of the payload are in the bucket.

    `standing` is what the standing revision names: that is safe from a collection already. CloudFormation goes back to
    it if the deployment fails, so it is put back too where it is missing, or its absence told. An older object that it
    does not name is put anew, so that it counts as young.

    Raises AssetGone where an object is missing and its file is not staged on this machine either.
    """
    objects, kept = payload.objects(), {asset.key for asset in standing}
    ages = {asset: _age(store, asset) for asset in objects}
    missing = [asset for asset, age in ages.items() if age is None]
    gone = [asset for asset in missing if not _can_be_read(payload, asset)]
    if gone:
        raise AssetGone(_explain(store, payload, gone))
    old = [asset for asset, age in ages.items() if age is not None and age > _RENEWED and asset.key not in kept]
    lost = [asset for asset in standing if asset not in ages and _age(store, asset) is None]
    for asset in lost:
        if not _can_be_read(payload, asset):
            tell(f"{asset.name} of the standing revision is gone: if this fails, CloudFormation may not go back", None)
    wanted = [*missing, *(asset for asset in (*old, *lost) if _can_be_read(payload, asset))]
    if wanted:
        ensure_bucket(store.s3, store.bucket, account=store.account, region=store.region, partition=store.partition)
    for number, asset in enumerate(wanted):
        tell(f"uploading {asset.name} ({_in_words(asset.size)})", number / len(wanted))
        with _content(payload, asset) as content:
            _put(store, asset, content, partial(_tell_part, tell, asset, number, len(wanted)))
    return Uploaded(new=tuple(asset.key for asset in wanted))


def _age(store: Store, asset: FileAsset) -> timedelta | None:
    """How long the object has been there, by the service's own clock; None if it is not there."""
    try:
        found = store.s3.head_object(**store.mine, Key=asset.key)
    except NotThere:
        return None
    except AwsRefused as error:
        if error.code not in _FORBIDDEN:
            raise
        raise Refused(
            f"The bucket {store.bucket} in {store.account} ({store.region}) cannot be read: the role lacks "
            f"s3:ListBucket or s3:GetObject on it, or the bucket is not the account's own. {error}"
        ) from error
    now = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
    age: timedelta = now - found["LastModified"]
    return age


def _can_be_read(payload: StackPayload, asset: FileAsset) -> bool:
    return asset == payload.large() or staged_file(asset.key).is_file()


@contextmanager
def _content(payload: StackPayload, asset: FileAsset) -> Generator[BinaryIO]:
    if asset == payload.large():
        yield BytesIO(template_text(payload.template).encode())
        return
    with staged_file(asset.key).open("rb") as content:
        yield content


def _put(store: Store, asset: FileAsset, content: BinaryIO, tell_part: Callable[[float], None]) -> None:
    if asset.size <= WHOLE:
        store.s3.put_object(**store.mine, Key=asset.key, Body=content.read())
        return
    upload_id = store.s3.create_multipart_upload(**store.mine, Key=asset.key)["UploadId"]
    open_upload = {**store.mine, "Key": asset.key, "UploadId": upload_id}
    try:
        parts: list[dict[str, Any]] = []
        size = max(PART, math.ceil(asset.size / _PARTS))
        while body := content.read(size):
            answer = store.s3.upload_part(**open_upload, PartNumber=len(parts) + 1, Body=body)
            parts.append({"PartNumber": len(parts) + 1, "ETag": answer["ETag"]})
            tell_part(min(1.0, len(parts) * size / asset.size))
        store.s3.complete_multipart_upload(**open_upload, MultipartUpload={"Parts": parts})
    except AwsError:
        with suppress(AwsError):  # the bucket's own rule removes what is left, if this does not
            store.s3.abort_multipart_upload(**open_upload)
        raise


def _tell_part(tell: Tell, asset: FileAsset, number: int, of: int, part: float) -> None:
    tell(f"uploading {asset.name} ({_in_words(asset.size)})", (number + part) / of)


def _in_words(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{max(1, size // 1000)} kB"


def _explain(store: Store, payload: StackPayload, gone: list[FileAsset]) -> str:
    files = ", ".join(f"{asset.name} (s3://{store.bucket}/{asset.key})" for asset in gone)
    return (
        f"{payload.stack_name} in {store.account} ({store.region}) cannot be deployed as it was: {files} is neither "
        f"in the bucket nor on this machine. Nothing was changed. Deploy from the code that made it; or, if it was "
        f"deleted less than {KEPT_FOR} days ago, remove the bucket's delete marker of it, then try again."
    )
