"""The trial of one type: made, looked at, changed, replaced, removed, by CloudFormation's and Cloud Control's API.

What a trial finds is what happened, not what the handlers say of themselves. A step that fails ends the trial; what a
step found is `YES`, `NOT_TRIED`, or why it did not work.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError

from orbits_aws.offline import OfflineAws
from orbits_aws.offline.cloudformation.schemas import schema_of

YES = "yes"
NOT_TRIED = "not tried"
UNREAD = "unread"
"""There is no reader, so drift is not looked for."""

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
    stays: bool = False
    """Whether what it set stays when it is removed, as on AWS."""

    def template(self, **properties: Any) -> str:
        """A template with the type as `It`."""
        it = {"Type": self.type, "Properties": {**self.properties, **properties}}
        return json.dumps({"Resources": {**self.others, "It": it}})


@dataclass(kw_only=True)
class Found:
    """What a trial found."""

    type: str
    created: str = NOT_TRIED
    in_sync: str = NOT_TRIED
    """Whether it is as it was made, when drift is looked for."""
    changed: str = NOT_TRIED
    """Whether the change was made in the same resource, which then is in sync."""
    replaced: str = NOT_TRIED
    """Whether the change was made in another resource, which then is in sync."""
    read: str = NOT_TRIED
    """Whether Cloud Control reads it by its physical id."""
    listed: str = NOT_TRIED
    """Whether Cloud Control lists it."""
    removed: str = NOT_TRIED
    """Whether it was removed; one that Cloud Control read is not to be found any more."""


def samples() -> dict[str, Sample]:
    """All samples, by type."""
    found: dict[str, Sample] = {}
    for path in sorted(Path(__file__).with_name("samples").glob("*.yaml")):
        for name, data in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            if name.startswith(("AWS::", "Custom::")):
                found[name] = Sample(type=name, **(data or {}))
    return found


class Trial:
    """Trials in one offline AWS, each in a stack of its own."""

    def __init__(self, aws: OfflineAws, account: str) -> None:
        """Try types in an account."""
        self._client = aws.client("cloudformation", account=account)
        self._control = aws.client("cloudcontrol", account=account)

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
        physical_id = ""
        if found.created == YES:
            found.in_sync = self._drift(stack)
            if sample.change:
                found.changed = self._update(stack, sample.template(**sample.change), arguments, same=True)
            if sample.replace:
                found.replaced = self._update(stack, sample.template(**sample.replace), arguments, same=False)
            physical_id = self._physical_id(stack)
            found.read = self._read(sample.type, physical_id)
            found.listed = self._listed(sample.type, physical_id)
        stack_id = self._client.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        self._client.delete_stack(StackName=stack)
        found.removed = self._outcome(stack_id, "DELETE_COMPLETE")
        if found.read == YES and found.removed == YES and not sample.stays:
            left = self._read(sample.type, physical_id)
            found.removed = YES if left == "ResourceNotFoundException" else f"left: {left}"
        return found

    def _update(self, stack: str, template: str, arguments: Mapping[str, Any], *, same: bool) -> str:
        before = self._physical_id(stack)
        try:
            self._client.update_stack(**arguments, TemplateBody=template)
        except ClientError as refused:
            return str(refused)
        outcome = self._outcome(stack, "UPDATE_COMPLETE")
        if outcome != YES:
            return outcome
        if same != (self._physical_id(stack) == before):
            return "replaced" if same else "changed in place"
        return YES if self._drift(stack) == UNREAD else self._drift(stack)

    def _drift(self, stack: str) -> str:
        self._client.detect_stack_drift(StackName=stack)
        drifts = self._client.describe_stack_resource_drifts(StackName=stack)["StackResourceDrifts"]
        it = next((one for one in drifts if one["LogicalResourceId"] == "It"), None)
        if it is None or it["StackResourceDriftStatus"] == "NOT_CHECKED":
            return UNREAD
        if it["StackResourceDriftStatus"] == "IN_SYNC":
            return YES
        paths = [one["PropertyPath"] for one in it.get("PropertyDifferences", [])]
        return f"{it['StackResourceDriftStatus']} {paths} {it.get('DriftStatusReason', '')}"

    def _read(self, type_name: str, physical_id: str) -> str:
        schema = schema_of(type_name)
        if schema is None or len(schema.identifier) != 1:
            return NOT_TRIED
        try:
            self._control.get_resource(TypeName=type_name, Identifier=physical_id)
        except ClientError as refused:
            return str(refused.response.get("Error", {}).get("Code"))
        return YES

    def _listed(self, type_name: str, physical_id: str) -> str:
        try:
            pages = self._control.get_paginator("list_resources").paginate(TypeName=type_name)
            found = [one["Identifier"] for page in pages for one in page["ResourceDescriptions"]]
        except ClientError as refused:
            return str(refused.response.get("Error", {}).get("Code"))
        return YES if physical_id in found else f"not among {len(found)}"

    def _physical_id(self, stack: str) -> str:
        found = self._client.describe_stack_resource(StackName=stack, LogicalResourceId="It")
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def _outcome(self, stack: str, wanted: str) -> str:
        status = self._client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        if status == wanted:
            return YES
        for event in self._client.describe_stack_events(StackName=stack)["StackEvents"][::-1]:
            if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != stack:
                return f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        return str(status)
