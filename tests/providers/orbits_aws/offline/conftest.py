"""An offline AWS for a module's tests, emptied before each of them, and a small deployer."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orbits_aws.offline import OfflineAws

MANAGEMENT = "123456789012"
CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


class Deployer:
    """Stacks of one account, deployed by change sets as orbits_cdk does, or directly."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self._numbers = itertools.count(1)

    def change_set(self, stack: str, template: Any, **arguments: Any) -> dict[str, Any]:
        """Make a change set and describe it."""
        kind = "UPDATE" if self.exists(stack) else "CREATE"
        created = self.client.create_change_set(
            StackName=stack,
            ChangeSetName=arguments.pop("name", f"change-{next(self._numbers)}"),
            ChangeSetType=arguments.pop("kind", kind),
            TemplateBody=template if isinstance(template, str) else json.dumps(template),
            Capabilities=CAPABILITIES,
            **arguments,
        )
        described: dict[str, Any] = self.client.describe_change_set(ChangeSetName=created["Id"])
        return described

    def deploy(self, stack: str, template: Any, **arguments: Any) -> dict[str, Any]:
        """Make a change set, execute it, and describe the stack."""
        execution = arguments.pop("execution", {})
        change_set = self.change_set(stack, template, **arguments)
        assert change_set["Status"] == "CREATE_COMPLETE", change_set
        self.client.execute_change_set(ChangeSetName=change_set["ChangeSetId"], **execution)
        return self.stack(change_set["StackId"])

    def exists(self, stack: str) -> bool:
        """Whether the stack was deployed."""
        return any(
            one["StackName"] == stack and one["StackStatus"] not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
            for one in self.client.list_stacks()["StackSummaries"]
        )

    def stack(self, stack: str) -> dict[str, Any]:
        """One stack."""
        described: dict[str, Any] = self.client.describe_stacks(StackName=stack)["Stacks"][0]
        return described

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of a stack."""
        return {output["OutputKey"]: output["OutputValue"] for output in self.stack(stack).get("Outputs", [])}

    def physical_id(self, stack: str, logical_id: str) -> str:
        """The physical id of a resource."""
        found = self.client.describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def events(self, stack: str) -> list[tuple[str, str]]:
        """Logical id and status of a stack's events, oldest first."""
        events = self.client.describe_stack_events(StackName=stack)["StackEvents"]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def reasons(self, stack: str) -> dict[str, str]:
        """The newest reason of each logical id."""
        events = self.client.describe_stack_events(StackName=stack)["StackEvents"]
        return {
            event["LogicalResourceId"]: event["ResourceStatusReason"]
            for event in reversed(events)
            if event.get("ResourceStatusReason")
        }

    def drift(self, stack: str) -> dict[str, tuple[str, list[str]]]:
        """Look for drift: the status of each resource and the paths of the properties that differ."""
        self.client.detect_stack_drift(StackName=stack)
        drifts = self.client.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
        return {
            one["LogicalResourceId"]: (
                one["StackResourceDriftStatus"],
                [difference["PropertyPath"] for difference in one.get("PropertyDifferences", [])],
            )
            for one in drifts
        }


def template(name: str) -> dict[str, Any]:
    """A template as CDK wrote it, by the name of its file."""
    path = Path(__file__).with_name("templates") / f"{name}.json"
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def running() -> Iterator[OfflineAws]:
    with OfflineAws() as aws:
        yield aws


@pytest.fixture
def aws(running: OfflineAws) -> OfflineAws:
    running.reset()
    return running


@pytest.fixture
def cfn(aws: OfflineAws) -> Deployer:
    return Deployer(aws.client("cloudformation", account=MANAGEMENT))


@pytest.fixture
def service() -> dict[str, Any]:
    return template("service")


@pytest.fixture
def site() -> dict[str, Any]:
    return template("site")


@pytest.fixture
def written() -> Callable[[str], dict[str, Any]]:
    return template
