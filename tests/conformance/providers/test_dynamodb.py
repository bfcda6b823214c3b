"""Table, held to what every provider's Resource has to do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orbits_aws import AwsTarget, Key, OfflineAws, Table
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, listed, theirs, without_ours


class TableSubject(AwsSubject):
    refused = ("dynamodb", "UpdateTimeToLive")

    def first(self) -> Table:
        return Table(name="orders", partition_key=Key("id"), tags={"team": "web"})

    def changed(self) -> Table:
        return Table(name="orders", partition_key=Key("id"), expires_by="until", tags={"team": "shop"})

    def by_hand(self) -> None:
        self._make({})

    def stands(self) -> Any:
        return {name: self._table(name) for name in self.api("dynamodb").list_tables()["TableNames"]} or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        dynamodb, ttl = self.api("dynamodb"), {"Enabled": True, "AttributeName": "other"}
        return {
            "changed": lambda: dynamodb.update_time_to_live(TableName="orders", TimeToLiveSpecification=ttl),
            "protected": lambda: dynamodb.update_table(TableName="orders", DeletionProtectionEnabled=True),
            "removed": lambda: dynamodb.delete_table(TableName="orders"),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        return {"nobody's": self.by_hand, "another project's": lambda: self._make(theirs())}

    def _make(self, tags: dict[str, str]) -> None:
        self.api("dynamodb").create_table(
            TableName="orders",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=listed(tags),
        )

    def _table(self, name: str) -> Any:
        dynamodb = self.api("dynamodb")
        found = dynamodb.describe_table(TableName=name)["Table"]
        ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        tags = dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"]
        expires = ttl.get("AttributeName") if ttl["TimeToLiveStatus"] == "ENABLED" else None
        return found["KeySchema"], found.get("DeletionProtectionEnabled"), expires, without_ours(tags)


class TestTable(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return TableSubject(aws, acme)
