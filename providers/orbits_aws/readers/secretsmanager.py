"""AWS::SecretsManager::Secret: what is said about a secret, never what it holds."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, given, tag_list, tags_by_key
from orbits_iac.provider import Rules


def _secret(aws: Aws, arn: str, _recorded: Mapping[str, Any]) -> Properties | None:
    try:
        found = aws("secretsmanager").describe_secret(SecretId=arn)
    except NotThere:
        return None
    if "DeletedDate" in found:  # it can be restored for some days, and nobody can read it meanwhile
        return None
    return given(
        {
            "Description": found.get("Description"),
            "KmsKeyId": found.get("KmsKeyId"),
            "Name": found["Name"],
            "ReplicaRegions": _replicas(found.get("ReplicationStatus") or ()),
            "Tags": tag_list(tags_by_key(found.get("Tags") or ())),
        }
    )


def _replicas(statuses: Any) -> list[dict[str, Any]] | None:
    found = [given({"Region": each["Region"], "KmsKeyId": each.get("KmsKeyId")}) for each in statuses]
    return found or None


_HELD = "what a secret holds is not read"

SECRET = Reader(
    type="AWS::SecretsManager::Secret",
    read=_secret,
    covers=frozenset({"Description", "KmsKeyId", "Name", "ReplicaRegions", "Tags"}),
    rules=Rules(
        whole=True,
        filled=("Name",),
        keyed={"ReplicaRegions": "Region"},
        defaults={"KmsKeyId": "alias/aws/secretsmanager", "ReplicaRegions.*.KmsKeyId": "alias/aws/secretsmanager"},
        named=("KmsKeyId",),
    ),
    unread={"GenerateSecretString": _HELD, "SecretString": _HELD},
)
