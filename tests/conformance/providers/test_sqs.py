"""Queue, held to what every provider's Resource has to do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, Queue
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, theirs, without_ours


class QueueSubject(AwsSubject):
    refused = ("sqs", "SetQueueAttributes")

    def first(self) -> Queue:
        return Queue(name="orders")

    def changed(self) -> Queue:
        return Queue(name="orders", visibility_timeout=60)

    def by_hand(self) -> None:
        self.api("sqs").create_queue(QueueName="orders")

    def stands(self) -> Any:
        return {url.rpartition("/")[2]: self._queue(url) for url in self._urls()} or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        return {
            "changed": lambda: self.api("sqs").set_queue_attributes(
                QueueUrl=self._urls()[0], Attributes={"VisibilityTimeout": "5"}
            ),
            "removed": lambda: self.api("sqs").delete_queue(QueueUrl=self._urls()[0]),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        return {
            "nobody's": self.by_hand,
            "another project": lambda: self.api("sqs").create_queue(QueueName="orders", tags=theirs()),
        }

    def _urls(self) -> list[str]:
        urls: list[str] = self.api("sqs").list_queues().get("QueueUrls", [])
        return urls

    def _queue(self, url: str) -> Any:
        sqs = self.api("sqs")
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout"])["Attributes"]
        return attributes, without_ours(sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))


class TestQueue(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return QueueSubject(aws, acme)
