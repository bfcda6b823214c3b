"""LogGroup, held to what every provider's Resource has to do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orbits_aws import AwsTarget, LogGroup, OfflineAws
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, theirs, without_ours

NAME = "/shop/orders"


class LogGroupSubject(AwsSubject):
    refused = ("logs", "PutRetentionPolicy")

    def first(self) -> LogGroup:
        return LogGroup(name=NAME, retention_days=30)

    def changed(self) -> LogGroup:
        return LogGroup(name=NAME, retention_days=90, tags={"team": "shop"})

    def by_hand(self) -> None:
        self.api("logs").create_log_group(logGroupName=NAME)
        self.api("logs").put_retention_policy(logGroupName=NAME, retentionInDays=30)

    def stands(self) -> Any:
        return {one["logGroupName"]: self._group(one) for one in self._groups()} or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        logs = self.api("logs")
        return {
            "changed": lambda: logs.put_retention_policy(logGroupName=NAME, retentionInDays=1),
            "a setting taken away": lambda: logs.delete_retention_policy(logGroupName=NAME),
            "removed": lambda: logs.delete_log_group(logGroupName=NAME),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        return {
            "nobody's": self.by_hand,
            "another project's": lambda: self.api("logs").create_log_group(logGroupName=NAME, tags=theirs()),
        }

    def _groups(self) -> Any:
        return self.api("logs").describe_log_groups()["logGroups"]

    def _group(self, found: Any) -> Any:
        tags = self.api("logs").list_tags_for_resource(resourceArn=found["arn"].removesuffix(":*"))["tags"]
        return found.get("retentionInDays"), without_ours(tags)


class TestLogGroup(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return LogGroupSubject(aws, acme)
