"""Amazon CloudWatch Logs: log groups."""

from typing import Any

from orbits_aws.offline.cloudformation.errors import ResourceGone

from .contract import Made, Properties, ResourceType, Site, changed, retag, set_properties, tag_list, tag_map


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


HANDLERS = (LogGroup(),)
