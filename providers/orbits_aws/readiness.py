"""Whether an account can be used: its role can be assumed, its region is enabled, and its services answer.

An account is listed as active minutes before all of it works, and EC2 may verify it for up to four hours. So what will
be used is asked, by calls that read. Called by `account` until nothing is missing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from orbits_aws.clients import partition_of
from orbits_aws.errors import AccessDenied, AwsError, AwsRefused, AwsUnavailable, denied_by

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

ENABLED_BY_DEFAULT = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "cn-north-1",
        "cn-northwest-1",
        "eu-central-1",
        "eu-north-1",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "sa-east-1",
        "us-east-1",
        "us-east-2",
        "us-gov-east-1",
        "us-gov-west-1",
        "us-west-1",
        "us-west-2",
    }
)
"""Regions that every account has: those from before 20 March 2019, and other partitions' (Account Management guide)."""

_HOME = "us-east-1"  # where Account Management is, and every account can be called
_ENABLED = ("ENABLED", "ENABLED_BY_DEFAULT")


def what_is_missing(client: Callable[[str, str], Any], region: str, services: Sequence[str]) -> str | None:
    """What the account still lacks, for people; None if it can be used in the region.

    `client` gives one of a service in a region. Raises what the services do: `passes` says what goes away by itself.
    """
    if region not in ENABLED_BY_DEFAULT and partition_of(region) == "aws":
        missing = enable_region(client("account", _HOME), region)
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
    status = _status(accounts, region)
    if status == "DISABLED":
        try:
            accounts.enable_region(RegionName=region)
        except AwsRefused as error:
            if error.code != "ConflictException":  # it is being enabled or disabled just now
                raise
        except AwsError:
            if _status(accounts, region) == "DISABLED":
                raise
        status = "ENABLING"
    return None if status in _ENABLED else f"the region {region} is {status}, which takes minutes, or hours"


def _status(accounts: Any, region: str) -> str:
    return str(accounts.get_region_opt_status(RegionName=region)["RegionOptStatus"])
