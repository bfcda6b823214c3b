"""Function, held to what every provider's Resource has to do."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orbits_aws import AwsTarget, Code, Function, OfflineAws, trusted
from orbits_iac.testing import ProviderSuite, Subject

from .aws import AwsSubject, theirs, without_ours

ONE, TWO = (Code.files({"index.py": f"def handler(event, context):\n    return {n}\n"}) for n in (1, 2))


class FunctionSubject(AwsSubject):
    refused = ("lambda", "UpdateFunctionCode")

    def __init__(self, aws: OfflineAws, target: AwsTarget) -> None:
        super().__init__(aws, target)
        trust = json.dumps(trusted("lambda.amazonaws.com"))
        self.role = self.api("iam").create_role(RoleName="runner", AssumeRolePolicyDocument=trust)["Role"]["Arn"]

    def first(self) -> Function:
        return self._function(ONE)

    def changed(self) -> Function:
        return self._function(TWO, timeout=30, environment={"STAGE": "test"})

    def by_hand(self) -> None:
        self._make({})

    def stands(self) -> Any:
        return {
            one["FunctionName"]: self._seen(one) for one in self.api("lambda").list_functions()["Functions"]
        } or None

    def drifts(self) -> Mapping[str, Callable[[], object]]:
        functions = self.api("lambda")
        return {
            "changed": lambda: functions.update_function_configuration(FunctionName="api", Timeout=9),
            "other code": lambda: functions.update_function_code(FunctionName="api", **TWO.asked()),
            "removed": lambda: functions.delete_function(FunctionName="api"),
        }

    def foreign(self) -> Mapping[str, Callable[[], object]]:
        return {"nobody's": self.by_hand, "another project's": lambda: self._make(theirs())}

    def _function(self, code: Code, **more: Any) -> Function:
        return Function(name="api", code=code, runtime="python3.12", handler="index.handler", role="runner", **more)

    def _make(self, tags: dict[str, str]) -> None:
        self.api("lambda").create_function(
            FunctionName="api",
            Runtime="python3.12",
            Handler="index.handler",
            Role=self.role,
            Code=ONE.asked(),
            Tags=tags,
        )

    def _seen(self, found: Any) -> Any:
        tags = self.api("lambda").list_tags(Resource=found["FunctionArn"])["Tags"]
        environment = found.get("Environment", {}).get("Variables", {})
        return found["CodeSha256"], found["Timeout"], environment, without_ours(tags)


class TestFunction(ProviderSuite):
    @pytest.fixture
    def subject(self, aws: OfflineAws, acme: AwsTarget) -> Subject:
        return FunctionSubject(aws, acme)
