"""Removing files of stacks that no revision needs any more: only when asked, and only looked for unless told to remove.

An object stays while any revision of the project's store names it, and for a week after it was put: a deployment that
counts on it may not have made its revision yet. One that was removed by mistake is there for another 30 days, as an
earlier version.
"""

import asyncio
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from orbits_aws.clients import client, partition_of
from orbits_aws.errors import AwsUnavailable, NotThere
from orbits_aws.targets import AwsTarget
from orbits_cdk.naming import asset_prefix
from orbits_cdk.payload import StackPayload
from orbits_cdk.upload import UNTOUCHED, Store
from orbits_iac import Orbits
from orbits_iac.provider import payloads

_AT_ONCE = 1000  # objects that S3 removes in one call


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What of a project's objects in one bucket nobody needs: their keys and size, and whether they were removed."""

    keys: tuple[str, ...] = ()
    size: int = 0  # bytes
    removed: bool = False


async def collect_assets(orbits: Orbits, target: AwsTarget, *, remove: bool = False) -> Collected:
    """Find what no revision needs of this project's objects in the target's bucket, and `remove` it if told to.

    `orbits` is open on the store in which all of the project's revisions are: what another store's name is not known.
    """
    needed: set[str] = set()
    async for text in payloads(orbits.store, StackPayload.__name__):
        payload = orbits.engine.codec.decode(text, StackPayload)
        needed.update(asset.key for asset in payload.objects())
    store = Store(
        s3=client("s3", target),
        account=target.account,
        region=target.region,
        partition=partition_of(target.region),
    )
    return await asyncio.to_thread(_collect, store, asset_prefix(orbits.settings.project), needed, remove=remove)


def _collect(store: Store, prefix: str, needed: Collection[str], *, remove: bool) -> Collected:
    found = [each for each in _old(store, f"{prefix}/") if each["Key"] not in needed]
    keys = [str(each["Key"]) for each in found]
    if remove:
        for start in range(0, len(keys), _AT_ONCE):
            _remove(store, keys[start : start + _AT_ONCE])
    return Collected(keys=tuple(keys), size=sum(each["Size"] for each in found), removed=remove)


def _old(store: Store, prefix: str) -> Iterator[dict[str, Any]]:
    """The objects that have been there for so long that nobody counts on them unseen, by the service's own clock."""
    more: dict[str, Any] = {}
    while True:
        try:
            page = store.s3.list_objects_v2(**store.mine, Prefix=prefix, **more)
        except NotThere:
            return  # no file was ever needed there
        now = parsedate_to_datetime(page["ResponseMetadata"]["HTTPHeaders"]["date"])
        yield from (each for each in page.get("Contents", ()) if now - each["LastModified"] > UNTOUCHED)
        if not page.get("IsTruncated"):
            return
        more = {"ContinuationToken": page["NextContinuationToken"]}


def _remove(store: Store, keys: list[str]) -> None:
    answer = store.s3.delete_objects(**store.mine, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
    failed = answer.get("Errors", ())
    if failed:
        first = failed[0]
        raise AwsUnavailable(
            f"{len(failed)} of {len(keys)} objects of {store.bucket} were not removed; {first.get('Key')}: "
            f"{first.get('Code')} {first.get('Message', '')}"
        )
