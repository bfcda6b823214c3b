"""AWS::DynamoDB::Table."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import AwsRefused, NotThere
from orbits_aws.readers.contract import Aws, Beside, Properties, Reader, given, tag_list, tags_by_key
from orbits_iac.provider import Rules, Unknown


def _table(aws: Aws, name: str, _recorded: Mapping[str, Any]) -> Properties | None:
    dynamodb = aws("dynamodb")
    try:
        table = dynamodb.describe_table(TableName=name)["Table"]
        tags = list(dynamodb.items("list_tags_of_resource", "Tags", ResourceArn=table["TableArn"]))
        expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    except NotThere:
        return None
    stream = table.get("StreamSpecification", {})
    return given(
        {
            "AttributeDefinitions": table["AttributeDefinitions"],
            "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "DeletionProtectionEnabled": table.get("DeletionProtectionEnabled"),
            "GlobalSecondaryIndexes": [_index(each) for each in table.get("GlobalSecondaryIndexes", ())] or None,
            "KeySchema": table["KeySchema"],
            "LocalSecondaryIndexes": [_index(each) for each in table.get("LocalSecondaryIndexes", ())] or None,
            "PointInTimeRecoverySpecification": _recovery(dynamodb, name),
            "ProvisionedThroughput": _throughput(table),
            "StreamSpecification": {"StreamViewType": stream["StreamViewType"]}
            if stream.get("StreamEnabled")
            else None,
            "TableClass": table.get("TableClassSummary", {}).get("TableClass"),
            "TableName": table["TableName"],
            "Tags": tag_list(tags_by_key(tags)),
            "TimeToLiveSpecification": {
                "AttributeName": expiry.get("AttributeName"),
                "Enabled": expiry.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"},
            },
        }
    )


def _throughput(described: Mapping[str, Any]) -> dict[str, int] | None:
    found = described.get("ProvisionedThroughput", {})
    units = {name: int(found.get(name, 0)) for name in ("ReadCapacityUnits", "WriteCapacityUnits")}
    return units if any(units.values()) else None


def _index(described: Mapping[str, Any]) -> dict[str, Any]:
    return given(
        {
            "IndexName": described["IndexName"],
            "KeySchema": described["KeySchema"],
            "Projection": described["Projection"],
            "ProvisionedThroughput": _throughput(described),
        }
    )


def _recovery(dynamodb: Any, name: str) -> dict[str, bool] | None:
    try:
        found = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    except AwsRefused as error:
        if error.code == "ContinuousBackupsUnavailableException":
            return None
        raise
    status = found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    return {"PointInTimeRecoveryEnabled": status == "ENABLED"}


def _without_scaling(live: Properties, name: str, _recorded: Mapping[str, Any], beside: Beside) -> Properties:
    """A table whose capacity Application Auto Scaling sets, as its template says, without that."""
    scaled = {str(target.get("ResourceId")) for _, target in beside("AWS::ApplicationAutoScaling::ScalableTarget")}
    if f"table/{name}" not in scaled:
        return live
    return {**live, "ProvisionedThroughput": Unknown("Application Auto Scaling sets it, as the template says")}


TABLE = Reader(
    type="AWS::DynamoDB::Table",
    read=_table,
    covers=frozenset(
        {
            "AttributeDefinitions",
            "BillingMode",
            "DeletionProtectionEnabled",
            "GlobalSecondaryIndexes",
            "KeySchema",
            "LocalSecondaryIndexes",
            "PointInTimeRecoverySpecification",
            "ProvisionedThroughput",
            "StreamSpecification",
            "TableClass",
            "TableName",
            "Tags",
            "TimeToLiveSpecification",
        }
    ),
    rules=Rules(
        whole=True,
        filled=("TableName",),
        keyed={"GlobalSecondaryIndexes": "IndexName", "LocalSecondaryIndexes": "IndexName"},
        unordered=(
            "AttributeDefinitions",
            "GlobalSecondaryIndexes.*.Projection.NonKeyAttributes",
            "LocalSecondaryIndexes.*.Projection.NonKeyAttributes",
        ),
        defaults={
            "BillingMode": "PROVISIONED",
            "DeletionProtectionEnabled": False,
            "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": False,
            "TableClass": "STANDARD",
            "TimeToLiveSpecification.Enabled": False,
        },
    ),
    own=_without_scaling,
)
