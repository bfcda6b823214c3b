"""AwsAccount: found or made once, made ready, kept."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orbits_aws import AwsAccount, OfflineAws, Queue, client
from orbits_aws.account import AccountOutputs
from orbits_aws.clients import forget_sessions
from orbits_aws.errors import QuotaReached
from orbits_aws.service_role import find_service_role
from orbits_aws.settings import aws_settings
from orbits_iac import ExecutionFailed, Orbits, Resource
from orbits_iac.provider import RecordId, look_for, things
from orbits_iac.testing import Clock

ACME = AwsAccount(name="acme", email="aws+acme@agency.example")


class Adopting(Resource[AccountOutputs]):
    """Takes what is there into its record."""

    def identity(self) -> str:
        return "acme"

    async def define_update(self) -> AccountOutputs:
        return await self.do("account", ACME, adopt=True)


class WithGuardrails(AwsAccount):
    """Has a queue in each account."""

    async def define_baseline(self, account: AccountOutputs) -> None:
        await self.do("alarms", Queue(name="alarms"), target=account.target)


def organizations(aws: OfflineAws) -> Any:
    """Organizations as its management account sees it."""
    return aws.client("organizations", account="123456789012")


def tags(aws: OfflineAws, account: str) -> dict[str, str]:
    """The tags of an account."""
    return {tag["Key"]: tag["Value"] for tag in organizations(aws).list_tags_for_resource(ResourceId=account)["Tags"]}


def unit_of(aws: OfflineAws, account: str) -> str:
    """The path of the unit that an account is in."""
    [parent] = organizations(aws).list_parents(ChildId=account)["Parents"]
    if parent["Type"] == "ROOT":
        return "/"
    unit = organizations(aws).describe_organizational_unit(OrganizationalUnitId=parent["Id"])["OrganizationalUnit"]
    return f"{unit_of(aws, parent['Id'])}/{unit['Name']}".lstrip("/")


def accounts(aws: OfflineAws) -> list[str]:
    """The e-mail addresses of the organization's member accounts."""
    found = organizations(aws).list_accounts()["Accounts"]
    return sorted(account["Email"] for account in found if account["Id"] != "123456789012")


async def test_an_account_is_made_and_is_ready(orbits: Orbits, aws: OfflineAws) -> None:
    made = await orbits.run(ACME)
    assert accounts(aws) == ["aws+acme@agency.example"]
    assert made.target.account == made.account
    assert find_service_role(client("iam", made.target), aws_settings()) is not None


async def test_a_second_time_only_reads(orbits: Orbits, aws: OfflineAws) -> None:
    first = await orbits.run(ACME)
    before = len(aws.calls(writes=True))
    assert await orbits.run(ACME) == first
    assert len(aws.calls(writes=True)) == before


async def test_an_account_of_the_same_address_is_adopted_and_not_taken(orbits: Orbits, aws: OfflineAws) -> None:
    made = organizations(aws).create_account(AccountName="by hand", Email="AWS+acme@agency.example")
    with pytest.raises(ExecutionFailed, match="was not made by Orbits"):
        await orbits.run(ACME)
    before = len(aws.calls(writes=True))
    await orbits.preview(Adopting())
    assert len(aws.calls(writes=True)) == before
    adopted = await orbits.run(Adopting())
    assert adopted.account == made["CreateAccountStatus"]["AccountId"]
    assert tags(aws, adopted.account) == {"orbits:project": "tests", "orbits:record": f"AwsAccount {ACME.email}"}
    assert len(accounts(aws)) == 1


async def test_an_account_that_somebody_is_just_making_is_not_taken(orbits: Orbits, aws: OfflineAws) -> None:
    """Their request is taken for ours until its account is there, without our tags."""
    aws.settings(account_polls=3)
    organizations(aws).create_account(AccountName="acme", Email=ACME.email)
    with pytest.raises(ExecutionFailed, match="was not made by Orbits"):
        await orbits.run(ACME)
    assert [call.operation for call in aws.calls("organizations", writes=True)] == ["CreateAccount"]


async def test_an_account_of_another_project_is_refused(orbits: Orbits, aws: OfflineAws) -> None:
    theirs = [{"Key": "orbits:project", "Value": "theirs"}]
    organizations(aws).create_account(AccountName="acme", Email=ACME.email, Tags=theirs)
    for step in (ACME, Adopting()):
        with pytest.raises(ExecutionFailed, match="of the project theirs"):
            await orbits.run(step)
    assert not aws.calls("organizations", writes=True)[1:]


