"""Whether an account that refuses can be used at all: what AWS Organizations and the account itself say about it.

What always holds: only what one of the two has said makes an account unusable; where they cannot be asked, the first
error stands, and the error of a role says so. Called by `clients` after a refusal, never before a call.
"""

from collections.abc import Callable
from typing import Any

from orbits_aws.errors import AccountUnusable, AwsError, AwsUnavailable, NotLetIn
from orbits_aws.organization import account_by_id, refuse_unusable
from orbits_aws.regions import HOME, may_be_off, region_status

_OFF = ("DISABLED", "DISABLING")


def why_not_let_in(organizations: Any, error: NotLetIn) -> AwsError:
    """The error of a role that cannot be assumed, with what its account's state has to do with it."""
    try:
        found = account_by_id(organizations, error.account)
        if found is not None:
            refuse_unusable(found)
    except (AccountUnusable, AwsUnavailable) as unusable:
        if unusable.account == error.account:
            words = f"{unusable}. AWS says: {error.said}"
            return type(unusable)(words, account=error.account, code=error.code, said=error.said)
        return error.with_more(f"What state the account is in could not be asked: {unusable}")
    except AwsError as asked:
        return error.with_more(f"What state the account is in may not be asked: {asked.code or type(asked).__name__}")
    return error if found is not None else error.with_more(f"The organization has no account {error.account}")


def unusable(
    account: str, region: str, partition: str, client: Callable[[str], Any], organizations: Any
) -> AwsError | None:
    """Why an account that was let into refuses all the same; None if it is active and has the region, or may be so.

    `client` gives one of Account Management in a region, which acts in the account.
    """
    try:
        found = account_by_id(organizations, account)
        if found is not None:
            refuse_unusable(found)
    except AccountUnusable as refused:
        return refused
    except AwsError:
        pass  # nobody can tell by it: the region still can
    if not may_be_off(region, partition):
        return None
    try:
        status = region_status(client(HOME), region)
    except AwsError:
        return None
    if status not in _OFF:
        return None
    return AccountUnusable(
        f"The region {region} is {status} for the account {account}: enable it under Account, Regions, or use another",
        account=account,
        region=region,
    )
