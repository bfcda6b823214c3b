"""Asking Organizations for accounts: in the cases that the offline AWS does not have, of a stand-in that answers so."""

from typing import Any

import pytest

from orbits_aws.errors import AccountUnusable, AwsError, AwsRefused, AwsUnavailable, QuotaReached
from orbits_aws.organization import Found, Request, Wanted, refuse_unusable, request_status

ACME = Wanted(name="acme", email="Aws+acme@agency.example", role="R", tags={})


class Organizations:
    """An organization without accounts, and its requests for some."""

    def __init__(self, *requests: dict[str, Any]) -> None:
        self.requests = requests

    def items(self, operation: str, key: str, **_: Any) -> list[dict[str, Any]]:
        going = [one for one in self.requests if one["State"] == "IN_PROGRESS"]
        return going if operation == "list_create_account_status" else []

    def describe_create_account_status(self, CreateAccountRequestId: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        return {"CreateAccountStatus": next(one for one in self.requests if one["Id"] == CreateAccountRequestId)}


def request(number: int, state: str, **more: str) -> dict[str, Any]:
    """A request for an account; a higher number is a newer one."""
    return {"Id": f"car-{number}", "State": state, "AccountName": "acme", "RequestedTimestamp": number, **more}


def test_an_address_that_an_earlier_request_of_ours_has_taken_is_waited_for() -> None:
    """It was not to be seen yet when the second one was made: the newest of the name is taken up."""
    taken = request(3, "FAILED", FailureReason="EMAIL_ALREADY_EXISTS")
    organizations = Organizations(request(1, "IN_PROGRESS"), request(2, "IN_PROGRESS"), taken)
    assert request_status(organizations, "car-3", ACME) == Request(id="car-2", account=None)


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
    [("SUSPENDED", AccountUnusable), ("PENDING_CLOSURE", AccountUnusable), ("PENDING_ACTIVATION", AwsUnavailable)],
)
def test_an_account_that_is_not_active_is_not_used(status: str, kind: type[AwsError]) -> None:
    with pytest.raises(kind, match=status) as refused:
        refuse_unusable(Found(account="1", email=ACME.email, joined=None, status=status))
    assert type(refused.value) is kind
