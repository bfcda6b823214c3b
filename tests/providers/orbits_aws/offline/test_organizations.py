"""Organizations: accounts that take their time, quotas, addresses that are taken, units, moves, closing."""

from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"


@pytest.fixture
def organizations(aws: OfflineAws) -> Any:
    return aws.client("organizations", account=MANAGEMENT)


def make(organizations: Any, name: str) -> dict[str, Any]:
    made: dict[str, Any] = organizations.create_account(Email=f"aws+{name}@agency.example", AccountName=name)
    return cast("dict[str, Any]", made["CreateAccountStatus"])


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as failure:
        call(**arguments)
    response = cast("Any", failure.value.response)
    return " ".join(filter(None, (response["Error"]["Code"], response.get("Reason"))))


def test_an_account_is_under_way_until_it_was_looked_at_often_enough(aws: OfflineAws, organizations: Any) -> None:
    aws.settings(account_polls=2)
    status = make(organizations, "acme")
    assert (status["State"], status.get("AccountId")) == ("IN_PROGRESS", None)
    hidden = aws.account("acme")
    assert [one["Id"] for one in organizations.list_accounts()["Accounts"]] == [MANAGEMENT]
    assert refused(organizations.describe_account, AccountId=hidden) == "AccountNotFoundException"
    sts, role = aws.client("sts", account=MANAGEMENT), f"arn:aws:iam::{hidden}:role/OrganizationAccountAccessRole"
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="early") == "AccessDenied"

    def look() -> str:
        found = organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])
        return str(found["CreateAccountStatus"]["State"])

    assert [look() for _ in range(2)] == ["IN_PROGRESS", "IN_PROGRESS"]
    [ended] = organizations.list_create_account_status(States=["SUCCEEDED"])["CreateAccountStatuses"]
    assert (ended["AccountId"], ended["Id"]) == (hidden, status["Id"])
    assert hidden in [one["Id"] for one in organizations.list_accounts()["Accounts"]]
    sts.assume_role(RoleArn=role, RoleSessionName="now")


