"""AWS::SNS::Topic."""

from collections.abc import Mapping
from typing import Any

from orbits_aws.errors import NotThere
from orbits_aws.readers.contract import Aws, Properties, Reader, given, tag_list, tags_by_key
from orbits_iac.provider import Rules

_ATTRIBUTES = (
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "SignatureVersion",
    "TracingConfig",
)


def _topic(aws: Aws, arn: str, _recorded: Mapping[str, Any]) -> Properties | None:
    sns = aws("sns")
    try:
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        tags = sns.list_tags_for_resource(ResourceArn=arn).get("Tags", ())
    except NotThere:
        return None
    return given(
        {
            **{name: attributes.get(name) or None for name in _ATTRIBUTES},
            "ArchivePolicy": attributes.get("ArchivePolicy") or None,
            "Tags": tag_list(tags_by_key(tags)),
            "TopicName": arn.rpartition(":")[2],
        }
    )


TOPIC = Reader(
    type="AWS::SNS::Topic",
    read=_topic,
    covers=frozenset({*_ATTRIBUTES, "ArchivePolicy", "Tags", "TopicName"}),
    rules=Rules(
        whole=True,
        filled=("TopicName",),
        defaults={
            "ContentBasedDeduplication": False,
            "FifoThroughputScope": "Topic",
            "FifoTopic": False,
            "MaximumMessageSize": (262144, 1048576),
            "SignatureVersion": "1",
            "TracingConfig": "PassThrough",
        },
        named=("KmsMasterKeyId",),
    ),
)
