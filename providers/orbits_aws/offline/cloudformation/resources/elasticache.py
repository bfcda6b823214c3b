"""Amazon ElastiCache: cache clusters."""

from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Properties, Site
from .mapped import Mapped


class CacheCluster(Mapped):
    """AWS::ElastiCache::CacheCluster."""

    type = "AWS::ElastiCache::CacheCluster"
    service = "elasticache"
    creating, deleting, reading = "CreateCacheCluster", "DeleteCacheCluster", "DescribeCacheClusters"
    found_at = "CacheClusters.0"
    named_by = "ClusterName"
    longest, lower = 50, True
    keys = {"CacheClusterId": "{id}"}
    renamed = {"ClusterName": "CacheClusterId", "VpcSecurityGroupIds": "SecurityGroupIds"}
    tag_target = "{ARN}"
    attributes = {"ARN": "ARN"}
    tagging = ("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource")
    unread = frozenset({"CacheParameterGroupName", "CacheSecurityGroupNames", "Port", "VpcSecurityGroupIds"})

    def find(self, site: Site, physical_id: str, properties: Properties) -> Any:
        """The cluster; one that is being removed is still told of, and does not count."""
        found = super().find(site, physical_id, properties)
        if found.get("CacheClusterStatus") == "deleting":
            raise ResourceGone(physical_id)
        return found


HANDLERS = (CacheCluster(),)
