"""A shop and an agency as their users write and test them: account, stack, queue, migration, invalidation, clock."""

import asyncio
from datetime import timedelta

import aws_cdk as cdk
import pytest
from aws_cdk import aws_s3 as s3

from orbits_aws import AccountOutputs, AwsAccount, OfflineAws, Queue
from orbits_cdk import CdkStack
from orbits_iac import Action, Every, ExecutionFailed, InProgress, Options, Orbits, Outputs, Resource, Retry, action
from orbits_iac.testing import Clock

MIGRATED: list[str] = []
INVALIDATED: list[str] = []


class StorageOutputs(Outputs):
    bucket: str


class Storage(CdkStack[StorageOutputs]):
    versioned: bool = True

    def define_stack(self, stack: cdk.Stack) -> StorageOutputs:
        bucket = s3.Bucket(stack, "Assets", versioned=self.versioned)
        return StorageOutputs(bucket=bucket.bucket_name)


class Migrate(Action[int, str]):
    bucket: str
    to: str
    options = Options(idempotent=True, retry=Retry(attempts=5), timeout=timedelta(minutes=10))

    async def main(self) -> InProgress[str]:
        return InProgress(self.to, poll=timedelta(milliseconds=10))

    async def watch(self, job: str, /) -> int | InProgress[str]:
        MIGRATED.append(job)
        return 2


class ShopOutputs(Outputs):
    bucket: str
    orders_url: str


class Shop(Resource[ShopOutputs]):
    client: str
    release: str
    visibility: int = 30
    options = Options(install_version=3, schedule=Every(timedelta(hours=6), jitter=0.1, on_drift="report"))

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> ShopOutputs:
        account = await self.do("account", AwsAccount(name=self.client, email=f"aws+{self.client}@agency.example"))
        storage, orders = await asyncio.gather(
            self.do("storage", Storage(), target=account.target, protect=True),
            self.do("orders", Queue(name="orders", visibility_timeout=self.visibility), target=account.target),
        )
        await self.do("migrate", Migrate(bucket=storage.bucket, to="0002_prices"), once=True, no_return=True)
        return ShopOutputs(bucket=storage.bucket, orders_url=orders.url)


@action
async def invalidate(site: str, reference: str) -> str:
    INVALIDATED.append(reference)
    return reference


class FrontOutputs(Outputs):
    bucket: str


class FrontStack(CdkStack[FrontOutputs]):
    release: str

    def define_stack(self, stack: cdk.Stack) -> FrontOutputs:
        bucket = s3.Bucket(stack, "Site", versioned=True, removal_policy=cdk.RemovalPolicy.DESTROY)
        cdk.Tags.of(bucket).add("release", self.release)
        return FrontOutputs(bucket=bucket.bucket_name)


class Frontend(Resource[FrontOutputs]):
    client: str
    release: str

    def identity(self) -> str:
        return self.client

    async def account(self) -> AccountOutputs:
        return await self.do(
            "account", AwsAccount(name=self.client, email=f"aws+{self.client}@agency.example"), retain=True
        )

    async def define_install(self) -> None:
        await self.account()

    async def define_update(self) -> FrontOutputs:
        account = await self.account()
        stack = await self.do("stack", FrontStack(release=self.release), target=account.target)
        await self.do("invalidate", invalidate(stack.bucket, reference=self.release), once=True)
        return stack


class WebApp(Resource):
    options = Options(schedule=Every(timedelta(hours=6), jitter=0.1, on_drift="remediate"))
    client: str
    release: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("frontend", Frontend(client=self.client, release=self.release))


async def test_a_failed_release_leaves_the_last_good_shop(orbits: Orbits, aws: OfflineAws) -> None:
    before = await orbits.run(Shop(client="acme", release="1"))
    aws.fail("sqs", "SetQueueAttributes", code="AccessDenied")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Shop(client="acme", release="2", visibility=60))
    assert failed.value.path == ("orders",)
    shop = orbits.record(Shop, "acme")
    assert await shop.outputs() == before
    assert (await shop.drift()).in_sync


async def test_a_migration_runs_once_over_releases(orbits: Orbits, aws: OfflineAws) -> None:
    MIGRATED.clear()
    for release in ("1", "2", "2"):
        await orbits.run(Shop(client="acme", release=release))
    assert MIGRATED == ["0002_prices"]


async def test_clients_are_apart(orbits: Orbits, aws: OfflineAws) -> None:
    shops = await asyncio.gather(*(orbits.run(Shop(client=name, release="1")) for name in ("acme", "bolt", "cafe")))
    assert len({shop.bucket for shop in shops}) == 3
    for name, shop in zip(("acme", "bolt", "cafe"), shops, strict=True):
        assert [b["Name"] for b in aws.client("s3", account=name).list_buckets()["Buckets"]] == [shop.bucket]


async def test_a_failed_release_leaves_the_last_good_one(orbits: Orbits, aws: OfflineAws) -> None:
    await orbits.run(WebApp(client="acme", release="1"))
    aws.fail("s3", "PutBucketTagging", code="AccessDenied")
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(WebApp(client="acme", release="2"))
    assert failed.value.path == ("frontend", "stack")
    webapp = orbits.record(WebApp, "acme")
    assert [revision.argument["release"] for revision in await webapp.history()] == ["1"]
    assert (await webapp.drift()).in_sync


async def test_a_second_run_writes_nothing_and_the_clock_brings_drift_back(
    orbits: Orbits, aws: OfflineAws, clock: Clock
) -> None:
    await orbits.run(WebApp(client="acme", release="1"))
    before = len(aws.calls(writes=True))
    await orbits.run(WebApp(client="acme", release="1"))
    assert len(aws.calls(writes=True)) == before
    bucket = (await orbits.record(Frontend, "acme").outputs()).bucket
    aws.client("s3", account="acme").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    assert not (await orbits.record(WebApp, "acme").drift()).in_sync
    await clock.advance(timedelta(hours=7))
    assert (await orbits.record(WebApp, "acme").drift()).in_sync
