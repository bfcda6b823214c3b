"""Amazon RDS: instances, clusters, and the groups that they are placed and set up by."""

from collections.abc import Iterable, Mapping
from typing import Any

from .contract import Properties, Site
from .mapped import Mapped


class DbInstance(Mapped):
    """AWS::RDS::DBInstance."""

    type = "AWS::RDS::DBInstance"
    listing = ("rds", "describe_db_instances", "DBInstances[].DBInstanceIdentifier")
    service = "rds"
    creating, changing = "CreateDBInstance", ("ModifyDBInstance",)
    deleting, reading = "DeleteDBInstance", "DescribeDBInstances"
    made_at, found_at = "DBInstance.DBInstanceIdentifier", "DBInstances.0"
    named_by = "DBInstanceIdentifier"
    longest, lower = 63, True
    keys = {"DBInstanceIdentifier": "{id}"}
    renamed = {"VPCSecurityGroups": "VpcSecurityGroupIds"}
    attributes = {"DBInstanceArn": "DBInstanceArn"}
    tag_target = "{DBInstanceArn}"
    ignored = frozenset(
        {
            "AllowMajorVersionUpgrade",
            "ApplyImmediately",
            "DeleteAutomatedBackups",
            "EnablePerformanceInsights",
            "EngineLifecycleSupport",
            "PerformanceInsightsKMSKeyId",
            "PerformanceInsightsRetentionPeriod",
        }
    )
    unread = frozenset(
        {
            "DBParameterGroupName",
            "DBSubnetGroupName",
            "EngineVersion",
            "MasterUserPassword",
            "Port",
            "VPCSecurityGroups",
        }
    )

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change it at once."""
        kept = {name: value for name, value in after.items() if name in names}
        super().change(site, physical_id, before, kept, names)

    def keep_snapshot(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Make a snapshot under a name of its own."""
        name = site.name(255, lower=True)
        site.client("rds").create_db_snapshot(DBSnapshotIdentifier=name, DBInstanceIdentifier=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it without a snapshot; one that is protected from deletion is refused by the service."""
        site.client("rds").delete_db_instance(DBInstanceIdentifier=physical_id, SkipFinalSnapshot=True)


class DbCluster(Mapped):
    """AWS::RDS::DBCluster."""

    type = "AWS::RDS::DBCluster"
    listing = ("rds", "describe_db_clusters", "DBClusters[].DBClusterIdentifier")
    service = "rds"
    creating, changing = "CreateDBCluster", ("ModifyDBCluster",)
    deleting, reading = "DeleteDBCluster", "DescribeDBClusters"
    made_at, found_at = "DBCluster.DBClusterIdentifier", "DBClusters.0"
    named_by = "DBClusterIdentifier"
    longest, lower = 63, True
    keys = {"DBClusterIdentifier": "{id}"}
    attributes = {
        "DBClusterArn": "DBClusterArn",
        "Endpoint": "Endpoint",
        "Endpoint.Address": "Endpoint",
        "Endpoint.Port": "Port",
        "ReadEndpoint.Address": "ReaderEndpoint",
    }
    tag_target = "{DBClusterArn}"
    ignored = frozenset({"DeleteAutomatedBackups", "EngineLifecycleSupport"})
    unread = frozenset(
        {
            "DBClusterParameterGroupName",
            "DBSubnetGroupName",
            "EngineVersion",
            "MasterUserPassword",
            "VpcSecurityGroupIds",
        }
    )

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change it at once."""
        kept = {name: value for name, value in after.items() if name in names}
        super().change(site, physical_id, before, kept, names)

    def keep_snapshot(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Make a snapshot under a name of its own."""
        name = site.name(63, lower=True)
        site.client("rds").create_db_cluster_snapshot(DBClusterSnapshotIdentifier=name, DBClusterIdentifier=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it without a snapshot; one that is protected from deletion is refused by the service."""
        site.client("rds").delete_db_cluster(DBClusterIdentifier=physical_id, SkipFinalSnapshot=True)


class DbSubnetGroup(Mapped):
    """AWS::RDS::DBSubnetGroup."""

    type = "AWS::RDS::DBSubnetGroup"
    service = "rds"
    creating, changing = "CreateDBSubnetGroup", ("ModifyDBSubnetGroup",)
    deleting, reading = "DeleteDBSubnetGroup", "DescribeDBSubnetGroups"
    made_at, found_at = "DBSubnetGroup.DBSubnetGroupName", "DBSubnetGroups.0"
    named_by = "DBSubnetGroupName"
    longest, lower = 255, True
    keys = {"DBSubnetGroupName": "{id}"}
    tag_target = "{DBSubnetGroupArn}"

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The group with its subnets."""
        live: dict[str, Any] = dict(super().read(site, physical_id, properties) or {})
        found = self.find(site, physical_id, properties)
        return {**live, "SubnetIds": [one["SubnetIdentifier"] for one in found["Subnets"]]}


class _ParameterGroup(Mapped):
    """A group of parameters: they are set and set back by calls of their own."""

    service = "rds"
    kind: str

    def carried_out(self) -> frozenset[str]:
        """The group and its parameters."""
        return super().carried_out() | {"Parameters"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Set the parameters that are new or different, and set back those that went."""
        self.refuse(set(names) - {"Parameters"})
        rds, who = site.client("rds"), {f"{self.kind}Name": physical_id}
        old, new = before.get("Parameters") or {}, after.get("Parameters") or {}
        if gone := [name for name in old if name not in new]:
            reset = getattr(rds, f"reset_{_snake(self.kind)}")
            reset(**who, Parameters=[{"ParameterName": name, "ApplyMethod": "pending-reboot"} for name in gone])
        if fresh := {name: value for name, value in new.items() if old.get(name) != value}:
            getattr(rds, f"modify_{_snake(self.kind)}")(
                **who,
                Parameters=[
                    {"ParameterName": name, "ParameterValue": str(value), "ApplyMethod": "immediate"}
                    for name, value in fresh.items()
                ],
            )

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The group with those of its parameters that it was given."""
        live: dict[str, Any] = dict(super().read(site, physical_id, properties) or {})
        describe = getattr(site.client("rds"), f"describe_{_snake(self.kind).replace('_group', 's')}")
        given, names = properties.get("Parameters"), {f"{self.kind}Name": physical_id}
        if not given:
            return live
        values = {one["ParameterName"]: one.get("ParameterValue") for one in describe(**names)["Parameters"]}
        return {**live, "Parameters": {name: values[name] for name in given if name in values}}


def _snake(kind: str) -> str:
    return {"DBParameterGroup": "db_parameter_group", "DBClusterParameterGroup": "db_cluster_parameter_group"}[kind]


class DbParameterGroup(_ParameterGroup):
    """AWS::RDS::DBParameterGroup."""

    type = "AWS::RDS::DBParameterGroup"
    kind = "DBParameterGroup"
    creating, deleting, reading = "CreateDBParameterGroup", "DeleteDBParameterGroup", "DescribeDBParameterGroups"
    found_at = "DBParameterGroups.0"
    named_by = "DBParameterGroupName"
    longest, lower = 255, True
    keys = {"DBParameterGroupName": "{id}"}
    renamed = {"Family": "DBParameterGroupFamily"}
    tag_target = "{DBParameterGroupArn}"


class DbClusterParameterGroup(_ParameterGroup):
    """AWS::RDS::DBClusterParameterGroup."""

    type = "AWS::RDS::DBClusterParameterGroup"
    kind = "DBClusterParameterGroup"
    creating, deleting = "CreateDBClusterParameterGroup", "DeleteDBClusterParameterGroup"
    reading = "DescribeDBClusterParameterGroups"
    found_at = "DBClusterParameterGroups.0"
    named_by = "DBClusterParameterGroupName"
    longest, lower = 255, True
    keys = {"DBClusterParameterGroupName": "{id}"}
    renamed = {"Family": "DBParameterGroupFamily"}
    attributes = {"Arn": "DBClusterParameterGroupArn"}


class DbSecurityGroup(Mapped):
    """AWS::RDS::DBSecurityGroup. Its rules are added one by one, and cannot be taken away."""

    type = "AWS::RDS::DBSecurityGroup"
    service = "rds"
    creating, deleting, reading = "CreateDBSecurityGroup", "DeleteDBSecurityGroup", "DescribeDBSecurityGroups"
    made_at, found_at = "DBSecurityGroup.DBSecurityGroupName", "DBSecurityGroups.0"
    keys = {"DBSecurityGroupName": "{id}"}
    renamed = {"GroupDescription": "DBSecurityGroupDescription"}
    attributes = {"Id": "{id}"}
    ignored = frozenset({"Tags"})

    def carried_out(self) -> frozenset[str]:
        """The group and its rules."""
        return super().carried_out() | {"DBSecurityGroupIngress"}

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """A name, which the template cannot choose."""
        return {"DBSecurityGroupName": site.name(255, lower=True)}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Add the rules that are not there."""
        self.refuse(set(names) - {"DBSecurityGroupIngress"})
        live = [_rule(one) for one in self._ranges(site, physical_id, after)]
        wanted = [_rule(one) for one in after.get("DBSecurityGroupIngress") or []]
        if any(rule not in wanted for rule in live):
            self.refuse(["DBSecurityGroupIngress"])
        for rule in [rule for rule in wanted if rule not in live]:
            site.client("rds").authorize_db_security_group_ingress(DBSecurityGroupName=physical_id, **rule)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The group with its address ranges."""
        live: dict[str, Any] = dict(super().read(site, physical_id, properties) or {})
        return {**live, "DBSecurityGroupIngress": self._ranges(site, physical_id, properties)}

    def _ranges(self, site: Site, physical_id: str, properties: Properties) -> list[dict[str, Any]]:
        found = self.find(site, physical_id, properties)
        return [{"CIDRIP": one["CIDRIP"]} for one in found.get("IPRanges", [])]


def _rule(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value}


HANDLERS = (
    DbCluster(),
    DbClusterParameterGroup(),
    DbInstance(),
    DbParameterGroup(),
    DbSecurityGroup(),
    DbSubnetGroup(),
)
