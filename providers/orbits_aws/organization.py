"""Finding, making and closing accounts through Organizations: functions of a client and plain values.

CreateAccount has no client token, and AWS takes an e-mail address for one account only. So nothing is created before
the requests that are under way and the accounts that exist were searched, also after an answer was lost. A request
tells the name that it was made with and no address: whose it was is known when its account is there, and not before.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orbits_aws.errors import (
    AccountUnusable,
    AnswerLost,
    AwsError,
    AwsRefused,
    AwsUnavailable,
    NotThere,
    QuotaReached,
    todo_for_reason,
)
from orbits_aws.explained import PASSING_REASONS, QUOTA_REASONS

_TAKEN = "EMAIL_ALREADY_EXISTS"
_GOING = frozenset({"PENDING_ACTIVATION"})


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The account that is to be there."""

    name: str
    email: str
    role: str
    tags: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request for an account: under way while `account` is None."""

    id: str
    account: str | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """An account of the organization."""

    account: str
    name: str = ""
    email: str
    joined: datetime | None
    status: str  # ACTIVE, PENDING_ACTIVATION, SUSPENDED, PENDING_CLOSURE, CLOSED


def account_by_id(organizations: Any, account: str) -> Found | None:
    """The account of this id, if it is in the organization."""
    try:
        found = organizations.describe_account(AccountId=account)["Account"]
    except NotThere:
        return None
    return _found(found)


def account_by_email(organizations: Any, email: str) -> Found | None:
    """The account of this address, if it is in the organization."""
    return next((account for account in all_accounts(organizations) if account.email.lower() == email.lower()), None)


def all_accounts(organizations: Any) -> Iterator[Found]:
    """All accounts of the organization, that of the management among them."""
    return map(_found, organizations.items("list_accounts", "Accounts"))


def management_of(organizations: Any) -> str:
    """The organization's management account."""
    return str(organizations.describe_organization()["Organization"]["MasterAccountId"])


def tags_of_account(organizations: Any, account: str) -> dict[str, str]:
    """The tags of an account."""
    return {
        tag["Key"]: tag["Value"] for tag in organizations.items("list_tags_for_resource", "Tags", ResourceId=account)
    }


def request_account(organizations: Any, wanted: Wanted) -> Request:
    """Ask for an account, unless it is there or was asked for. `organizations` must make each call once only.

    Raises AwsRefused where AWS says no, explained; AwsUnavailable where it is worth asking again.
    """
    if (standing := _standing(organizations, wanted)) is not None:
        return standing
    try:
        answer = organizations.create_account(
            Email=wanted.email,
            AccountName=wanted.name,
            RoleName=wanted.role,
            Tags=[{"Key": key, "Value": value} for key, value in wanted.tags.items()],
        )
    except AnswerLost:
        if (standing := _standing(organizations, wanted)) is None:
            raise
        return standing
    return _outcome(organizations, answer["CreateAccountStatus"], wanted)


def request_status(organizations: Any, request: str, wanted: Wanted) -> Request | None:
    """How far the request is; None where it was for another address. Raises AwsRefused, explained, where it failed."""
    answer = organizations.describe_create_account_status(CreateAccountRequestId=request)
    found = _outcome(organizations, answer["CreateAccountStatus"], wanted)
    return found if found.account is None or _is_for(organizations, found.account, wanted) else None


def refuse_unusable(found: Found) -> None:
    """Raise AccountUnusable where the account is suspended or closed, AwsUnavailable where it is not active yet."""
    if found.status == "ACTIVE":
        return
    what = f"The account {found.account} ({found.email}) is {found.status} in AWS Organizations"
    if found.status in _GOING:
        raise AwsUnavailable(f"{what}: AWS has not activated it yet", account=found.account)
    raise AccountUnusable(
        f"{what}: reopen it with AWS Support, which is possible for 90 days after it was closed, or use another "
        f"address for a new one",
        account=found.account,
    )


def close_account(organizations: Any, account: str) -> bool:
    """Close the account, unless that was asked for; whether it is closed. May be called until it is."""
    found = account_by_id(organizations, account)
    if found is None or found.status in ("SUSPENDED", "CLOSED"):
        return True
    if found.status != "PENDING_CLOSURE":
        try:
            organizations.close_account(AccountId=account)
        except AwsRefused as error:
            if error.code != "AccountAlreadyClosedException":
                raise
    return False


def _standing(organizations: Any, wanted: Wanted) -> Request | None:
    """The account, or a request that may be for it: the newest of its name that is under way."""
    if found := account_by_email(organizations, wanted.email):
        return Request(id="", account=found.account)
    statuses = _requests(organizations, wanted.name)
    for status in statuses:
        if status["State"] == "SUCCEEDED" and _is_for(organizations, status["AccountId"], wanted):
            return Request(id=status["Id"], account=status["AccountId"])
    going = next((status for status in statuses if status["State"] == "IN_PROGRESS"), None)
    return None if going is None else Request(id=going["Id"], account=None)


def _requests(organizations: Any, name: str) -> Sequence[dict[str, Any]]:
    """The requests of this name that have not failed, the newest first."""
    states = ["IN_PROGRESS", "SUCCEEDED"]
    found = organizations.items("list_create_account_status", "CreateAccountStatuses", States=states)
    named = [status for status in found if status.get("AccountName") == name]
    return sorted(named, key=lambda status: status["RequestedTimestamp"], reverse=True)


def _is_for(organizations: Any, account: str, wanted: Wanted) -> bool:
    found = account_by_id(organizations, account)
    return found is not None and found.email.lower() == wanted.email.lower()


def _outcome(organizations: Any, status: dict[str, Any], wanted: Wanted) -> Request:
    if status["State"] != "FAILED":
        return Request(id=status["Id"], account=status.get("AccountId") if status["State"] == "SUCCEEDED" else None)
    reason = status.get("FailureReason", "UNKNOWN")
    if reason == _TAKEN and (standing := _standing(organizations, wanted)) is not None:
        return standing  # by an earlier request of ours, which was not to be seen yet
    raise _failure(reason, wanted.email)


def _failure(reason: str, email: str) -> AwsError:
    message = f"The account for {email} was not created: {reason}, {todo_for_reason(reason)}"
    kind = AwsUnavailable if reason in PASSING_REASONS else QuotaReached if reason in QUOTA_REASONS else AwsRefused
    return kind(message, code=reason, reason=reason, service="organizations", operation="CreateAccount")


def _found(account: Mapping[str, Any]) -> Found:
    status = account.get("State") or account["Status"]  # the newer name, and the older one
    joined = account.get("JoinedTimestamp")
    name, email = account.get("Name", ""), account.get("Email", "")
    return Found(account=account["Id"], name=name, email=email, status=status, joined=joined)
