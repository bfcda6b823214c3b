"""Amazon SNS: topics."""

from typing import Any

from .contract import Made, Properties, ResourceType, Site, changed, is_true, retag, tag_list, tag_map

_DEFAULTS = {"ContentBasedDeduplication": "false", "DisplayName": "", "KmsMasterKeyId": ""}


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Topic(ResourceType):
    """AWS::SNS::Topic."""

    type = "AWS::SNS::Topic"
    supported = frozenset({*_DEFAULTS, "FifoTopic", "Tags", "TopicName"})
    named_by = "TopicName"

    def create(self, site: Site, properties: Properties) -> Made:
        fifo = is_true(properties.get("FifoTopic"))
        name = str(properties.get("TopicName") or site.name(256) + (".fifo" if fifo else ""))
        attributes = {key: _written(properties[key]) for key in _DEFAULTS if key in properties}
        if fifo:
            attributes["FifoTopic"] = "true"
        answer = site.client("sns").create_topic(Name=name, Attributes=attributes, Tags=tag_list(tag_map(properties)))
        site.made(answer["TopicArn"])
        return self._made(answer["TopicArn"])

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        sns = site.client("sns")
        for key in sorted(changed(before, after) & set(_DEFAULTS)):
            value = _written(after[key]) if key in after else _DEFAULTS[key]
            sns.set_topic_attributes(TopicArn=physical_id, AttributeName=key, AttributeValue=value)
        retag(
            before,
            after,
            lambda tags: sns.tag_resource(ResourceArn=physical_id, Tags=tag_list(tags)),
            lambda keys: sns.untag_resource(ResourceArn=physical_id, TagKeys=keys),
        )
        return self._made(physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("sns").delete_topic(TopicArn=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        sns = site.client("sns")
        live = sns.get_topic_attributes(TopicArn=physical_id)["Attributes"]
        found: dict[str, Any] = {key: live[key] for key in ("DisplayName", "KmsMasterKeyId") if live.get(key)}
        for key in ("ContentBasedDeduplication", "FifoTopic"):
            if key in live:
                found[key] = live[key] == "true"
        found["TopicName"] = physical_id.rpartition(":")[2]
        found["Tags"] = sns.list_tags_for_resource(ResourceArn=physical_id)["Tags"]
        return found

    @staticmethod
    def _made(arn: str) -> Made:
        return Made(physical_id=arn, attributes={"TopicArn": arn, "TopicName": arn.rpartition(":")[2]})
