"""What of a stack holds data, and which changes would lose it. Pure: templates and changes in, names and reasons out.

A type holds data if what it kept is gone with it. What a policy retains or takes a snapshot of is not lost, and neither
is a bucket that is removed: CloudFormation deletes none that holds anything, unless the stack empties it first.
Called before a change set is executed, by previews, and before a stack is uninstalled.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from orbits_cdk.wanted import Loss

_WHOLE_SERVICES = ("AWS::DocDB::DB", "AWS::Neptune::DB", "AWS::QLDB::Ledger", "AWS::Timestream::")
_TYPES = frozenset(
    {
        "AWS::Backup::BackupVault",
        "AWS::Cassandra::Keyspace",
        "AWS::Cassandra::Table",
        "AWS::CloudFormation::Stack",  # whatever is in it
        "AWS::Cognito::IdentityPool",
        "AWS::Cognito::UserPool",
        "AWS::DSQL::Cluster",
        "AWS::DynamoDB::GlobalTable",
        "AWS::DynamoDB::Table",
        "AWS::EC2::Volume",
        "AWS::ECR::Repository",
        "AWS::EFS::FileSystem",
        "AWS::ElastiCache::CacheCluster",
        "AWS::ElastiCache::ReplicationGroup",
        "AWS::ElastiCache::ServerlessCache",
        "AWS::Elasticsearch::Domain",
        "AWS::FSx::FileSystem",
        "AWS::FSx::Volume",
        "AWS::KMS::Key",  # what it has encrypted cannot be read any more
        "AWS::Kinesis::Stream",
        "AWS::Lightsail::Database",
        "AWS::Lightsail::Disk",
        "AWS::Logs::LogGroup",
        "AWS::MSK::Cluster",
        "AWS::MemoryDB::Cluster",
        "AWS::OpenSearchServerless::Collection",
        "AWS::OpenSearchService::Domain",
        "AWS::RDS::DBCluster",
        "AWS::RDS::DBInstance",
        "AWS::RDS::GlobalCluster",
        "AWS::Redshift::Cluster",
        "AWS::RedshiftServerless::Namespace",
        "AWS::S3::Bucket",
        "AWS::S3Express::DirectoryBucket",
        "AWS::S3Tables::Table",
        "AWS::SDB::Domain",
        "AWS::SecretsManager::Secret",
    }
)
_BUCKETS = frozenset({"AWS::S3::Bucket", "AWS::S3Express::DirectoryBucket"})
_EMPTIES = "Custom::S3AutoDeleteObjects"  # CDK's `auto_delete_objects`
_KEEPS = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})
_KEEPING_ACTIONS = frozenset({"ReplaceAndRetain", "ReplaceAndSnapshot", "Retain", "Snapshot"})


def holds_data(kind: str) -> bool:
    """Whether resources of this type hold data."""
    return kind in _TYPES or kind.startswith(_WHOLE_SERVICES)


def losses(changes: Iterable[Mapping[str, Any]]) -> tuple[Loss, ...]:
    """What the resource changes of a change set would lose, each by the resource that holds it."""
    resources = [change["ResourceChange"] for change in changes if "ResourceChange" in change]
    emptied = any(each["ResourceType"] == _EMPTIES and each["Action"] == "Remove" for each in resources)
    found = ((each, _why(each, emptied=emptied)) for each in resources)
    return tuple(Loss(resource=each["LogicalResourceId"], why=why) for each, why in found if why)


def data_in(template: Mapping[str, Any], *, emptied: bool = False) -> tuple[str, ...]:
    """The resources of a template that hold data which goes with the stack, for people; `emptied`: buckets too."""
    return tuple(f"{name} ({kind})" for name, kind in holding(template, emptied=emptied).items())


def holding(template: Mapping[str, Any], *, emptied: bool = False) -> dict[str, str]:
    """The resources of a template that hold data which goes with the stack, with their types."""
    resources: Mapping[str, Any] = template.get("Resources", {})
    emptied = emptied or any(each["Type"] == _EMPTIES for each in resources.values())
    return {
        name: str(each["Type"])
        for name, each in resources.items()
        if holds_data(each["Type"])
        and deletion_policy(each) not in _KEEPS
        and (each["Type"] not in _BUCKETS or emptied)
    }


def deletion_policy(resource: Mapping[str, Any]) -> str:
    """What becomes of a resource of a template that is removed; some databases leave a snapshot unless told."""
    kind = resource["Type"]
    alone = kind == "AWS::RDS::DBInstance" and "DBClusterIdentifier" not in resource.get("Properties", {})
    default = "Snapshot" if kind == "AWS::RDS::DBCluster" or alone else "Delete"
    return str(resource.get("DeletionPolicy", default))


def _why(change: Mapping[str, Any], *, emptied: bool) -> str:
    kind, name = str(change["ResourceType"]), change["LogicalResourceId"]
    if not holds_data(kind) or change.get("PolicyAction") in _KEEPING_ACTIONS:
        return ""
    if change["Action"] == "Remove":
        return f"{name} ({kind}) would be removed" if kind not in _BUCKETS or emptied else ""
    if change["Action"] != "Modify" or change.get("Replacement", "False") not in {"True", "Conditional"}:
        return ""
    would = "would" if change["Replacement"] == "True" else "may"
    because = " and ".join(sorted(recreating(change)))
    return f"{name} ({kind}) {would} be replaced" + (f": {because} cannot change in place" if because else "")


def recreating(change: Mapping[str, Any]) -> set[str]:
    """The properties of a resource change that cannot change in place."""
    targets = (detail.get("Target", {}) for detail in change.get("Details", ()))
    return {
        str(target["Name"])
        for target in targets
        if target.get("RequiresRecreation", "Never") != "Never" and "Name" in target
    }
