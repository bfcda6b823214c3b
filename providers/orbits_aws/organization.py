"""Finding and making accounts through Organizations: functions of a client and plain values.

CreateAccount has no client token, and AWS takes an e-mail address for one account only. So nothing is created before
the requests that are under way and the accounts that exist were searched, also after an answer was lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orbits_aws.errors import AnswerLost, AwsRefused, AwsUnavailable, NotThere

_FAILURES = {
    "ACCOUNT_LIMIT_EXCEEDED": "the organization has as many accounts as its quota allows: ask AWS for a higher quota "
    "of accounts (Service Quotas, AWS Organizations), or close an account",
    "EMAIL_ALREADY_EXISTS": "the address belongs to an account that is not in this organization: take another address "
    "(one of the form name+client@domain will do), or invite that account into the organization",
    "INVALID_EMAIL": "AWS does not take the address: it has to be a real one that can receive mail",
    "GOVCLOUD_ACCOUNT_ALREADY_EXISTS": "AWS GovCloud has an account of this address already",
    "INVALID_ADDRESS": "the address of the management account is not complete: complete it in the billing console",
    "MISSING_PAYMENT_INSTRUMENT": "the management account has no valid payment method: add one in the billing console",
    "PENDING_BUSINESS_VALIDATION": "AWS is still validating the business that owns the organization",
    "UNKNOWN_BUSINESS_VALIDATION": "AWS could not validate the business that owns the organization: contact AWS",
}
_QUOTA = "ACCOUNT_NUMBER_LIMIT_EXCEEDED"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request for an account: under way while `account` is None."""

    id: str
    account: str | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """An account of the organization."""

    account: str
    joined: datetime | None
    status: str  # ACTIVE, SUSPENDED, PENDING_CLOSURE, ...


def account_by_id(organizations: Any, account: str) -> Found | None:
    """The account of this id, if it is in the organization."""
    try:
        found = organizations.describe_account(AccountId=account)["Account"]
    except NotThere:
        return None
    return _found(found)


def account_by_email(organizations: Any, email: str) -> Found | None:
    """The account of this address, if it is in the organization."""
    for account in organizations.items("list_accounts", "Accounts"):
        if account["Email"].lower() == email.lower():
            return _found(account)
    return None


def request_under_way(organizations: Any, name: str) -> Request | None:
    """The newest request for an account of this name that has not ended."""
    under_way = organizations.items("list_create_account_status", "CreateAccountStatuses", States=["IN_PROGRESS"])
    named = [status for status in under_way if status.get("AccountName") == name]
    newest = max(named, key=lambda status: status["RequestedTimestamp"], default=None)
    return Request(id=newest["Id"], account=None) if newest else None


def request_account(organizations: Any, *, name: str, email: str, role: str) -> Request:
    """Ask for an account, unless one was asked for. `organizations` must make each call once only.

    Raises AwsRefused where AWS says no, explained; AwsUnavailable where it is worth asking again.
    """
    if found := account_by_email(organizations, email):
        return Request(id="", account=found.account)
    if under_way := request_under_way(organizations, name):
        return under_way
    try:
        answer = organizations.create_account(Email=email, AccountName=name, RoleName=role)
    except AnswerLost:
        found_after = account_by_email(organizations, email)
        if found_after is not None:
            return Request(id="", account=found_after.account)
        under_way = request_under_way(organizations, name)
        if under_way is None:
            raise
        return under_way
    except AwsRefused as error:
        if error.code == "ConstraintViolationException" and _QUOTA in str(error):
            raise AwsRefused(f"{error}. {_sentence(_FAILURES['ACCOUNT_LIMIT_EXCEEDED'])}", code=error.code) from error
        raise
    return _outcome(answer["CreateAccountStatus"], email)


def request_status(organizations: Any, request: str, email: str) -> Request:
    """How far the request is; raises AwsRefused, explained, where it failed."""
    answer = organizations.describe_create_account_status(CreateAccountRequestId=request)
    return _outcome(answer["CreateAccountStatus"], email)


def refuse_unusable(found: Found, email: str) -> None:
    """Raise AwsRefused where the account is suspended or being closed."""
    if found.status != "ACTIVE":
        raise AwsRefused(
            f"The account {found.account} ({email}) is {found.status}: reopen it with AWS Support, or use another "
            f"address for a new one"
        )


def _outcome(status: dict[str, Any], email: str) -> Request:
    if status["State"] == "FAILED":
        reason = status.get("FailureReason", "UNKNOWN")
        if reason in {"INTERNAL_FAILURE", "CONCURRENT_ACCOUNT_MODIFICATION"}:
            raise AwsUnavailable(f"The account for {email} was not created: {reason}", code=reason)
        explained = _FAILURES.get(reason, "see CreateAccountStatus in the documentation of AWS Organizations")
        raise AwsRefused(f"The account for {email} was not created: {reason}, {explained}", code=reason)
    return Request(id=status["Id"], account=status.get("AccountId") if status["State"] == "SUCCEEDED" else None)


def _found(account: Mapping[str, Any]) -> Found:
    status = account.get("State") or account["Status"]  # the newer name, and the older one
    return Found(account=account["Id"], status=status, joined=account.get("JoinedTimestamp"))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
