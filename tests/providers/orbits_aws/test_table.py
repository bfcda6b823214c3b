"""Table: brought to what it is to be one call at a time, and waited for."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from orbits_aws import AwsTarget, Index, Key, OfflineAws, Table
from orbits_iac import ExecutionFailed, Orbits

from .things import Case, Holder, by_key, held, it_lives, it_respects_owners, listed

BY_CUSTOMER, BY_DAY = Index("by-customer", Key("customer")), Index("by-day", Key("day", "N"), Key("id"), "KEYS_ONLY")


def table_arn(aws: Callable[[str], Any]) -> str:
    return str(aws("dynamodb").describe_table(TableName="orders")["Table"]["TableArn"])


CASE = Case(
    first=Table(
        name="orders", partition_key=Key("id"), indexes=[BY_CUSTOMER], stream="NEW_IMAGE", tags={"team": "shop"}
    ),
    changed=Table(
        name="orders",
        partition_key=Key("id"),
        read_capacity=2,
        write_capacity=3,
        indexes=[
            Index("by-customer", Key("customer"), projected=["total", "day"], read_capacity=1, write_capacity=1),
            Index("by-day", Key("day", "N"), Key("id"), "KEYS_ONLY", read_capacity=1, write_capacity=1),
        ],
        stream="KEYS_ONLY",
        expires_by="until",
        point_in_time_recovery=True,
        deletion_protection=True,
        table_class="STANDARD_INFREQUENT_ACCESS",
        tags={"team": "sales"},
    ),
    other=Table(name="orders", partition_key=Key("number", "N")),
    made_by="dynamodb:CreateTable",
    made_by_hand=lambda aws, tags: aws("dynamodb").create_table(
        TableName="orders",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=listed(tags),
    ),
    spoilt=lambda aws: aws("dynamodb").update_time_to_live(
        TableName="orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "spoilt"}
    ),
    drifted={"expires_by": '"spoilt"'},
    tags=lambda aws: by_key(aws("dynamodb").list_tags_of_resource(ResourceArn=table_arn(aws))["Tags"]),
    there=lambda aws: list(aws("dynamodb").list_tables()["TableNames"]),
)


@pytest.mark.usefixtures("quick")
async def test_it_lives(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_lives(CASE, orbits, aws, acme)


@pytest.mark.usefixtures("quick")
async def test_it_respects_owners(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await it_respects_owners(CASE, orbits, aws, acme)


async def test_it_is_waited_for_and_changed_one_index_at_a_time(
    orbits: Orbits, aws: OfflineAws, acme: AwsTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.dynamodb.models.table import Table as Offline

    told: list[str] = []
    describe: Callable[..., Any] = Offline.describe

    def slow(table: Any, base_key: str = "TableDescription") -> Any:
        """As DynamoDB tells it, which is busy at every other look; moto is done at once."""
        found = describe(table, base_key)
        if base_key == "Table":
            found["Table"]["TableStatus"] = "UPDATING" if len(told) % 2 == 0 else "ACTIVE"
            told.append(found["Table"]["TableStatus"])
        return found

    monkeypatch.setattr(Offline, "describe", slow)
    await orbits.run(held(CASE), target=acme)
    assert told[-1] == "ACTIVE"
    await orbits.run(held(CASE, "changed"), target=acme)
    await orbits.run(held(CASE), target=acme)
    found = aws.client("dynamodb", account="acme").describe_table(TableName="orders")
    assert [index["IndexName"] for index in found["Table"]["GlobalSecondaryIndexes"]] == ["by-customer"]


async def test_a_protected_one_is_not_deleted(orbits: Orbits, aws: OfflineAws, acme: AwsTarget) -> None:
    await orbits.run(held(CASE, "changed"), target=acme)
    with pytest.raises(ExecutionFailed, match="orders is protected from deletion"):
        await orbits.record(Holder, "acme").uninstall(accept_loss=CASE.losses)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"read_capacity": 1}, "all, or none has"),
        ({"read_capacity": 1, "write_capacity": 1, "indexes": [BY_DAY]}, "all, or none has"),
        ({"sort_key": Key("id", "N")}, "has keys of id as S and as N"),
        ({"kms_key": "alias/aws/dynamodb"}, "kms_key"),
    ],
)
def test_what_fits_no_table_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Table.model_validate({"name": "orders", "partition_key": Key("id"), **fields})
