"""AWS::Logs::LogGroup."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, given, tag_list
from orbits_iac.provider import Rules


def _log_group(aws: Aws, name: str, _recorded: Mapping[str, Any]) -> Properties | None:
    logs = aws("logs")
    groups = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]  # by name: the one meant comes first
    if not groups or groups[0]["logGroupName"] != name:
        return None
    found = groups[0]
    try:
        tags = logs.list_tags_for_resource(resourceArn=found["arn"].removesuffix(":*")).get("tags", {})
    except NotThere:
        return None
    return given(
        {
            "DeletionProtectionEnabled": found.get("deletionProtectionEnabled"),
            "KmsKeyId": found.get("kmsKeyId"),
            "LogGroupClass": found.get("logGroupClass"),
            "LogGroupName": found["logGroupName"],
            "RetentionInDays": found.get("retentionInDays"),
            "Tags": tag_list(tags),
        }
    )


LOG_GROUP = Reader(
    type="AWS::Logs::LogGroup",
    read=_log_group,
    covers=frozenset(
        {"DeletionProtectionEnabled", "KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"}
    ),
    rules=Rules(
        whole=True,
        filled=("LogGroupName",),
        defaults={"DeletionProtectionEnabled": False, "LogGroupClass": "STANDARD"},
        named=("KmsKeyId",),
    ),
)
