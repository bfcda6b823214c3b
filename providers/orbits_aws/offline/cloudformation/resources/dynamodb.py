"""Amazon DynamoDB: tables."""

from collections.abc import Mapping
from typing import Any

from .contract import Made, Properties, ResourceType, Site, changed, is_true, retag, set_properties, tag_list, tag_map

_PLAIN = ("AttributeDefinitions", "KeySchema", "LocalSecondaryIndexes", "TableClass")


def _throughput(value: Any) -> dict[str, int] | None:
    return {name: int(number) for name, number in value.items()} if value else None


def _index(value: Mapping[str, Any]) -> dict[str, Any]:
    written = {name: value[name] for name in ("IndexName", "KeySchema", "Projection")}
    if value.get("ProvisionedThroughput"):
        written["ProvisionedThroughput"] = _throughput(value["ProvisionedThroughput"])
    return written


def _stream(value: Mapping[str, Any] | None) -> dict[str, Any]:
    if not value:
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": value["StreamViewType"]}


def _encryption(value: Mapping[str, Any]) -> dict[str, Any]:
    names = {"SSEEnabled": "Enabled", "SSEType": "SSEType", "KMSMasterKeyId": "KMSMasterKeyId"}
    return {names[name]: inner for name, inner in value.items()}


class Table(ResourceType):
    """AWS::DynamoDB::Table."""

    type = "AWS::DynamoDB::Table"
    listing = ("dynamodb", "list_tables", "TableNames[]")
    supported = frozenset(
        {
            *_PLAIN,
            "BillingMode",
            "DeletionProtectionEnabled",
            "GlobalSecondaryIndexes",
            "PointInTimeRecoverySpecification",
            "ProvisionedThroughput",
            "SSESpecification",
            "StreamSpecification",
            "TableName",
            "Tags",
            "TimeToLiveSpecification",
        }
    )
    replaced_by = frozenset({"KeySchema", "LocalSecondaryIndexes"})
    named_by = "TableName"

    def create(self, site: Site, properties: Properties) -> Made:
        dynamodb = site.client("dynamodb")
        name = str(properties.get("TableName") or site.name(255))
        stream = properties.get("StreamSpecification")
        encryption = properties.get("SSESpecification")
        dynamodb.create_table(
            TableName=name,
            **{key: properties[key] for key in _PLAIN if key in properties},
            **set_properties(
                BillingMode=properties.get("BillingMode", "PROVISIONED"),
                ProvisionedThroughput=_throughput(properties.get("ProvisionedThroughput")),
                GlobalSecondaryIndexes=[_index(index) for index in properties.get("GlobalSecondaryIndexes", [])],
                StreamSpecification=_stream(stream) if stream else None,
                SSESpecification=_encryption(encryption) if encryption else None,
                Tags=tag_list(tag_map(properties)),
            ),
            DeletionProtectionEnabled=is_true(properties.get("DeletionProtectionEnabled", False)),
        )
        site.made(name)
        self._settings(dynamodb, name, {}, properties)
        return self._made(site, name)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        dynamodb = site.client("dynamodb")
        different = changed(before, after)
        table: dict[str, Any] = {}
        if different & {"BillingMode", "ProvisionedThroughput"}:
            table["BillingMode"] = after.get("BillingMode", "PROVISIONED")
            if table["BillingMode"] == "PROVISIONED":
                table["ProvisionedThroughput"] = _throughput(after["ProvisionedThroughput"])
        if "StreamSpecification" in different:
            if before.get("StreamSpecification") and after.get("StreamSpecification"):
                dynamodb.update_table(TableName=physical_id, StreamSpecification={"StreamEnabled": False})
            table["StreamSpecification"] = _stream(after.get("StreamSpecification"))
        if "SSESpecification" in different:
            table["SSESpecification"] = _encryption(after.get("SSESpecification") or {"SSEEnabled": False})
        if "DeletionProtectionEnabled" in different:
            table["DeletionProtectionEnabled"] = is_true(after.get("DeletionProtectionEnabled", False))
        if "TableClass" in different:
            table["TableClass"] = after.get("TableClass", "STANDARD")
        if table:
            dynamodb.update_table(TableName=physical_id, **table)
        for change in _index_changes(before, after):
            dynamodb.update_table(
                TableName=physical_id,
                AttributeDefinitions=after["AttributeDefinitions"],
                GlobalSecondaryIndexUpdates=[change],
            )
        self._settings(dynamodb, physical_id, before, after)
        arn = site.arn("dynamodb", f"table/{physical_id}")
        retag(
            before,
            after,
            lambda tags: dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list(tags)),
            lambda keys: dynamodb.untag_resource(ResourceArn=arn, TagKeys=keys),
        )
        return self._made(site, physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("dynamodb").delete_table(TableName=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        dynamodb = site.client("dynamodb")
        live = dynamodb.describe_table(TableName=physical_id)["Table"]
        found = _described(live)
        found["Tags"] = dynamodb.list_tags_of_resource(ResourceArn=live["TableArn"]).get("Tags", [])
        backups = dynamodb.describe_continuous_backups(TableName=physical_id)["ContinuousBackupsDescription"]
        recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
        found["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": recovery == "ENABLED"}
        ttl = dynamodb.describe_time_to_live(TableName=physical_id)["TimeToLiveDescription"]
        if ttl.get("TimeToLiveStatus") == "ENABLED":
            found["TimeToLiveSpecification"] = {"AttributeName": ttl["AttributeName"], "Enabled": True}
        return found

    @staticmethod
    def _settings(dynamodb: Any, name: str, before: Properties, after: Properties) -> None:
        """What is set by calls of its own: point-in-time recovery and time to live."""
        different = changed(before, after)
        if "PointInTimeRecoverySpecification" in different:
            wanted = after.get("PointInTimeRecoverySpecification") or {}
            enabled = is_true(wanted.get("PointInTimeRecoveryEnabled", False))
            dynamodb.update_continuous_backups(
                TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": enabled}
            )
        if "TimeToLiveSpecification" in different:
            old, new = before.get("TimeToLiveSpecification"), after.get("TimeToLiveSpecification")
            if spec := new or (old and {"AttributeName": old["AttributeName"], "Enabled": False}):
                enabled = is_true(spec.get("Enabled", False))
                dynamodb.update_time_to_live(
                    TableName=name,
                    TimeToLiveSpecification={"AttributeName": spec.get("AttributeName", ""), "Enabled": enabled},
                )

    @staticmethod
    def _made(site: Site, name: str) -> Made:
        attributes = {"Arn": site.arn("dynamodb", f"table/{name}")}
        live = site.client("dynamodb").describe_table(TableName=name)["Table"]
        if "LatestStreamArn" in live:
            attributes["StreamArn"] = live["LatestStreamArn"]
        return Made(physical_id=name, attributes=attributes)


def _index_changes(before: Properties, after: Properties) -> list[dict[str, Any]]:
    old = {index["IndexName"]: index for index in before.get("GlobalSecondaryIndexes", [])}
    new = {index["IndexName"]: index for index in after.get("GlobalSecondaryIndexes", [])}
    changes: list[dict[str, Any]] = [{"Delete": {"IndexName": name}} for name in old if old[name] != new.get(name)]
    return changes + [{"Create": _index(new[name])} for name in new if new[name] != old.get(name)]


def _described(live: Mapping[str, Any]) -> dict[str, Any]:
    billing = live.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    found: dict[str, Any] = {
        "TableName": live["TableName"],
        "AttributeDefinitions": live["AttributeDefinitions"],
        "KeySchema": live["KeySchema"],
        "BillingMode": billing,
        "DeletionProtectionEnabled": live.get("DeletionProtectionEnabled", False),
    }
    if billing == "PROVISIONED":
        found["ProvisionedThroughput"] = _units(live["ProvisionedThroughput"])
    for name in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if live.get(name):
            found[name] = [_described_index(index, billing) for index in live[name]]
    if live.get("StreamSpecification", {}).get("StreamEnabled"):
        found["StreamSpecification"] = {"StreamViewType": live["StreamSpecification"]["StreamViewType"]}
    if live.get("SSEDescription", {}).get("Status") == "ENABLED":
        found["SSESpecification"] = {"SSEEnabled": True}
    found["TableClass"] = live.get("TableClassSummary", {}).get("TableClass", "STANDARD")
    return found


def _described_index(index: Mapping[str, Any], billing: str) -> dict[str, Any]:
    found = {name: index[name] for name in ("IndexName", "KeySchema", "Projection")}
    if billing == "PROVISIONED" and "ProvisionedThroughput" in index:
        found["ProvisionedThroughput"] = _units(index["ProvisionedThroughput"])
    return found


def _units(live: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(live[name]) for name in ("ReadCapacityUnits", "WriteCapacityUnits")}


HANDLERS = (Table(),)
