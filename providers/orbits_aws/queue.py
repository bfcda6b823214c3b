"""Queue: an SQS queue."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from orbits_aws.clients import client
from orbits_aws.errors import AwsRefused, NotReady, NotThere
from orbits_aws.ownership import owner_of
from orbits_aws.tagged import UNTIL_READY, Document, Tags, as_changed, check_owner, owner, users_tags, wanted_tags
from orbits_aws.targets import AwsTarget
from orbits_iac import Managed, Outputs, Retry
from orbits_iac.provider import Rules

_THERE = frozenset({"QueueAlreadyExists", "QueueNameExists"})
_DAY = 86400


class QueueOutputs(Outputs):
    """A queue as it is; what is a field of `Queue` too means the same."""

    url: str
    visibility_timeout: int
    name: str
    arn: str
    fifo: bool = False
    retention: int = 4 * _DAY
    delay: int = 0
    receive_wait: int = 0
    maximum_message_size: int | None = None
    dead_letter_arn: str | None = None
    max_receives: int = 5
    content_deduplication: bool = False
    high_throughput: bool = False
    kms_key: str | None = None
    encrypted: bool = True
    policy: Document | None = None
    tags: dict[str, str] = {}
    owner: str | None = None


class Queue(Managed[QueueOutputs]):
    """An SQS queue of this name in the target's account and region, encrypted.

    One of that name which another project made, or nobody, is refused; nobody's is taken over with `adopt=True`. A new
    name, or `fifo`, makes another queue: the messages in the old one are lost.

    Attributes:
        name: ends with `.fifo` where `fifo` is set.
        visibility_timeout: seconds for which a message that was received is hidden from others.
        retention: seconds for which a message is kept, from 60 to 14 days.
        delay: seconds until a message that was sent can be received.
        receive_wait: seconds that a receiver waits for a message (long polling).
        maximum_message_size: bytes; None leaves it to SQS.
        dead_letter_arn: the queue to which a message goes that was received `max_receives` times.
        content_deduplication: of a FIFO queue: what has the same body is the same message.
        high_throughput: of a FIFO queue: order and deduplication hold within a message group alone.
        kms_key: id, ARN or alias of a key of KMS; None: SQS's own key.
        policy: who may do what with the queue.

    """

    compared_by: ClassVar[Rules] = Rules(filled=("maximum_message_size",), named=("kms_key",), policies=("policy",))
    hook_retry: ClassVar[Retry] = UNTIL_READY
    name: str = Field(pattern=r"^[A-Za-z0-9_-]+(\.fifo)?$", max_length=80)
    visibility_timeout: int = Field(default=30, ge=0, le=43200)
    fifo: bool = False
    retention: int = Field(default=4 * _DAY, ge=60, le=14 * _DAY)
    delay: int = Field(default=0, ge=0, le=900)
    receive_wait: int = Field(default=0, ge=0, le=20)
    maximum_message_size: int | None = Field(default=None, ge=1024, le=1048576)
    dead_letter_arn: str | None = None
    max_receives: int = Field(default=5, ge=1, le=1000)
    content_deduplication: bool = False
    high_throughput: bool = False
    kms_key: str | None = None
    policy: Document | None = None
    tags: Tags = {}

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.name.endswith(".fifo") != self.fifo:
            raise ValueError(
                f"the name of a FIFO queue, and of no other, ends with .fifo: {self.name}, fifo={self.fifo}"
            )
        if not self.fifo and (self.content_deduplication or self.high_throughput):
            raise ValueError("content_deduplication and high_throughput are there for FIFO queues alone: set fifo=True")
        return self

    def desired(self) -> Mapping[str, Any]:
        """The fields, encrypted and ours."""
        wanted = {**self.model_dump(), "encrypted": True, "owner": owner(self.execution)}
        if self.dead_letter_arn is None:
            del wanted["max_receives"]
        return wanted

    def replaces(self, live: QueueOutputs, /) -> Sequence[str]:
        """A queue cannot be renamed, and becomes no FIFO queue."""
        return sorted({"name", "fifo"} & self.differing(live))

    def read(self, recorded: QueueOutputs | None, /) -> QueueOutputs | None:
        """The queue that was recorded, else the one of this name."""
        return self._found(recorded.name if recorded else self.name, known=recorded is not None)

    def adoptable(self) -> QueueOutputs | None:
        """The queue of this name, if it is ours or nobody's."""
        return self._found(self.name, known=True)

    def create(self) -> QueueOutputs:
        """Make it. SQS takes a second request with equal attributes for the first one."""
        attributes: dict[str, str] = {"FifoQueue": "true"} if self.fifo else {}
        for one in self._attributes().values():
            attributes.update({name: value for name, value in one.items() if value})
        try:
            self._sqs().create_queue(
                QueueName=self.name, Attributes=attributes, tags=wanted_tags(self.tags, self.execution)
            )
        except AwsRefused as error:
            if error.code not in _THERE:
                raise
        made = self.read(None)
        if made is None:
            raise NotReady(f"The queue {self.name} was made, and SQS does not know it yet.")
        return self.change(made) if self.differing(made) else made

    def change(self, live: QueueOutputs, /) -> QueueOutputs:
        """Set what differs."""
        differing = self.differing(live)
        attributes: dict[str, str] = {}
        for field, values in self._attributes().items():
            if field in differing or (field == "kms_key" and "encrypted" in differing):
                attributes.update(values)
        sqs = self._sqs()
        if attributes:
            sqs.set_queue_attributes(QueueUrl=live.url, Attributes=attributes)
        if {"tags", "owner"} & differing:
            sqs.tag_queue(QueueUrl=live.url, Tags=wanted_tags(self.tags, self.execution))
        if gone := sorted(set(live.tags) - set(self.tags)):
            sqs.untag_queue(QueueUrl=live.url, TagKeys=gone)
        return as_changed(self, live)

    def delete(self, live: QueueOutputs, /) -> None:
        """Delete it with the messages in it. Its name can be used again after a minute."""
        try:
            self._sqs().delete_queue(QueueUrl=live.url)
        except NotThere:
            return

    def _found(self, name: str, *, known: bool) -> QueueOutputs | None:
        sqs = self._sqs()
        try:
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        except NotThere:
            return None
        check_owner(self, f"The queue {name}", tags, known=known)
        redrive = json.loads(found.get("RedrivePolicy") or "{}")
        return QueueOutputs(
            url=url,
            name=name,
            arn=found["QueueArn"],
            fifo=found.get("FifoQueue") == "true",
            visibility_timeout=int(found["VisibilityTimeout"]),
            retention=int(found["MessageRetentionPeriod"]),
            delay=int(found["DelaySeconds"]),
            receive_wait=int(found["ReceiveMessageWaitTimeSeconds"]),
            maximum_message_size=int(found["MaximumMessageSize"]),
            dead_letter_arn=redrive.get("deadLetterTargetArn"),
            max_receives=int(redrive.get("maxReceiveCount", 5)),
            content_deduplication=found.get("ContentBasedDeduplication") == "true",
            high_throughput=found.get("FifoThroughputLimit") == "perMessageGroupId",
            kms_key=found.get("KmsMasterKeyId"),
            encrypted=bool(found.get("KmsMasterKeyId")) or found.get("SqsManagedSseEnabled") == "true",
            policy=json.loads(found["Policy"]) if found.get("Policy") else None,
            tags=users_tags(tags),
            owner=owner_of(tags),
        )

    def _attributes(self) -> dict[str, dict[str, str]]:
        """By field, the attributes that it stands for; an empty text takes one away."""
        redrive = {"deadLetterTargetArn": self.dead_letter_arn, "maxReceiveCount": self.max_receives}
        redriven = {"RedrivePolicy": json.dumps(redrive) if self.dead_letter_arn else ""}
        own_key = {"KmsMasterKeyId": "", "SqsManagedSseEnabled": "true"}
        attributes = {
            "visibility_timeout": {"VisibilityTimeout": str(self.visibility_timeout)},
            "retention": {"MessageRetentionPeriod": str(self.retention)},
            "delay": {"DelaySeconds": str(self.delay)},
            "receive_wait": {"ReceiveMessageWaitTimeSeconds": str(self.receive_wait)},
            "dead_letter_arn": redriven,
            "max_receives": redriven,
            "kms_key": {"KmsMasterKeyId": self.kms_key} if self.kms_key else own_key,
            "policy": {"Policy": json.dumps(self.policy) if self.policy else ""},
        }
        if self.maximum_message_size is not None:
            attributes["maximum_message_size"] = {"MaximumMessageSize": str(self.maximum_message_size)}
        if self.fifo:
            within = ("messageGroup", "perMessageGroupId") if self.high_throughput else ("queue", "perQueue")
            attributes["content_deduplication"] = {"ContentBasedDeduplication": str(self.content_deduplication).lower()}
            attributes["high_throughput"] = {"DeduplicationScope": within[0], "FifoThroughputLimit": within[1]}
        return attributes

    def _sqs(self) -> Any:
        return client("sqs", self.execution.target(AwsTarget))
