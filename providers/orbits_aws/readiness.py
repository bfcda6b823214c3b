"""Whether an account can be used: its role can be assumed, its region is enabled, and its services answer.

An account is listed as active minutes before all of it works, and EC2 may verify it for up to four hours. So what will
be used is asked, by calls that read. Called by `account` until nothing is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orbits_aws.clients import partition_of
from orbits_aws.errors import AccessDenied, AwsError, AwsRefused, AwsUnavailable, denied_by
from orbits_aws.regions import ENABLED, HOME, may_be_off, region_status

PROBES: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "apigateway": ("get_account", {}),
    "cloudformation": ("list_exports", {}),
    "cloudfront": ("list_distributions", {"MaxItems": "1"}),
    "dynamodb": ("list_tables", {"Limit": 1}),
    "ec2": ("describe_account_attributes", {}),
    "ecs": ("list_clusters", {"maxResults": 1}),
    "lambda": ("list_functions", {"MaxItems": 1}),
    "rds": ("describe_db_instances", {"MaxRecords": 20}),
    "s3": ("list_buckets", {}),
    "secretsmanager": ("list_secrets", {"MaxResults": 1}),
    "sns": ("list_topics", {}),
    "sqs": ("list_queues", {"MaxResults": 1}),
    "ssm": ("describe_parameters", {"MaxResults": 1}),
}
"""For each service that can be waited for, a call that reads little and needs no resource."""


def what_is_missing(client: Callable[[str, str], Any], region: str, services: Sequence[str]) -> str | None:
    """What the account still lacks, for people; None if it can be used in the region.

    `client` gives one of a service in a region. Raises what the services do: `passes` says what goes away by itself.
    """
    if may_be_off(region, partition_of(region)):
        missing = enable_region(client("account", HOME), region)
        if missing is not None:
            return missing
    for service in services:
        operation, arguments = PROBES[service]
        getattr(client(service, region), operation)(**arguments)
    return None


def passes(error: AwsError, *, is_new: Callable[[], bool]) -> bool:
    """Whether an error goes away by itself: in an account that is new, also that nobody may do anything yet."""
    if isinstance(error, AccessDenied):
        return denied_by(error) in (None, "role trust policy") and is_new()
    return isinstance(error, AwsUnavailable)


def enable_region(accounts: Any, region: str) -> str | None:
    """Enable the region unless it is; what it lacks, for people, or None. May be called until it is enabled.

    `accounts` is a client of Account Management that acts in the account itself.
    """
    status = region_status(accounts, region)
    if status == "DISABLED":
        try:
            accounts.enable_region(RegionName=region)
        except AwsRefused as error:
            if error.code != "ConflictException":  # it is being enabled or disabled just now
                raise
        except AwsError:
            if region_status(accounts, region) == "DISABLED":
                raise
        status = "ENABLING"
    return None if status in ENABLED else f"the region {region} is {status}, which takes minutes, or hours"
