"""What a region is called, which an account has from the beginning, and what Account Management says of the others."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator

_FORM = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")


def as_region(given: str) -> str:
    """The same; ValueError for what cannot be a region, in whatever partition, and whenever AWS opens it."""
    if not _FORM.fullmatch(given):
        raise ValueError(f"{given!r} is no region: it looks like eu-west-1, us-gov-west-1 or cn-north-1")
    return given


Region = Annotated[str, AfterValidator(as_region)]
"""The name of a region."""

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