def test_an_address_is_taken_once(organizations: Any) -> None:
    assert make(organizations, "acme")["State"] == "SUCCEEDED"
    again = organizations.create_account(Email="AWS+acme@agency.example", AccountName="other")["CreateAccountStatus"]
    assert (again["State"], again["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    statuses = organizations.list_create_account_status()["CreateAccountStatuses"]
    assert [one["State"] for one in statuses] == ["SUCCEEDED", "FAILED"]
    assert len(organizations.list_accounts()["Accounts"]) == 2
    unknown = refused(organizations.describe_create_account_status, CreateAccountRequestId="car-00000000")
    assert unknown == "CreateAccountStatusNotFoundException"


def test_the_quota_of_accounts(aws: OfflineAws, organizations: Any) -> None:
    aws.settings(account_quota=2)
    make(organizations, "acme")
    reason = "ConstraintViolationException ACCOUNT_NUMBER_LIMIT_EXCEEDED"
    assert refused(organizations.create_account, Email="b@agency.example", AccountName="b") == reason
    aws.settings(account_polls=1)
    status = make(organizations, "bolt")
    assert status["State"] == "IN_PROGRESS"
    for state in ("IN_PROGRESS", "FAILED"):
        status = organizations.describe_create_account_status(CreateAccountRequestId=status["Id"])[
            "CreateAccountStatus"
        ]
        assert status["State"] == state
    assert status["FailureReason"] == "ACCOUNT_LIMIT_EXCEEDED"


def test_statuses_come_in_pages(organizations: Any) -> None:
    for number in range(3):
        make(organizations, f"client-{number}")
    pages = organizations.get_paginator("list_create_account_status").paginate(PaginationConfig={"PageSize": 2})
    assert [[one["AccountName"] for one in page["CreateAccountStatuses"]] for page in pages] == [
        ["client-0", "client-1"],
        ["client-2"],
    ]


def test_a_closed_account_is_pending_then_suspended_and_does_nothing(aws: OfflineAws, organizations: Any) -> None:
    account = str(make(organizations, "acme")["AccountId"])
    role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
    sts = aws.client("sts", account=MANAGEMENT)
    aws.settings(account_polls=1, close_quota=1)
    organizations.close_account(AccountId=account)
    assert refused(organizations.close_account, AccountId=account) == "ConflictException"
    states = [organizations.describe_account(AccountId=account)["Account"]["Status"] for _ in range(3)]
    assert states == ["PENDING_CLOSURE", "SUSPENDED", "SUSPENDED"]
    assert refused(organizations.close_account, AccountId=account) == "AccountAlreadyClosedException"
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="late") == "AccessDenied"
    assert refused(aws.client("sqs", account=account).list_queues) == "UnrecognizedClientException"
    aws.settings(account_polls=0)
    other = str(make(organizations, "bolt")["AccountId"])
    quota = "ConstraintViolationException CLOSE_ACCOUNT_QUOTA_EXCEEDED"
    assert refused(organizations.close_account, AccountId=other) == quota
    management = "ConstraintViolationException CANNOT_CLOSE_MANAGEMENT_ACCOUNT"
    assert refused(organizations.close_account, AccountId=MANAGEMENT) == management


def test_units_and_moves(organizations: Any) -> None:
    root = organizations.list_roots()["Roots"][0]["Id"]
    account = str(make(organizations, "acme")["AccountId"])

    def unit(name: str, parent: str) -> str:
        made = organizations.create_organizational_unit(ParentId=parent, Name=name)["OrganizationalUnit"]
        return str(made["Id"])

    clients, archive = unit("clients", root), unit("archive", root)
    inner = unit("clients", clients)  # a name is taken below one parent alone
    unknown = f"ou-{root[2:]}-00000000"
    for call, arguments, code in (
        ("create_organizational_unit", {"ParentId": root, "Name": "clients"}, "DuplicateOrganizationalUnitException"),
        ("create_organizational_unit", {"ParentId": unknown, "Name": "x"}, "ParentNotFoundException"),
        (
            "update_organizational_unit",
            {"OrganizationalUnitId": archive, "Name": "clients"},
            "DuplicateOrganizationalUnitException",
        ),
        ("delete_organizational_unit", {"OrganizationalUnitId": clients}, "OrganizationalUnitNotEmptyException"),
        ("move_account", {"AccountId": "999999999999", "from": root, "to": clients}, "AccountNotFoundException"),
        ("move_account", {"AccountId": account, "from": clients, "to": root}, "SourceParentNotFoundException"),
        ("move_account", {"AccountId": account, "from": root, "to": unknown}, "DestinationParentNotFoundException"),
        ("move_account", {"AccountId": account, "from": root, "to": root}, "DuplicateAccountException"),
    ):
        names = {"from": "SourceParentId", "to": "DestinationParentId"}
        given = {names.get(name, name): value for name, value in cast("dict[str, str]", arguments).items()}
        assert refused(getattr(organizations, call), **given) == code
    organizations.move_account(AccountId=account, SourceParentId=root, DestinationParentId=inner)
    assert organizations.list_parents(ChildId=account)["Parents"] == [{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}]
    assert [one["Id"] for one in organizations.list_accounts_for_parent(ParentId=inner)["Accounts"]] == [account]
    organizations.update_organizational_unit(OrganizationalUnitId=archive, Name="older")
    organizations.delete_organizational_unit(OrganizationalUnitId=archive)


def test_a_member_may_ask_what_its_organization_is_and_no_more(aws: OfflineAws, organizations: Any) -> None:
    member = aws.client("organizations", account=str(make(organizations, "acme")["AccountId"]))
    assert member.describe_organization()["Organization"]["MasterAccountId"] == MANAGEMENT
    assert refused(member.list_accounts) == "AccessDeniedException"
    stranger = aws.client("organizations", account="999999999999")
    assert refused(stranger.describe_organization) == "AWSOrganizationsNotInUseException"
