"""LogGroup: kept as long as is said, and not lost unseen."""

import pytest

from orbits_aws import AwsTarget, LogGroup, OfflineAws
from orbits_iac import ExecutionFailed, Orbits

from .things import Case, held, it_lives, it_respects_owners

CASE = Case(
    first=LogGroup(name="/shop/api", retention_days=30, tags={"team": "shop"}),
    changed=LogGroup(name="/shop/api", tags={"team": "sales"}),
    other=LogGroup(name="/shop/other"),
    made_by="logs:CreateLogGroup",
    made_by_hand=lambda aws, tags: aws("logs").create_log_group(logGroupName="/shop/api", tags=tags),
    spoilt=lambda aws: aws("logs").put_retention_policy(logGroupName="/shop/api", retentionInDays=1),
    drifted={"retention_days": "1"},
    tags=lambda aws: aws("logs").list_tags_log_group(logGroupName="/shop/api")["tags"],
    there=lambda aws: [one["logGroupName"] for one in aws("logs").describe_log_groups()["logGroups"]],
)


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


async def test_what_was_logged_is_not_lost_unseen(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(held(CASE), target=acme)
    with pytest.raises(ExecutionFailed, match="name cannot be changed in place"):
        await orbits.run(held(CASE, "other"), target=acme)
    assert CASE.there(lambda service: aws.client(service, account="acme")) == ["/shop/api"]
