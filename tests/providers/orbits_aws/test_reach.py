"""An account that nobody can use is told from one whose role may not do something, on an AWS that enforces trust."""

from collections.abc import Callable
from typing import ClassVar

import pytest

from orbits_aws import AwsTarget, OfflineAws, Queue, client, testing
from orbits_aws.clients import forget_sessions
from orbits_aws.errors import AccessDenied, AccountUnusable, AwsUnavailable, NotLetIn
from orbits_iac import Action, Options, Orbits, Resource, action
from orbits_iac.provider import OutOfReach
from orbits_tenants import ListSource, Report, Rollout, Source, Tenant, Tenants

NO_POLICY = (
    "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: sts:AssumeRole on resource: "
    "arn:aws:iam::1:role/R because no identity-based policy allows the sts:AssumeRole action"
)


def close(aws: OfflineAws, target: AwsTarget) -> None:
    """Close an account: AWS says PENDING_CLOSURE, and later SUSPENDED."""
    aws.client("organizations", account=testing.MANAGEMENT).close_account(AccountId=target.account)


def shut_out(aws: OfflineAws, target: AwsTarget) -> None:
    """Take the role of an account away."""
    aws.client("iam", account=target.account).delete_role(RoleName=target.role)


def queues(target: AwsTarget) -> None:
    """Make one call in an account."""
    client("sqs", target).list_queues()


def test_a_closed_account_is_said_to_be_closed(aws: OfflineAws, acme: AwsTarget) -> None:
    close(aws, acme)
    with pytest.raises(AccountUnusable, match=rf"{acme.account} \(acme@agency.example\) is SUSPENDED") as refused:
        queues(acme)
    assert isinstance(refused.value, OutOfReach)
    assert "is not authorized to perform: sts:AssumeRole" in str(refused.value)


def test_one_that_is_closed_while_a_session_of_it_holds_is_found_out_by_the_next_call(
    aws: OfflineAws, acme: AwsTarget
) -> None:
    queues(acme)
    close(aws, acme)
    with pytest.raises(AccountUnusable, match="SUSPENDED"):
        queues(acme)


def test_an_account_without_the_role_lets_nobody_in(aws: OfflineAws, acme: AwsTarget) -> None:
    shut_out(aws, acme)
    with pytest.raises(NotLetIn, match="has no such role, or the role does not trust") as refused:
        queues(acme)
    assert isinstance(refused.value, OutOfReach)
    with pytest.raises(NotLetIn, match=r"The organization has no account 999999999999$"):
        queues(AwsTarget(account="999999999999"))


def test_where_the_state_of_an_account_may_not_be_asked_that_is_said(aws: OfflineAws, acme: AwsTarget) -> None:
    aws.settings(denied=[{"service": "organizations", "operation": "Describe*", "account": testing.MANAGEMENT}])
    close(aws, acme)
    with pytest.raises(NotLetIn, match="may not be asked: AccessDeniedException"):
        queues(acme)


def test_a_region_that_is_off_is_out_of_reach_and_one_that_is_being_enabled_is_not(
    aws: OfflineAws, acme: AwsTarget, quick: None
) -> None:
    spain = acme.model_copy(update={"region": "eu-south-2"})
    aws.settings(disabled_regions=["eu-south-2"], account_polls=100)
    with pytest.raises(AccountUnusable, match="eu-south-2 is DISABLED for the account") as refused:
        queues(spain)
    assert isinstance(refused.value, OutOfReach)
    client("account", acme.model_copy(update={"region": "us-east-1"}), attempts=1).enable_region(
        RegionName="eu-south-2"
    )
    with pytest.raises(AwsUnavailable, match="session is no longer valid"):
        queues(spain)


