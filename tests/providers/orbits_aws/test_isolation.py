"""A tenant's run has its own targets' credentials and no others: on an AWS that enforces keys, sessions and roles."""

import asyncio
from collections.abc import Callable

import boto3
import pytest

from orbits_aws import AccountOutputs, AwsAccount, AwsTarget, OfflineAws, client, testing
from orbits_aws.clients import GOVERNOR
from orbits_aws.governor import LocalRates, Where
from orbits_iac import Action, ExecutionFailed, Options, Orbits, Resource, Settings, Workflow, action
from orbits_iac.executors import Subprocess
from orbits_iac.provider import current


class Queues(Action[list[str]]):
    """Makes a queue and lists all: where it was told, or where it wants to."""

    options = Options(idempotent=True)
    account: str = ""
    raw: bool = False

    def main(self) -> list[str]:
        if self.raw:
            sqs = boto3.client("sqs", region_name="eu-west-1")
        else:
            target = AwsTarget(account=self.account) if self.account else self.execution.target(AwsTarget)
            sqs = client("sqs", target)
        sqs.create_queue(QueueName=f"of-{self.execution.tenant}")
        return [str(url) for url in sqs.list_queues()["QueueUrls"]]


class QueuesElsewhere(Queues):
    """The same in a process of its own."""

    options = Options(executor=Subprocess())


@action(idempotent=True)
def listed(times: int) -> None:
    """Lists its queues so many times; its own target's."""
    execution = current()
    assert execution is not None
    for _ in range(times):
        client("sqs", execution.target(AwsTarget)).list_queues()


class Listing2(Workflow[None]):
    """For one tenant."""

    client: str
    own: AwsTarget

    async def define(self) -> None:
        await self.do(
            "one", ListingOne(client=self.client), labels={"tenant": self.client}, target=self.own, within=[self.own]
        )


class ListingOne(Resource[None]):
    client: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("listed", listed(10))


class Shop2(Resource[None]):
    """One client's, done as `way` says."""

    client: str
    way: str = "own"
    account: str = ""

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        match self.way:
            case "own":
                SEEN.append(await self.do("queues", Queues()))
            case "by itself":
                SEEN.append(await self.do("queues", Queues(account=self.account)))
            case "elsewhere":
                SEEN.append(await self.do("queues", QueuesElsewhere(account=self.account)))
            case "by do":
                SEEN.append(await self.do("queues", Queues(), target=AwsTarget(account=self.account)))
            case "ambient":
                SEEN.append(await self.do("queues", Queues(raw=True)))
            case "account":
                made = await self.do("account", Agency2(name=self.client, email=f"{self.account}@agency.example"))
                SEEN.append(await self.do("queues", Queues(), target=made.target))
            case _:
                pass


class Agency2(AwsAccount):
    """With something in it from the beginning."""

    async def define_baseline(self, account: AccountOutputs) -> None:
        await self.do("first", Queues(), target=account.target)


class Shops2(Workflow[None]):
    """As a fleet does it: each bound to its own account."""

    shop: Shop2
    own: AwsTarget | None = None

    async def define(self) -> None:
        own = [] if self.own is None else [self.own]
        await self.do("shop", self.shop, labels={"tenant": self.shop.client}, target=own, within=own)


SEEN: list[list[str]] = []


@pytest.fixture
def bolt(aws: OfflineAws, member: Callable[[str], AwsTarget]) -> AwsTarget:
    """Another tenant's account; nobody may use keys that were not issued."""
    SEEN.clear()
    made = member("bolt")
    aws.settings(strict_keys=True)
    return made


async def test_each_acts_in_its_own_account(orbits: Orbits, acme: AwsTarget, bolt: AwsTarget) -> None:
    await orbits.run(Shops2(shop=Shop2(client="acme"), own=acme))
    await orbits.run(Shops2(shop=Shop2(client="bolt"), own=bolt))
    assert [[url.rsplit("/", 2)[1:] for url in urls] for urls in SEEN] == [
        [[acme.account, "of-acme"]],
        [[bolt.account, "of-bolt"]],
    ]


@pytest.mark.parametrize("way", ["by itself", "elsewhere", "by do"])
async def test_anothers_account_is_refused_before_any_call(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, bolt: AwsTarget, way: str
) -> None:
    before = len(aws.calls())
    with pytest.raises(ExecutionFailed) as failed:
        await orbits.run(Shops2(shop=Shop2(client="acme", way=way, account=bolt.account), own=acme))
    for said in ("tenant acme", f"{bolt.account} (AwsTarget)", f"{acme.account} (AwsTarget)", "targets"):
        assert said in failed.value.message
    assert (failed.value.error_type, SEEN) == ("Refused", [])
    assert len(aws.calls()) == before


async def test_what_boto3_finds_by_itself_reaches_no_tenant(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, bolt: AwsTarget
) -> None:
    await orbits.run(Shops2(shop=Shop2(client="acme", way="ambient"), own=acme))
    assert [url.rsplit("/", 2)[1] for url in SEEN[0]] == [testing.MANAGEMENT]
    aws.settings(denied=[{"service": "sqs", "account": testing.MANAGEMENT}])  # as the policy of docs/aws-access.md is
    with pytest.raises(ExecutionFailed, match="AccessDenied"):
        await orbits.run(Shops2(shop=Shop2(client="bolt", way="ambient"), own=bolt))
    assert {str(call.account) for call in aws.calls("sqs")} == {testing.MANAGEMENT}


async def test_an_account_that_a_tenant_makes_is_its_own(orbits: Orbits, aws: OfflineAws, bolt: AwsTarget) -> None:
    await orbits.run(Shops2(shop=Shop2(client="acme", way="account", account="acme2")))
    assert [url.rsplit("/", 1)[1] for url in SEEN[0]] == ["of-acme"]
    with pytest.raises(
        ExecutionFailed, match=r"Agency2 acme2@agency\.example belongs to tenant acme: its update is not"
    ):
        await orbits.run(Shops2(shop=Shop2(client="bolt", way="account", account="acme2"), own=bolt))


class Noted(LocalRates):
    """Tells when a call was throttled; nobody calls there for an hour then."""

    def __init__(self) -> None:
        super().__init__(rest=3600)
        self.cut = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def throttled(self, where: Where, age: float) -> None:
        super().throttled(where, age)
        self._loop.call_soon_threadsafe(self.cut.set)


async def test_a_throttled_account_slows_itself_alone(
    aws: OfflineAws, acme: AwsTarget, member: Callable[[str], AwsTarget], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bolt, rates = member("bolt"), Noted()
    monkeypatch.setattr(GOVERNOR, "rates", rates)
    aws.throttle("sqs", rate=0, burst=3, account=acme.account)
    async with Orbits(Settings(project="tests", store="memory:", threads=1)) as orbits:
        slow = await orbits.start(Listing2(client="acme", own=acme))
        await rates.cut.wait()
        await orbits.run(Listing2(client="bolt", own=bolt))  # though acme's hook waits in the only thread
        found = aws.calls("sqs")
        assert [call.error for call in found if call.account == bolt.account] == [None] * 10
        assert [call.error for call in found if call.account == acme.account] == [None, None, None, "RequestThrottled"]
        await slow.cancel()
        with pytest.raises(ExecutionFailed):
            await slow
