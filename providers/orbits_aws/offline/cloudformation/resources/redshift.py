"""Amazon Redshift: clusters and their groups."""

from typing import Any

from .contract import Properties, Site
from .mapped import Mapped


class Cluster(Mapped):
    """AWS::Redshift::Cluster. Removed without a last snapshot."""

    type = "AWS::Redshift::Cluster"
    listing = ("redshift", "describe_clusters", "Clusters[].ClusterIdentifier")
    service = "redshift"
    creating, changing, deleting, reading = "CreateCluster", ("ModifyCluster",), "DeleteCluster", "DescribeClusters"
    found_at = "Clusters.0"
    named_by = "ClusterIdentifier"
    longest, lower = 63, True
    keys = {"ClusterIdentifier": "{id}"}
    tag_target = "arn:{partition}:redshift:{region}:{account}:cluster:{id}"
    unread = frozenset(
        {
            "ClusterParameterGroupName",
            "ClusterSecurityGroups",
            "ClusterType",
            "IamRoles",
            "MasterUserPassword",
            "Port",
            "VpcSecurityGroupIds",
        }
    )

    def keep_snapshot(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Make a snapshot under a name of its own."""
        name = site.name(255, lower=True)
        site.client("redshift").create_cluster_snapshot(SnapshotIdentifier=name, ClusterIdentifier=physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        """Remove it without a snapshot."""
        site.client("redshift").delete_cluster(ClusterIdentifier=physical_id, SkipFinalClusterSnapshot=True)


class ClusterParameterGroup(Mapped):
    """AWS::Redshift::ClusterParameterGroup."""

    type = "AWS::Redshift::ClusterParameterGroup"
    service = "redshift"
    creating, deleting = "CreateClusterParameterGroup", "DeleteClusterParameterGroup"
    reading = "DescribeClusterParameterGroups"
    found_at = "ParameterGroups.0"
    named_by = "ParameterGroupName"
    longest, lower = 255, True
    keys = {"ParameterGroupName": "{id}"}
    tag_target = "arn:{partition}:redshift:{region}:{account}:parametergroup:{id}"


class ClusterSubnetGroup(Mapped):
    """AWS::Redshift::ClusterSubnetGroup."""

    type = "AWS::Redshift::ClusterSubnetGroup"
    service = "redshift"
    creating, changing = "CreateClusterSubnetGroup", ("ModifyClusterSubnetGroup",)
    deleting, reading = "DeleteClusterSubnetGroup", "DescribeClusterSubnetGroups"
    made_at, found_at = "ClusterSubnetGroup.ClusterSubnetGroupName", "ClusterSubnetGroups.0"
    keys = {"ClusterSubnetGroupName": "{id}"}
    tag_target = "arn:{partition}:redshift:{region}:{account}:subnetgroup:{id}"

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """A name, which the template cannot choose."""
        return {"ClusterSubnetGroupName": site.name(255, lower=True)}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The group with its subnets."""
        found = self.find(site, physical_id, properties)
        live = super().read(site, physical_id, properties) or {}
        return {**live, "SubnetIds": [one["SubnetIdentifier"] for one in found["Subnets"]]}


HANDLERS = (Cluster(), ClusterParameterGroup(), ClusterSubnetGroup())
