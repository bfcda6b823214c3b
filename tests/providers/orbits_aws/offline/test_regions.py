"""Regions that are off at first: each account enables its own, and they are a part of the state."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from orbits_aws import OfflineAws

ACME, BOLT = "111111111111", "222222222222"
MILAN = "eu-south-1"


def status(aws: OfflineAws, account: str) -> str:
    accounts = aws.client("account", account=account, region="us-east-1")
    return str(accounts.get_region_opt_status(RegionName=MILAN)["RegionOptStatus"])


def refused(call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as failed:
        call(**arguments)
    return str(failed.value.response.get("Error", {}).get("Code"))


def test_a_region_is_enabled_by_an_account_for_itself(aws: OfflineAws) -> None:
    aws.settings(disabled_regions=[MILAN], account_polls=2)
    accounts = aws.client("account", account=ACME, region="us-east-1")
    there = aws.client("sqs", account=ACME, region=MILAN)
    assert refused(there.list_queues) == "UnrecognizedClientException"
    assert status(aws, ACME) == "DISABLED"
    accounts.enable_region(RegionName=MILAN)
    assert refused(accounts.enable_region, RegionName=MILAN) == "ConflictException"
    saved = aws.snapshot()
    assert [status(aws, ACME) for _ in range(3)] == ["ENABLING", "ENABLING", "ENABLED"]
    assert "QueueUrls" not in there.list_queues()
    assert status(aws, BOLT) == "DISABLED"
    aws.restore(saved)
    assert status(aws, ACME) == "ENABLING"


def test_what_is_no_region_or_always_on_is_refused(aws: OfflineAws) -> None:
    accounts = aws.client("account", account=ACME, region="us-east-1")
    assert status(aws, ACME) == "ENABLED_BY_DEFAULT"
    assert refused(accounts.enable_region, RegionName=MILAN) == "ValidationException"
    assert refused(accounts.get_region_opt_status, RegionName="eu-nowhere-1") == "ValidationException"
    listed = {one["RegionName"]: one["RegionOptStatus"] for one in accounts.list_regions()["Regions"]}
    assert listed[MILAN] == "ENABLED_BY_DEFAULT"
    with pytest.raises(accounts.exceptions.ResourceNotFoundException):
        accounts.get_alternate_contact(AlternateContactType="BILLING")
