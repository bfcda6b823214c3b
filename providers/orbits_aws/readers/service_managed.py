"""Properties that services change by themselves once a resource is there: ignored, and shown as ignored.

By type, path and reason. What a scaling policy, an automatic upgrade or a deployment of another service sets is no
drift from what was recorded; a project that wants it otherwise has no way to say so yet.
"""

from collections.abc import Mapping

_SCALED = "its service scales it"
_UPGRADED = "its service upgrades it"

BY_TYPE: Mapping[str, Mapping[str, str]] = {
    "AWS::AmazonMQ::Broker": {"EngineVersion": _UPGRADED},
    "AWS::AppStream::Fleet": {"ComputeCapacity": _SCALED},
    "AWS::AutoScaling::AutoScalingGroup": {"DesiredCapacity": _SCALED},
    "AWS::DocDB::DBCluster": {"EngineVersion": _UPGRADED},
    "AWS::EC2::EC2Fleet": {"TargetCapacitySpecification.TotalTargetCapacity": _SCALED},
    "AWS::EC2::SpotFleet": {"SpotFleetRequestConfigData.TargetCapacity": _SCALED},
    "AWS::ECS::Service": {"DesiredCount": _SCALED},
    "AWS::EKS::Nodegroup": {"ScalingConfig.DesiredSize": _SCALED, "ReleaseVersion": _UPGRADED},
    "AWS::ElastiCache::CacheCluster": {"EngineVersion": _UPGRADED},
    "AWS::ElastiCache::ReplicationGroup": {"EngineVersion": _UPGRADED},
    "AWS::MemoryDB::Cluster": {"EngineVersion": _UPGRADED},
    "AWS::Neptune::DBCluster": {"EngineVersion": _UPGRADED},
    "AWS::RDS::DBCluster": {"EngineVersion": _UPGRADED},
    "AWS::RDS::DBInstance": {"AllocatedStorage": _SCALED, "EngineVersion": _UPGRADED},
    "AWS::Redshift::Cluster": {"ClusterVersion": _UPGRADED},
}


def by_the_service(type: str) -> Mapping[str, str]:  # noqa: A002 - CloudFormation's word
    """The properties of this type that its service changes, with the reason."""
    return BY_TYPE.get(type, {})
