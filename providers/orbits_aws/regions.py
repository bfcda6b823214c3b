"""Which regions an account has from the beginning, and what Account Management says of the others."""

from typing import Any

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

HOME = "us-east-1"
"""Where Account Management is, and every account can be called."""

ENABLED = ("ENABLED", "ENABLED_BY_DEFAULT")


def may_be_off(region: str, partition: str) -> bool:
    """Whether an account has to enable a region before it can be used."""
    return region not in ENABLED_BY_DEFAULT and partition == "aws"


def region_status(accounts: Any, region: str) -> str:
    """What the account has of a region; `accounts` is a client of Account Management that acts in the account."""
    return str(accounts.get_region_opt_status(RegionName=region)["RegionOptStatus"])
