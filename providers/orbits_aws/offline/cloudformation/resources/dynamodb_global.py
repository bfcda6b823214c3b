"""Amazon DynamoDB: global tables, as CDK writes every table of its newer kind; here with one replica, the stack's own.

It is an ordinary table: what a replica says of it is said of the table.
"""

from collections.abc import Mapping
from typing import Any

from orbits_aws.offline.cloudformation.errors import NothingDone

from .contract import Made, Properties, ResourceType, Site
from .dynamodb import Table

_SAME = frozenset(
    {
        "AttributeDefinitions",
        "BillingMode",
        "KeySchema",
        "LocalSecondaryIndexes",
        "SSESpecification",
        "StreamSpecification",
        "TableName",
        "TimeToLiveSpecification",
    }
)
_REPLICA = frozenset({"DeletionProtectionEnabled", "PointInTimeRecoverySpecification", "TableClass", "Tags"})
_INDEX = frozenset({"IndexName", "KeySchema", "Projection"})


class GlobalTable(ResourceType):
    """AWS::DynamoDB::GlobalTable."""

    type = "AWS::DynamoDB::GlobalTable"
    listing = Table.listing
    supported = _SAME | {"GlobalSecondaryIndexes", "Replicas", "WriteProvisionedThroughputSettings"}
    replaced_by = Table.replaced_by
    named_by = "TableName"
    table = Table()

    def create(self, site: Site, properties: Properties) -> Made:
        return self._told(site, self.table.create(site, self._as_table(site, properties)))

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        old, new = self._as_table(site, before), self._as_table(site, after)
        return self._told(site, self.table.update(site, physical_id, old, new))

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        self.table.delete(site, physical_id, properties)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        live = self.table.read(site, physical_id, {})
        found: dict[str, Any] = {name: live[name] for name in _SAME if name in live}
        replica = {"Region": site.region, **{name: live[name] for name in _REPLICA if name in live}}
        given = properties.get("Replicas") or []
        found["Replicas"] = [_replica(replica, given[0] if given else {}, live)]
        if "GlobalSecondaryIndexes" in live:
            indexes = live["GlobalSecondaryIndexes"]
            found["GlobalSecondaryIndexes"] = [{name: one[name] for name in _INDEX if name in one} for one in indexes]
        if "ProvisionedThroughput" in live and "WriteProvisionedThroughputSettings" in properties:
            settings = properties["WriteProvisionedThroughputSettings"]
            same = _units(settings, "Write") == live["ProvisionedThroughput"]["WriteCapacityUnits"]
            found["WriteProvisionedThroughputSettings"] = settings if same else {}
        return found

    def _as_table(self, site: Site, properties: Properties) -> dict[str, Any]:
        """The properties of the table that stands for it."""
        replicas: list[dict[str, Any]] = properties.get("Replicas") or [{"Region": site.region}]
        if [replica["Region"] for replica in replicas] != [site.region]:
            raise NothingDone(
                f"The offline AWS has {self.type} with a replica in the stack's region alone, {site.region}"
            )
        replica = replicas[0]
        for name in sorted(set(replica) - _REPLICA - {"ReadProvisionedThroughputSettings", "Region"}):
            raise NothingDone(f"The offline AWS does not carry out Replicas/{name} of {self.type}")
        table: dict[str, Any] = {name: properties[name] for name in _SAME if name in properties}
        table |= {name: replica[name] for name in _REPLICA if name in replica}
        for index in properties.get("GlobalSecondaryIndexes") or []:
            for name in sorted(set(index) - _INDEX):
                raise NothingDone(f"The offline AWS does not carry out GlobalSecondaryIndexes/{name} of {self.type}")
            table.setdefault("GlobalSecondaryIndexes", []).append(index)
        if "WriteProvisionedThroughputSettings" in properties:
            table["ProvisionedThroughput"] = {
                "ReadCapacityUnits": _units(replica.get("ReadProvisionedThroughputSettings") or {}, "Read"),
                "WriteCapacityUnits": _units(properties["WriteProvisionedThroughputSettings"], "Write"),
            }
        return table

    @staticmethod
    def _told(site: Site, made: Made) -> Made:
        live = site.client("dynamodb").describe_table(TableName=made.physical_id)["Table"]
        return Made(physical_id=made.physical_id, attributes={**made.attributes, "TableId": live.get("TableId")})


def _units(settings: Mapping[str, Any], kind: str) -> int:
    """How many units a table begins with: the number given, or the least that scaling allows."""
    if f"{kind}CapacityUnits" in settings:
        return int(settings[f"{kind}CapacityUnits"])
    scaling = settings.get(f"{kind}CapacityAutoScalingSettings") or {}
    return int(scaling.get("SeedCapacity", scaling.get("MinCapacity", 1)))


def _replica(replica: Mapping[str, Any], given: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """A live replica; how it scales is given as recorded, if the units are still those."""
    name = "ReadProvisionedThroughputSettings"
    if name not in given or "ProvisionedThroughput" not in live:
        return dict(replica)
    same = _units(given[name], "Read") == live["ProvisionedThroughput"]["ReadCapacityUnits"]
    return {**replica, name: given[name] if same else {}}


HANDLERS = (GlobalTable(),)
