"""Amazon Kinesis: streams."""

from collections.abc import Iterable

from .contract import Properties, Site
from .mapped import Mapped


class Stream(Mapped):
    """AWS::Kinesis::Stream. Shards, retention, encryption and mode are changed by a call each."""

    type = "AWS::Kinesis::Stream"
    listing = ("kinesis", "list_streams", "StreamNames[]")
    service = "kinesis"
    creating, deleting, reading = "CreateStream", "DeleteStream", "DescribeStreamSummary"
    found_at = "StreamDescriptionSummary"
    named_by = "Name"
    keys = {"StreamName": "{id}"}
    renamed = {"Name": "StreamName", "ShardCount": "ShardCount"}
    attributes = {"Arn": "StreamARN"}
    tag_target = "{id}"
    tags_apart = True

    def carried_out(self) -> frozenset[str]:
        """What CreateStream takes, and what has calls of its own."""
        return super().carried_out() | {"RetentionPeriodHours", "StreamEncryption"}

    def change(self, site: Site, physical_id: str, before: Properties, after: Properties, names: Iterable[str]) -> None:
        """Change what changed, each by its call."""
        kinesis = site.client("kinesis")
        live = kinesis.describe_stream_summary(StreamName=physical_id)["StreamDescriptionSummary"]
        for name in names:
            match name:
                case "RetentionPeriodHours":
                    hours, had = int(after.get(name, 24)), live["RetentionPeriodHours"]
                    verb = "increase" if hours > had else "decrease"
                    if hours != had:
                        change = getattr(kinesis, f"{verb}_stream_retention_period")
                        change(StreamName=physical_id, RetentionPeriodHours=hours)
                case "ShardCount" if after.get(name):
                    kinesis.update_shard_count(
                        StreamName=physical_id, TargetShardCount=int(after[name]), ScalingType="UNIFORM_SCALING"
                    )
                case "StreamEncryption" if after.get(name):
                    kinesis.start_stream_encryption(StreamName=physical_id, **after[name])
                case "StreamEncryption":
                    kinesis.stop_stream_encryption(StreamName=physical_id, **before[name])
                case "StreamModeDetails" if after.get(name):
                    kinesis.update_stream_mode(StreamARN=live["StreamARN"], StreamModeDetails=after[name])
                case _:
                    self.refuse([name])

    def read(self, site: Site, physical_id: str, properties: Properties) -> Properties | None:
        """The stream; its shards are the open ones."""
        live = dict(super().read(site, physical_id, properties) or {})
        found = self.find(site, physical_id, properties)
        live |= {"ShardCount": found["OpenShardCount"], "RetentionPeriodHours": found["RetentionPeriodHours"]}
        if found.get("EncryptionType", "NONE") != "NONE":
            live["StreamEncryption"] = {name: found[name] for name in ("EncryptionType", "KeyId") if name in found}
        return live


class StreamConsumer(Mapped):
    """AWS::Kinesis::StreamConsumer."""

    type = "AWS::Kinesis::StreamConsumer"
    service = "kinesis"
    creating, deleting, reading = "RegisterStreamConsumer", "DeregisterStreamConsumer", "DescribeStreamConsumer"
    made_at, found_at = "Consumer.ConsumerARN", "ConsumerDescription"
    keys = {"ConsumerARN": "{id}"}
    ignored = frozenset({"Tags"})


HANDLERS = (Stream(), StreamConsumer())