def test_what_is_ours_to_mend_is_no_property_of_the_account(aws: OfflineAws, acme: AwsTarget) -> None:
    """Who asks may not; the way there is broken; the role asks for something; a call in the account is denied."""
    aws.fail("sqs", "ListQueues", code="AccessDenied")
    hub = f"arn:aws:iam::{acme.account}:role/Hub"
    for target, words in (
        (acme, "AccessDenied on sqs:ListQueues"),
        (acme.model_copy(update={"via": (hub,)}), f"is reached through {hub}, which cannot be used"),
        (acme.model_copy(update={"session_tags": {"client": "acme"}}), "Allow sts:TagSession"),
    ):
        with pytest.raises(AccessDenied, match=words) as refused:
            queues(target)
        assert not isinstance(refused.value, OutOfReach)
        assert not isinstance(refused.value.__cause__, OutOfReach)
    aws.fail("sts", "AssumeRole", code="AccessDenied", message=NO_POLICY)
    with pytest.raises(AccessDenied, match="This is about the management credentials, not about the account") as mine:
        queues(acme.model_copy(update={"external_id": "acme"}))
    assert not isinstance(mine.value, OutOfReach)


class CountQueues(Action[int]):
    """Counts queues, where it was told to."""

    options = Options(idempotent=True)

    def main(self) -> int:
        return len(client("sqs", self.execution.target(AwsTarget)).list_queues().get("QueueUrls", []))


@action(idempotent=True)
def between(client: str) -> None:
    """Does what a test wants to happen in the middle of a tenant's update."""
    for do in BETWEEN:
        do(client)


BETWEEN: list[Callable[[str], None]] = []


class Outpost(Resource[None]):
    client: str
    colour: str

    def identity(self) -> str:
        return self.client

    async def define_update(self) -> None:
        await self.do("jobs", Queue(name=f"{self.client}-{self.colour}"))
        await self.do("between", between(self.client))
        await self.do("count", CountQueues())


class Outposts(Tenants[Outpost]):
    """Tolerates no failure."""

    source: ClassVar[Source]
    rollout: ClassVar[Rollout] = Rollout(waves=["1", "2", "100%"])
    colour: str = "red"

    def stack(self, tenant: Tenant) -> Outpost:
        return Outpost(client=tenant.id, colour=self.colour)


@pytest.fixture
def accounts(aws: OfflineAws, member: Callable[[str], AwsTarget]) -> dict[str, AwsTarget]:
    """Three tenants' accounts, of a fleet that was not rolled out yet."""
    BETWEEN.clear()
    Outposts.rollout = Rollout(waves=["1", "2", "100%"])
    made = {name: member(name) for name in ("one", "two", "three")}
    Outposts.source = ListSource([Tenant(id=name, targets=(target,)) for name, target in made.items()])
    return made


def states(report: Report) -> list[str]:
    """How the tenants came out, in their order."""
    return [one.state.value for one in report.tenants.values()]


async def test_a_fleet_reports_such_accounts_apart_and_goes_on(
    aws: OfflineAws, orbits: Orbits, accounts: dict[str, AwsTarget]
) -> None:
    close(aws, accounts["one"])
    await orbits.run(Outposts())
    shut_out(aws, accounts["three"])  # with something that stands there
    forget_sessions()
    report = await orbits.run(Outposts(colour="blue"))
    assert states(report) == ["unreachable", "updated", "unreachable"]
    assert (report.failed, report.stopped, report.exit_code()) == ({}, "", 0)
    assert "is SUSPENDED in AWS Organizations" in report.tenants["one"].happened
    assert report.tenants["three"].happened.endswith("→ it stands as it did; it does not count as failed")


async def test_whose_account_is_lost_in_the_middle_has_failed(
    aws: OfflineAws, orbits: Orbits, accounts: dict[str, AwsTarget]
) -> None:
    """It may be the release that did it."""
    BETWEEN.append(lambda client: close(aws, accounts[client]))
    report = await orbits.run(Outposts())
    assert states(report) == ["needs a decision", "not started", "not started"]
    assert report.stopped == "stopped after wave 1: 1 of 3 tenants failed, and 0% may"


async def test_a_roll_out_that_reaches_nobody_stops(
    aws: OfflineAws, orbits: Orbits, accounts: dict[str, AwsTarget]
) -> None:
    """Then it is not the accounts, but the way there."""
    for target in accounts.values():
        shut_out(aws, target)
    report = await orbits.run(Outposts())
    assert states(report) == ["unreachable", "unreachable", "not started"]
    assert report.stopped.startswith("stopped after wave 1: none of 2 tenants could be reached")
    assert report.exit_code() == 4
    Outposts.rollout = Rollout(waves=["100%"])
    assert (await orbits.run(Outposts(colour="blue"))).stopped.startswith("stopped after wave 100%: none of 3 tenants")
