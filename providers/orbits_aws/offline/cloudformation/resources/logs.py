"""Amazon CloudWatch Logs: log groups, their streams, filters and policies."""

from collections.abc import Iterable
from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed, retag, set_properties, tag_list, tag_map
from .mapped import Mapped


class LogGroup(ResourceType):
    """AWS::Logs::LogGroup."""

    type = "AWS::Logs::LogGroup"
    listing = ("logs", "describe_log_groups", "logGroups[].logGroupName")
    supported = frozenset({"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"})
    named_by = "LogGroupName"

    def create(self, site: Site, properties: Properties) -> Made:
        logs = site.client("logs")
        name = str(properties.get("LogGroupName") or site.name(512))
        logs.create_log_group(
            logGroupName=name,
            **set_properties(
                kmsKeyId=properties.get("KmsKeyId"),
                logGroupClass=properties.get("LogGroupClass"),
                tags=tag_map(properties),
            ),
        )
        site.made(name)
        self._retention(logs, name, {}, properties)
        return self._made(site, name)

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        logs = site.client("logs")
        self._retention(logs, physical_id, before, after)
        arn = site.arn("logs", f"log-group:{physical_id}")
        retag(
            before,
            after,
            lambda tags: logs.tag_resource(resourceArn=arn, tags=tags),
            lambda keys: logs.untag_resource(resourceArn=arn, tagKeys=keys),
        )
        return self._made(site, physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("logs").delete_log_group(logGroupName=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        logs = site.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix=physical_id)["logGroups"]
        live = next((group for group in groups if group["logGroupName"] == physical_id), None)
        if live is None:
            raise ResourceGone(physical_id)
        tags = logs.list_tags_for_resource(resourceArn=site.arn("logs", f"log-group:{physical_id}"))["tags"]
        return {
            "LogGroupName": physical_id,
            "Tags": tag_list(tags),
            **set_properties(RetentionInDays=live.get("retentionInDays"), KmsKeyId=live.get("kmsKeyId")),
        }

    @staticmethod
    def _retention(logs: Any, name: str, before: Properties, after: Properties) -> None:
        if "RetentionInDays" not in changed(before, after):
            return
        if days := after.get("RetentionInDays"):
            logs.put_retention_policy(logGroupName=name, retentionInDays=int(days))
        else:
            logs.delete_retention_policy(logGroupName=name)

    @staticmethod
    def _made(site: Site, name: str) -> Made:
        return Made(physical_id=name, attributes={"Arn": site.arn("logs", f"log-group:{name}:*")})


class LogResourcePolicy(Mapped):
    """AWS::Logs::ResourcePolicy."""

    type = "AWS::Logs::ResourcePolicy"
    service = "logs"
    creating, changing, deleting = "PutResourcePolicy", ("PutResourcePolicy",), "DeleteResourcePolicy"
    named_by = "PolicyName"
    keys = {"policyName": "{id}"}

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The policy, as the list of all tells it."""
        for policy in site.client("logs").describe_resource_policies()["resourcePolicies"]:
            if policy["policyName"] == physical_id:
                return {"PolicyName": physical_id, "PolicyDocument": policy["policyDocument"]}
        raise ResourceGone(physical_id)


class LogStream(Mapped):
    """AWS::Logs::LogStream."""

    type = "AWS::Logs::LogStream"
    service = "logs"
    creating, deleting = "CreateLogStream", "DeleteLogStream"
    named_by = "LogStreamName"
    keys = {"logGroupName": "{LogGroupName}", "logStreamName": "{id}"}


class SubscriptionFilter(Mapped):
    """AWS::Logs::SubscriptionFilter."""

    type = "AWS::Logs::SubscriptionFilter"
    service = "logs"
    creating, changing = "PutSubscriptionFilter", ("PutSubscriptionFilter",)
    deleting, reading = "DeleteSubscriptionFilter", "DescribeSubscriptionFilters"
    found_at = "subscriptionFilters.0"
    named_by = "FilterName"
    keys = {"logGroupName": "{LogGroupName}", "filterName": "{id}", "filterNamePrefix": "{id}"}


class MetricFilter(Mapped):
    """AWS::Logs::MetricFilter."""

    type = "AWS::Logs::MetricFilter"
    service = "logs"
    creating, changing = "PutMetricFilter", ("PutMetricFilter",)
    deleting, reading = "DeleteMetricFilter", "DescribeMetricFilters"
    found_at = "metricFilters.0"
    named_by = "FilterName"
    keys = {"logGroupName": "{LogGroupName}", "filterName": "{id}", "filterNamePrefix": "{id}"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Put the filter in the place of the old one."""
        self.delete(site, physical_id, before)
        super().change(site, physical_id, before, after, names)


HANDLERS = (LogGroup(), LogResourcePolicy(), LogStream(), MetricFilter(), SubscriptionFilter())
