"""The trial of one type: made, looked at, changed, replaced, removed, by CloudFormation's and Cloud Control's API.

What a trial finds is what happened, not what the handlers say of themselves. A step that fails ends the trial.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orbits_aws.offline import OfflineAws

_TAGS = [{"Key": "orbits:project", "Value": "trial"}]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A type with properties that suffice, changes to them, and the resources that it refers to."""

    type: str
    properties: Mapping[str, Any] = field(default_factory=dict[str, Any])
    change: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Properties to change in place."""
    replace: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Properties whose change is a new resource."""
    others: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def template(self, **properties: Any) -> str:
        """A template with the type as `It`."""
        it = {"Type": self.type, "Properties": {**self.properties, **properties}}
        return json.dumps({"Resources": {**self.others, "It": it}})


@dataclass(kw_only=True)
class Found:
    """What a trial found; a text is why something did not work."""

    type: str
    created: str = "not tried"
    in_sync: str = "not tried"
    changed: str = "not tried"
    replaced: str = "not tried"
    removed: str = "not tried"


def samples() -> dict[str, Sample]:
    """All samples, by type."""
    found: dict[str, Sample] = {}
    for path in sorted(Path(__file__).with_name("samples").glob("*.yaml")):
        for name, data in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            found[name] = Sample(type=name, **(data or {}))
    return found


class Trial:
    """Trials in one offline AWS, each in a stack of its own."""

    def __init__(self, aws: OfflineAws, account: str) -> None:
        self._client = aws.client("cloudformation", account=account)

    def make(self, sample: Sample) -> dict[str, Any]:
        """Make a stack with the type; returns what an update has to name."""
        stack = "trial-" + sample.type.removeprefix("AWS::").replace("::", "-")
        arguments: dict[str, Any] = {"StackName": stack, "Capabilities": ["CAPABILITY_NAMED_IAM"], "Tags": _TAGS}
        self._client.create_stack(**arguments, TemplateBody=sample.template())
        return arguments

    def run(self, sample: Sample) -> Found:
        """Try a type and remove what was made."""
        found = Found(type=sample.type)
        arguments = self.make(sample)
        stack = arguments["StackName"]
        found.created = self._outcome(stack, "CREATE_COMPLETE")
        if found.created == "yes":
            found.in_sync = self._drift(stack)
            if sample.change:
                found.changed = self._update(stack, sample.template(**sample.change), arguments, same=True)
            if sample.replace:
                found.replaced = self._update(stack, sample.template(**sample.replace), arguments, same=False)
        stack_id = self._client.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        self._client.delete_stack(StackName=stack)
        found.removed = self._outcome(stack_id, "DELETE_COMPLETE")
        return found

    def _update(self, stack: str, template: str, arguments: Mapping[str, Any], *, same: bool) -> str:
        before = self._physical_id(stack)
        self._client.update_stack(**arguments, TemplateBody=template)
        outcome = self._outcome(stack, "UPDATE_COMPLETE")
        if outcome != "yes":
            return outcome
        if same != (self._physical_id(stack) == before):
            return "replaced" if same else "changed in place"
        return self._drift(stack)

    def _drift(self, stack: str) -> str:
        self._client.detect_stack_drift(StackName=stack)
        drifts = self._client.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
        it = next((one for one in drifts if one["LogicalResourceId"] == "It"), None)
        if it is None or it["StackResourceDriftStatus"] == "NOT_CHECKED":
            return "unread"
        if it["StackResourceDriftStatus"] == "IN_SYNC":
            return "yes"
        paths = [one["PropertyPath"] for one in it.get("PropertyDifferences", [])]
        return f"{it['StackResourceDriftStatus']} {paths} {it.get('DriftStatusReason', '')}"

    def _physical_id(self, stack: str) -> str:
        found = self._client.describe_stack_resource(StackName=stack, LogicalResourceId="It")
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def _outcome(self, stack: str, wanted: str) -> str:
        status = self._client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        if status == wanted:
            return "yes"
        for event in self._client.describe_stack_events(StackName=stack)["StackEvents"][::-1]:
            if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != stack:
                return f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        return str(status)
