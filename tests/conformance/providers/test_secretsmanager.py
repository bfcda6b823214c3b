"""Secret, held to what every provider's Resource has to do."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import SecretStr

from orbits_aws import AwsTarget, OfflineAws, Secret
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, listed, theirs, without_ours

NAME = "shop/database"


class SecretSubject(AwsSubject):
    refused = ("secretsmanager", "UpdateSecret")

    def first(self) -> Secret:
        return Secret(name=NAME, value=SecretStr("the first value"), recovery_days=0, tags={"team": "web"})

    def changed(self) -> Secret:
        value = SecretStr("another value")
        return Secret(name=NAME, value=value, description="of the shop", recovery_days=0, tags={"team": "shop"})

    def by_hand(self) -> None:
        self._make({})

    def stands(self) -> Any:
        found = self.api("secretsmanager").list_secrets(IncludePlannedDeletion=True)["SecretList"]
        return {one["Name"]: self._secret(one["Name"]) for one in found} or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        secrets = self.api("secretsmanager")
        return {
            "changed": lambda: secrets.update_secret(SecretId=NAME, Description="by hand"),
            "removed": lambda: secrets.delete_secret(SecretId=NAME, ForceDeleteWithoutRecovery=True),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        return {"nobody's": self.by_hand, "another project's": lambda: self._make(theirs())}

    def _make(self, tags: dict[str, str]) -> None:
        self.api("secretsmanager").create_secret(Name=NAME, SecretString="the first value", Tags=listed(tags))

    def _secret(self, name: str) -> Any:
        secrets = self.api("secretsmanager")
        found = secrets.describe_secret(SecretId=name)
        value = secrets.get_secret_value(SecretId=name)["SecretString"]
        return value, found.get("Description", ""), without_ours(found.get("Tags"))


class TestSecret(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return SecretSubject(aws, acme)
