"""What a target may be: refused where it is written, and not when somebody is to be reached by it."""

from typing import Any

import pytest
from pydantic import ValidationError

from orbits_aws import AwsAccount, AwsTarget
from orbits_iac.provider import UsageError
from orbits_tenants import ListSource
from orbits_tenants.sources.source import read

ACCOUNT = "111122223333"


@pytest.mark.parametrize(
    "account", ["", "12", "1111-2222-3333", "1111222233334", " 11112222333", "acme", "١١١١٢٢٢٢٣٣٣٣"]
)
def test_what_is_no_accounts_id_is_refused(account: str) -> None:
    said = f"{account!r} is no account's id: it has 12 digits, as in '111122223333'"
    with pytest.raises(ValidationError, match=said):
        AwsTarget(account=account)
    with pytest.raises(UsageError, match=f"the list of tenants, entry 1: tenant 'acme': targets: .*account.*{said}"):
        read(ListSource([{"id": "acme", "targets": [{"AwsTarget": {"account": account}}]}]))


@pytest.mark.parametrize("account", [111122223333, 0o12, None, True])
def test_an_account_that_yaml_reads_as_a_number_is_refused_as_before(account: Any) -> None:
    with pytest.raises(UsageError, match=r"targets: AwsTarget: .*account.* has to be text"):
        read(ListSource([{"id": "acme", "targets": [{"AwsTarget": {"account": account}}]}]))


@pytest.mark.parametrize("region", ["", "no where", "eu-west", "eu-west-1a", "EU-WEST-1", "eu_west_1", "eu-west-1\n"])
def test_what_cannot_be_a_region_is_refused(region: str) -> None:
    said = "is no region: it looks like eu-west-1, us-gov-west-1 or cn-north-1"
    with pytest.raises(ValidationError, match=said):
        AwsTarget(account=ACCOUNT, region=region)
    with pytest.raises(ValidationError, match=said):
        AwsAccount(name="acme", email="acme@example.com", region=region)


@pytest.mark.parametrize(
    "region",
    ["eu-west-1", "us-gov-west-1", "cn-north-1", "cn-northwest-1", "us-isob-east-1", "eusc-de-east-1", "xx-new-12"],
)
def test_a_region_of_any_partition_may_be_named_and_one_that_is_new(region: str) -> None:
    assert AwsTarget(account=ACCOUNT, region=region).place() == f"{ACCOUNT}/{region}"