async def test_an_account_is_kept_in_its_unit(orbits: Orbits, aws: OfflineAws) -> None:
    with pytest.raises(ExecutionFailed, match="no unit Clients/Small"):
        await orbits.run(ACME.model_copy(update={"unit": "Clients/Small"}))
    placed = ACME.model_copy(update={"unit": "Clients/Small", "make_unit": True})
    account = (await orbits.run(placed)).account
    assert unit_of(aws, account) == "Clients/Small"
    before = len(aws.calls(writes=True))
    await orbits.run(placed)
    assert len(aws.calls(writes=True)) == before
    root = organizations(aws).list_roots()["Roots"][0]["Id"]
    there = organizations(aws).list_parents(ChildId=account)["Parents"][0]["Id"]
    organizations(aws).move_account(AccountId=account, SourceParentId=there, DestinationParentId=root)
    record = orbits.record(AwsAccount, ACME.email)
    [(_, difference)] = (await record.drift()).drifted
    assert (difference.path, difference.recorded, difference.live) == ("unit", '"Clients/Small"', '"/"')
    assert await orbits.preview(placed)
    await record.cycle(on_drift="remediate")
    assert unit_of(aws, account) == "Clients/Small"
    assert (await record.drift()).in_sync


async def test_what_fails_after_a_move_brings_the_account_back(orbits: Orbits, aws: OfflineAws) -> None:
    account = (await orbits.run(ACME)).account
    aws.lose_answer("organizations", "MoveAccount")
    aws.settings(denied=[{"service": "iam", "operation": "GetRole", "account": "acme"}])
    with pytest.raises(ExecutionFailed, match="Allow it in the policies of the role"):
        await orbits.run(ACME.model_copy(update={"unit": "Clients", "make_unit": True}))
    assert unit_of(aws, account) == "/"
    assert [call.operation for call in aws.calls("organizations", writes=True)][-2:] == ["MoveAccount", "MoveAccount"]


async def test_a_new_account_is_waited_for_until_its_services_answer(orbits: Orbits, aws: OfflineAws) -> None:
    aws.settings(unready={"cloudformation": 2, "s3": 1})
    made = await orbits.run(ACME)
    assert made.account == aws.account("acme")
    assert [len([call for call in aws.calls(service) if call.error]) for service in ("cloudformation", "s3")] == [2, 1]


async def test_a_region_that_is_off_at_first_is_enabled_and_waited_for(orbits: Orbits, aws: OfflineAws) -> None:
    aws.settings(disabled_regions=["eu-south-2"], account_polls=2)
    made = await orbits.run(ACME.model_copy(update={"region": "eu-south-2"}))
    assert made.target.region == "eu-south-2"
    client("sqs", made.target).create_queue(QueueName="orders")
    assert [call.operation for call in aws.calls("account", writes=True)] == ["EnableRegion"]


def test_a_service_that_cannot_be_waited_for_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense cannot be waited for; these can: apigateway"):
        AwsAccount(name="acme", email=ACME.email, services=("nonsense",))


async def test_the_baseline_is_the_accounts_own(orbits: Orbits, aws: OfflineAws) -> None:
    made = await orbits.run(WithGuardrails(name="acme", email=ACME.email))
    queues = aws.client("sqs", account=made.account)
    assert len(queues.list_queues()["QueueUrls"]) == 1
    account, *_ = await things(orbits, RecordId("WithGuardrails", ACME.email))
    await orbits.record(WithGuardrails, ACME.email).uninstall()
    assert f"the account {made.account} ({ACME.email}) is ACTIVE: close it" in str(await look_for(orbits, account))
    assert "QueueUrls" not in queues.list_queues()
    assert accounts(aws) == [ACME.email]


async def test_an_account_is_closed_only_if_that_is_said_and_accepted(orbits: Orbits, aws: OfflineAws) -> None:
    closing = ACME.model_copy(update={"close_on_uninstall": True})
    account = (await orbits.run(closing)).account
    record = orbits.record(AwsAccount, ACME.email)
    with pytest.raises(ExecutionFailed, match=f"the account {account} .* would be closed"):
        await record.uninstall()
    aws.settings(close_quota=0)
    with pytest.raises(ExecutionFailed, match="As many accounts were closed in the last 30 days") as failed:
        await record.uninstall(accept_loss=[ACME.email])
    assert failed.value.caused_by(QuotaReached)
    aws.settings(close_quota=None, account_polls=2)
    aws.lose_answer("organizations", "CloseAccount")
    [thing] = await things(orbits, RecordId("AwsAccount", ACME.email))
    await record.uninstall(accept_loss=[ACME.email])
    assert await look_for(orbits, thing) is None
    assert organizations(aws).describe_account(AccountId=account)["Account"]["Status"] == "SUSPENDED"
    with pytest.raises(ExecutionFailed, match="SUSPENDED in AWS Organizations: reopen it"):
        await orbits.run(closing)


async def test_a_suspended_account_is_drift(orbits: Orbits, aws: OfflineAws) -> None:
    account = (await orbits.run(ACME)).account
    organizations(aws).close_account(AccountId=account)
    [(_, difference)] = (await orbits.record(AwsAccount, ACME.email).cycle(on_drift="remediate")).drifted
    assert (difference.path, difference.live) == ("status", '"SUSPENDED"')


