"""AwsAccount: found or made once, made ready, kept."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from orbits_aws import AwsAccount, OfflineAws, client
from orbits_aws.account import AccountOutputs
from orbits_aws.clients import forget_sessions
from orbits_aws.errors import AwsRefused, AwsUnavailable
from orbits_aws.organization import request_account, request_status
from orbits_aws.service_role import find_service_role
from orbits_iac import ExecutionFailed, Orbits
from orbits_iac.testing import Clock

ACME = AwsAccount(name="acme", email="aws+acme@agency.example")


def accounts(aws: OfflineAws) -> list[str]:
    """The e-mail addresses of the organization's member accounts."""
    found = aws.client("organizations", account="123456789012").list_accounts()["Accounts"]
    return sorted(account["Email"] for account in found if account["Id"] != "123456789012")


async def test_an_account_is_made_and_is_ready(orbits: Orbits, aws: OfflineAws) -> None:
    made = await orbits.run(ACME)
    assert accounts(aws) == ["aws+acme@agency.example"]
    assert made.target.account == made.account
    assert find_service_role(client("iam", made.target), "orbits-cloudformation") is not None


async def test_a_second_time_only_reads(orbits: Orbits, aws: OfflineAws) -> None:
    first = await orbits.run(ACME)
    before = len(aws.calls(writes=True))
    assert await orbits.run(ACME) == first
    assert len(aws.calls(writes=True)) == before


async def test_an_account_of_the_same_address_is_used(orbits: Orbits, aws: OfflineAws) -> None:
    organizations = aws.client("organizations", account="123456789012")
    made = organizations.create_account(AccountName="by hand", Email="AWS+acme@agency.example")["CreateAccountStatus"]
    found = await orbits.run(ACME)
    assert found.account == made["AccountId"]
    assert len(accounts(aws)) == 1


async def test_a_lost_answer_does_not_make_a_second_account(orbits: Orbits, aws: OfflineAws) -> None:
    aws.lose_answer("organizations", "CreateAccount")
    await orbits.run(ACME)
    assert accounts(aws) == ["aws+acme@agency.example"]
    assert [str(call) for call in aws.calls("organizations", writes=True)] == ["organizations:CreateAccount"]


async def test_a_service_role_that_was_removed_is_made_again(orbits: Orbits, aws: OfflineAws) -> None:
    made = await orbits.run(ACME)
    iam = aws.client("iam", account="acme")
    [policy] = iam.list_attached_role_policies(RoleName="orbits-cloudformation")["AttachedPolicies"]
    iam.detach_role_policy(RoleName="orbits-cloudformation", PolicyArn=policy["PolicyArn"])
    assert find_service_role(client("iam", made.target), "orbits-cloudformation") is None
    await orbits.run(ACME)
    assert find_service_role(client("iam", made.target), "orbits-cloudformation") is not None


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
    aws.client("organizations", account="123456789012").remove_account_from_organization(AccountId=made.account)
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


async def test_the_quota_is_explained(orbits: Orbits, aws: OfflineAws) -> None:
    aws.fail(
        "organizations",
        "CreateAccount",
        code="ConstraintViolationException",
        message="ACCOUNT_NUMBER_LIMIT_EXCEEDED: You have exceeded the allowed number of AWS accounts.",
    )
    with pytest.raises(ExecutionFailed, match="ask AWS for a higher quota") as failed:
        await orbits.run(ACME)
    assert failed.value.caused_by(AwsRefused)


async def test_without_an_organization_it_is_said_how_to_make_one(orbits: Orbits, aws: OfflineAws) -> None:
    aws.fail("organizations", "ListAccounts", code="AWSOrganizationsNotInUseException")
    with pytest.raises(ExecutionFailed, match="create-organization"):
        await orbits.run(ACME)


class Organizations:
    """Organizations as it answers in the cases that the offline AWS does not have."""

    def __init__(self, status: dict[str, Any], under_way: Sequence[dict[str, Any]] = ()) -> None:
        self.status = status
        self.under_way = under_way
        self.created = 0

    def items(self, operation: str, key: str, **_: Any) -> Sequence[dict[str, Any]]:
        return self.under_way if operation == "list_create_account_status" else ()

    def create_account(self, **_: Any) -> dict[str, Any]:
        self.created += 1
        return {"CreateAccountStatus": self.status}

    def describe_create_account_status(self, **_: Any) -> dict[str, Any]:
        return {"CreateAccountStatus": self.status}


@pytest.mark.parametrize(
    ("reason", "kind", "message"),
    [
        ("EMAIL_ALREADY_EXISTS", AwsRefused, "take another address"),
        ("ACCOUNT_LIMIT_EXCEEDED", AwsRefused, "higher quota"),
        ("SOMETHING_NEW", AwsRefused, "SOMETHING_NEW"),
        ("INTERNAL_FAILURE", AwsUnavailable, "INTERNAL_FAILURE"),
    ],
)
def test_why_an_account_was_not_made(reason: str, kind: type[Exception], message: str) -> None:
    organizations = Organizations({"Id": "car-1", "State": "FAILED", "FailureReason": reason})
    with pytest.raises(kind, match=message):
        request_status(organizations, "car-1", "a@agency.example")


def test_a_request_under_way_is_taken_up() -> None:
    under_way = {"Id": "car-1", "State": "IN_PROGRESS", "AccountName": "acme", "RequestedTimestamp": 1}
    organizations = Organizations(under_way, [under_way, {**under_way, "Id": "car-0", "RequestedTimestamp": 0}])
    request = request_account(organizations, name="acme", email="a@agency.example", role="R")
    assert (request.id, request.account, organizations.created) == ("car-1", None, 0)


def test_the_outputs_carry_the_target() -> None:
    assert set(AccountOutputs.model_fields) == {"account", "target"}
