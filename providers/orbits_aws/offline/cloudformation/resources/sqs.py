"""Amazon SQS: queues and their policies."""

import json
from typing import Any

from .contract import Made, Properties, ResourceType, Site, changed, is_true, retag, tag_list, tag_map

_DEFAULTS: dict[str, str] = {
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "DelaySeconds": "0",
    "FifoThroughputLimit": "perQueue",
    "KmsDataKeyReusePeriodSeconds": "300",
    "KmsMasterKeyId": "",
    "MaximumMessageSize": "1048576",
    "MessageRetentionPeriod": "345600",
    "ReceiveMessageWaitTimeSeconds": "0",
    "RedriveAllowPolicy": "",
    "RedrivePolicy": "",
    "SqsManagedSseEnabled": "true",
    "VisibilityTimeout": "30",
}
_DOCUMENTS = frozenset({"RedriveAllowPolicy", "RedrivePolicy"})
_BOOLEANS = frozenset({"ContentBasedDeduplication", "FifoQueue", "SqsManagedSseEnabled"})
_TEXTS = frozenset({"DeduplicationScope", "FifoThroughputLimit", "KmsMasterKeyId"})


def _written(name: str, value: Any) -> str:
    if name in _DOCUMENTS:
        return value if isinstance(value, str) else json.dumps(value)
    return str(value).lower() if name in _BOOLEANS else str(value)


def _read(name: str, text: str) -> Any:
    if name in _DOCUMENTS:
        return json.loads(text)
    if name in _BOOLEANS:
        return text == "true"
    return text if name in _TEXTS else int(text)


class Queue(ResourceType):
    """AWS::SQS::Queue."""

    type = "AWS::SQS::Queue"
    listing = ("sqs", "list_queues", "QueueUrls[]")
    supported = frozenset({*_DEFAULTS, "FifoQueue", "QueueName", "Tags"})
    named_by = "QueueName"

    def create(self, site: Site, properties: Properties) -> Made:
        sqs = site.client("sqs")
        fifo = is_true(properties.get("FifoQueue"))
        name = properties.get("QueueName") or site.name(80) + (".fifo" if fifo else "")
        attributes = {key: _written(key, properties[key]) for key in _DEFAULTS if key in properties}
        if fifo:
            attributes["FifoQueue"] = "true"
        answer = sqs.create_queue(QueueName=name, Attributes=attributes, tags=tag_map(properties))
        site.made(answer["QueueUrl"])
        return self._made(site, answer["QueueUrl"])

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        sqs = site.client("sqs")
        attributes = {
            key: _written(key, after[key]) if key in after else _DEFAULTS[key]
            for key in changed(before, after) & set(_DEFAULTS)
        }
        if attributes:
            sqs.set_queue_attributes(QueueUrl=physical_id, Attributes=attributes)
        retag(
            before,
            after,
            lambda tags: sqs.tag_queue(QueueUrl=physical_id, Tags=tags),
            lambda keys: sqs.untag_queue(QueueUrl=physical_id, TagKeys=keys),
        )
        return self._made(site, physical_id)

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        site.client("sqs").delete_queue(QueueUrl=physical_id)

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties:
        sqs = site.client("sqs")
        live = sqs.get_queue_attributes(QueueUrl=physical_id, AttributeNames=["All"])["Attributes"]
        found = {key: _read(key, live[key]) for key in [*_DEFAULTS, "FifoQueue"] if live.get(key)}
        found["QueueName"] = physical_id.rpartition("/")[2]
        found["Tags"] = tag_list(sqs.list_queue_tags(QueueUrl=physical_id).get("Tags", {}))
        return found

    @staticmethod
    def _made(site: Site, url: str) -> Made:
        name = url.rpartition("/")[2]
        return Made(physical_id=url, attributes={"Arn": site.arn("sqs", name), "QueueName": name, "QueueUrl": url})


class QueuePolicy(ResourceType):
    """AWS::SQS::QueuePolicy."""

    type = "AWS::SQS::QueuePolicy"
    supported = frozenset({"PolicyDocument", "Queues"})

    def create(self, site: Site, properties: Properties) -> Made:
        physical_id = site.name(80)
        site.made(physical_id)
        self._put(site, properties["Queues"], json.dumps(properties["PolicyDocument"]))
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def update(self, site: Site, physical_id: str, before: Properties, after: Properties) -> Made:
        self._put(site, [url for url in before.get("Queues", []) if url not in after["Queues"]], "")
        self._put(site, after["Queues"], json.dumps(after["PolicyDocument"]))
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, site: Site, physical_id: str, properties: Properties) -> None:
        self._put(site, properties["Queues"], "")

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        found: dict[str, Any] = {"Queues": []}
        for url in properties["Queues"]:
            live = site.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
            if policy := live.get("Attributes", {}).get("Policy"):
                found["Queues"].append(url)
                found["PolicyDocument"] = json.loads(policy)
        return found if found["Queues"] else None

    @staticmethod
    def _put(site: Site, urls: list[str], policy: str) -> None:
        for url in urls:
            site.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


HANDLERS = (Queue(), QueuePolicy())
