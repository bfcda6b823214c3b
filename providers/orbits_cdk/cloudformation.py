"""What CloudFormation says about a stack: functions that read, of a client and plain values. Nothing here writes."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orbits_aws.errors import AwsRefused, NotThere
from orbits_cdk.yaml_template import read_yaml

STACK = "AWS::CloudFormation::Stack"
ABSENT = "DELETE_COMPLETE"
IDLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
REVIEW = "REVIEW_IN_PROGRESS"  # no resources yet: a change set for its creation is being looked at
NEVER_MADE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"})  # a creation that failed: only to be deleted
_WRAPPED = re.compile(r'^Resource handler returned message: "(.*)"$', re.DOTALL)
_REQUEST_IDS = re.compile(r"\s*\((RequestToken|Request ID): [^()]*\)|, Request ID: [\w-]+")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack as it is."""

    id: str
    name: str
    status: str
    reason: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    looked_up: Mapping[str, str] = field(default_factory=dict[str, str])  # parameters that Systems Manager keeps

    @property
    def busy(self) -> bool:
        """Whether CloudFormation is working on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != REVIEW


@dataclass(frozen=True, kw_only=True)
class StackEvent:
    """One step of an operation."""

    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    token: str  # of the request that began the operation
    stack_id: str = ""
    at: float = 0.0  # in seconds since the epoch, by CloudFormation's clock

    @property
    def is_stack(self) -> bool:
        """Whether it is the stack's own, and no resource's."""
        return self.type == STACK and self.physical_id == self.stack_id

    def __str__(self) -> str:
        """What failed and why, without the ids of the requests."""
        reason = _WRAPPED.sub(r"\1", _REQUEST_IDS.sub("", self.reason).strip())
        return f"{self.logical_id} ({self.type}) {self.status}: {reason or 'no reason given'}"


def find_stack(cfn: Any, name: str) -> Stack | None:
    """The stack of this name or id; None if there is none, or if it was deleted."""
    try:
        found = cfn.describe_stacks(StackName=name)["Stacks"][0]
    except (AwsRefused, NotThere) as error:
        if error.code == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    if found["StackStatus"] == ABSENT:
        return None
    return Stack(
        id=found["StackId"],
        name=found["StackName"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        outputs={output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())},
        parameters={p["ParameterKey"]: p.get("ParameterValue", "") for p in found.get("Parameters", ())},
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", ())},
        looked_up={p["ParameterKey"]: p["ResolvedValue"] for p in found.get("Parameters", ()) if "ResolvedValue" in p},
    )


def template_of(cfn: Any, name: str) -> dict[str, Any] | None:
    """The template that was deployed last and stayed, as it was handed over; None if it cannot be read."""
    body = cfn.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError:
            return read_yaml(body)
    return dict(body)


def physical_ids(cfn: Any, name: str) -> dict[str, str]:
    """The physical id of each resource of the stack that exists."""
    return {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in cfn.items("list_stack_resources", "StackResourceSummaries", StackName=name)
        if resource.get("PhysicalResourceId") and resource["ResourceStatus"] != ABSENT
    }


def exports(cfn: Any) -> dict[str, str]:
    """What the stacks here export, by name."""
    return {each["Name"]: each["Value"] for each in cfn.items("list_exports", "Exports")}


def last_operation(cfn: Any, stack_id: str) -> list[StackEvent]:
    """The events of the last operation on the stack, the oldest first."""
    events: list[StackEvent] = []
    for event in _events(cfn, stack_id):
        events.append(event)
        if event.physical_id == stack_id and _begins(event):
            break
    events.reverse()
    return events


def changes_of(cfn: Any, made: Mapping[str, Any], **more: Any) -> list[Mapping[str, Any]]:
    """All changes of a change set, of which `made` is the first page of its description.

    After a nested stack follow the changes inside it, under its logical id, a slash, and their own.
    """
    changes: list[Mapping[str, Any]] = list(made.get("Changes", ()))
    while made.get("NextToken"):
        made = cfn.describe_change_set(ChangeSetName=made["ChangeSetId"], NextToken=made["NextToken"], **more)
        changes += made.get("Changes", ())
    return [each for change in changes for each in (change, *_inside(cfn, change, **more))]


def _inside(cfn: Any, change: Mapping[str, Any], **more: Any) -> Iterator[Mapping[str, Any]]:
    nested = change.get("ResourceChange", {})
    if "ChangeSetId" not in nested:
        return
    made = cfn.describe_change_set(ChangeSetName=nested["ChangeSetId"], **more)
    for each in changes_of(cfn, made, **more):
        resource = each.get("ResourceChange", {})
        name = f"{nested['LogicalResourceId']}/{resource.get('LogicalResourceId', '')}"
        yield {**each, "ResourceChange": {**resource, "LogicalResourceId": name}} if resource else each


def validation_errors(cfn: Any, change_set_id: str) -> list[str]:
    """What CloudFormation's early validation says against a change set, which the change set itself does not."""
    return [
        f"{event.get('LogicalResourceId', '')} {event.get('ValidationPath', '')}: {event['ValidationStatusReason']}"
        for event in cfn.items("describe_events", "OperationEvents", ChangeSetName=change_set_id)
        if event.get("EventType") == "VALIDATION_ERROR" and event.get("ValidationStatusReason")
    ]


def first_failure(events: list[StackEvent]) -> StackEvent | None:
    """The resource that failed first: what failed after it was only stopped because of it."""
    return next(iter(_failures(events)), None)


def last_failure(events: list[StackEvent]) -> StackEvent | None:
    """The resource that failed last: in a rollback that failed, the one in its way."""
    return next(reversed(_failures(events)), None)


def cause(
    cfn: Any, failure: Callable[[list[StackEvent]], StackEvent | None], events: list[StackEvent]
) -> StackEvent | None:
    """The first or last failure among these events; where a nested stack has failed, that of the resource in it."""
    found = failure(events)
    while found is not None and found.type == STACK and not found.is_stack and found.physical_id.startswith("arn:"):
        inner = failure(last_operation(cfn, found.physical_id))
        if inner is None or inner.is_stack:
            break
        found = inner
    return found


def _failures(events: list[StackEvent]) -> list[StackEvent]:
    failed = [event for event in events if event.status.endswith("_FAILED")]
    own = [event for event in failed if "cancelled" not in event.reason.lower()]
    inside = [event for event in own if not event.is_stack]
    return inside or own or failed


def _begins(event: StackEvent) -> bool:
    if event.status in {"CREATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "UPDATE_IN_PROGRESS"}:
        return True
    return event.status == "ROLLBACK_IN_PROGRESS" and "user initiated" in event.reason.lower()


def _events(cfn: Any, stack_id: str) -> Iterator[StackEvent]:
    for event in cfn.items("describe_stack_events", "StackEvents", StackName=stack_id):
        yield StackEvent(
            logical_id=event.get("LogicalResourceId", ""),
            physical_id=event.get("PhysicalResourceId", ""),
            type=event.get("ResourceType", ""),
            status=event.get("ResourceStatus", ""),
            reason=event.get("ResourceStatusReason", ""),
            token=event.get("ClientRequestToken", ""),
            stack_id=event.get("StackId", ""),
            at=event["Timestamp"].timestamp() if "Timestamp" in event else 0.0,
        )