async def test_a_request_whose_answer_was_lost_is_taken_up_until_it_has_ended(orbits: Orbits, aws: OfflineAws) -> None:
    aws.settings(account_polls=3)
    aws.lose_answer("organizations", "CreateAccount")
    await orbits.run(ACME)
    assert accounts(aws) == ["aws+acme@agency.example"]
    assert [str(call) for call in aws.calls("organizations", writes=True)] == ["organizations:CreateAccount"]


async def test_an_account_of_the_same_name_and_another_address_is_not_taken(orbits: Orbits, aws: OfflineAws) -> None:
    """A request tells its name and no address: whose it was is seen when its account is there."""
    aws.settings(account_polls=4)
    organizations(aws).create_account(AccountName="acme", Email="aws+acme@other.example")
    made = await orbits.run(ACME)
    found = organizations(aws).describe_account(AccountId=made.account)["Account"]
    assert found["Email"] == ACME.email
    assert accounts(aws) == [ACME.email, "aws+acme@other.example"]


async def test_a_service_role_that_was_removed_is_made_again(orbits: Orbits, aws: OfflineAws) -> None:
    made = await orbits.run(ACME)
    iam = aws.client("iam", account="acme")
    [policy] = iam.list_attached_role_policies(RoleName="orbits-cloudformation")["AttachedPolicies"]
    iam.detach_role_policy(RoleName="orbits-cloudformation", PolicyArn=policy["PolicyArn"])
    assert find_service_role(client("iam", made.target), aws_settings()) is None
    await orbits.run(ACME)
    assert find_service_role(client("iam", made.target), aws_settings()) is not None


async def test_the_policies_of_the_service_role_are_those_of_the_settings(
    orbits: Orbits, aws: OfflineAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, policies in (("none", "[]"), ("two", '["PowerUserAccess", "IAMFullAccess"]')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "orbits.toml").write_text(f"[aws]\nservice_role_policies = {policies}\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path / "none")
    with pytest.raises(ExecutionFailed, match=r"has no role orbits-cloudformation .* make it there"):
        await orbits.run(ACME)
    monkeypatch.chdir(tmp_path / "two")
    await orbits.run(ACME)
    attached = aws.client("iam", account="acme").list_attached_role_policies(RoleName="orbits-cloudformation")
    assert {one["PolicyName"] for one in attached["AttachedPolicies"]} == {"PowerUserAccess", "IAMFullAccess"}


async def test_an_account_that_cannot_be_reached_yet_is_waited_for(orbits: Orbits, aws: OfflineAws) -> None:
    aws.fail("sts", "AssumeRole", code="AccessDenied", times=2)
    made = await orbits.run(ACME)
    assert made.account == aws.account("acme")


async def test_an_older_account_without_the_role_is_an_error_at_once(
    orbits: Orbits, aws: OfflineAws, clock: Clock
) -> None:
    await orbits.run(ACME)
    forget_sessions()
    await clock.advance(timedelta(days=1))
    aws.fail("sts", "AssumeRole", code="AccessDenied", times=None)
    with pytest.raises(ExecutionFailed, match="has no such role"):
        await orbits.run(ACME)


async def test_an_account_that_left_the_organization_is_drift(orbits: Orbits, aws: OfflineAws) -> None:
    made = await orbits.run(ACME)
    account = orbits.record(AwsAccount, ACME.email)
    assert (await account.drift()).in_sync
    organizations(aws).remove_account_from_organization(AccountId=made.account)
    [(_, difference)] = (await account.drift()).drifted
    assert (difference.path, difference.recorded, difference.live) == ("account", f'"{made.account}"', "null")


async def test_a_removed_account_resource_keeps_the_account(orbits: Orbits, aws: OfflineAws) -> None:
    await orbits.run(ACME)
    await orbits.record(AwsAccount, ACME.email).uninstall()
    assert accounts(aws) == ["aws+acme@agency.example"]


async def test_a_preview_says_that_an_account_would_be_made_and_makes_none(orbits: Orbits, aws: OfflineAws) -> None:
    before = len(aws.calls(writes=True))
    assert await orbits.preview(ACME)
    assert len(aws.calls(writes=True)) == before
    await orbits.run(ACME)
    assert not await orbits.preview(ACME)


@pytest.mark.parametrize("polls", [0, 1])
async def test_the_quota_is_explained(orbits: Orbits, aws: OfflineAws, polls: int) -> None:
    """At once, or when the request has failed."""
    aws.settings(account_quota=1, account_polls=polls)
    with pytest.raises(ExecutionFailed, match="ask AWS for a higher quota") as failed:
        await orbits.run(ACME)
    assert failed.value.caused_by(QuotaReached)


async def test_without_an_organization_it_is_said_how_to_make_one(orbits: Orbits, aws: OfflineAws) -> None:
    aws.fail("organizations", "ListAccounts", code="AWSOrganizationsNotInUseException")
    with pytest.raises(ExecutionFailed, match="create-organization"):
        await orbits.run(ACME)
