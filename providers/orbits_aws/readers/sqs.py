"""AWS::SQS::Queue and AWS::SQS::QueuePolicy."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, tag_list
from orbits_iac.provider import Rules

_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
)


def _queue(aws: Aws, url: str, _recorded: Mapping[str, Any]) -> Properties | None:
    sqs = aws("sqs")
    try:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
    except NotThere:
        return None
    properties: Properties = {name: _typed(attributes[name]) for name in _ATTRIBUTES if name in attributes}
    return {**properties, "QueueName": attributes["QueueArn"].rpartition(":")[2], "Tags": tag_list(tags)}


def _typed(text: str) -> Any:
    """An attribute's value as a template has it: SQS answers with text alone."""
    if text in {"true", "false"}:
        return text == "true"
    return int(text) if text.isdecimal() else text


def _queue_policy(aws: Aws, _physical_id: str, recorded: Mapping[str, Any]) -> Properties | None:
    documents: list[Any] = []
    queues: list[str] = []
    for url in recorded.get("Queues", ()):
        try:
            answer = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
        except NotThere:
            continue
        if document := answer.get("Attributes", {}).get("Policy"):
            documents.append(document)
            queues.append(url)
    return {"PolicyDocument": documents[0], "Queues": queues} if documents else None


QUEUE = Reader(
    type="AWS::SQS::Queue",
    read=_queue,
    covers=frozenset({*_ATTRIBUTES, "QueueName", "Tags"}),
    rules=Rules(
        whole=True,
        filled=("QueueName",),
        defaults={
            "ContentBasedDeduplication": False,
            "DeduplicationScope": "queue",
            "DelaySeconds": 0,
            "FifoQueue": False,
            "FifoThroughputLimit": "perQueue",
            "KmsDataKeyReusePeriodSeconds": 300,
            "MaximumMessageSize": (262144, 1048576),  # AWS raised it; queues made before keep the lower one
            "MessageRetentionPeriod": 345600,
            "ReceiveMessageWaitTimeSeconds": 0,
            "SqsManagedSseEnabled": (True, False),  # queues made before October 2022 have it off
            "VisibilityTimeout": 30,
        },
        named=("KmsMasterKeyId",),
    ),
)

QUEUE_POLICY = Reader(
    type="AWS::SQS::QueuePolicy",
    read=_queue_policy,
    covers=frozenset({"PolicyDocument", "Queues"}),
    rules=Rules(whole=True, policies=("PolicyDocument",), unordered=("Queues",)),
)
