"""Parameter, held to what every provider's Resource has to do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orbits_aws import AwsTarget, OfflineAws, Parameter
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, theirs, without_ours

NAME = "/shop/database/host"


class ParameterSubject(AwsSubject):
    refused = ("ssm", "PutParameter")

    def first(self) -> Parameter:
        return Parameter(name=NAME, value="db-1", description="where the database is", tags={"team": "web"})

    def changed(self) -> Parameter:
        return Parameter(name=NAME, value="db-2", tags={"team": "shop"})

    def by_hand(self) -> None:
        self.api("ssm").put_parameter(Name=NAME, Value="db-1", Type="String", Description="where the database is")

    def stands(self) -> Any:
        return {
            one["Name"]: self._parameter(one) for one in self.api("ssm").describe_parameters()["Parameters"]
        } or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        ssm = self.api("ssm")
        return {
            "changed": lambda: ssm.put_parameter(Name=NAME, Value="db-9", Overwrite=True),
            "removed": lambda: ssm.delete_parameter(Name=NAME),
            "a tag added": lambda: ssm.add_tags_to_resource(
                ResourceType="Parameter", ResourceId=NAME, Tags=[{"Key": "extra", "Value": "1"}]
            ),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        tags = [{"Key": name, "Value": value} for name, value in theirs().items()]
        return {
            "nobody's": self.by_hand,
            "another project's": lambda: self.api("ssm").put_parameter(Name=NAME, Value="x", Type="String", Tags=tags),
        }

    def _parameter(self, described: Any) -> Any:
        ssm, name = self.api("ssm"), described["Name"]
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
        value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        return value, described.get("Description", ""), described["Type"], without_ours(tags)


class TestParameter(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return ParameterSubject(aws, acme)
