"""Asking Organizations for accounts: in the cases that the offline AWS does not have, of a stand-in that answers so."""

from typing import Any

import pytest

from orbits_aws.errors import AnswerLost, AwsError, AwsRefused, AwsUnavailable, NotThere, QuotaReached
from orbits_aws.organization import Found, Request, Wanted, refuse_unusable, request_account, request_status

ACME = Wanted(name="acme", email="Aws+acme@agency.example", role="R", tags={"orbits:project": "tests"})


class Organizations:
    """Requests and accounts; CreateAccount adds a request, and raises `raises` when it has."""

    def __init__(self, *requests: dict[str, Any], accounts: dict[str, str] | None = None) -> None:
        self.requests = list(requests)
        self.accounts = accounts or {}
        self.created: list[dict[str, Any]] = []
        self.raises: Exception | None = None

    def items(self, operation: str, key: str, **_: Any) -> list[dict[str, Any]]:
        if operation == "list_create_account_status":
            return [request for request in self.requests if request["State"] != "FAILED"]
        return [self.describe_account(AccountId=account)["Account"] for account in self.accounts]

    def describe_account(self, AccountId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if AccountId not in self.accounts:
            raise NotThere("no such account")
        return {"Account": {"Id": AccountId, "Email": self.accounts[AccountId], "Status": "ACTIVE"}}

    def create_account(self, **asked: Any) -> dict[str, Any]:
        self.created.append(asked)
        self.requests.append(request(9, "IN_PROGRESS"))
        if self.raises is not None:
            raise self.raises
        return {"CreateAccountStatus": self.requests[-1]}

    def describe_create_account_status(self, CreateAccountRequestId: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        return {"CreateAccountStatus": next(one for one in self.requests if one["Id"] == CreateAccountRequestId)}


def request(number: int, state: str, *, name: str = "acme", **more: str) -> dict[str, Any]:
    """A request for an account; a higher number is a newer one."""
    return {"Id": f"car-{number}", "State": state, "AccountName": name, "RequestedTimestamp": number, **more}


MINE, THEIRS = ACME.email.lower(), "aws+acme@other.example"


@pytest.mark.parametrize(
    ("there", "found"),
    [
        pytest.param(Organizations(accounts={"1": MINE}), Request(id="", account="1"), id="it is there"),
        pytest.param(
            Organizations(request(1, "IN_PROGRESS"), request(2, "IN_PROGRESS")),
            Request(id="car-2", account=None),
            id="the newest of its name that is under way",
        ),
        pytest.param(Organizations(request(1, "IN_PROGRESS", name="bolt")), None, id="one of another name"),
        pytest.param(
            Organizations(request(1, "SUCCEEDED", AccountId="2"), accounts={"2": THEIRS}), None, id="another's, made"
        ),
        pytest.param(Organizations(request(1, "FAILED", FailureReason="INTERNAL_FAILURE")), None, id="one that failed"),
    ],
)
def test_what_stands_is_taken_up_and_nothing_else(there: Organizations, found: Request | None) -> None:
    asked = request_account(there, ACME)
    assert asked == (found or Request(id="car-9", account=None))
    assert len(there.created) == (found is None)


def test_what_is_asked_for_carries_the_tags_and_the_role() -> None:
    organizations = Organizations()
    request_account(organizations, ACME)
    assert organizations.created == [
        {
            "Email": ACME.email,
            "AccountName": "acme",
            "RoleName": "R",
            "Tags": [{"Key": "orbits:project", "Value": "tests"}],
        }
    ]


def test_after_a_lost_answer_the_request_is_looked_up() -> None:
    organizations = Organizations()
    organizations.raises = AnswerLost("cut")
    assert request_account(organizations, ACME) == Request(id="car-9", account=None)


def test_a_request_of_the_same_name_for_another_address_is_not_ours() -> None:
    organizations = Organizations(request(1, "SUCCEEDED", AccountId="2"), accounts={"2": THEIRS})
    assert request_status(organizations, "car-1", ACME) is None
    organizations.accounts["2"] = MINE
    assert request_status(organizations, "car-1", ACME) == Request(id="car-1", account="2")


def test_an_address_that_an_earlier_request_of_ours_has_taken_is_found() -> None:
    taken = request(2, "FAILED", FailureReason="EMAIL_ALREADY_EXISTS")
    organizations = Organizations(request(1, "IN_PROGRESS"), taken)
    assert request_status(organizations, "car-2", ACME) == Request(id="car-1", account=None)


@pytest.mark.parametrize(
    ("reason", "kind", "message"),
    [
        ("EMAIL_ALREADY_EXISTS", AwsRefused, "take another address"),
        ("ACCOUNT_LIMIT_EXCEEDED", QuotaReached, "higher quota"),
        ("SOMETHING_NEW", AwsRefused, "SOMETHING_NEW"),
        ("INTERNAL_FAILURE", AwsUnavailable, "INTERNAL_FAILURE"),
    ],
)
def test_why_an_account_was_not_made(reason: str, kind: type[AwsError], message: str) -> None:
    organizations = Organizations(request(1, "FAILED", FailureReason=reason))
    with pytest.raises(kind, match=message) as failed:
        request_status(organizations, "car-1", ACME)
    assert type(failed.value) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [("SUSPENDED", AwsRefused), ("PENDING_CLOSURE", AwsRefused), ("PENDING_ACTIVATION", AwsUnavailable)],
)
def test_an_account_that_is_not_active_is_not_used(status: str, kind: type[AwsError]) -> None:
    with pytest.raises(kind, match=status) as refused:
        refuse_unusable(Found(account="1", email=MINE, joined=None, status=status))
    assert type(refused.value) is kind
