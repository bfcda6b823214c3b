"""Queue: an SQS queue."""

from collections.abc import Sequence
from typing import Any

from orbits_aws.clients import client
from orbits_aws.errors import NotThere
from orbits_aws.ownership import refuse_foreign, tags_of
from orbits_aws.targets import AwsTarget
from orbits_iac import Managed, Outputs


class QueueOutputs(Outputs):
    """A queue as it is; `visibility_timeout` in seconds."""

    url: str
    visibility_timeout: int
    name: str
    arn: str


class Queue(Managed[QueueOutputs]):
    """An SQS queue of this name in the target's account and region.

    One of that name which another project made, or nobody, is refused.
    """

    name: str
    visibility_timeout: int = 30

    def replaces(self, live: QueueOutputs, /) -> Sequence[str]:
        """A queue cannot be renamed."""
        return () if live.name == self.name else ("name",)

    def read(self, recorded: QueueOutputs | None, /) -> QueueOutputs | None:
        """The queue that was recorded, else the one of this name."""
        name = recorded.name if recorded else self.name
        sqs = self._sqs()
        try:
            url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
            tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
            names = ["VisibilityTimeout", "QueueArn"]
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        except NotThere:
            return None
        target = self.execution.target(AwsTarget)
        refuse_foreign(f"The queue {name} in {target.account} ({target.region})", tags, tags_of(self.execution))
        return QueueOutputs(
            url=url, visibility_timeout=int(found["VisibilityTimeout"]), name=name, arn=found["QueueArn"]
        )

    def create(self) -> QueueOutputs:
        """Make it. SQS takes a second request with equal attributes for the first one."""
        self._sqs().create_queue(
            QueueName=self.name,
            Attributes={"VisibilityTimeout": str(self.visibility_timeout)},
            tags=tags_of(self.execution),
        )
        return self._made()

    def change(self, live: QueueOutputs, /) -> QueueOutputs:
        """Set what differs."""
        self._sqs().set_queue_attributes(
            QueueUrl=live.url, Attributes={"VisibilityTimeout": str(self.visibility_timeout)}
        )
        return live.model_copy(update={"visibility_timeout": self.visibility_timeout})

    def delete(self, live: QueueOutputs, /) -> None:
        """Delete it with the messages in it."""
        try:
            self._sqs().delete_queue(QueueUrl=live.url)
        except NotThere:
            return

    def _made(self) -> QueueOutputs:
        made = self.read(None)
        if made is None:
            raise NotThere(f"The queue {self.name} was made and is not there: somebody else deleted it.")
        return made

    def _sqs(self) -> Any:
        return client("sqs", self.execution.target(AwsTarget))
