"""Amazon SNS: topics, their policies, and subscriptions."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .contract import Made, Properties, ResourceType, Site, changed, is_true, retag, tag_list, tag_map
from .mapped import Mapped

_DEFAULTS = {"ContentBasedDeduplication": "false", "DisplayName": "", "KmsMasterKeyId": ""}
_DEFAULT_POLICY = "__default_policy_ID"


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Topic(ResourceType):
    """AWS::SNS::Topic."""

    type = "AWS::SNS::Topic"
    listing = ("sns", "list_topics", "Topics[].TopicArn")
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


class Subscription(Mapped):
    """AWS::SNS::Subscription. Its settings are attributes, documents among them."""

    type = "AWS::SNS::Subscription"
    listing = ("sns", "list_subscriptions", "Subscriptions[].SubscriptionArn")
    service = "sns"
    creating, deleting, reading = "Subscribe", "Unsubscribe", "GetSubscriptionAttributes"
    found_at = "Attributes"
    made_at = "SubscriptionArn"
    keys = {"SubscriptionArn": "{id}"}
    renamed = {"Endpoint": "Endpoint", "Protocol": "Protocol"}
    attributes = {"Arn": "SubscriptionArn"}
    ignored = frozenset({"Region"})
    settings = frozenset(
        {
            "DeliveryPolicy",
            "FilterPolicy",
            "FilterPolicyScope",
            "RawMessageDelivery",
            "RedrivePolicy",
            "SubscriptionRoleArn",
        }
    )

    def carried_out(self) -> frozenset[str]:
        """What Subscribe takes by name, and the attributes."""
        return super().carried_out() | self.settings

    def besides(self, site: Site, properties: Properties) -> dict[str, Any]:
        """Ask for the ARN at once, confirmed or not."""
        return {"ReturnSubscriptionArn": True}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Set the attributes one by one; one that is no longer set is emptied."""
        self.refuse(set(names) - self.settings)
        for name in sorted(names):
            value = after.get(name, "false" if name == "RawMessageDelivery" else "")
            text = json.dumps(value) if isinstance(value, Mapping) else _written(value)
            site.client("sns").set_subscription_attributes(
                SubscriptionArn=physical_id, AttributeName=name, AttributeValue=text
            )

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The attributes, as they stand; documents are compared as such."""
        live = self.find(site, physical_id, properties)
        return {name: live[name] for name in self.carried_out() if live.get(name) not in (None, "")}


class TopicPolicy(ResourceType):
    """AWS::SNS::TopicPolicy."""

    type = "AWS::SNS::TopicPolicy"
    supported = frozenset({"PolicyDocument", "Topics"})

    def create(self, site: Site, properties: Properties) -> Made:
        physical_id = site.name(128)
        site.made(physical_id)
        self._put(site, properties["Topics"], json.dumps(properties["PolicyDocument"]))
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        self._put(site, [arn for arn in before.get("Topics", []) if arn not in after["Topics"]], None)
        self._put(site, after["Topics"], json.dumps(after["PolicyDocument"]))
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        self._put(site, properties["Topics"], None)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        found: dict[str, Any] = {"Topics": []}
        for arn in properties["Topics"]:
            policy = json.loads(site.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
            if policy.get("Id") != _DEFAULT_POLICY:
                found["Topics"].append(arn)
                found["PolicyDocument"] = policy
        return found if found["Topics"] else None

    @staticmethod
    def _put(site: Site, arns: list[str], policy: str | None) -> None:
        """Give topics a policy; None gives each back the one that a new topic has."""
        for arn in arns:
            site.client("sns").set_topic_attributes(
                TopicArn=arn, AttributeName="Policy", AttributeValue=policy or _default_policy(site, arn)
            )


def _default_policy(site: Site, arn: str) -> str:
    statement = {
        "Effect": "Allow",
        "Sid": "__default_statement_ID",
        "Principal": {"AWS": "*"},
        "Action": [
            f"SNS:{name}"
            for name in (
                "GetTopicAttributes",
                "SetTopicAttributes",
                "AddPermission",
                "RemovePermission",
                "DeleteTopic",
                "Subscribe",
                "ListSubscriptionsByTopic",
                "Publish",
            )
        ],
        "Resource": arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": site.account}},
    }
    return json.dumps({"Version": "2008-10-17", "Id": _DEFAULT_POLICY, "Statement": [statement]})


HANDLERS = (Subscription(), Topic(), TopicPolicy())
